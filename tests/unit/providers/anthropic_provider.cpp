// Anthropic: what /v1/messages is sent, and what blocks and events become.
#include "models/anthropic/provider.h"

#include "provider_desk.h"

namespace mainstay::models::anthropic {
namespace {

using net::script;
using Desk = ProviderDesk<make>;

constexpr const char* kSse = "text/event-stream";

const std::string kReply =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"thinking",)"
    R"("thinking":"hm","signature":"s"},{"type":"text","text":"Ray"},{"type":"text","text":"leigh"},)"
    R"({"type":"tool_use","id":"toolu_1","name":"sun","input":{"angle":31}}],"stop_reason":"tool_use",)"
    R"("stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,)"
    R"("cache_read_input_tokens":5,"output_tokens":7}})";

std::string event(const std::string& name, const std::string& data) {
  return "event: " + name + "\ndata: " + data + "\n\n";
}

const std::string kStream =
    event(
        "message_start",
        R"({"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"usage":)"
        R"({"input_tokens":25,"cache_read_input_tokens":4,"output_tokens":1}}})") +
    event(
        "content_block_start",
        R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}})") +
    event("content_block_stop", R"({"type":"content_block_stop","index":0})") +
    event("content_block_start",
          R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})") +
    event("ping", R"({"type":"ping"})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Ray"}})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"leigh é"}})") +
    event(
        "content_block_start",
        R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1",)"
        R"("name":"sun","input":{}}})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}})") +
    event(
        "content_block_start",
        R"({"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2",)"
        R"("name":"moon","input":{}}})") +
    event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}})") +
    event("later_kind", R"({"type":"later_kind","index":"x"})") +
    event("message_delta",
          R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},)"
          R"("usage":{"output_tokens":15}})") +
    event("message_stop", R"({"type":"message_stop"})");

TEST(Anthropic, every_role_and_part_is_translated) {
  Desk desk("https://api.example");
  const Json sent = desk.translated(
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"developer","content":"In French."},
      {"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":""},{"type":"image_url",
      "image_url":{"url":"data:image/png;base64,QUJD"}},{"type":"image_url","image_url":
      {"url":"https://p.example/1.png"}}]},{"role":"user","content":"two"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":
      {"name":"sun","arguments":"{\"angle\":31}"}},{"id":"c2","type":"function","function":
      {"name":"moon","arguments":""}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"bright"},{"type":"image_url",
      "image_url":{"url":"data:image/png;base64,QUJD"}}]},{"role":"tool","tool_call_id":"c2","content":""},
      {"role":"user","content":"and?"},{"role":"assistant","content":null,"refusal":"no"}]})",
      kReply);
  EXPECT_EQ(desk.client.sent.at(0).address, "https://api.example/v1/messages");
  expect_tagged(desk.client.sent.at(0), "x-api-key: sk-secret-7");
  EXPECT_TRUE(desk.client.sent.at(0).has("anthropic-version: 2023-06-01\r\n"));
  EXPECT_EQ(sent["model"], "model-5");
  EXPECT_EQ(sent["max_tokens"], 4096);
  EXPECT_EQ(sent["system"], "Be brief.\n\nIn French.");
  EXPECT_FALSE(sent.contains("stream"));
  const Json expected = *parse_json(
      R"([{"role":"user","content":[{"type":"text","text":"one"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}},
      {"type":"image","source":{"type":"url","url":"https://p.example/1.png"}},{"type":"text","text":"two"}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"sun","input":{"angle":31}},
      {"type":"tool_use","id":"c2","name":"moon","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"bright"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]},
      {"type":"tool_result","tool_use_id":"c2"},{"type":"text","text":"and?"}]},
      {"role":"assistant","content":[{"type":"text","text":"no"}]}])");
  EXPECT_EQ(sent["messages"], expected) << dump(sent);
}

