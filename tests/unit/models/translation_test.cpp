// What the three providers that speak another format share: nothing of a request is lost or changed
// in silence, and a whole reply without its end is no answer.
#include <gtest/gtest.h>

#include "models/anthropic/provider.h"
#include "models/gemini/provider.h"
#include "models/ollama/provider.h"
#include "models/shape.h"
#include "unit/providers/provider_desk.h"

namespace mainstay::models {
namespace {

using net::script;

struct Anthropic {
  using Desk = ProviderDesk<anthropic::make>;
  static constexpr const char* kReply =
      R"({"type":"message","content":[{"type":"text","text":"yes"}],"stop_reason":"end_turn"})";
  /// Of the second message, as it was sent.
  static Json arguments(Json sent, std::size_t call = 0) {
    return sent["messages"][1]["content"][call]["input"];
  }
  static Json said(Json sent) { return sent["messages"][1]["content"][0]["text"]; }
};
struct Gemini {
  using Desk = ProviderDesk<gemini::make>;
  static constexpr const char* kReply =
      R"({"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}]})";
  static Json arguments(Json sent, std::size_t call = 0) {
    return sent["contents"][1]["parts"][call]["functionCall"]["args"];
  }
  static Json said(Json sent) { return sent["contents"][1]["parts"][0]["text"]; }
};
struct Ollama {
  using Desk = ProviderDesk<ollama::make>;
  static constexpr const char* kReply = R"({"message":{"content":"yes"},"done":true})";
  static Json arguments(Json sent, std::size_t call = 0) {
    return sent["messages"][1]["tool_calls"][call]["function"]["arguments"];
  }
  static Json said(Json sent) { return sent["messages"][1]["content"]; }
};

template <class Format>
class translation : public ::testing::Test {
 protected:
  /// A body with a question, further messages and further members.
  static std::string body(const std::string& messages, const std::string& more = {}) {
    std::string out = R"({"messages":[{"role":"user","content":"q"})";
    if (!messages.empty()) out += "," + messages;
    out += "]";
    if (!more.empty()) out += "," + more;
    return out + "}";
  }
  /// An assistant's message with two calls, the second with these arguments, a JSON string.
  static std::string called(const std::string& arguments) {
    return R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",)"
           R"("function":{"name":"sun","arguments":"{}"}},{"id":"c2","type":"function",)"
           R"("function":{"name":"moon","arguments":)" +
           arguments + "}}]}";
  }
  Json sent(const std::string& text) { return desk.translated(text, Format::kReply); }
  /// The field that "upstream_cannot" names; empty when the request was sent.
  std::string cannot(const std::string& text) {
    const Json out = sent(text);
    EXPECT_EQ(out.is_null(), !desk.last.ok()) << text;
    if (desk.last.ok()) return {};
    EXPECT_EQ(desk.last.error().code, Errc::unsupported) << text;
    EXPECT_EQ(desk.last.error().reason, "upstream_cannot") << text;
    return desk.last.error().field;
  }
  typename Format::Desk desk;
};
using Formats = ::testing::Types<Anthropic, Gemini, Ollama>;
TYPED_TEST_SUITE(translation, Formats);

TYPED_TEST(translation, arguments_keep_every_digit_and_blank) {
  const std::string text = R"({"id":123456789012345678901234567890, "price":1.10,"e":-2.50E+01})";
  std::string quoted;
  append_json_string(quoted, text);
  this->sent(this->body(this->called(quoted)));
  ASSERT_TRUE(this->desk.last.ok()) << this->desk.last.error().message;
  const std::string& body = this->desk.client.sent.back().body;
  EXPECT_NE(body.find(text), std::string::npos) << body;
  EXPECT_TRUE(Json::accept(body)) << body;
}

TYPED_TEST(translation, no_arguments_are_an_empty_object) {
  const Json sent = this->sent(
      this->body(R"({"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":)"
                 R"({"name":"sun","arguments":""}}]})"));
  EXPECT_EQ(TypeParam::arguments(sent), Json::object()) << dump(sent);
}

TYPED_TEST(translation, arguments_that_are_no_object_are_shown_as_they_were) {
  for (const char* arguments :
       {R"("angle: 31")", R"("[1]")", R"("7")", R"("\"x\"")", R"("{\"a\":")", R"("{} {}")",
        R"("{\"a\":01}")", R"("\ufeff{}")", R"("{}\u0000")", R"(" ")"}) {
    const Json sent = this->sent(this->body(this->called(arguments)));
    EXPECT_EQ(TypeParam::arguments(sent, 1), (Json{{"invalid_json", *parse_json(arguments)}}))
        << arguments << dump(sent);
  }
}

