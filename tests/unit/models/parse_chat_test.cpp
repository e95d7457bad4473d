// What a chat body may be, and what is said about every other.
#include <gtest/gtest.h>

#include "base/json.h"
#include "models/chat.h"

namespace mainstay::models {
namespace {

Result<ParsedChat> parse(std::string body, const LimitSettings& limits = {}) {
  return parse_chat(std::move(body), limits, "default-model");
}
/// A body whose only message is from the user, with further members behind.
std::string with(const std::string& more) {
  return R"({"messages":[{"role":"user","content":"hi"}],)" + more + "}";
}
std::string message(const std::string& text) {
  return R"({"messages":[)" + text + "]}";
}

TEST(parse_chat, takes_out_what_the_engine_needs) {
  auto parsed = parse(
      R"({"model":"m-7","stream":true,"stream_options":{"include_usage":true},"n":3,"tools":[{"type":"function","function":{"name":"f-1","parameters":{}}}],"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,"}}]}]})");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const auto& request = parsed->request;
  EXPECT_EQ(request.model, "m-7");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_TRUE(request.has_tools);
  EXPECT_TRUE(request.has_images);
  EXPECT_EQ(request.choices, 3U);
  EXPECT_EQ(request.members.size(), 6U);
  EXPECT_EQ(request.members[0].value(request.body), "\"m-7\"");
}

TEST(parse_chat, the_most_tokens_are_counted_under_every_name) {
  for (const char* more : {R"("max_tokens":7)", R"("max_completion_tokens":7,"max_tokens":5)",
                           R"("options":{"num_predict":7})"}) {
    auto parsed = parse(with(more));
    ASSERT_TRUE(parsed.ok()) << more;
    EXPECT_EQ(parsed->request.max_tokens, 7U) << more;
  }
}

TEST(parse_chat, leaves_the_body_as_it_came) {
  const std::string body =
      "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"hi\"} ],\n \"x_unknown\":[1] }";
  auto parsed = parse(body);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->request.body, body);
  EXPECT_EQ(parsed->request.model, "default-model");
  EXPECT_FALSE(parsed->request.stream);
  EXPECT_GE(parsed->request.body.capacity(), body.size() + simdjson::SIMDJSON_PADDING);
}

TEST(parse_chat, takes_its_own_members_out_of_the_body) {
  auto parsed = parse(with(R"("conversation":"conv_1","x":2,"collection":"docs:a.b")"));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->own.conversation, "conv_1");
  EXPECT_EQ(parsed->own.collection, "docs:a.b");
  EXPECT_EQ(parsed->request.collection->text(), "docs:a.b");
  EXPECT_EQ(parsed->request.body, R"({"messages":[{"role":"user","content":"hi"}],"x":2})");
  EXPECT_EQ(parsed->request.members.size(), 2U);
}

TEST(parse_chat, an_escaped_key_is_no_way_around) {
  auto parsed = parse(
      R"({"mod\u0065l":"m-7","mess\u0061ges":[{"role":"user","content":"hi"}],"conv\u0065rsation":"c-1"})");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->request.model, "m-7");
  EXPECT_EQ(parsed->own.conversation, "c-1");
  EXPECT_EQ(parsed->request.body, R"({"model":"m-7","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(parse(with(R"("model":"a","mod\u0065l":"b")")).error().reason, "duplicate_field");
}

TEST(parse_chat, accepts_every_role_and_kind_of_content) {
  for (
      const char* text :
      {R"({"role":"system","content":"s"})", R"({"role":"developer","content":"d"})",
       R"({"role":"user","content":""})",
       R"({"role":"user","name":"ann","content":[{"type":"text","text":"t"}]})",
       R"({"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]})",
       R"({"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]})",
       R"({"role":"assistant","content":"a"})",
       R"({"role":"assistant","content":[{"type":"refusal","refusal":"no"}]})",
       R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]})",
       R"({"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]})",
       R"({"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"name":"g","input":"x"}}]})",
       R"({"role":"assistant","content":null,"refusal":"no"})",
       R"({"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}})",
       R"({"role":"tool","tool_call_id":"1","content":"r"})",
       R"({"role":"function","name":"f","content":null})"}) {
    auto parsed = parse(message(text));
    EXPECT_TRUE(parsed.ok()) << text << ": " << (parsed.ok() ? "" : parsed.error().message);
  }
}

