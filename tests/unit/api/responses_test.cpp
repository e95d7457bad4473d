// POST /v1/responses: the body in other words, the answer as items, the stream as events.
#include "api/response_order.h"
#include "api/response_writer.h"
#include "base/json_fields.h"
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

Json chat_of(const std::string& body) {
  auto order = response_order(body);
  EXPECT_TRUE(order.ok()) << order.error().message;
  return order.ok() ? World::json(order->chat) : Json();
}

/// "code field" of a refusal.
std::string refusal_of(const std::string& body) {
  auto order = response_order(body);
  if (order.ok()) return "taken";
  EXPECT_FALSE(order.error().message.empty());
  return order.error().reason + " " + order.error().field;
}

TEST(ResponseOrder, a_text_is_a_users_message_behind_the_instructions) {
  const Json chat = chat_of(R"({"model":"m","instructions":"Be brief.","input":"Capital?"})");
  EXPECT_EQ(chat, World::json(R"({"model":"m","messages":[{"role":"system","content":"Be brief."},)"
                              R"({"role":"user","content":"Capital?"}]})"));
}

TEST(ResponseOrder, items_become_messages_and_calls_that_follow_one_another_one_message) {
  const Json chat = chat_of(R"({"input":[
    {"role":"developer","content":"Be exact."},
    {"type":"message","role":"user","content":[{"type":"input_text","text":"Weather in "},
      {"type":"input_text","text":"Rome and Bern?"}]},
    {"type":"reasoning","id":"rs_1","summary":[]},
    {"type":"message","role":"assistant","content":[
      {"type":"output_text","text":"I look.","annotations":[]}]},
    {"type":"function_call","id":"fc_1","call_id":"c1","name":"weather","arguments":"{\"at\":1}",
     "extra_content":{"google":{"thought_signature":"s"}}},
    {"type":"function_call","call_id":"c2","name":"weather","arguments":"{}"},
    {"type":"function_call_output","call_id":"c1","output":"sun"},
    {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"rain"}]},
    {"type":"function_call","call_id":"c3","name":"time","arguments":"{}"}]})");
  EXPECT_EQ(chat["messages"], World::json(R"([
    {"role":"developer","content":"Be exact."},
    {"role":"user","content":[{"type":"text","text":"Weather in "},
      {"type":"text","text":"Rome and Bern?"}]},
    {"role":"assistant","content":"I look.","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"at\":1}"},
       "extra_content":{"google":{"thought_signature":"s"}}},
      {"id":"c2","type":"function","function":{"name":"weather","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"sun"},
    {"role":"tool","tool_call_id":"c2","content":"rain"},
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"c3","type":"function","function":{"name":"time","arguments":"{}"}}]}])"));
}

// DeepSeek refuses the outputs of calls whose thoughts are left out.
TEST(ResponseOrder, what_a_model_thought_belongs_to_the_calls_of_its_turn) {
  const Json chat = chat_of(R"({"input":[{"role":"user","content":"q"},
    {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Old."}]},
    {"type":"message","role":"assistant","content":"a"},
    {"role":"user","content":"q2"},
    {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm."},
      {"type":"reasoning_text","text":" So."}]},
    {"type":"message","role":"assistant","content":"I look."},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
    {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":" And."}]},
    {"type":"function_call","call_id":"c2","name":"f","arguments":"{}"},
    {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Lost."}]},
    {"type":"function_call_output","call_id":"c1","output":"1"},
    {"type":"function_call_output","call_id":"c2","output":"2"},
    {"type":"function_call","call_id":"c3","name":"f","arguments":"{}"}]})");
  const Json& messages = chat["messages"];
  ASSERT_EQ(messages.size(), 7u) << messages;
  EXPECT_FALSE(messages[1].contains("reasoning_content"));
  EXPECT_EQ(messages[3]["reasoning_content"], "Hm. So. And.");
  EXPECT_EQ(messages[3]["tool_calls"].size(), 2u);
  EXPECT_FALSE(messages[6].contains("reasoning_content"));
}

