// Ollama: what it is sent, what its objects and lines become, and when generate stands in for chat.
#include "models/ollama/provider.h"

#include "provider_desk.h"

namespace mainstay::models::ollama {
namespace {

using net::script;
using Desk = ProviderDesk<make>;

constexpr const char* kLines = "application/x-ndjson";

const std::string kReply =
    R"({"model":"model-5","created_at":"2024-03-01T10:00:00Z","message":{"role":"assistant",)"
    R"("content":"Rayleigh","thinking":"light","tool_calls":[{"id":"call_9","function":{"name":"sun",)"
    R"("arguments":{"angle":31,"where":["a"]}}}]},"done_reason":"stop","done":true,)"
    R"("total_duration":4883583458,"prompt_eval_count":26,"eval_count":298})";

const std::string kStream =
    R"({"model":"m","message":{"role":"assistant","content":"","thinking":"hm"},"done":false})"
    "\n"
    R"({"model":"m","message":{"role":"assistant","content":"Ray"},"done":false})"
    "\n\n"
    R"({"model":"m","message":{"role":"assistant","content":"leigh é"},"done":false})"
    "\r\n"
    R"({"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"a",)"
    R"("arguments":{"x":1}}},{"function":{"name":"b","arguments":{}}}]},"done":false})"
    "\n"
    R"({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",)"
    R"("prompt_eval_count":21,"eval_count":7})"
    "\n";

TEST(Ollama, every_role_and_part_is_translated) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"developer","content":"In French."},
      {"role":"user","content":[{"type":"text","text":"one"},{"type":"image_url","image_url":
      {"url":"data:image/png;base64,QUJD"}},{"type":"text","text":"two"}]},
      {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1",
      "type":"function","function":{"name":"sun","arguments":"{\"angle\":31}"}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"bright"},{"type":"image_url",
      "image_url":{"url":"data:image/png;base64,REVG"}}]},
      {"role":"function","name":"old","content":"dim"},{"role":"user","content":""}]})",
      kReply);
  EXPECT_EQ(desk.client.sent.at(0).address, "http://models.example:11434/api/chat");
  EXPECT_EQ(sent["model"], "model-5");
  EXPECT_EQ(sent["stream"], false);
  EXPECT_FALSE(sent.contains("options"));
  EXPECT_FALSE(sent.contains("tools"));
  const Json expected = *parse_json(
      R"([{"role":"system","content":"Be brief."},{"role":"system","content":"In French."},
      {"role":"user","content":"one\ntwo","images":["QUJD"]},
      {"role":"assistant","content":"","thinking":"hm",
      "tool_calls":[{"function":{"name":"sun","arguments":{"angle":31}}}]},
      {"role":"tool","content":"bright","images":["REVG"],"tool_name":"sun"},
      {"role":"tool","content":"dim","tool_name":"old"},{"role":"user","content":""}])");
  EXPECT_EQ(sent["messages"], expected) << dump(sent);
}

TEST(Ollama, results_are_in_the_order_of_their_calls) {
  Desk desk;
  const std::string calls = R"({"role":"assistant","content":null,"tool_calls":[
      {"id":"c1","type":"function","function":{"name":"sun","arguments":"{\"at\":1}"}},
      {"id":"c2","type":"function","function":{"name":"sun","arguments":"{\"at\":2}"}}]})";
  const Json sent = desk.translated(R"({"messages":[)" + calls + R"(,
      {"role":"tool","tool_call_id":"c9","name":"old","content":"r9"},
      {"role":"tool","tool_call_id":"c2","content":"r2"},
      {"role":"tool","tool_call_id":"c1","content":"r1"},{"role":"user","content":"so?"}]})",
                                    kReply);
  Json messages = sent["messages"];
  messages.erase(0);
  EXPECT_EQ(messages, *parse_json(R"([{"role":"tool","content":"r1","tool_name":"sun"},
      {"role":"tool","content":"r2","tool_name":"sun"},
      {"role":"tool","content":"r9","tool_name":"old"},{"role":"user","content":"so?"}])"));
  // What is refused is named by its place in what the client sent.
  desk.translated(R"({"messages":[)" + calls + R"(,
      {"role":"tool","tool_call_id":"c2","content":"r2"},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"input_audio"}]}]})",
                  kReply);
  ASSERT_FALSE(desk.last.ok());
  EXPECT_EQ(desk.last.error().field, "messages[2].content[0]");
}