TEST(Anthropic, parameters_keep_within_its_ranges) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"temperature":1.5,"top_p":0.25,"top_k":9,"max_tokens":11,
      "stop":"END","user":"u7","seed":42,"presence_penalty":1})",
      kReply);
  EXPECT_EQ(sent["temperature"], 1.0);
  EXPECT_EQ(sent["top_p"], 0.25);
  EXPECT_EQ(sent["top_k"], 9);
  EXPECT_EQ(sent["max_tokens"], 11);
  EXPECT_EQ(sent["stop_sequences"], *parse_json(R"(["END"])"));
  EXPECT_EQ(sent["metadata"], *parse_json(R"({"user_id":"u7"})"));
  EXPECT_FALSE(sent.contains("seed"));
  const Json other = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"temperature":0.5,"max_tokens":11,
      "max_completion_tokens":12,"stop":["a","b"],"response_format":{"type":"text"}})",
      kReply);
  EXPECT_EQ(other["temperature"], 0.5);
  EXPECT_EQ(other["max_tokens"], 12);
  EXPECT_EQ(other["stop_sequences"], *parse_json(R"(["a","b"])"));
}

TEST(Anthropic, stops_and_beginnings_of_white_space_that_it_refuses_are_left_out) {
  Desk desk;
  const auto sent = [&](const std::string& more) {
    return desk.translated(R"({"messages":[{"role":"user","content":"q"})" + more + "}", kReply);
  };
  EXPECT_EQ(sent(R"(],"stop":["\n","END"," "])")["stop_sequences"], *parse_json(R"(["END"])"));
  EXPECT_FALSE(sent(R"(],"stop":"\n")").contains("stop_sequences"));
  const Json begun = sent(R"(,{"role":"assistant","content":"It is \n "}])");
  EXPECT_EQ(begun["messages"][1]["content"][0]["text"], "It is");
  const Json before =
      sent(R"(,{"role":"assistant","content":"no "},{"role":"user","content":"so "}])");
  EXPECT_EQ(before["messages"][1]["content"][0]["text"], "no ");
  EXPECT_EQ(before["messages"][2]["content"][0]["text"], "so ");
  const Json blank = sent(R"(,{"role":"assistant","content":" \n"}])");
  EXPECT_EQ(blank["messages"].size(), 1u) << dump(blank);
}

TEST(Anthropic, documents_are_pdfs_with_their_names_and_nothing_else) {
  Desk desk;
  const auto sent = [&](const std::string& part) {
    return desk.translated(R"({"messages":[{"role":"user","content":[)" + part + "]}]}", kReply);
  };
  const Json pdf = sent(
      R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}})");
  EXPECT_EQ(pdf["messages"][0]["content"][0],
            *parse_json(R"({"type":"document","source":{"type":"base64",
                            "media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"})"))
      << dump(pdf);
  for (const char* part :
       {R"({"type":"file","file":{"file_data":"data:text/plain;base64,QUJD"}})",
        R"({"type":"file","file":{"file_id":"file-1"}})",
        R"({"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}})"}) {
    EXPECT_TRUE(sent(part).is_null()) << part;
    ASSERT_FALSE(desk.last.ok()) << part;
    EXPECT_EQ(desk.last.error().reason, "upstream_cannot") << part;
    EXPECT_EQ(desk.last.error().field, "messages[0].content[0]") << part;
  }
}

