// Pieces of a streamed answer put together, friendly and hostile ones.
#include "assistant/transcript.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mainstay::assistant {
namespace {

std::string delta(const std::string& inside) {
  return R"({"choices":[{"index":0,"delta":{)" + inside + "}}]}";
}
std::string calls(const std::string& inside) {
  return delta(R"("tool_calls":[)" + inside + "]");
}
Json added(std::initializer_list<std::string> chunks) {
  Transcript transcript;
  for (const auto& chunk : chunks) EXPECT_TRUE(transcript.add(chunk).ok()) << chunk;
  return transcript.message();
}

TEST(Transcript, text_is_appended_in_order) {
  const Json message =
      added({delta(R"("role":"assistant","content":"")"), delta(R"("content":"Hel")"),
             delta(R"("content":"lo, w\u00f6rld\n")")});
  EXPECT_EQ(dump(message), "{\"role\":\"assistant\",\"content\":\"Hello, wörld\\n\"}");
}

TEST(Transcript, an_answer_without_a_word_is_an_empty_text) {
  EXPECT_EQ(dump(added({})), R"({"role":"assistant","content":""})");
}

TEST(Transcript, a_refusal_is_kept_beside_the_text) {
  const Json message = added({delta(R"("refusal":"I can")"), delta(R"("refusal":"not.")")});
  EXPECT_EQ(message["refusal"], "I cannot.");
  EXPECT_EQ(message["content"], "");
}

TEST(Transcript, tool_calls_merge_by_their_index) {
  const Json message = added({
      calls(
          R"({"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}})"),
      calls(R"({"index":1,"id":"call_b","function":{"name":"time","arguments":"{\"zone\":"}})"),
      calls(R"({"index":0,"function":{"arguments":"{\"city\":\"Bern\"}"}})"),
      calls(R"({"index":1,"function":{"arguments":"\"CET\"}"}})"),
  });
  EXPECT_TRUE(message["content"].is_null());
  ASSERT_EQ(message["tool_calls"].size(), 2u);
  EXPECT_EQ(message["tool_calls"][0]["id"], "call_a");
  EXPECT_EQ(message["tool_calls"][0]["type"], "function");
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "weather");
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], R"({"city":"Bern"})");
  EXPECT_EQ(message["tool_calls"][1]["id"], "call_b");
  EXPECT_EQ(message["tool_calls"][1]["function"]["name"], "time");
  EXPECT_EQ(message["tool_calls"][1]["function"]["arguments"], R"({"zone":"CET"})");
}

TEST(Transcript, calls_of_another_type_keep_their_members) {
  const Json message =
      added({calls(R"({"index":0,"id":"c","type":"custom","custom":{"name":"sql"}})"),
             calls(R"({"index":0,"custom":{"input":"SELECT "}})"),
             calls(R"({"index":0,"custom":{"input":"1"}})")});
  EXPECT_EQ(
      message["tool_calls"],
      Json::parse(R"([{"id":"c","type":"custom","custom":{"name":"sql","input":"SELECT 1"}}])"));
}

TEST(Transcript, a_type_is_taken_from_the_first_piece_and_does_no_harm) {
  const Json message =
      added({calls(R"({"index":0,"id":"c","function":{"name":"f"}})"),
             calls(R"({"index":0,"type":"","function":{"arguments":"{"}})"),
             calls(R"({"index":0,"type":"custom","function":{"arguments":"}"}})")});
  EXPECT_EQ(
      message["tool_calls"][0],
      Json::parse(R"({"id":"c","type":"function","function":{"name":"f","arguments":"{}"}})"));
  for (const std::string type : {"id", "type", "index", "extra_content", ""}) {
    const std::string quoted = Json(type).dump();
    added({calls(R"({"index":0,"type":)" + quoted + R"(,"id":{"a":"b"},)" + R"("x":1})"),
           calls(R"({"index":0,)" + quoted + R"(:{"a":"b"}})")});
  }
}