TEST(Ollama, parameters_become_options_under_its_names) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"temperature":0.5,"top_p":0.25,"top_k":9,"seed":42,
      "min_p":0.125,"presence_penalty":1.5,"frequency_penalty":-1,"max_tokens":11,"max_completion_tokens":12,
      "stop":"END","response_format":{"type":"json_object"},"logit_bias":null})",
      kReply);
  EXPECT_EQ(
      sent["options"],
      *parse_json(
          R"({"temperature":0.5,"top_p":0.25,"top_k":9,"min_p":0.125,"seed":42,"presence_penalty":1.5,
      "frequency_penalty":-1,"num_predict":12,"stop":["END"]})"))
      << dump(sent);
  EXPECT_EQ(sent["format"], "json");
  const Json other = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"stop":["a","b"],"max_tokens":null,"response_format":
      {"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}})",
      kReply);
  EXPECT_EQ(other["options"], *parse_json(R"({"stop":["a","b"]})"));
  EXPECT_EQ(other["format"], *parse_json(R"({"type":"object"})"));
  const Json text = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"response_format":{"type":"text"}})", kReply);
  EXPECT_FALSE(text.contains("format"));
}

TEST(Ollama, its_own_parameters_go_through_and_openais_go_before_them) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"temperature":0.5,"keep_alive":"10m","think":true,
      "reasoning_effort":"none","options":{"num_ctx":16384,"temperature":0.9,"mirostat":2,"num_predict":9}})",
      kReply);
  EXPECT_EQ(sent["options"],
            *parse_json(R"({"num_ctx":16384,"temperature":0.5,"mirostat":2,"num_predict":9})"))
      << dump(sent);
  const Json bounded = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"max_tokens":5,"options":{"num_predict":9}})",
      kReply);
  EXPECT_EQ(bounded["options"], *parse_json(R"({"num_predict":5})"));
  const Json endless = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"options":{"num_predict":-1}})", kReply);
  EXPECT_FALSE(endless.contains("options") && endless["options"].contains("num_predict"));
  EXPECT_EQ(sent["keep_alive"], "10m");
  EXPECT_EQ(sent["think"], true);
  const Json plain = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"options":[1],"keep_alive":null,"think":null})",
      kReply);
  for (const char* key : {"options", "keep_alive", "think"}) {
    EXPECT_FALSE(plain.contains(key)) << key;
  }
}

TEST(Ollama, a_reasoning_effort_says_how_it_thinks) {
  Desk desk;
  const auto think = [&](const std::string& model, const std::string& effort) {
    const Json sent = desk.translated(R"({"messages":[{"role":"user","content":"q"}],)"
                                      R"("reasoning_effort":)" +
                                          effort + "}",
                                      kReply, model);
    return field(sent, "think");
  };
  EXPECT_EQ(think("qwen3:8b", "\"none\""), Json(false));
  EXPECT_TRUE(think("qwen3:8b", "\"high\"").is_null()) << "one that cannot think would refuse it";
  EXPECT_EQ(think("gpt-oss:20b", "\"none\""), Json("low"));
  EXPECT_EQ(think("gpt-oss:20b", "\"minimal\""), Json("low"));
  for (const char* word : {"low", "medium", "high"}) {
    EXPECT_EQ(think("gpt-oss:20b", dump(Json(word))), Json(word));
  }
  for (const char* odd : {"null", "\"\"", "\"utmost\"", "3"}) {
    EXPECT_TRUE(think("gpt-oss:20b", odd).is_null()) << odd;
  }
}