// What a Response holds comes back as its client got it.
TEST(ResponseOrder, text_between_and_behind_calls_is_part_of_their_message) {
  const Json chat = chat_of(R"({"input":[{"role":"user","content":"q"},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"wait"}]},
    {"type":"function_call","call_id":"c2","name":"f","arguments":"{}"},
    {"type":"message","role":"assistant","content":"more"},
    {"type":"function_call_output","call_id":"c1","output":"1"},
    {"type":"function_call_output","call_id":"c2","output":"2"}]})");
  const Json& messages = chat["messages"];
  ASSERT_EQ(messages.size(), 4u) << messages;
  EXPECT_EQ(messages[1]["content"],
            World::json(R"([{"type":"text","text":"wait"},{"type":"text","text":"more"}])"));
  EXPECT_EQ(messages[1]["tool_calls"].size(), 2u);
  EXPECT_EQ(messages[2]["tool_call_id"], "c1");
}

// So many that looking for each name among all before it would take seconds.
TEST(ResponseOrder, many_members_are_all_there_in_their_order) {
  std::string body = R"({"input":"x")";
  for (int n = 0; n < 50'000; ++n) body += ",\"k" + std::to_string(n) + "\":" + std::to_string(n);
  const Json chat = chat_of(body + "}");
  EXPECT_EQ(chat.size(), 50'001u);
  EXPECT_EQ(chat.begin().key(), "k0");
  EXPECT_EQ(chat["k49999"], 49'999);
}

TEST(ResponseOrder, pictures_files_and_sounds_keep_what_they_hold) {
  const Json chat = chat_of(R"({"input":[{"role":"user","content":[
    {"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},
    {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="},
    {"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]})");
  EXPECT_EQ(chat["messages"][0]["content"], World::json(R"([
    {"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},
    {"type":"file","file":{"file_data":"data:application/pdf;base64,AA==","filename":"a.pdf"}},
    {"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}])"));
}

TEST(ResponseOrder, options_have_their_names_in_chats_and_unknown_ones_go_on) {
  const Json chat = chat_of(R"({"input":"x","stream":true,"max_output_tokens":50,"temperature":0.2,
    "reasoning":{"effort":"low","summary":"auto"},"top_k":7,"seed":null,"store":true,
    "metadata":{"a":"b"},"max_tool_calls":3,"top_logprobs":0,"include":["reasoning.encrypted_content"],"truncation":"auto",
    "conversation":{"id":"conv_1"},"collection":"notes","tool_choice":{"type":"function","name":"f"},
    "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},
      "strict":true}],
    "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object"},
      "strict":true}}})");
  EXPECT_EQ(chat, World::json(R"({"temperature":0.2,"top_k":7,"collection":"notes",
    "tools":[{"type":"function","function":{"name":"f","description":"d",
      "parameters":{"type":"object"},"strict":true}}],
    "tool_choice":{"type":"function","function":{"name":"f"}},"verbosity":"low",
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},
      "strict":true}},
    "max_completion_tokens":50,"reasoning_effort":"low","conversation":"conv_1","stream":true,
    "stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]})"));
}

TEST(ResponseOrder, what_there_is_not_is_refused_by_its_place) {
  const auto with = [](const std::string& more) { return R"({"input":"x",)" + more + "}"; };
  EXPECT_EQ(refusal_of(with(R"("previous_response_id":"resp_1")")),
            "unsupported_parameter previous_response_id");
  EXPECT_EQ(refusal_of(with(R"("previous_response_id":null,"background":false)")), "taken");
  EXPECT_EQ(refusal_of(with(R"("background":true)")), "unsupported_parameter background");
  EXPECT_EQ(refusal_of(with(R"("prompt":{"id":"p"})")), "unsupported_parameter prompt");
  EXPECT_EQ(refusal_of(with(R"("messages":[])")), "unsupported_parameter messages");
  EXPECT_EQ(refusal_of(with(R"("n":2)")), "unsupported_parameter n");
  EXPECT_EQ(refusal_of(with(R"("top_logprobs":2)")), "unsupported_parameter top_logprobs");
  EXPECT_EQ(refusal_of(with(R"("top_logprobs":0)")), "taken");
  EXPECT_EQ(refusal_of(R"({"input":[{"type":"item_reference","id":"msg_1"}]})"),
            "unsupported_parameter input[0].type");
  EXPECT_EQ(refusal_of(with(R"("include":["message.output_text.logprobs"])")),
            "unsupported_parameter include");
  EXPECT_EQ(refusal_of(with(R"("tools":[{"type":"web_search"}])")),
            "unsupported_parameter tools[0].type");
  EXPECT_EQ(refusal_of(with(R"("tool_choice":{"type":"allowed_tools"})")),
            "unsupported_parameter tool_choice");
  EXPECT_EQ(refusal_of(R"({"input":[{"type":"item_reference","id":"msg_1"}]})"),
            "unsupported_parameter input[0].type");
  EXPECT_EQ(
      refusal_of(R"({"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]})"),
      "unsupported_parameter input[0].content[0]");
}