/// A call as it stands in a message.
Json call(const std::string& id, const std::string& name, const std::string& arguments) {
  return {
      {"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

TEST(Transcript, an_empty_id_or_name_in_a_later_piece_changes_nothing) {
  for (const char* nothing : {R"("")", "null"}) {
    const std::string id = std::string(R"("id":)") + nothing;
    const std::string name = std::string(R"("name":)") + nothing;
    const Json message =
        added({calls(R"({"index":0,"id":"call_a","function":{"name":"f","arguments":"{"}})"),
               calls(R"({"index":0,)" + id + R"(,"function":{)" + name + R"(,"arguments":"}"}})")});
    EXPECT_EQ(message["tool_calls"], Json::array({call("call_a", "f", "{}")})) << nothing;
  }
}

TEST(Transcript, a_new_id_under_the_same_index_is_a_new_call) {
  const Json message =
      added({calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}})"),
             calls(R"({"index":0,"function":{"arguments":":1}"}})"),
             calls(R"({"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\""}})"),
             calls(R"({"index":0,"id":"","function":{"arguments":":2"}})"),
             calls(R"({"index":0,"function":{"arguments":"}"}})")});
  EXPECT_EQ(message["tool_calls"],
            Json::array({call("a", "f", R"({"x":1})"), call("b", "f", R"({"x":2})")}));
}

TEST(Transcript, an_id_that_comes_late_belongs_to_the_call_of_its_index) {
  const Json message = added({calls(R"({"index":0,"function":{"name":"f","arguments":"{"}})"),
                              calls(R"({"index":0,"id":"a","function":{"arguments":"}"}})")});
  EXPECT_EQ(message["tool_calls"], Json::array({call("a", "f", "{}")}));
}

TEST(Transcript, new_ids_under_one_index_are_believed_up_to_256_calls) {
  for (const std::size_t count : {255u, 256u, 257u}) {
    Transcript transcript;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string piece = R"({"index":0,"id":"c)" + std::to_string(i) + R"("})";
      ASSERT_TRUE(transcript.add(calls(piece)).ok());
    }
    EXPECT_EQ(transcript.message()["tool_calls"].size(), std::min<std::size_t>(count, 256));
  }
}

TEST(Transcript, without_an_index_an_id_begins_a_call_and_the_rest_continues_it) {
  const Json message = added({calls(R"({"id":"a","function":{"name":"f","arguments":"{\"x\""}})"),
                              calls(R"({"function":{"arguments":":1}"}})"),
                              calls(R"({"id":"b","function":{"name":"g","arguments":"{"}})"
                                    R"(,{"index":null,"id":"","function":{"arguments":"}"}})")});
  EXPECT_EQ(message["tool_calls"],
            Json::array({call("a", "f", R"({"x":1})"), call("b", "g", "{}")}));
}

TEST(Transcript, gaps_in_the_indices_are_no_calls) {
  const Json message =
      added({calls(R"({"index":3,"id":"d","function":{"name":"g","arguments":"{}"}})"),
             calls(R"({"index":1,"id":"b","function":{"name":"f","arguments":"{}"}})"),
             calls(R"({"index":2,"id":"","function":{"name":null,"arguments":""}})")});
  EXPECT_EQ(message["tool_calls"], Json::array({call("b", "f", "{}"), call("d", "g", "{}")}));
  EXPECT_EQ(dump(added({calls(R"({"index":1})")})), R"({"role":"assistant","content":""})");
}

TEST(Transcript, an_id_and_a_name_repeated_in_each_piece_stand_once) {
  const std::string again = R"({"index":0,"id":"a","function":{"name":"f","arguments":"1"}})";
  Transcript transcript;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(transcript.add(calls(again)).ok());
  EXPECT_EQ(transcript.message()["tool_calls"], Json::array({call("a", "f", "111")}));
  EXPECT_EQ(transcript.size(), 4u);
  ASSERT_TRUE(transcript.add(calls(R"({"index":0,"id":"a","function":{"name":"fgh"}})")).ok());
  EXPECT_EQ(transcript.message()["tool_calls"], Json::array({call("a", "fgh", "111")}));
  EXPECT_EQ(transcript.size(), 6u);
  ASSERT_TRUE(transcript.add(calls(R"({"index":0,"function":{"name":"fgh"}})")).ok());
  ASSERT_TRUE(transcript.add(calls(R"({"index":0,"function":{"name":"_i"}})")).ok());
  EXPECT_EQ(transcript.message()["tool_calls"], Json::array({call("a", "fgh_i", "111")}));
}

TEST(Transcript, content_in_parts_is_their_texts_joined) {
  const Json message =
      added({delta(R"("content":[{"type":"text","text":"Hel"},{"type":"text","text":"lo"}])"),
             delta(R"("content":[{"type":"thinking","text":"hm"},{"type":"text","text":", you"},7,)"
                   R"({"type":"text","text":null}])"),
             delta(R"("content":".")")});
  EXPECT_EQ(message["content"], "Hello, you.");
}