TEST(Ollama, the_choice_of_tools_is_made_by_what_is_sent) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"a","parameters":{"type":"object"}}},
      {"type":"function","function":{"name":"b"}}],"messages":[{"role":"user","content":"q"}]})";
  Desk desk;
  EXPECT_EQ(desk.translated("{" + tools, kReply)["tools"].size(), 2U);
  EXPECT_FALSE(desk.translated(R"({"tool_choice":"none",)" + tools, kReply).contains("tools"));
  EXPECT_EQ(desk.translated(R"({"tool_choice":"required",)" + tools, kReply)["tools"].size(), 2U);
  const Json named = desk.translated(
      R"({"tool_choice":{"type":"function","function":{"name":"b"}},)" + tools, kReply)["tools"];
  ASSERT_EQ(named.size(), 1U);
  EXPECT_EQ(named[0]["function"]["name"], "b");
  const Json none = desk.translated(
      R"({"tools":null,"tool_choice":null,"messages":[{"role":"user","content":"q"}]})", kReply);
  EXPECT_FALSE(none.contains("tools"));
}

TEST(Ollama, what_it_cannot_do_is_refused_before_anything_is_sent) {
  Desk desk;
  const auto refused = [&](const std::string& body) {
    EXPECT_TRUE(desk.translated(body, kReply).is_null()) << body;
    return desk.last.ok() ? Error() : desk.last.error();
  };
  const Error choices = refused(R"({"n":2,"messages":[{"role":"user","content":"q"}]})");
  EXPECT_EQ(choices.code, Errc::unsupported);
  EXPECT_EQ(choices.reason, "upstream_cannot");
  EXPECT_EQ(choices.field, "n");
  const Error audio = refused(
      R"({"messages":[{"role":"user","content":"q"},{"role":"user","content":[{"type":"input_audio",
      "input_audio":{"data":"QQ","format":"wav"}}]}]})");
  EXPECT_EQ(audio.reason, "upstream_cannot");
  EXPECT_EQ(audio.field, "messages[1].content[0]");
  const Error far =
      refused(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":
      {"url":"https://pictures.example/1.png"}}]}]})");
  EXPECT_EQ(far.reason, "upstream_cannot");
  const Error broken =
      refused(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":
      {"url":"data:image/png;base64,"}}]}]})");
  EXPECT_EQ(broken.reason, "invalid_image");
  EXPECT_EQ(broken.code, Errc::invalid);
}

TEST(Ollama, members_of_a_wrong_type_never_throw) {
  Desk desk;
  for (
      const char* body :
      {R"({"messages":[1,"x",null,[],{"role":3,"content":{"a":1},"tool_calls":{"a":1}}]})",
       R"({"messages":[{"role":"assistant","content":"x","tool_calls":[1,{"id":5,"function":"f"},
        {"function":{"name":[],"arguments":{"a":1}}},{"function":{"arguments":"not json"}}]}]})",
       R"({"messages":[{"role":"tool","tool_call_id":7,"content":[null,1,{"type":"text","text":4}]}]})",
       R"({"messages":"x","tools":[1,{"function":2}],"tool_choice":{"function":"f"},"stop":7,"seed":"s"})",
       R"({"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":3}})",
       R"([])", R"("x")"}) {
    EXPECT_NO_THROW(desk.translated(body, kReply)) << body;
  }
  Desk old;
  for (const char* body : {R"({"messages":[1,{"role":{},"content":7}]})", R"({"messages":{}})"}) {
    old.play(script("text/plain", "404 page not found", 0, 404));
    EXPECT_NO_THROW(old.translated(body, R"({"response":"x","done":true})")) << body;
    old.client.scripts.clear();
  }
}