// What a server answered comes back with the next question, as its client has kept it.
TEST(parse_chat, accepts_what_servers_answer_in_a_history) {
  for (const char* answer :
       {R"({"role":"assistant","content":"a","tool_calls":[]})",
        R"({"role":"assistant","content":null})", R"({"role":"assistant","content":[]})",
        R"({"role":"assistant","content":[{"type":"thinking","thinking":[]},)"
        R"({"type":"text","text":"a"}]})",
        R"({"role":"user","content":[{"type":"video_url","video_url":{"url":"data:,"}}]})",
        R"({"role":"assistant","content":[],"tool_calls":[{"id":"c","type":"function",)"
        R"("function":{"name":"functions.add:0","arguments":"{}"}}]})"}) {
    const auto parsed = parse(message(answer));
    EXPECT_TRUE(parsed.ok()) << answer << " " << parsed.error().message;
  }
}

TEST(parse_chat, accepts_the_ends_of_every_range_and_null_for_absent) {
  for (const char* more :
       {R"("temperature":0)",
        R"("temperature":2)",
        R"("temperature":2.0)",
        R"("top_p":1)",
        R"("top_p":0)",
        R"("n":1)",
        R"("n":8)",
        R"("max_tokens":1)",
        R"("max_tokens":1000000)",
        R"("options":{"num_predict":1000000})",
        R"("options":{"num_predict":-1})",
        R"("options":{"num_ctx":4096})",
        R"("options":[1])",
        R"("max_completion_tokens":1000000)",
        R"("presence_penalty":-2)",
        R"("frequency_penalty":2)",
        R"("seed":-9223372036854775808)",
        R"("top_logprobs":20)",
        R"("top_logprobs":0)",
        R"("stop":"x")",
        R"("stop":["a","b","c","d"])",
        R"("stop":[])",
        R"("tools":[])",
        R"("tool_choice":"auto")",
        R"("tool_choice":"required")",
        R"("tool_choice":{"type":"function","function":{"name":"f"}})",
        R"("stream":false)",
        R"("stream":true,"stream_options":{})",
        R"("stream_options":null)",
        R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}})",
        R"("tools":[{"type":"custom","custom":{"name":"any name"}},{"type":"web_search"}])",
        R"("response_format":{"type":"json_object"})",
        R"("response_format":{"type":"json_schema","json_schema":{"name":"s"}})",
        R"("response_format":{"type":"text"})",
        R"("response_format":{"type":"structural_tag","structures":[]})",
        R"("response_format":null)",
        R"("user":"u")",
        R"("model":null)",
        R"("temperature":null,"top_p":null,"n":null,"stop":null,"tools":null,"user":null)",
        R"("logit_bias":{"5":-100})",
        R"("logprobs":true)",
        R"("conversation":null)",
        R"("functions":[{"name":"f"}])",
        R"("reasoning_effort":"low")"}) {
    auto parsed = parse(with(more));
    EXPECT_TRUE(parsed.ok()) << more << ": " << (parsed.ok() ? "" : parsed.error().message);
  }
}

struct Bad {
  const char* body;
  const char* reason;
  const char* field;
};
class bad_body : public ::testing::TestWithParam<Bad> {};

TEST_P(bad_body, is_refused_with_its_reason_and_its_place) {
  const Bad& bad = GetParam();
  auto parsed = parse(bad.body);
  ASSERT_FALSE(parsed.ok()) << bad.body;
  EXPECT_EQ(parsed.error().code, Errc::invalid);
  EXPECT_EQ(parsed.error().reason, bad.reason) << bad.body << ": " << parsed.error().message;
  EXPECT_EQ(parsed.error().field, bad.field) << bad.body;
  EXPECT_FALSE(parsed.error().message.empty());
}

#define MESSAGES R"({"messages":[{"role":"user","content":"hi"}],)"