TEST(Anthropic, tools_get_a_schema_and_the_choice_a_type) {
  const std::string rest =
      R"("tools":[{"type":"function","function":{"name":"a","description":"d1","parameters":
      {"type":"object","properties":{"x":{"type":"string"}}}}},{"type":"function","function":{"name":"b",
      "parameters":null}}],"messages":[{"role":"user","content":"q"}]})";
  Desk desk;
  const Json sent = desk.translated("{" + rest, kReply);
  EXPECT_EQ(sent["tools"], *parse_json(R"([{"name":"a","description":"d1","input_schema":
      {"type":"object","properties":{"x":{"type":"string"}}}},{"name":"b","input_schema":{"type":"object"}}])"));
  EXPECT_FALSE(sent.contains("tool_choice"));
  const auto choice = [&](const std::string& members) {
    return desk.translated("{" + members + "," + rest, kReply)["tool_choice"];
  };
  EXPECT_EQ(choice(R"("tool_choice":"none")"), *parse_json(R"({"type":"none"})"));
  EXPECT_EQ(choice(R"("tool_choice":"auto")"), *parse_json(R"({"type":"auto"})"));
  EXPECT_EQ(choice(R"("tool_choice":"required")"), *parse_json(R"({"type":"any"})"));
  EXPECT_EQ(choice(R"("tool_choice":{"type":"function","function":{"name":"b"}})"),
            *parse_json(R"({"type":"tool","name":"b"})"));
  EXPECT_EQ(choice(R"("parallel_tool_calls":false)"),
            *parse_json(R"({"type":"auto","disable_parallel_tool_use":true})"));
  EXPECT_EQ(choice(R"("parallel_tool_calls":false,"tool_choice":"none")"),
            *parse_json(R"({"type":"none"})"));
  EXPECT_TRUE(choice(R"("parallel_tool_calls":true)").is_null());
}

TEST(Anthropic, text_of_white_space_alone_is_left_out) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"system","content":" "},{"role":"user","content":"q"},
      {"role":"assistant","content":"\n\n","tool_calls":[{"id":"c1","type":"function","function":
      {"name":"sun","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":" \t"},
      {"role":"user","content":[{"type":"text","text":" \n"},{"type":"text","text":" so? "}]}]})",
      kReply);
  EXPECT_FALSE(sent.contains("system"));
  EXPECT_EQ(sent["messages"],
            *parse_json(R"([{"role":"user","content":[{"type":"text","text":"q"}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"sun","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"},
      {"type":"text","text":" so? "}]}])"))
      << dump(sent);
}

TEST(Anthropic, ids_of_other_providers_calls_are_written_as_it_takes_them) {
  Desk desk;
  const auto ids = [&](const std::string& first, const std::string& second) {
    const auto call = [](const std::string& id) {
      return R"({"id":")" + id + R"(","type":"function","function":{"name":"f","arguments":"{}"}})";
    };
    const auto result = [](const std::string& id) {
      return R"({"role":"tool","tool_call_id":")" + id + R"(","content":"r"})";
    };
    const Json sent = desk.translated(
        R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[)" +
            call(first) + "," + call(second) + "]}," + result(second) + "," + result(first) + "]}",
        kReply);
    const Json& calls = sent["messages"][1]["content"];
    const Json& results = sent["messages"][2]["content"];
    EXPECT_EQ(calls[0]["id"], results[1]["tool_use_id"]);
    EXPECT_EQ(calls[1]["id"], results[0]["tool_use_id"]);
    EXPECT_NE(calls[0]["id"], calls[1]["id"]);
    return std::pair(calls[0]["id"].get<std::string>(), calls[1]["id"].get<std::string>());
  };
  EXPECT_EQ(ids("toolu_01-A", "functions_f_0"),
            (std::pair<std::string, std::string>("toolu_01-A", "functions_f_0")));
  const auto [first, second] = ids("functions.f:0", "functions.f.0");
  for (const std::string& id : {first, second}) {
    EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos);
    EXPECT_LE(id.size(), 40U);
  }
}