TEST(Ollama, a_whole_reply_becomes_a_completion) {
  Desk desk;
  const auto reply = desk.complete(script(kJsonType, kReply, 3));
  ASSERT_TRUE(reply.ok());
  const Json message = message_in(reply);
  EXPECT_EQ(message["content"], "Rayleigh");
  EXPECT_EQ(message["reasoning_content"], "light");
  EXPECT_EQ(message["tool_calls"][0]["id"], "call_9");
  EXPECT_EQ(message["tool_calls"][0]["type"], "function");
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "sun");
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], R"({"angle":31,"where":["a"]})");
  EXPECT_EQ(finish_in(reply), "tool_calls");
  EXPECT_EQ(reply->usage.prompt, 26U);
  EXPECT_EQ(reply->usage.completion, 298U);
  EXPECT_TRUE(reply->usage.known);
  const Json whole = *parse_json(reply->body);
  EXPECT_EQ(whole["usage"]["total_tokens"], 324);
  EXPECT_EQ(whole["object"], "chat.completion");
  EXPECT_EQ(whole["model"], "model-5");
  EXPECT_EQ(desk.timings.first_byte, Duration(std::chrono::milliseconds(3)));
  EXPECT_EQ(desk.client.open, 0);
  expect_tagged(desk.client.sent.at(0), "authorization: Bearer sk-secret-7");
}

TEST(Ollama, a_call_alone_has_null_content_and_an_id_of_ours) {
  Desk desk;
  const auto reply = desk.complete(script(
      kJsonType,
      R"({"message":{"content":"","tool_calls":[{"function":{"name":"a","arguments":null}}]},"done":true})"));
  const Json message = message_in(reply);
  EXPECT_TRUE(message["content"].is_null());
  EXPECT_TRUE(message["tool_calls"][0]["id"].get<std::string>().starts_with("call_"));
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], "{}");
  EXPECT_FALSE(reply->usage.known);
}

TEST(Ollama, what_cannot_be_held_is_replaced_and_the_answer_survives) {
  Desk desk;
  const auto reply = desk.complete(script(
      kJsonType,
      R"({"message":{"content":"a\ud83db","tool_calls":[{"function":{"name":"a","arguments":)"
      R"({"n":123456789012345678901234567890}}},{"function":{"name":"b","arguments":)"
      R"("{\"n\":1e999}"}}]},"done":true})"));
  const Json message = message_in(reply);
  EXPECT_EQ(message["content"],
            "a\xef\xbf\xbd"
            "b");
  const Json& calls = message["tool_calls"];
  EXPECT_EQ(calls[0]["function"]["arguments"], R"({"n":1.2345678901234568e+29})");
  EXPECT_EQ(calls[1]["function"]["arguments"], R"({"n":1.7976931348623157e+308})");
}

TEST(Ollama, only_length_is_told_as_cut_short) {
  Desk desk;
  const auto finish = [&](const std::string& reason) {
    return finish_in(desk.complete(script(
        kJsonType, R"({"message":{"content":"x"},"done":true,"done_reason":")" + reason + "\"}")));
  };
  EXPECT_EQ(finish("stop"), "stop");
  EXPECT_EQ(finish("length"), "length");
  EXPECT_EQ(finish("load"), "stop");
  EXPECT_EQ(finish(""), "stop");
}

TEST(Ollama, a_reply_that_is_none_is_a_bad_reply) {
  Desk desk;
  for (const char* body : {"", "x", "[]", "null", "{}", R"({"message":"x"})", R"({"done":"true"})",
                           R"({"message":{"content":"x"},"done":true}{)"}) {
    const auto reply = desk.complete(script(kJsonType, body));
    ASSERT_FALSE(reply.ok()) << body;
    EXPECT_EQ(reply.error().reason, "upstream_bad_reply") << body;
  }
  const auto failed = desk.complete(script(kJsonType, R"({"error":"out of memory"})"));
  EXPECT_EQ(failed.error().reason, "upstream_error");
  EXPECT_EQ(failed.error().detail, "out of memory");
  EXPECT_EQ(failed.error().message.find("memory"), std::string::npos);
  const auto large = desk.complete(script(kJsonType, std::string(16 * 1024 + 1, ' ')));
  EXPECT_EQ(large.error().reason, "upstream_too_large");
}