const Bad kBad[] = {
    {"", "invalid_json", ""},
    {" ", "invalid_json", ""},
    {"{", "invalid_json", ""},
    {"hello", "invalid_json", ""},
    {"{\"messages\":[}", "invalid_json", ""},
    {"{} {}", "invalid_json", ""},
    {"{\"a\":\"\xff\"}", "invalid_json", ""},
    {"{\"a\":\"\\ud800\"}", "invalid_json", ""},
    {"{\"a\":\"\x01\"}", "invalid_json", ""},
    {"{\"a\":NaN}", "invalid_json", ""},
    {"{\"a\":1e999}", "invalid_json", ""},
    {"{\"a\":01}", "invalid_json", ""},
    {"{'a':1}", "invalid_json", ""},
    {"[]", "invalid_type", ""},
    {"null", "invalid_type", ""},
    {"\"text\"", "invalid_type", ""},
    {"42", "invalid_type", ""},
    {"{}", "missing_field", "messages"},
    {R"({"messages":null})", "invalid_type", "messages"},
    {R"({"messages":"hi"})", "invalid_type", "messages"},
    {R"({"messages":{}})", "invalid_type", "messages"},
    {R"({"messages":[]})", "invalid_value", "messages"},
    {R"({"messages":["hi"]})", "invalid_type", "messages[0]"},
    {R"({"messages":[{"content":"hi"}]})", "missing_field", "messages[0].role"},
    {R"({"messages":[{"role":7,"content":"hi"}]})", "invalid_type", "messages[0].role"},
    {R"({"messages":[{"role":"User","content":"hi"}]})", "unknown_role", "messages[0].role"},
    {R"({"messages":[{"role":"user","content":"a"},{"role":"wizard","content":"b"}]})",
     "unknown_role", "messages[1].role"},
    {R"({"messages":[{"role":"user"}]})", "missing_field", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":null}]})", "invalid_type", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":5}]})", "invalid_type", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":{}}]})", "invalid_type", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":"a\u0000b"}]})", "invalid_value",
     "messages[0].content"},
    {R"({"messages":[{"role":"user","content":[]}]})", "invalid_value", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":["a"]}]})", "invalid_type", "messages[0].content[0]"},
    {R"({"messages":[{"role":"user","content":[{"text":"a"}]}]})", "missing_field",
     "messages[0].content[0].type"},
    {R"({"messages":[{"role":"user","content":[{"type":1}]}]})", "invalid_type",
     "messages[0].content[0].type"},
    {R"({"messages":[{"role":"user","content":[{"type":""}]}]})", "out_of_range",
     "messages[0].content[0].type"},
    {R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text"}]}]})",
     "missing_field", "messages[0].content[1].text"},
    {R"({"messages":[{"role":"user","content":[{"type":"text","text":1}]}]})", "invalid_type",
     "messages[0].content[0].text"},
    {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]})",
     "invalid_type", "messages[0].content[0].image_url"},
    {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]})",
     "missing_field", "messages[0].content[0].image_url.url"},
    {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":""}}]}]})",
     "invalid_value", "messages[0].content[0].image_url.url"},
    {R"({"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"A"}}]}]})",
     "missing_field", "messages[0].content[0].input_audio.format"},
    {R"({"messages":[{"role":"user","content":[{"type":"file"}]}]})", "missing_field",
     "messages[0].content[0].file"},
    {R"({"messages":[{"role":"user","role":"system","content":"a"}]})", "duplicate_field",
     "messages[0].role"},
    {R"({"messages":[{"role":"user","content":"a","content":"b"}]})", "duplicate_field",
     "messages[0].content"},
    {R"({"messages":[{"role":"user","content":"a","name":""}]})", "out_of_range",
     "messages[0].name"},
    {R"({"messages":[{"role":"user","content":"a","tool_calls":[]}]})", "invalid_value",
     "messages[0].tool_calls"},
    {R"({"messages":[{"role":"assistant","tool_calls":[{"type":"custom","custom":{"name":"g"}}]}]})",
     "missing_field", "messages[0].tool_calls[0].id"},
    {R"({"messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":""}}]}]})",
     "missing_field", "messages[0].tool_calls[0].id"},
    {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f"}}]}]})",
     "missing_field", "messages[0].tool_calls[0].function.arguments"},
    {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{}}}]}]})",
     "invalid_type", "messages[0].tool_calls[0].function.arguments"},
    {R"({"messages":[{"role":"tool","content":"a"}]})", "missing_field",
     "messages[0].tool_call_id"},
    {MESSAGES R"("messages":[]})", "duplicate_field", "messages"},
    {MESSAGES R"("model":"a","model":"a"})", "duplicate_field", "model"},
    {MESSAGES R"("model":7})", "invalid_type", "model"},
    {MESSAGES R"("model":""})", "out_of_range", "model"},
    {MESSAGES R"("model":"a\nb"})", "invalid_value", "model"},
    {MESSAGES R"("temperature":-0.01})", "out_of_range", "temperature"},
    {MESSAGES R"("temperature":2.01})", "out_of_range", "temperature"},
    {MESSAGES R"("temperature":"1"})", "invalid_type", "temperature"},
    {MESSAGES R"("top_p":1.5})", "out_of_range", "top_p"},
    {MESSAGES R"("n":0})", "out_of_range", "n"},
    {MESSAGES R"("n":9})", "out_of_range", "n"},
    {MESSAGES R"("n":1.5})", "out_of_range", "n"},
    {MESSAGES R"("n":-1})", "out_of_range", "n"},
    {MESSAGES R"("n":18446744073709551615})", "out_of_range", "n"},
    {MESSAGES R"("max_tokens":0})", "out_of_range", "max_tokens"},
    {MESSAGES R"("max_tokens":1000001})", "out_of_range", "max_tokens"},
    {MESSAGES R"("options":{"num_predict":1000001}})", "out_of_range", "options.num_predict"},
    {MESSAGES R"("max_completion_tokens":"9"})", "invalid_type", "max_completion_tokens"},
    {MESSAGES R"("presence_penalty":2.5})", "out_of_range", "presence_penalty"},
    {MESSAGES R"("frequency_penalty":-3})", "out_of_range", "frequency_penalty"},
    {MESSAGES R"("seed":1.5})", "invalid_type", "seed"},
    {MESSAGES R"("top_logprobs":21})", "out_of_range", "top_logprobs"},
    {MESSAGES R"("logprobs":1})", "invalid_type", "logprobs"},
    {MESSAGES R"("stop":5})", "invalid_type", "stop"},
    {MESSAGES R"("stop":["a","b","c","d","e"]})", "too_many", "stop"},
    {MESSAGES R"("stop":["a",5]})", "invalid_type", "stop[1]"},
    {MESSAGES R"("tools":{}})", "invalid_type", "tools"},
    {MESSAGES R"("tools":[5]})", "invalid_type", "tools[0]"},
    {MESSAGES R"("tools":[{"function":{"name":"f"}}]})", "missing_field", "tools[0].type"},
    {MESSAGES R"("tools":[{"type":7}]})", "invalid_type", "tools[0].type"},
    {MESSAGES R"("tools":[{"type":""}]})", "out_of_range", "tools[0].type"},
    {MESSAGES R"("tools":[{"type":"custom"},{"type":"function"}]})", "missing_field",
     "tools[1].function"},
    {MESSAGES R"("tools":[{"type":"function"}]})", "missing_field", "tools[0].function"},
    {MESSAGES R"("tools":[{"type":"function","function":{}}]})", "missing_field",
     "tools[0].function.name"},
    {MESSAGES R"("tools":[{"type":"function","function":{"name":"a b"}}]})", "invalid_value",
     "tools[0].function.name"},
    {MESSAGES R"("tools":[{"type":"function","function":{"name":"f","parameters":[]}}]})",
     "invalid_type", "tools[0].function.parameters"},
    {MESSAGES R"("tool_choice":"maybe"})", "invalid_value", "tool_choice"},
    {MESSAGES R"("tool_choice":5})", "invalid_type", "tool_choice"},
    {MESSAGES R"("tool_choice":{"type":"function"}})", "missing_field", "tool_choice.function"},
    {MESSAGES R"("tool_choice":{"allowed_tools":{}}})", "missing_field", "tool_choice.type"},
    {MESSAGES R"("stream":"yes"})", "invalid_type", "stream"},
    {MESSAGES R"("stream_options":{}})", "invalid_value", "stream_options"},
    {MESSAGES R"("stream":true,"stream_options":[]})", "invalid_type", "stream_options"},
    {MESSAGES R"("stream":true,"stream_options":{"include_usage":1}})", "invalid_type",
     "stream_options.include_usage"},
    {MESSAGES R"("response_format":"json"})", "invalid_type", "response_format"},
    {MESSAGES R"("response_format":{"type":4}})", "invalid_type", "response_format.type"},
    {MESSAGES R"("response_format":{}})", "missing_field", "response_format.type"},
    {MESSAGES R"("user":5})", "invalid_type", "user"},
    {MESSAGES R"("conversation":"a b"})", "invalid_value", "conversation"},
    {MESSAGES R"("conversation":"../x"})", "invalid_value", "conversation"},
    {MESSAGES R"("collection":""})", "invalid_value", "collection"},
    {MESSAGES R"("collection":7})", "invalid_type", "collection"},
};
INSTANTIATE_TEST_SUITE_P(table, bad_body, ::testing::ValuesIn(kBad));