TEST(Anthropic, marks_for_its_prompt_cache_are_passed_on) {
  Desk desk;
  const std::string mark = R"("cache_control":{"type":"ephemeral"})";
  const Json sent = desk.translated(
      R"({"messages":[{"role":"system","content":"s1"},{"role":"system","content":[{"type":"text",
      "text":"s2",)" +
          mark + R"(}]},{"role":"user","content":[{"type":"text","text":"t",)" + mark +
          R"(},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"},)" + mark +
          R"(},{"type":"text","text":" ",)" + mark +
          R"(},{"type":"text","text":"u","cache_control":null}]}],"tools":[{"type":"function",)" +
          mark + R"(,"function":{"name":"a"}},{"type":"function","function":{"name":"b"}}]})",
      kReply);
  const Json ephemeral = *parse_json(R"({"type":"ephemeral"})");
  EXPECT_EQ(sent["system"], *parse_json(R"([{"type":"text","text":"s1"},{"type":"text","text":"s2",
      "cache_control":{"type":"ephemeral"}}])"))
      << dump(sent);
  const Json& blocks = sent["messages"][0]["content"];
  ASSERT_EQ(blocks.size(), 3U) << dump(sent);
  EXPECT_EQ(field(blocks[0], "cache_control"), ephemeral);
  EXPECT_EQ(field(blocks[1], "cache_control"), ephemeral);
  EXPECT_FALSE(blocks[2].contains("cache_control"));
  EXPECT_EQ(field(sent["tools"][0], "cache_control"), ephemeral);
  EXPECT_FALSE(sent["tools"][1].contains("cache_control"));
}

TEST(Anthropic, an_answer_by_a_schema_is_asked_for_by_its_output_config) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema",
      "json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{}}}}})",
      kReply);
  EXPECT_EQ(sent["output_config"], *parse_json(R"({"format":{"type":"json_schema","schema":
      {"type":"object","properties":{}}}})"))
      << dump(sent);
  EXPECT_FALSE(desk.translated(kAsk, kReply).contains("output_config"));
}

TEST(Anthropic, what_it_cannot_do_is_refused_before_anything_is_sent) {
  Desk desk;
  const auto refused = [&](const std::string& body) {
    EXPECT_TRUE(desk.translated(body, kReply).is_null()) << body;
    if (!desk.last.ok()) EXPECT_EQ(desk.last.error().code, Errc::unsupported) << body;
    return desk.last.ok() ? "" : desk.last.error().field;
  };
  EXPECT_EQ(refused(R"({"n":2,"messages":[{"role":"user","content":"q"}]})"), "n");
  EXPECT_EQ(
      refused(
          R"({"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_object"}})"),
      "response_format");
  EXPECT_NE(desk.last.error().message.find("json_schema"), std::string::npos);
  EXPECT_EQ(
      refused(
          R"({"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema"}})"),
      "response_format");
  EXPECT_EQ(refused(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":
      {"url":"http://p.example/1.png"}}]}]})"),
            "messages[0].content[0]");
  EXPECT_EQ(refused(R"({"messages":[{"role":"user","content":[{"type":"file","file":{}}]}]})"),
            "messages[0].content[0]");
  EXPECT_EQ(refused(R"({"messages":[{"role":"system","content":"alone"}]})"), "messages");
}

TEST(Anthropic, members_of_a_wrong_type_never_throw) {
  Desk desk;
  for (
      const char* body :
      {R"({"messages":[1,"x",null,[],{"role":3,"content":{"a":1},"tool_calls":{"a":1}}]})",
       R"({"messages":[{"role":"assistant","content":"x","tool_calls":[1,{"id":5,"function":"f"},
        {"function":{"name":[],"arguments":{"a":1}}}]}]})",
       R"({"messages":[{"role":"tool","tool_call_id":7,"content":[{"type":"text","text":4}]}]})",
       R"({"messages":[{"role":"user","content":[1,null,"x",{"type":5},{"type":"image_url","image_url":3}]}]})",
       R"({"messages":[{"role":"user","content":"q"}],"tools":[1,{"function":2}],"tool_choice":{"function":"f"},
        "stop":7,"user":{},"temperature":"x","parallel_tool_calls":0,"response_format":{"type":[]}})",
       R"({"messages":"x"})", R"([])", R"("x")"}) {
    EXPECT_NO_THROW(desk.translated(body, kReply)) << body;
  }
}