TEST(Ollama, a_stream_of_lines_becomes_chunks) {
  Desk desk;
  const Streamed out = desk.stream(script(kLines, kStream));
  ASSERT_TRUE(out.ended) << out.error.detail;
  EXPECT_EQ(desk.sent()["stream"], true);
  EXPECT_EQ(desk.client.wound_up, 1);  // the connection can be kept
  EXPECT_EQ(out.text, "Rayleigh é");
  EXPECT_EQ(out.thinking, "hm");
  EXPECT_EQ(out.finish, "tool_calls");
  EXPECT_EQ(out.tokens, 5U);
  EXPECT_EQ(out.usage.prompt, 21U);
  EXPECT_EQ(out.usage.completion, 7U);
  ASSERT_EQ(out.chunks.size(), 8U);  // role, thought, two texts, two calls, finish, usage
  const Json second = (*parse_json(out.chunks[5]))["choices"][0]["delta"]["tool_calls"][0];
  EXPECT_EQ(second["index"], 1);
  EXPECT_EQ(second["function"]["name"], "b");
  EXPECT_EQ((*parse_json(out.chunks[7]))["usage"]["total_tokens"], 28);
}

TEST(Ollama, the_pieces_of_a_stream_do_not_matter) {
  same_whatever_the_pieces<Desk>(kStream, kLines);
}

// proves Z3
TEST(Ollama, a_stream_cut_without_its_done_line_is_an_error) {
  // The last line counts without its line end.
  every_cut_is_an_error<Desk>(kStream, kLines, kStream.size() - 1);
  Desk desk;
  EXPECT_TRUE(desk.stream(script(kLines, kStream.substr(0, kStream.size() - 1), 5)).ended);
}

TEST(Ollama, an_error_line_ends_the_stream_with_that_error) {
  Desk desk;
  const std::string start = R"({"message":{"content":"Ray"},"done":false})";
  const Streamed out =
      desk.stream(script(kLines, start + "\n" + R"({"error":"runner died"})" + "\n"));
  EXPECT_EQ(out.text, "Ray");
  EXPECT_EQ(out.error.reason, "upstream_error");
  EXPECT_EQ(out.error.detail, "runner died");
  EXPECT_EQ(desk.stream(script(kLines, start + "\n" + R"({"error":"no end"})")).error.detail,
            "no end");
  EXPECT_EQ(desk.stream(script(kLines, start + "\ngarbage\n")).error.reason, "upstream_bad_reply");
  EXPECT_EQ(desk.stream(script(kLines, std::string(4097, 'x'))).error.reason, "upstream_bad_event");
  net::Script reset = script(kLines, start + "\n");
  reset.at_end = Error::say(Errc::bad_upstream, "upstream_reset", "Reset.");
  EXPECT_EQ(desk.stream(reset).error.reason, "upstream_reset");
  EXPECT_EQ(desk.client.open, 0);
}

TEST(Ollama, statuses_become_the_documented_errors) {
  statuses_become_errors<Desk>(R"({"error":"overdone"})");
  Desk desk;
  const auto tools =
      desk.complete(script(kJsonType, R"({"error":"model-5 does not support tools"})", 0, 400));
  EXPECT_EQ(tools.error().reason, "upstream_cannot");
  EXPECT_EQ(tools.error().field, "tools");
  const auto thinking =
      desk.complete(script(kJsonType, R"({"error":"model-5 does not support thinking"})", 0, 400));
  EXPECT_EQ(thinking.error().reason, "upstream_cannot");
  EXPECT_EQ(thinking.error().field, "think");
  const auto unknown =
      desk.complete(script(kJsonType, R"({"error":"model 'model-5' not found"})", 0, 404));
  EXPECT_EQ(unknown.error().reason, "upstream_model_unknown");
  EXPECT_EQ(desk.client.sent.size(), 3U);
}