TEST(ResponseOrder, wrong_shapes_are_named_by_their_place) {
  EXPECT_EQ(refusal_of("[]"), "invalid_type ");
  EXPECT_EQ(refusal_of("{"), "invalid_json ");
  EXPECT_EQ(refusal_of("{}"), "missing_field input");
  EXPECT_EQ(refusal_of(R"({"input":[]})"), "out_of_range input");
  EXPECT_EQ(refusal_of(R"({"input":7})"), "invalid_type input");
  EXPECT_EQ(refusal_of(R"({"input":["x"]})"), "invalid_type input[0]");
  EXPECT_EQ(refusal_of(R"({"input":[{"content":"x"}]})"), "missing_field input[0].role");
  EXPECT_EQ(refusal_of(R"({"input":[{"role":"user"}]})"), "missing_field input[0].content");
  EXPECT_EQ(refusal_of(R"({"input":[{"role":"user","content":[{"type":"text_in"}]}]})"),
            "invalid_value input[0].content[0].type");
  EXPECT_EQ(refusal_of(R"({"input":[{"type":"function_call","name":"f","arguments":{}}]})"),
            "invalid_type input[0].arguments");
  EXPECT_EQ(refusal_of(R"({"input":[{"type":"function_call_output","output":"x"}]})"),
            "missing_field input[0].call_id");
  EXPECT_EQ(refusal_of(R"({"input":"x","instructions":[]})"), "invalid_type instructions");
  EXPECT_EQ(refusal_of(R"({"input":"x","tools":{}})"), "invalid_type tools");
  EXPECT_EQ(refusal_of(R"({"input":"x","text":"plain"})"), "invalid_type text");
  EXPECT_EQ(refusal_of(R"({"input":"x","reasoning":"low"})"), "invalid_type reasoning");
  EXPECT_EQ(refusal_of(R"({"input":"x","metadata":[]})"), "invalid_type metadata");
  EXPECT_EQ(refusal_of(R"({"input":"x","background":"yes"})"), "invalid_type background");
  EXPECT_EQ(refusal_of(R"({"input":[{"type":5,"role":"user","content":"x"}]})"),
            "invalid_type input[0].type");
}

/// The writer's events: their types, and each as JSON.
struct Told {
  std::vector<std::string> types;
  std::vector<Json> events;
  Json last(const std::string& type) const {
    for (std::size_t i = events.size(); i-- > 0;) {
      if (types[i] == type) return events[i];
    }
    return nullptr;
  }
};

Told told_by(const std::string& text) {
  Told out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = text.find("\n\n", at);
    const std::string event = text.substr(at, end - at);
    const auto line = event.find("\ndata: ");
    EXPECT_TRUE(event.starts_with("event: ") && line != std::string::npos) << event;
    if (end == std::string::npos || line == std::string::npos) break;
    const std::string type = event.substr(7, line - 7);
    const Json data = World::json(event.substr(line + 7));
    EXPECT_EQ(data["type"], type);
    EXPECT_EQ(data["sequence_number"], out.events.size()) << "without gaps, from 0";
    out.types.push_back(type);
    out.events.push_back(data);
    at = end + 2;
  }
  return out;
}