TEST(Anthropic, a_whole_message_becomes_a_completion) {
  Desk desk;
  const auto reply = desk.complete(script(kJsonType, kReply, 9));
  ASSERT_TRUE(reply.ok());
  const Json message = message_in(reply);
  EXPECT_EQ(message["content"], "Rayleigh");
  EXPECT_EQ(message["reasoning_content"], "hm");
  EXPECT_EQ(message["tool_calls"], *parse_json(R"([{"id":"toolu_1","type":"function","function":
      {"name":"sun","arguments":"{\"angle\":31}"}}])"));
  EXPECT_EQ(finish_in(reply), "tool_calls");
  EXPECT_EQ(reply->usage.prompt, 20U);
  EXPECT_EQ(reply->usage.completion, 7U);
  EXPECT_EQ((*parse_json(reply->body))["usage"]["prompt_tokens_details"]["cached_tokens"], 5);
  EXPECT_EQ(desk.client.open, 0);
}

TEST(Anthropic, what_cannot_be_held_is_replaced_and_the_answer_survives) {
  Desk desk;
  const auto reply = desk.complete(script(
      kJsonType, R"({"content":[{"type":"text","text":"a\ud83db"},{"type":"tool_use","id":"t",)"
                 R"("name":"sun","input":{"n":123456789012345678901234567890}}],)"
                 R"("stop_reason":"tool_use"})"));
  const Json message = message_in(reply);
  EXPECT_EQ(message["content"],
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], R"({"n":1.2345678901234568e+29})");
}

TEST(Anthropic, stop_reasons_are_told_in_openais_words) {
  Desk desk;
  const auto finish = [&](const std::string& reason) {
    return finish_in(desk.complete(script(
        kJsonType, R"({"type":"message","content":[{"type":"text","text":"x"}],"stop_reason":)" +
                       reason + "}")));
  };
  EXPECT_EQ(finish("\"end_turn\""), "stop");
  EXPECT_EQ(finish("\"stop_sequence\""), "stop");
  EXPECT_EQ(finish("\"pause_turn\""), "stop");
  EXPECT_EQ(finish("\"max_tokens\""), "length");
  EXPECT_EQ(finish("\"model_context_window_exceeded\""), "length");
  EXPECT_EQ(finish("\"tool_use\""), "tool_calls");
  EXPECT_EQ(finish("\"refusal\""), "content_filter");
  EXPECT_EQ(finish("null"), "upstream_truncated");
}

TEST(Anthropic, a_reply_that_is_none_is_a_bad_reply) {
  Desk desk;
  for (const char* body : {"", "x", "[]", "null", "{}", R"({"type":"message","content":"x"})"}) {
    const auto reply = desk.complete(script(kJsonType, body));
    ASSERT_FALSE(reply.ok()) << body;
    EXPECT_EQ(reply.error().reason, "upstream_bad_reply") << body;
  }
  const auto failed = desk.complete(
      script(kJsonType, R"({"type":"error","error":{"type":"api_error","message":"inner"}})"));
  EXPECT_EQ(failed.error().reason, "upstream_error");
  EXPECT_EQ(failed.error().detail, "inner");
  EXPECT_EQ(desk.complete(script(kJsonType, R"({"type":"error","error":7})")).error().reason,
            "upstream_error");
}

