// What the providers share: reading trees that may be anything, OpenAI's objects, refusals' words.
#include "models/shape.h"

#include <gtest/gtest.h>

#include "base/json_fields.h"
#include "models/provider_error.h"

namespace mainstay::models {
namespace {

Json json(const std::string& text) {
  return *parse_json(text);
}

TEST(Fields, a_member_of_a_wrong_type_counts_as_absent) {
  for (const char* text :
       {"null", "true", "7", "-7", "1.5", R"("x")", "[]", R"([{"a":1}])", "{}"}) {
    const Json value = json(text);
    EXPECT_TRUE(field(value, "a").is_null()) << text;
    EXPECT_TRUE(object_field(value, "a").empty()) << text;
    EXPECT_TRUE(array_field(value, "a").empty()) << text;
    EXPECT_EQ(string_field(value, "a", "o"), "o") << text;
    EXPECT_FALSE(flag_field(value, "a")) << text;
    EXPECT_EQ(count_field(value, "a", 9), 9U) << text;
    const Json inside = Json{{"a", value}};
    EXPECT_EQ(flag_field(inside, "a"), value == true) << text;
    EXPECT_EQ(object_field(inside, "a").is_object(), true) << text;
    EXPECT_EQ(array_field(inside, "a").is_array(), true) << text;
  }
}

TEST(Fields, counts_are_whole_numbers_up_to_2_to_the_53) {
  const auto count = [](const std::string& number) {
    return count_field(json(R"({"a":)" + number + "}"), "a", 77);
  };
  EXPECT_EQ(count("0"), 0U);
  EXPECT_EQ(count("12"), 12U);
  EXPECT_EQ(count("12.0"), 12U);
  EXPECT_EQ(count("-1"), 77U);
  EXPECT_EQ(count("-0.5"), 77U);
  EXPECT_EQ(count("9007199254740991"), 9'007'199'254'740'991U);
  EXPECT_EQ(count("9007199254740992"), 9'007'199'254'740'992U);
  EXPECT_EQ(count("9007199254740993"), 77U);
  EXPECT_EQ(count("18446744073709551615"), 77U);
  EXPECT_EQ(count("1e300"), 77U);
  EXPECT_EQ(count("\"12\""), 77U);
}

TEST(Fields, parsed_numbers_that_are_not_negative_are_unsigned) {
  EXPECT_TRUE(json("5").is_number_unsigned());
  EXPECT_FALSE(json("-5").is_number_unsigned());
  EXPECT_EQ(json("-5").get<int>(), -5);
  EXPECT_TRUE(json("18446744073709551615").is_number_unsigned());
}

TEST(Shape, chunks_and_completions_are_openais_objects) {
  const AnswerHead head{"chatcmpl-7", "m \"x\"", 1'700'000'001};
  EXPECT_EQ(
      json(role_chunk(head).json),
      json(
          R"({"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000001,"model":"m \"x\"",
            "choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})"));
  EXPECT_FALSE(role_chunk(head).token);
  EXPECT_TRUE(text_chunk(head, "a").token);
  EXPECT_FALSE(text_chunk(head, "").token);
  const ChatChunk end = chunk(head, Json::object(), "length");
  EXPECT_TRUE(end.finish);
  EXPECT_EQ(json(end.json)["choices"][0],
            json(R"({"index":0,"delta":{},"finish_reason":"length"})"));
  const Usage usage{3, 4, true};
  EXPECT_EQ(json(usage_chunk(head, usage).json)["choices"], Json::array());
  EXPECT_EQ(json(usage_chunk(head, usage).json)["usage"],
            json(R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7})"));
  EXPECT_EQ(usage_json(Usage{3, 4, true, 1, 2}),
            json(R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,
                 "prompt_tokens_details":{"cached_tokens":1},
                 "completion_tokens_details":{"reasoning_tokens":2}})"));
  const ChatReply reply =
      completion(head, {{"role", "assistant"}, {"content", "\xff"}}, "stop", Usage{});
  const Json whole = json(reply.body);  // bytes that are no UTF-8 are replaced
  EXPECT_FALSE(whole.contains("usage"));
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "stop");
}

TEST(Shape, pictures_are_taken_as_data_addresses_alone) {
  const auto image = [](const std::string& url) {
    return inline_image(Json{{"image_url", {{"url", url}}}}, "messages[1].content[2]");
  };
  const auto good = image("data:image/webp;base64,QQ==");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->media_type, "image/webp");
  EXPECT_EQ(good->base64, "QQ==");
  EXPECT_EQ(image("https://a.example/x").error().reason, "upstream_cannot");
  EXPECT_EQ(image("").error().reason, "upstream_cannot");
  EXPECT_EQ(image("data:image/png,QQ").error().reason, "invalid_image");
  EXPECT_EQ(image("data:image/png;base64,").error().field, "messages[1].content[2]");
  EXPECT_TRUE(inline_image(Json{{"image_url", "data:a/b;base64,Q"}}, "f").ok());
  EXPECT_FALSE(inline_image(Json(7), "f").ok());
}

TEST(Shape, text_of_content_takes_strings_and_text_parts) {
  EXPECT_EQ(text_of_content(json(R"("a")")), "a");
  EXPECT_EQ(text_of_content(json(R"([{"type":"text","text":"a"},{"type":"x","text":"b"},7,null,
      {"type":"text","text":8},{"type":"text","text":"c"}])")),
            "a\n\nc");
  for (const char* odd : {"null", "7", "{}", "[]"})
    EXPECT_EQ(text_of_content(json(odd)), "") << odd;
}

TEST(ProviderError, words_are_found_in_every_form_of_error_body) {
  EXPECT_EQ(words_of(R"({"error":{"message":"w1"}})"), "w1");
  EXPECT_EQ(words_of(R"({"error":"w2"})"), "w2");
  EXPECT_EQ(words_of(R"({"message":"w3"})"), "w3");
  EXPECT_EQ(words_of(R"([{"error":{"message":"w4"}}])"), "w4");
  EXPECT_EQ(words_of(" w5\n"), "w5");
  EXPECT_EQ(words_of(""), "");
  for (const char* odd :
       {R"({"error":7})", R"({"error":{"message":[]}})", R"({"message":null})", "[7]", "[]"}) {
    EXPECT_EQ(words_of(odd), odd);
  }
  for (const std::size_t size : {499U, 500U, 501U}) {
    EXPECT_EQ(words_of(std::string(size, 'x')).size(), std::min<std::size_t>(size, 500));
  }
  EXPECT_EQ(words_of("\xff"), "\xEF\xBF\xBD");
}

Error refused(int status, const std::string& error) {
  return refused_by_provider(status, complaint_of(R"({"error":)" + error + "}"),
                             std::chrono::milliseconds(7));
}

TEST(ProviderError, an_account_without_credit_is_no_rate_limit) {
  for (const Error& error :
       {refused(429, R"({"message":"m","type":"insufficient_quota","code":"insufficient_quota"})"),
        refused(429, R"({"message":"m","type":"x","code":"insufficient_quota"})"),
        refused(429, R"({"message":"m","type":"insufficient_quota"})"),
        refused(402, R"({"message":"Insufficient credits","code":402})"),
        refused(400, R"({"message":"Your credit balance is too low to access the Anthropic API.",
                     "type":"invalid_request_error"})")}) {
    EXPECT_EQ(error.code, Errc::bad_upstream) << error.detail;
    EXPECT_EQ(error.reason, "upstream_quota") << error.detail;
    EXPECT_NE(error.message.find("billing"), std::string::npos) << error.message;
  }
  EXPECT_EQ(refused(429, R"({"message":"You exceeded your current quota, please check your billing",
                         "code":429,"status":"RESOURCE_EXHAUSTED"})")
                .reason,
            "upstream_rate_limited")
      << "Gemini says so of its limits of a minute, too";
}

TEST(ProviderError, a_404_is_of_the_model_or_of_the_address) {
  const auto reason = [](const std::string& body) {
    return refused_by_provider(404, complaint_of(body), std::chrono::milliseconds(0)).reason;
  };
  for (const char* body : {"", "<html><title>404</title></html>", "404 page not found",
                           R"({"detail":"Not Found"})", R"({"error":{"message":"Not Found"}})"}) {
    EXPECT_EQ(reason(body), "upstream_wrong_path") << body;
  }
  for (const char* body :
       {R"({"error":"model 'x' not found"})",
        R"({"error":{"message":"The model `x` does not exist","code":"model_not_found"}})",
        R"({"type":"error","error":{"type":"not_found_error","message":"model: x"}})",
        R"({"error":{"message":"Not found: model x"}})"}) {
    EXPECT_EQ(reason(body), "upstream_model_unknown") << body;
  }
}

TEST(ProviderError, a_prompt_that_is_too_long_has_openais_code_whoever_says_so) {
  for (
      const char* error :
      {R"({"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"})",
       R"({"code":400,"message":"m","type":"exceed_context_size_error","param":"messages"})",
       R"({"message":"This model's Maximum Context Length is 8 tokens.","param":"messages"})",
       R"({"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum","param":"messages"})",
       R"({"message":"input length and `max_tokens` exceed context limit: 5 + 4 > 8","param":"messages"})",
       R"({"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","param":"messages"})",
       R"({"message":"the request exceeds the available context size","param":"messages"})",
       R"({"message":"the input length exceeds the context length","param":"messages"})"}) {
    const Error got = refused(400, error);
    EXPECT_EQ(got.code, Errc::invalid) << error;
    EXPECT_EQ(got.reason, "context_length_exceeded") << error;
    EXPECT_EQ(got.field, "messages") << error;
    EXPECT_NE(got.message.find(words_of(std::string(R"({"error":)") + error + "}")),
              std::string::npos);
    EXPECT_EQ(refused(500, error).reason, "upstream_error") << error;
  }
  EXPECT_EQ(refused(400, R"({"message":"the prompt is too loud"})").reason, "upstream_rejected");
}

}  // namespace
}  // namespace mainstay::models