std::string delta(const std::string& members, const std::string& finish = "null") {
  return R"({"choices":[{"index":0,"delta":{)" + members + R"(},"finish_reason":)" + finish + "}]}";
}

TEST(ResponseWriter, a_text_is_told_piece_by_piece_and_whole_at_the_end) {
  ResponseWriter writer({{"id", "resp_7"}}, true);
  writer.begin();
  for (const auto& chunk : {delta(R"("role":"assistant","content":"")"), delta(R"("content":"Be")"),
                            delta(R"("content":"rn.")"), delta("", R"("stop")")}) {
    EXPECT_TRUE(writer.add(chunk).ok());
  }
  writer.finish({11, 2, true, 3, 0}, wall_from_micros(5'000'000));
  const Told told = told_by(writer.take_events());
  EXPECT_EQ(told.types,
            (std::vector<std::string>{"response.created", "response.in_progress",
                                      "response.output_item.added", "response.content_part.added",
                                      "response.output_text.delta", "response.output_text.delta",
                                      "response.output_text.done", "response.content_part.done",
                                      "response.output_item.done", "response.completed"}));
  EXPECT_EQ(told.events[0]["response"]["output"], Json::array());
  EXPECT_EQ(told.events[0]["response"]["status"], "in_progress");
  EXPECT_EQ(told.events[4]["delta"], "Be");
  EXPECT_EQ(told.events[5]["delta"], "rn.");
  EXPECT_EQ(told.events[5]["item_id"], "msg_7_0");
  EXPECT_EQ(told.events[6]["text"], "Bern.");
  const Json whole = told.events[9]["response"];
  EXPECT_EQ(whole["status"], "completed");
  EXPECT_EQ(whole["completed_at"], 5);
  EXPECT_EQ(whole["output"], World::json(R"([{"id":"msg_7_0","type":"message",
    "status":"completed","role":"assistant","content":[{"type":"output_text","text":"Bern.",
    "annotations":[],"logprobs":[]}]}])"));
  EXPECT_EQ(whole["usage"], World::json(R"({"input_tokens":11,
    "input_tokens_details":{"cached_tokens":3},"output_tokens":2,
    "output_tokens_details":{"reasoning_tokens":0},"total_tokens":13})"));
  EXPECT_EQ(writer.take_events(), "");
}

TEST(ResponseWriter, thoughts_text_and_calls_are_items_in_the_order_in_which_they_begin) {
  ResponseWriter writer({{"id", "resp_7"}}, true);
  for (const auto& chunk :
       {delta(R"("reasoning_content":"Hm")"), delta(R"("reasoning":"m.")"),
        delta(R"("content":"I look.")"),
        delta(R"("tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":""}}])"),
        delta(
            R"("tool_calls":[{"index":1,"id":"c2","function":{"name":"g","arguments":"{\"b\""}}])"),
        delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}])"),
        delta(R"("tool_calls":[{"index":1,"function":{"arguments":":2}"}}])", R"("tool_calls")")}) {
    EXPECT_TRUE(writer.add(chunk).ok());
  }
  writer.finish({}, {});
  const Told told = told_by(writer.take_events());
  const Json& output = writer.response()["output"];
  ASSERT_EQ(output.size(), 4u);
  EXPECT_EQ(output[0], World::json(R"({"id":"rs_7_0","type":"reasoning","status":"completed",
    "summary":[],"content":[{"type":"reasoning_text","text":"Hmm."}]})"));
  EXPECT_EQ(output[1]["content"][0]["text"], "I look.");
  EXPECT_EQ(output[2], World::json(R"({"id":"fc_7_2","type":"function_call","status":"completed",
    "call_id":"c1","name":"f","arguments":"{\"a\":1}"})"));
  EXPECT_EQ(output[3]["arguments"], "{\"b\":2}");
  std::string second;
  for (std::size_t i = 0; i < told.events.size(); ++i) {
    if (told.types[i] != "response.function_call_arguments.delta") continue;
    if (told.events[i]["output_index"] == 3) second += told.events[i]["delta"];
  }
  EXPECT_EQ(second, "{\"b\":2}") << "its pieces make the whole";
  EXPECT_EQ(told.last("response.function_call_arguments.done")["name"], "g");
  EXPECT_EQ(writer.response()["status"], "completed");
  EXPECT_EQ(writer.response()["usage"], nullptr) << "the provider did not count";
}