TEST(Anthropic, a_stream_of_events_becomes_chunks) {
  Desk desk;
  const Streamed out = desk.stream(script(kSse, kStream));
  ASSERT_TRUE(out.ended) << out.error.detail;
  EXPECT_EQ(desk.sent()["stream"], true);
  EXPECT_EQ(desk.client.wound_up, 1);  // the connection can be kept
  EXPECT_EQ(out.text, "Rayleigh é");
  EXPECT_EQ(out.thinking, "hm");
  EXPECT_EQ(out.finish, "tool_calls");
  EXPECT_EQ(out.tokens, 7U);
  EXPECT_EQ(out.usage.prompt, 29U);
  EXPECT_EQ(out.usage.completion, 15U);
  ASSERT_EQ(out.chunks.size(),
            10U);  // role, thought, 2 texts, call, piece, call, piece, finish, usage
  const auto call = [&](std::size_t i) {
    return (*parse_json(out.chunks[i]))["choices"][0]["delta"]["tool_calls"][0];
  };
  EXPECT_EQ(call(4), *parse_json(R"({"index":0,"id":"toolu_1","type":"function","function":
      {"name":"sun","arguments":""}})"));
  EXPECT_EQ(call(5), *parse_json(R"({"index":0,"function":{"arguments":"{\"a\":"}})"));
  EXPECT_EQ(call(6)["index"], 1);
  EXPECT_EQ(call(7)["index"], 0);
  const Json usage = (*parse_json(out.chunks[9]))["usage"];
  EXPECT_EQ(usage["total_tokens"], 44);
  EXPECT_EQ(usage["prompt_tokens_details"]["cached_tokens"], 4);
  EXPECT_FALSE(usage.contains("completion_tokens_details"));
}

TEST(Anthropic, the_pieces_of_a_stream_do_not_matter) {
  same_whatever_the_pieces<Desk>(kStream, kSse);
}

// proves Z3
TEST(Anthropic, a_stream_cut_without_message_stop_is_an_error) {
  every_cut_is_an_error<Desk>(kStream, kSse, kStream.size() - 1);
}

TEST(Anthropic, error_events_are_the_errors_their_type_names) {
  Desk desk;
  const std::string start =
      event("message_start", R"({"type":"message_start","message":{"usage":{"input_tokens":5}}})") +
      event(
          "content_block_delta",
          R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Ray"}})");
  const auto told = [&](const std::string& type) {
    const Streamed out =
        desk.stream(script(kSse, start + event("error", R"({"type":"error","error":{"type":")" +
                                                            type + R"(","message":"m7"}})")));
    EXPECT_EQ(out.text, "Ray");
    EXPECT_NE(out.error.detail.find("m7"), std::string::npos);
    return out.error.reason;
  };
  EXPECT_EQ(told("overloaded_error"), "upstream_overloaded");
  EXPECT_EQ(told("rate_limit_error"), "upstream_rate_limited");
  EXPECT_EQ(told("authentication_error"), "upstream_credentials");
  EXPECT_EQ(told("permission_error"), "upstream_forbidden");
  EXPECT_EQ(told("invalid_request_error"), "upstream_rejected");
  EXPECT_EQ(told("request_too_large"), "upstream_rejected");
  EXPECT_EQ(told("not_found_error"), "upstream_model_unknown");
  EXPECT_EQ(told("timeout_error"), "upstream_timeout");
  EXPECT_EQ(told("api_error"), "upstream_error");
  EXPECT_EQ(told("of_next_year"), "upstream_error");
  EXPECT_EQ(desk.stream(script(kSse, start + "data: {\n\n")).error.reason, "upstream_bad_reply");
  EXPECT_EQ(desk.stream(script(kSse, "data: " + std::string(4097, 'x'))).error.reason,
            "upstream_bad_event");
  EXPECT_EQ(desk.client.open, 0);
}

TEST(Anthropic, a_stream_without_a_stop_reason_still_finishes_once) {
  Desk desk;
  const std::string stop = event("message_stop", R"({"type":"message_stop"})");
  EXPECT_EQ(desk.stream(script(kSse, stop)).finish, "stop");
  const std::string delta =
      event("message_delta", R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"}})");
  const Streamed twice = desk.stream(script(kSse, delta + delta + stop));
  EXPECT_EQ(twice.finish, "length");
  EXPECT_FALSE(twice.usage.known);
  EXPECT_EQ(twice.chunks.size(), 1U);  // no usage is made up
}