TEST(Transcript, an_older_kind_of_call_is_kept) {
  const Json message = added({delta(R"("function_call":{"name":"f","arguments":"{\"a\""})"),
                              delta(R"("function_call":{"arguments":":1}"})")});
  EXPECT_EQ(message["function_call"], Json::parse(R"({"name":"f","arguments":"{\"a\":1}"})"));
  EXPECT_TRUE(message["content"].is_null());
}

TEST(Transcript, calls_that_may_be_half_are_left_out) {
  Transcript transcript;
  ASSERT_TRUE(transcript.add(delta(R"("content":"Let me see.")")).ok());
  ASSERT_TRUE(transcript.add(calls(R"({"index":0,"id":"a","function":{"name":"f"}})")).ok());
  transcript.leave_calls_out();
  EXPECT_EQ(transcript.size(), 11u);
  EXPECT_EQ(transcript.message(), Json::parse(R"({"role":"assistant","content":"Let me see."})"));
}

TEST(Transcript, thoughts_stay_with_the_calls_that_they_led_to) {
  Transcript transcript;
  ASSERT_TRUE(transcript.add(delta(R"("reasoning_content":"h")")).ok());
  ASSERT_TRUE(transcript.add(delta(R"("reasoning_content":"m")")).ok());
  EXPECT_EQ(transcript.size(), 2u);
  EXPECT_FALSE(transcript.message().contains("reasoning_content"));
  ASSERT_TRUE(
      transcript.add(delta(R"("tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}])")).ok());
  EXPECT_EQ(transcript.message()["reasoning_content"], "hm");
  transcript.leave_calls_out();
  EXPECT_EQ(transcript.size(), 0u);
  EXPECT_FALSE(transcript.message().contains("reasoning_content"));
}

TEST(Transcript, text_beside_tool_calls_is_kept) {
  const Json message = added({delta(R"("content":"Let me look.")"),
                              calls(R"({"index":0,"id":"call_a","function":{"name":"f"}})")});
  EXPECT_EQ(message["content"], "Let me look.");
  EXPECT_EQ(message["tool_calls"].size(), 1u);
}

TEST(Transcript, an_index_is_believed_up_to_255_and_no_further) {
  EXPECT_EQ(added({calls(R"({"index":255,"id":"last"})")})["tool_calls"].size(), 1u);
  for (const char* index : {"256", "257", "4294967296", "9007199254740992"}) {
    const Json message = added({calls(std::string(R"({"index":)") + index + R"(,"id":"x"})")});
    EXPECT_FALSE(message.contains("tool_calls")) << index;
  }
}

TEST(Transcript, an_index_that_is_no_number_does_no_harm) {
  for (const char* index :
       {"\"0\"", "null", "[1]", "{}", "true", "1.5", "1e300", "-1", "18446744073709551615"}) {
    Transcript transcript;
    const std::string chunk = calls(std::string(R"({"index":)") + index + R"(,"id":"x"})");
    EXPECT_NO_THROW({ [[maybe_unused]] auto status = transcript.add(chunk); }) << index;
    EXPECT_LE(dump(transcript.message()).size(), 200u) << index;
  }
}

TEST(Transcript, members_of_a_wrong_type_are_passed_over) {
  const Json message = added({
      delta(R"("content":5)"),
      delta(R"("content":null,"refusal":null,"tool_calls":null)"),
      delta(R"("content":["x"],"tool_calls":"x")"),
      calls(R"(1,"x",null,[],{"index":0,"id":7,"function":"x"})"),
      calls(R"({"index":0,"function":{"name":1,"arguments":{}}})"),
      delta(R"("content":"fine")"),
  });
  EXPECT_EQ(message["content"], "fine");
  EXPECT_FALSE(message.contains("tool_calls"));
}

TEST(Transcript, chunks_without_a_choice_are_passed_over) {
  const Json message = added({
      R"({"choices":[],"usage":{"total_tokens":3}})",
      R"({"choices":null})",
      R"({"choices":[null]})",
      R"({"choices":["x"]})",
      R"({"choices":[{"delta":null}]})",
      R"({"choices":[{"finish_reason":"stop"}]})",
      R"({"object":"chat.completion.chunk"})",
  });
  EXPECT_EQ(message["content"], "");
}

TEST(Transcript, only_the_first_choice_is_collected) {
  const Json message = added({
      R"({"choices":[{"index":0,"delta":{"content":"first"}},{"index":1,"delta":{"content":"X"}}]})",
      R"({"choices":[{"index":1,"delta":{"content":"second"}}]})",
  });
  EXPECT_EQ(message["content"], "first");
}