TEST(ResponseWriter, a_call_whose_name_comes_late_is_told_once_it_has_one) {
  ResponseWriter writer({{"id", "resp_7"}}, true);
  EXPECT_TRUE(writer.add(delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{"}}])")).ok());
  EXPECT_EQ(writer.take_events(), "");
  EXPECT_TRUE(writer
                  .add(delta(R"("tool_calls":[{"index":0,"id":"c1",)"
                             R"("function":{"name":"f","arguments":"}"}}])"))
                  .ok());
  const std::string events = writer.take_events();
  EXPECT_NE(events.find(R"("delta":"{}")"), std::string::npos) << events;
  writer.finish({}, {});
  EXPECT_EQ(writer.response()["output"][0]["call_id"], "c1");
}

// Its output could not be told to anybody, and two of them not apart.
TEST(ResponseWriter, a_call_without_an_id_has_its_items) {
  ResponseWriter writer({{"id", "resp_7"}}, true);
  EXPECT_TRUE(writer
                  .add(delta(R"("tool_calls":[{"index":0,"function":{"name":"f","arguments":)"
                             R"({"a":1}}},{"index":1,"function":{"name":"g","arguments":"{}"}}])"))
                  .ok());
  writer.finish({}, {});
  const Json& output = writer.response()["output"];
  ASSERT_EQ(output.size(), 2u);
  EXPECT_EQ(output[0]["call_id"], output[0]["id"]);
  EXPECT_EQ(output[1]["call_id"], output[1]["id"]);
  EXPECT_NE(output[0]["call_id"], output[1]["call_id"]);
  EXPECT_EQ(output[0]["arguments"], R"({"a":1})") << "an object in the place of its text";
  const Told told = told_by(writer.take_events());
  EXPECT_EQ(told.last("response.output_item.added")["item"]["call_id"], output[1]["call_id"]);
}

TEST(ResponseWriter, an_answer_that_was_cut_to_length_or_filtered_is_incomplete) {
  for (const auto& [finish, reason] :
       {std::pair{R"("length")", "max_output_tokens"}, {R"("content_filter")", "content_filter"}}) {
    ResponseWriter writer({{"id", "resp_7"}}, true);
    EXPECT_TRUE(writer.add(delta(R"("content":"Be")", finish)).ok());
    writer.finish({}, {});
    EXPECT_EQ(writer.response()["status"], "incomplete");
    EXPECT_EQ(writer.response()["incomplete_details"]["reason"], reason);
    EXPECT_EQ(writer.response()["output"][0]["status"], "incomplete");
    EXPECT_FALSE(told_by(writer.take_events()).last("response.incomplete").is_null());
  }
}

TEST(ResponseWriter, an_answer_that_broke_off_says_so_in_its_last_two_events) {
  ResponseWriter writer({{"id", "resp_7"}}, true);
  EXPECT_TRUE(writer.add(delta(R"("content":"Be")")).ok());
  EXPECT_TRUE(writer
                  .add(delta(R"("tool_calls":[{"index":0,"id":"c",)"
                             R"("function":{"name":"f","arguments":"{\"a"}}])"))
                  .ok());
  writer.fail(Error::say(Errc::bad_upstream, "upstream_truncated", "It was cut.", "x"));
  const Told told = told_by(writer.take_events());
  const Json failed = told.last("response.failed")["response"];
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["error"],
            World::json(R"({"code":"upstream_truncated","message":"It was cut."})"));
  EXPECT_EQ(failed["output"][1]["status"], "incomplete");
  EXPECT_EQ(failed["output"][1]["arguments"], "{\"a") << "as far as it was told";
  EXPECT_EQ(told.types.back(), "error");
  EXPECT_EQ(told.events.back()["code"], "upstream_truncated");
  EXPECT_EQ(told.events.back()["error"]["code"], "upstream_truncated");
  EXPECT_TRUE(told.last("response.completed").is_null());
}