TYPED_TEST(translation, openais_older_functions_are_refused_by_name) {
  EXPECT_EQ(this->cannot(this->body("", R"("functions":[{"name":"f"}])")), "functions");
  EXPECT_EQ(this->cannot(this->body("", R"("function_call":{"name":"f"})")), "function_call");
  EXPECT_EQ(
      this->cannot(this->body(
          R"({"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}})")),
      "messages[1].function_call");
  EXPECT_EQ(this->cannot(this->body(R"({"role":"assistant","content":"a","function_call":null})",
                                    R"("functions":[],"function_call":null)")),
            "");
}

TYPED_TEST(translation, tools_and_choices_of_other_types_are_refused) {
  const std::string function = R"({"type":"function","function":{"name":"f"}})";
  EXPECT_EQ(this->cannot(this->body(
                "", R"("tools":[)" + function + R"(,{"type":"custom","custom":{"name":"g"}}])")),
            "tools[1]");
  EXPECT_EQ(this->cannot(this->body(
                "", R"("tools":[)" + function +
                        R"(],"tool_choice":{"type":"allowed_tools","allowed_tools":{}})")),
            "tool_choice");
  EXPECT_EQ(this->cannot(this->body(
                R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"custom",)"
                R"("custom":{"name":"g","input":"x"}}]})")),
            "messages[1].tool_calls[0]");
  EXPECT_EQ(this->cannot(this->body("", R"("tools":[)" + function + "]")), "");
}

TYPED_TEST(translation, answers_that_are_no_text_and_searches_are_refused_by_name) {
  EXPECT_EQ(this->cannot(this->body("", R"("modalities":["text","audio"])")), "modalities");
  EXPECT_EQ(this->cannot(this->body("", R"("audio":{"voice":"alloy","format":"wav"})")), "audio");
  EXPECT_EQ(this->cannot(this->body("", R"("web_search_options":{})")), "web_search_options");
  EXPECT_EQ(this->cannot(this->body("", R"("modalities":["text"],"audio":null,)"
                                        R"("web_search_options":null)")),
            "");
}

TYPED_TEST(translation, what_asks_for_nothing_is_not_refused) {
  EXPECT_EQ(this->cannot(this->body("", R"("logprobs":false,"logit_bias":{},"seed":4,)"
                                        R"("presence_penalty":1,"reasoning_effort":"low")")),
            "");
  EXPECT_EQ(this->cannot(this->body("", R"("logprobs":null,"logit_bias":null)")), "");
}

TYPED_TEST(translation, a_refusal_is_what_the_assistant_said) {
  const auto said = [&](const std::string& message) {
    return TypeParam::said(this->sent(this->body(message + R"(,{"role":"user","content":"so?"})")));
  };
  EXPECT_EQ(said(R"({"role":"assistant","content":null,"refusal":"I will not."})"), "I will not.");
  EXPECT_EQ(said(R"({"role":"assistant","refusal":"Nor that."})"), "Nor that.");
  EXPECT_EQ(said(R"({"role":"assistant","content":"Yes.","refusal":"No."})"), "Yes.");
  EXPECT_EQ(
      said(R"({"role":"assistant","content":[{"type":"refusal","refusal":"Not in parts."}]})"),
      "Not in parts.");
}

TEST(translation_to_one, parameters_that_change_the_answer_are_refused_where_unknown) {
  const auto field = [](auto&& desk, const char* reply, const std::string& more) {
    const std::string body = R"({"messages":[{"role":"user","content":"q"}],)" + more + "}";
    const Json sent = desk.translated(body, reply);
    EXPECT_EQ(sent.is_null(), !desk.last.ok()) << body;
    if (desk.last.ok()) return std::string();
    EXPECT_EQ(desk.last.error().reason, "upstream_cannot") << body;
    return desk.last.error().field;
  };
  const std::string bias = R"("logit_bias":{"50256":-100})";
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f"}}],)";
  Anthropic::Desk anthropic;
  EXPECT_EQ(field(anthropic, Anthropic::kReply, R"("logprobs":true)"), "logprobs");
  EXPECT_EQ(field(anthropic, Anthropic::kReply, bias), "logit_bias");
  Gemini::Desk gemini;
  EXPECT_EQ(field(gemini, Gemini::kReply, bias), "logit_bias");
  Ollama::Desk ollama;
  EXPECT_EQ(field(ollama, Ollama::kReply, R"("logprobs":true)"), "logprobs");
  EXPECT_EQ(field(ollama, Ollama::kReply, tools + R"("tool_choice":"auto")"), "");
  EXPECT_EQ(field(ollama, Ollama::kReply, tools + R"("tool_choice":"none")"), "");
}