TEST(parse_chat, counts_and_lengths_end_exactly_at_their_limits) {
  LimitSettings limits;
  limits.messages_max = 3;
  limits.tools_max = 2;
  limits.message_max = Bytes{10};
  const std::string one = R"({"role":"user","content":"hi"})";
  const auto many = [&](int n) {
    std::string list = one;
    for (int i = 1; i < n; ++i) list += "," + one;
    return parse(message(list), limits);
  };
  EXPECT_TRUE(many(2).ok());
  EXPECT_TRUE(many(3).ok());
  EXPECT_EQ(many(4).error().reason, "too_many");
  const auto long_text = [&](std::size_t n) {
    return parse(message(R"({"role":"user","content":")" + std::string(n, 'x') + "\"}"), limits);
  };
  EXPECT_TRUE(long_text(9).ok());
  EXPECT_TRUE(long_text(10).ok());
  EXPECT_EQ(long_text(11).error().code, Errc::too_large);
  EXPECT_EQ(long_text(11).error().reason, "message_too_large");
  const auto parts = parse(
      message(
          R"({"role":"user","content":[{"type":"text","text":"123456"},{"type":"text","text":"12345"}]})"),
      limits);
  EXPECT_EQ(parts.error().reason, "message_too_large");
  const std::string tool = R"({"type":"function","function":{"name":"f"}})";
  const auto tools = [&](int n) {
    std::string list = tool;
    for (int i = 1; i < n; ++i) list += "," + tool;
    return parse(with(R"("tools":[)" + list + "]"), limits);
  };
  EXPECT_TRUE(tools(1).ok());
  EXPECT_TRUE(tools(2).ok());
  EXPECT_EQ(tools(3).error().reason, "too_many");
}