net::Script no_chat() {
  return script("text/plain", "404 page not found", 0, 404);
}
net::Script model_without_chat() {
  return script(kJsonType, R"({"error":"\"model-5\" does not support chat"})", 0, 400);
}
const std::string kGenerated =
    R"({"model":"m","response":"Rayleigh","thinking":"t","done":true,"done_reason":"length","prompt_eval_count":5,"eval_count":6})";

TEST(Ollama, generate_stands_in_where_chat_is_refused_and_is_remembered) {
  for (const auto& refusal : {no_chat(), model_without_chat()}) {
    Desk desk;
    desk.play(refusal);
    const auto reply = desk.complete(script(kJsonType, kGenerated));
    ASSERT_TRUE(reply.ok()) << reply.error().detail;
    EXPECT_EQ(message_in(reply)["content"], "Rayleigh");
    EXPECT_EQ(message_in(reply)["reasoning_content"], "t");
    EXPECT_EQ(finish_in(reply), "length");
    EXPECT_EQ(reply->usage.completion, 6U);
    EXPECT_EQ(desk.client.sent.at(0).address, "http://models.example:11434/api/chat");
    EXPECT_EQ(desk.client.sent.at(1).address, "http://models.example:11434/api/generate");
    expect_tagged(desk.client.sent.at(1), "authorization: Bearer sk-secret-7");
    const Streamed again = desk.stream(script(kLines, R"({"response":"Ray","done":false})"
                                                      "\n"
                                                      R"({"response":"","done":true})"
                                                      "\n"));
    EXPECT_TRUE(again.ended);
    EXPECT_EQ(again.text, "Ray");
    ASSERT_EQ(desk.client.sent.size(), 3U);
    EXPECT_EQ(desk.client.sent[2].address, "http://models.example:11434/api/generate");
  }
}

TEST(Ollama, a_refused_generate_lets_chat_be_asked_again) {
  Desk desk;
  desk.play(no_chat());
  EXPECT_FALSE(desk.complete(no_chat()).ok());
  EXPECT_TRUE(desk.complete(script(kJsonType, kReply)).ok());
  EXPECT_EQ(desk.client.sent.at(2).address, "http://models.example:11434/api/chat");
  desk.play(model_without_chat());
  EXPECT_TRUE(desk.complete(script(kJsonType, kGenerated)).ok());
  EXPECT_FALSE(desk.complete(script(kJsonType, R"({"error":"gone"})", 0, 404)).ok());
  EXPECT_TRUE(desk.complete(script(kJsonType, kReply)).ok());
  EXPECT_EQ(desk.client.sent.back().address, "http://models.example:11434/api/chat");
}

TEST(Ollama, generate_gets_the_conversation_as_one_prompt) {
  Desk desk;
  const auto generated = [&](const std::string& messages) {
    desk.client.sent.clear();
    desk.play(no_chat());
    desk.play(script(kJsonType, kGenerated));
    desk.play(script("text/plain", "404 page not found", 0, 404));  // forgets, for the next round
    desk.last = desk.complete(R"({"messages":)" + messages + "}");
    const Json out = desk.sent();
    (void)desk.complete();
    return out;
  };
  const Json one =
      generated(R"([{"role":"system","content":"s1"},{"role":"user","content":"q1"}])");
  EXPECT_EQ(one["prompt"], "q1");
  EXPECT_EQ(one["system"], "s1");
  const Json late =
      generated(R"([{"role":"user","content":"q1"},{"role":"system","content":"s1"}])");
  EXPECT_EQ(late["prompt"], "q1");
  EXPECT_EQ(late["system"], "s1");
  const Json orders =
      generated(R"([{"role":"system","content":"s1"},{"role":"developer","content":"s2"}])");
  EXPECT_EQ(orders["prompt"], "s1\n\ns2");
  EXPECT_FALSE(orders.contains("system"));
  const Json many =
      generated(R"([{"role":"user","content":"q1"},{"role":"assistant","content":"a1"},
      {"role":"user","content":[{"type":"text","text":"q2"},{"type":"image_url","image_url":
      {"url":"data:image/png;base64,QUJD"}}]}])");
  EXPECT_EQ(many["prompt"], "User: q1\nAssistant: a1\nUser: q2\nAssistant:");
  EXPECT_EQ(many["images"], *parse_json(R"(["QUJD"])"));
}