TEST(translation_to_one, anthropic_has_no_word_for_the_role_function) {
  Anthropic::Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"},{"role":"function","name":"f","content":"r"}]})",
      Anthropic::kReply);
  EXPECT_TRUE(sent.is_null());
  ASSERT_FALSE(desk.last.ok());
  EXPECT_EQ(desk.last.error().reason, "upstream_cannot");
  EXPECT_EQ(desk.last.error().field, "messages[1].role");
}

TEST(translation_to_one, a_refusal_stands_in_ollamas_single_prompt) {
  Ollama::Desk desk;
  desk.play(script("text/plain", "404 page not found", 0, 404));
  desk.play(script(kJsonType, R"({"response":"yes","done":true})"));
  const auto reply = desk.complete(
      R"({"messages":[{"role":"user","content":"q1"},{"role":"assistant","content":null,"refusal":"no"},
      {"role":"user","content":"q2"}]})");
  ASSERT_TRUE(reply.ok()) << reply.error().detail;
  EXPECT_EQ(desk.sent()["prompt"], "User: q1\nAssistant: no\nUser: q2\nAssistant:");
}

// proves Z3
TEST(whole_reply, without_its_end_it_is_truncated_like_a_stream) {
  const auto reason = [](auto&& desk, const char* reply) {
    const auto got = desk.complete(script(kJsonType, reply));
    EXPECT_FALSE(got.ok()) << reply;
    if (got.ok()) return std::string();
    EXPECT_EQ(got.error().code, Errc::bad_upstream) << reply;
    return got.error().reason;
  };
  for (const char* half :
       {R"({"type":"message","content":[{"type":"text","text":"half"}],"stop_reason":null})",
        R"({"type":"message","content":[{"type":"text","text":"half"}]})"}) {
    EXPECT_EQ(reason(Anthropic::Desk(), half), "upstream_truncated") << half;
  }
  for (const char* half :
       {R"({"candidates":[{"content":{"parts":[{"text":"half"}]}}],"usageMetadata":{}})",
        R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]})",
        R"({"candidates":[{"content":{"parts":[{"text":"half"}]},)"
        R"("finishReason":"FINISH_REASON_UNSPECIFIED"}]})"}) {
    EXPECT_EQ(reason(Gemini::Desk(), half), "upstream_truncated") << half;
  }
  for (const char* half : {R"({"message":{"content":"half"},"done":false})",
                           R"({"message":{"content":"half"},"done_reason":"stop"})"}) {
    EXPECT_EQ(reason(Ollama::Desk(), half), "upstream_truncated") << half;
  }
  Ollama::Desk old;
  old.play(script("text/plain", "404 page not found", 0, 404));
  EXPECT_EQ(reason(old, R"({"response":"half","done":false})"), "upstream_truncated");
}

TEST(whole_reply, a_blocked_prompt_has_an_end) {
  Gemini::Desk desk;
  const auto reply =
      desk.complete(script(kJsonType, R"({"promptFeedback":{"blockReason":"OTHER"}})"));
  EXPECT_EQ(finish_in(reply), "content_filter");
}

TEST(inline_pictures, scheme_type_and_encoding_may_be_in_capitals) {
  const auto image = [](const std::string& url) {
    return inline_image(Json{{"image_url", {{"url", url}}}}, "messages[3].content[4]");
  };
  for (const char* url : {"DATA:image/png;BASE64,QUJD", "Data:IMAGE/PNG;Base64,QUJD"}) {
    const auto got = image(url);
    ASSERT_TRUE(got.ok()) << url;
    EXPECT_EQ(got->media_type, "image/png");
    EXPECT_EQ(got->base64, "QUJD");
  }
  EXPECT_EQ(image("DATA:image/png,QUJD").error().reason, "invalid_image");
  EXPECT_EQ(image("DATA:image/png;BASE64").error().reason, "invalid_image");
  EXPECT_EQ(image("DATA:image/png;BASE64,").error().reason, "invalid_image");
  EXPECT_EQ(image("HTTP://a.example/;base64,QUJD").error().reason, "upstream_cannot");
}

}  // namespace
}  // namespace mainstay::models