TEST(parse_chat, short_fields_end_exactly_at_their_limits) {
  const auto field = [](const char* name, std::size_t n) {
    return parse(with("\"" + std::string(name) + "\":\"" + std::string(n, 'x') + "\"")).ok();
  };
  for (const char* name : {"model", "user", "stop"}) {
    EXPECT_TRUE(field(name, 255)) << name;
    EXPECT_TRUE(field(name, 256)) << name;
    EXPECT_FALSE(field(name, 257)) << name;
  }
  EXPECT_TRUE(field("conversation", 127));
  EXPECT_TRUE(field("conversation", 128));
  EXPECT_FALSE(field("conversation", 129));
}

TEST(parse_chat, nesting_ends_at_its_limit) {
  const auto nested = [](std::size_t levels) {
    return parse(with("\"x\":" + std::string(levels, '[') + std::string(levels, ']'))).ok();
  };
  EXPECT_TRUE(nested(kJsonDepthMax - 2));
  EXPECT_FALSE(nested(kJsonDepthMax + 1));
  EXPECT_FALSE(nested(100'000));
}

TEST(parse_chat, a_tool_of_an_unknown_type_counts_as_a_tool_and_stays_as_it_came) {
  const std::string body = with(R"("tools":[{"type":"custom","custom":{"name":"g","x":[1.10]}}])");
  auto parsed = parse(body);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_TRUE(parsed->request.has_tools);
  EXPECT_EQ(parsed->request.body, body);
}

TEST(parse_chat, a_message_says_the_allowed_range) {
  EXPECT_EQ(parse(with("\"temperature\":3")).error().message, "'temperature' must be from 0 to 2.");
  EXPECT_EQ(parse(with("\"n\":9")).error().message, "'n' must be a whole number from 1 to 8.");
}

}  // namespace
}  // namespace mainstay::models