TEST(Transcript, garbage_is_an_upstream_error) {
  for (const char* chunk : {"", "not json", "{", "{\"choices\":[", "\xff\xfe", "{} {}"}) {
    Transcript transcript;
    auto status = transcript.add(chunk);
    ASSERT_FALSE(status.ok()) << chunk;
    EXPECT_EQ(status.error().code, Errc::bad_upstream);
  }
}

TEST(Transcript, json_that_is_no_object_does_no_harm) {
  for (const char* chunk : {"null", "[]", "[1]", "5", "\"text\"", "true"}) {
    Transcript transcript;
    EXPECT_NO_THROW({ [[maybe_unused]] auto status = transcript.add(chunk); }) << chunk;
    EXPECT_EQ(transcript.text(), "");
  }
}

TEST(Transcript, citations_that_a_chunk_carries_are_remembered) {
  Transcript transcript;
  EXPECT_TRUE(transcript.citations().is_null());
  ASSERT_TRUE(transcript.add(R"({"choices":[],"citations":[{"document":"doc_1"}]})").ok());
  ASSERT_TRUE(transcript.add(delta(R"("content":"x")")).ok());
  EXPECT_EQ(dump(transcript.citations()), R"([{"document":"doc_1"}])");
}

TEST(MessageOf, the_first_choices_message_is_taken) {
  const Json message = message_of(
      R"({"choices":[{"message":{"role":"assistant","content":"a"}},{"message":{"content":"b"}}]})");
  EXPECT_EQ(dump(message), R"({"role":"assistant","content":"a"})");
}

TEST(MessageOf, what_other_providers_refuse_to_hear_again_is_left_out) {
  const Json message = message_of(
      R"({"choices":[{"message":{"role":"assistant","content":null,"refusal":null,)"
      R"("reasoning":"hm","annotations":[],"provider_specific_fields":{"x":1},)"
      R"("tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},)"
      R"("extra_content":{"google":{"thought_signature":"s"}}}]}}]})");
  EXPECT_EQ(message, Json::parse(R"({"role":"assistant","content":null,)"
                                 R"("tool_calls":[{"id":"c","type":"function",)"
                                 R"("function":{"name":"f","arguments":"{}"},)"
                                 R"("extra_content":{"google":{"thought_signature":"s"}}}]})"));
  EXPECT_FALSE(
      message_of(R"({"choices":[{"message":{"role":"assistant","content":"a","tool_calls":[]}}]})")
          .contains("tool_calls"));
}

// DeepSeek refuses the tool's result without them.
TEST(MessageOf, thoughts_stay_with_the_calls_that_they_led_to) {
  const std::string calls =
      R"("tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}])";
  const auto of = [](const std::string& members) {
    return message_of(R"({"choices":[{"message":{"role":"assistant",)" + members + "}}]}");
  };
  EXPECT_EQ(of(R"("content":"","reasoning_content":"hm",)" + calls)["reasoning_content"], "hm");
  EXPECT_FALSE(of(R"("content":"a","reasoning_content":"hm")").contains("reasoning_content"));
  EXPECT_FALSE(of(R"("content":"","reasoning_content":"",)" + calls).contains("reasoning_content"));
  EXPECT_FALSE(
      of(R"("content":"","reasoning_content":[1],)" + calls).contains("reasoning_content"));
}

// Stored as it came, such an answer made every later question of its conversation a bad request.
TEST(MessageOf, is_one_that_every_provider_takes_again) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"content":"a"})", R"({"role":"assistant","content":"a"})"},
      {R"({"role":"assistant","content":null})", R"({"role":"assistant","content":""})"},
      {R"({"role":"assistant"})", R"({"role":"assistant","content":""})"},
      {R"({"role":"model","content":[{"type":"thinking","thinking":[{"type":"text"}]},)"
       R"({"type":"text","text":"a "},{"type":"text","text":"b"}]})",
       R"({"role":"assistant","content":"a b"})"},
      {R"({"role":"assistant","content":null,"refusal":"no"})",
       R"({"role":"assistant","content":null,"refusal":"no"})"},
  };
  for (const auto& [given, kept] : cases) {
    EXPECT_EQ(dump(message_of(R"({"choices":[{"message":)" + std::string(given) + "}]}")), kept);
  }
}

TEST(MessageOf, what_holds_no_message_is_null) {
  for (const char* body :
       {"", "x", "null", "[]", "{}", R"({"choices":[]})", R"({"choices":{}})",
        R"({"choices":[null]})", R"({"choices":["x"]})", R"({"choices":[{}]})"}) {
    EXPECT_TRUE(message_of(body).is_null()) << body;
  }
}

}  // namespace
}  // namespace mainstay::assistant