TEST(Ollama, the_bound_of_an_answer_reaches_generate_too) {
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    Desk desk;
    desk.play(no_chat());
    const std::string body = R"({"messages":[{"role":"user","content":"q"}],")";
    ASSERT_TRUE(desk.complete(script(kJsonType, kGenerated), body + name + "\":9}").ok());
    EXPECT_EQ(desk.sent()["options"]["num_predict"], 9) << name;
  }
}

TEST(Ollama, tools_cannot_be_used_through_generate) {
  Desk desk;
  const auto reply =
      desk.complete(no_chat(), R"({"messages":[{"role":"user","content":"q"}],"tools":[{"type":
      "function","function":{"name":"a"}}]})");
  EXPECT_EQ(reply.error().reason, "upstream_cannot");
  EXPECT_EQ(desk.client.sent.size(), 1U);
}

TEST(Ollama, models_are_those_it_has_and_loaded_those_it_runs) {
  Desk desk;
  desk.play(
      script(kJsonType, R"({"models":[{"name":"a:latest","size":3},{"name":7},{"name":""},5,null,
      {"name":"b:7b"}]})"));
  desk.play(script(kJsonType, R"({"models":[{"name":"b:7b"},{"name":null},"x"]})"));
  const auto list = desk.models();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].id, "a:latest");
  EXPECT_FALSE((*list)[0].loaded);
  EXPECT_TRUE((*list)[1].loaded);
  EXPECT_EQ((*list)[1].provider, "desk");
  EXPECT_EQ(desk.client.sent[0].address, "http://models.example:11434/api/tags");
  EXPECT_EQ(desk.client.sent[1].address, "http://models.example:11434/api/ps");
  EXPECT_TRUE(desk.client.sent[1].has("authorization: Bearer sk-secret-7"));
  desk.play(script(kJsonType, R"({"models":[{"name":"a"}]})"));
  desk.play(script("text/plain", "404 page not found", 0, 404));
  EXPECT_TRUE(desk.models()->at(0).loaded);
  for (const char* odd : {R"({"models":{"name":"a"}})", R"({"models":null})", "{}"}) {
    desk.play(script(kJsonType, odd));
    desk.play(script(kJsonType, odd));
    EXPECT_TRUE(desk.models()->empty()) << odd;
  }
  desk.play(script(kJsonType, "[]"));
  EXPECT_EQ(desk.models().error().reason, "upstream_bad_reply");
}

TEST(Ollama, models_of_a_bert_family_are_for_embeddings) {
  Desk desk;
  desk.play(script(kJsonType, R"({"models":[{"name":"all-x:latest","details":{"family":"bert"}},
      {"name":"n:v1","details":{"family":"nomic-bert"}},{"name":"l:8b","details":{"family":"llama"}},
      {"name":"odd","details":7}]})"));
  desk.play(script(kJsonType, "{}"));
  const auto list = desk.models();
  ASSERT_TRUE(list.ok());
  std::string tasks;
  for (const auto& model : *list) tasks += model.id + "=" + model.task + " ";
  EXPECT_EQ(tasks, "all-x:latest=embedding n:v1=embedding l:8b=chat odd=chat ");
}

TEST(Ollama, without_a_key_no_credentials_are_sent) {
  Desk desk("http://127.0.0.1:11434/", "");
  EXPECT_TRUE(desk.complete(script(kJsonType, kReply)).ok());
  EXPECT_FALSE(desk.client.sent.at(0).has("authorization"));
  EXPECT_EQ(desk.client.sent.at(0).address, "http://127.0.0.1:11434/api/chat");
}

TEST(Ollama, changed_replies_are_answers_or_errors) {
  survives_changed_replies<Desk>(kReply, kStream, kLines);
}

}  // namespace
}  // namespace mainstay::models::ollama