TEST(Anthropic, a_call_without_arguments_has_an_empty_object_of_them) {
  const auto block = [](const std::string& index, const std::string& input,
                        const std::string& deltas) {
    return event("content_block_start", R"({"type":"content_block_start","index":)" + index +
                                            R"(,"content_block":{"type":"tool_use","id":"t",)"
                                            R"("name":"now","input":)" +
                                            input + "}}") +
           deltas +
           event("content_block_stop", R"({"type":"content_block_stop","index":)" + index + "}");
  };
  const auto piece = [](const std::string& text) {
    return event("content_block_delta",
                 R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",)"
                 R"("partial_json":)" +
                     dump(Json(text)) + "}}");
  };
  const auto arguments = [](const std::string& events) {
    Desk desk;
    const Streamed out =
        desk.stream(script(kSse, events + event("message_stop", R"({"type":"message_stop"})")));
    std::string all;
    for (const auto& text : out.chunks) {
      const Json tree = *parse_json(text);
      for (const auto& call : array_field(tree["choices"][0]["delta"], "tool_calls")) {
        all += string_field(field(call, "function"), "arguments");
      }
    }
    return all;
  };
  EXPECT_EQ(arguments(block("1", "{}", "")), "{}");
  EXPECT_EQ(arguments(block("1", "{}", piece(""))), "{}");
  EXPECT_EQ(arguments(block("1", "{}", piece("{\"a\":") + piece("1}"))), R"({"a":1})");
  EXPECT_EQ(arguments(block("1", R"({"a":1})", "")), R"({"a":1})");
  EXPECT_EQ(arguments(block("0", "{}", "") + block("1", "{}", "")), "{}{}");
  EXPECT_EQ(arguments(event("content_block_stop", R"({"type":"content_block_stop","index":1})")),
            "");
}

TEST(Anthropic, tool_calls_are_followed_up_to_their_bound) {
  for (const std::size_t count : {255U, 256U, 257U}) {
    std::string stream;
    for (std::size_t i = 0; i < count; ++i) {
      stream += event("content_block_start",
                      R"({"type":"content_block_start","index":7,"content_block":)"
                      R"({"type":"tool_use","id":"t","name":"f","input":{"a":1}}})");
    }
    Desk desk;
    const Streamed out =
        desk.stream(script(kSse, stream + event("message_stop", R"({"type":"message_stop"})")));
    EXPECT_EQ(out.tokens, std::min<std::size_t>(count, 256));
    const Json last =
        (*parse_json(out.chunks[out.tokens - 1]))["choices"][0]["delta"]["tool_calls"][0];
    EXPECT_EQ(last["index"], out.tokens - 1);
    EXPECT_EQ(last["function"]["arguments"], R"({"a":1})");
  }
}

TEST(Anthropic, statuses_become_the_documented_errors) {
  statuses_become_errors<Desk>(R"({"type":"error","error":{"type":"x","message":"overdone"}})");
}

TEST(Anthropic, models_are_listed_by_id) {
  Desk desk("https://api.example/v1/");
  desk.play(script(
      kJsonType,
      R"({"data":[{"id":"c-1","type":"model"},{"id":7},null,{"id":"c-2"}],"has_more":false})"));
  const auto list = desk.models();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[1].id, "c-2");
  EXPECT_EQ((*list)[1].provider, "desk");
  EXPECT_EQ(desk.client.sent[0].address, "https://api.example/v1/models?limit=1000");
  EXPECT_TRUE(desk.client.sent[0].has("x-api-key: sk-secret-7"));
  for (const char* odd : {R"({"data":{"id":"x"}})", "{}"}) {
    desk.play(script(kJsonType, odd));
    EXPECT_TRUE(desk.models()->empty()) << odd;
  }
  desk.play(script(kJsonType, "[]"));
  EXPECT_EQ(desk.models().error().reason, "upstream_bad_reply");
  desk.play(script(kJsonType, "{}", 0, 401));
  EXPECT_EQ(desk.models().error().reason, "upstream_credentials");
}

TEST(Anthropic, changed_replies_are_answers_or_errors) {
  survives_changed_replies<Desk>(kReply, kStream, kSse);
}

}  // namespace
}  // namespace mainstay::models::anthropic