TEST(ResponseWriter, a_whole_completion_makes_the_same_items) {
  ResponseWriter writer({{"id", "resp_7"}}, false);
  EXPECT_TRUE(writer
                  .add_whole(R"({"citations":[{"document":"d"}],"choices":[{"index":0,
      "message":{"role":"assistant","reasoning_content":"Hm.","content":null,"refusal":"No.",
      "tool_calls":[{"id":"","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"","type":"function","function":{"name":"g","arguments":""}}]},
      "finish_reason":"tool_calls"}]})")
                  .ok());
  writer.finish({}, {});
  const Json& output = writer.response()["output"];
  ASSERT_EQ(output.size(), 4u);
  EXPECT_EQ(output[0]["type"], "reasoning");
  EXPECT_EQ(output[1]["content"], World::json(R"([{"type":"refusal","refusal":"No."}])"));
  EXPECT_EQ(output[2]["name"], "f");
  EXPECT_EQ(output[3]["name"], "g") << "two calls, though neither has an id";
  EXPECT_EQ(writer.response()["citations"][0]["document"], "d");
  EXPECT_EQ(writer.take_events(), "") << "nobody is told";
}

TEST(ResponseWriter, what_the_text_cites_is_told_in_the_shape_of_responses) {
  ResponseWriter writer({{"id", "resp_7"}}, true);
  EXPECT_TRUE(
      writer.add(std::string(R"({"choices":[{"index":0,"delta":{"content":"See."}}]})")).ok());
  EXPECT_TRUE(
      writer
          .add(std::string(R"({"choices":[{"index":0,"delta":{"annotations":[5,{"type":"other"},
      {"type":"url_citation","url_citation":{"url":"https://x.example","title":"X",
       "start_index":1,"end_index":3}}]},"finish_reason":"stop"}]})"))
          .ok());
  writer.finish({}, {});
  const Json want = World::json(R"([{"type":"url_citation","url":"https://x.example","title":"X",
    "start_index":1,"end_index":3}])");
  EXPECT_EQ(writer.response()["output"][0]["content"][0]["annotations"], want);
  const std::string events = writer.take_events();
  const auto added = events.find("event: response.output_text.annotation.added\n");
  ASSERT_NE(added, std::string::npos);
  EXPECT_NE(events.find(dump(want[0]), added), std::string::npos);
  EXPECT_NE(events.find("\"annotations\":" + dump(want), added), std::string::npos);

  ResponseWriter whole({{"id", "resp_8"}}, false);
  EXPECT_TRUE(whole
                  .add_whole(R"({"choices":[{"index":0,"message":{"role":"assistant",
      "content":"See.","annotations":[{"type":"url_citation","url_citation":{
       "url":"https://x.example","title":"X","start_index":1,"end_index":3}}]},
      "finish_reason":"stop"}]})")
                  .ok());
  EXPECT_EQ(whole.response()["output"][0]["content"][0]["annotations"], want);
}

struct ResponsesTest : World {
  Reply respond(const std::string& more, const std::string& input = R"("Capital?")") {
    return serve(post("/v1/responses", R"({"input":)" + input + more + "}"));
  }
};

TEST_F(ResponsesTest, the_answer_comes_as_a_response_with_the_headers_of_a_chat) {
  models.by.degraded = true;
  auto reply = respond(R"(,"instructions":"Be brief.","temperature":0.5)");
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->header("x-mainstay-provider"), "provider-x");
  const Json out = json(reply->body);
  EXPECT_TRUE(out["id"].get<std::string>().starts_with("resp_"));
  EXPECT_EQ(out["status"], "completed");
  EXPECT_EQ(out["model"], "model-x");
  EXPECT_EQ(out["instructions"], "Be brief.");
  EXPECT_EQ(out["temperature"], 0.5);
  EXPECT_EQ(out["output"][0]["content"][0]["text"], "Bern.");
  EXPECT_EQ(out["usage"]["input_tokens"], 11);
  EXPECT_EQ(out["degraded"], true);
  EXPECT_EQ(json(models.asked.at(0).body)["messages"].size(), 2u);
}

TEST_F(ResponsesTest, a_stream_ends_with_the_whole_response_and_no_done) {
  models.chunks = {delta(R"("role":"assistant","content":"Be")"), delta(R"("content":"rn.")"),
                   delta("", R"("stop")")};
  auto reply = respond(R"(,"stream":true)");
  EXPECT_EQ(reply->content_type, "text/event-stream");
  const Told told = told_by(reply->streamed());
  EXPECT_EQ(told.types.front(), "response.created");
  EXPECT_EQ(told.types.back(), "response.completed");
  const Json whole = told.events.back()["response"];
  EXPECT_EQ(whole["output"][0]["content"][0]["text"], "Bern.");
  EXPECT_EQ(whole["usage"]["total_tokens"], 22);
  EXPECT_EQ(whole["id"], told.events.front()["response"]["id"]);
  EXPECT_GE(reply->pieces.size(), 4u) << "each piece as it comes";
  EXPECT_TRUE(reply->finished);
}

TEST_F(ResponsesTest, a_stream_that_breaks_ends_with_the_event_error) {
  models.chunks = {delta(R"("content":"Be")")};
  models.cut = Error::say(Errc::bad_upstream, "upstream_truncated", "The answer was cut short.");
  const Told told = told_by(respond(R"(,"stream":true)")->streamed());
  EXPECT_EQ(told.types.back(), "error");
  EXPECT_TRUE(told.last("response.completed").is_null());
  EXPECT_EQ(told.last("response.failed")["response"]["error"]["code"], "upstream_truncated");
}

TEST_F(ResponsesTest, a_conversation_is_kept_and_continued) {
  EXPECT_EQ(json(respond(R"(,"conversation":"conv-1")")->body)["conversation"]["id"], "conv-1");
  respond(R"(,"conversation":{"id":"conv-1"})", R"("And of France?")");
  ASSERT_EQ(models.asked.size(), 2u);
  const Json messages = json(models.asked[1].body)["messages"];
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[1]["content"], "Bern.");
}

TEST_F(ResponsesTest, what_the_chats_checks_find_is_named_by_the_place_in_this_body) {
  const auto place = [&](const Reply& reply) {
    const Json error = json(reply->body)["error"];
    EXPECT_NE(error["message"].get<std::string>().find(string_field(error, "param")),
              std::string::npos)
        << error;
    return refused(reply) + " " + string_field(error, "param");
  };
  EXPECT_EQ(place(respond("", R"([{"role":"user","content":"a"},{"role":"boss","content":"b"}])")),
            "400 unknown_role input[1].role");
  EXPECT_EQ(place(respond(R"(,"max_output_tokens":0)")), "400 out_of_range max_output_tokens");
  EXPECT_EQ(place(respond(R"(,"temperature":9)")), "400 out_of_range temperature");
  EXPECT_EQ(place(respond("", R"("\u0000")")), "400 invalid_value input");
  EXPECT_EQ(place(respond(R"(,"instructions":"\u0000")")), "400 invalid_value instructions");
  EXPECT_EQ(place(respond(R"(,"tools":[{"type":"function","name":"a b"}])")),
            "400 invalid_value tools[0].name");
  const std::string call = R"({"type":"function_call","call_id":"c","name":"f","arguments":"{}"},)";
  EXPECT_EQ(place(respond("", "[" + call +
                                  R"({"type":"function_call","call_id":"","name":"f",)"
                                  R"("arguments":"{}"}])")),
            "400 out_of_range input[1].call_id");
  EXPECT_EQ(place(respond("", "[" + call +
                                  R"({"type":"function_call_output","call_id":"c",)"
                                  R"("output":"\u0000"}])")),
            "400 invalid_value input[1].output");
  EXPECT_TRUE(models.asked.empty()) << "nothing was asked";
}

}  // namespace
}  // namespace mainstay::api
