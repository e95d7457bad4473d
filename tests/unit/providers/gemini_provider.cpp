// Gemini: what generateContent is sent, and what candidates and their parts become.
#include "models/gemini/provider.h"

#include "provider_desk.h"

namespace mainstay::models::gemini {
namespace {

using net::script;
using Desk = ProviderDesk<make>;

constexpr const char* kSse = "text/event-stream";

const std::string kReply =
    R"({"candidates":[{"content":{"parts":[{"text":"think","thought":true},{"text":"Ray"},)"
    R"({"text":"leigh"},{"functionCall":{"name":"sun","args":{"angle":31}},"thoughtSignature":"c2ln"}],)"
    R"("role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,)"
    R"("toolUsePromptTokenCount":2,"cachedContentTokenCount":6,"candidatesTokenCount":30,"thoughtsTokenCount":4,)"
    R"("totalTokenCount":44},"modelVersion":"gemini-x"})";

const std::string kStream =
    "data: "
    R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"}}]})"
    "\r\n\r\n"
    "data: "
    R"({"candidates":[{"content":{"parts":[{"text":"Ray"}],"role":"model"}}],)"
    R"("usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":1}})"
    "\r\n\r\n"
    "data: "
    R"({"candidates":[{"content":{"parts":[{"text":"leigh é"},{"functionCall":{"name":"a",)"
    R"("args":{"x":1},"id":"g7"}}]}}]})"
    "\r\n\r\n"
    "data: "
    R"({"candidates":[{"content":{"parts":[]},"finishReason":"STOP"}]})"
    "\r\n\r\n"
    "data: "
    R"({"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":9,"thoughtsTokenCount":3}})"
    "\r\n\r\n";

TEST(Gemini, every_role_and_part_is_translated) {
  Desk desk("https://generativelanguage.example");
  const Json sent = desk.translated(
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"developer","content":"In French."},
      {"role":"user","content":[{"type":"text","text":"one"},{"type":"image_url","image_url":
      {"url":"data:image/png;base64,QUJD"}}]},{"role":"user","content":"two"},
      {"role":"assistant","content":"calling","tool_calls":[{"id":"c1","type":"function","function":
      {"name":"sun","arguments":"{\"angle\":31}"},"extra_content":{"google":{"thought_signature":"c2ln"}}}]},
      {"role":"tool","tool_call_id":"c1","content":"{\"lux\":9}"},
      {"role":"function","name":"old","content":"dim"},
      {"role":"assistant","content":null,"refusal":"no"},{"role":"user","content":""}]})",
      kReply);
  EXPECT_EQ(desk.client.sent.at(0).address,
            "https://generativelanguage.example/v1beta/models/model-5:generateContent");
  expect_tagged(desk.client.sent.at(0), "x-goog-api-key: sk-secret-7");
  EXPECT_EQ(sent["systemInstruction"],
            *parse_json(R"({"parts":[{"text":"Be brief.\n\nIn French."}]})"));
  const Json expected = *parse_json(
      R"([{"role":"user","parts":[{"text":"one"},{"inlineData":{"mimeType":"image/png","data":"QUJD"}},
      {"text":"two"}]},
      {"role":"model","parts":[{"text":"calling"},{"functionCall":{"name":"sun","args":{"angle":31}},
      "thoughtSignature":"c2ln"}]},
      {"role":"user","parts":[{"functionResponse":{"name":"sun","response":{"lux":9}}},
      {"functionResponse":{"name":"old","response":{"result":"dim"}}}]},
      {"role":"model","parts":[{"text":"no"}]}])");
  EXPECT_EQ(sent["contents"], expected) << dump(sent);
  EXPECT_FALSE(sent.contains("generationConfig"));
  EXPECT_FALSE(sent.contains("tools"));
}

TEST(Gemini, a_picture_in_a_tools_result_goes_along) {
  const std::string ask =
      R"({"messages":[{"role":"user","content":"look"},{"role":"assistant","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"screen","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"taken"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}]})";
  Desk desk;
  EXPECT_EQ(desk.translated(ask, kReply)["contents"][2]["parts"],
            *parse_json(
                R"([{"functionResponse":{"name":"screen","response":{"result":"taken"}}},
      {"inlineData":{"mimeType":"image/png","data":"QUJD"}}])"));
  Attempt third = Desk::attempt();
  third.model = "gemini-3-pro";
  desk.play(script(kJsonType, kReply));
  const ChatRequest request = chat_request(ask);
  ASSERT_TRUE(net::run(desk.provider->complete(request, third, desk.timings)).ok());
  const Json sent = *parse_json(desk.client.sent.back().body);
  EXPECT_EQ(sent["contents"][2]["parts"],
            *parse_json(
                R"([{"functionResponse":{"name":"screen","response":{"result":"taken"},
      "parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}}])"));
  const auto sound = desk.complete(
      R"({"messages":[{"role":"user","content":"x"},{"role":"tool","content":[{"type":"file"}]}]})");
  ASSERT_FALSE(sound.ok());
  EXPECT_EQ(sound.error().reason, "upstream_cannot");
  EXPECT_EQ(sound.error().field, "messages[1].content[0]");
}

TEST(Gemini, results_are_in_the_order_of_their_calls) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":null,"tool_calls":[
      {"id":"c1","type":"function","function":{"name":"sun","arguments":"{\"at\":1}"}},
      {"id":"c2","type":"function","function":{"name":"sun","arguments":"{\"at\":2}"}}]},
      {"role":"tool","tool_call_id":"c9","name":"old","content":"r9"},
      {"role":"tool","tool_call_id":"c2","content":"r2"},
      {"role":"tool","tool_call_id":"c1","content":"r1"},
      {"role":"user","content":"so?"},
      {"role":"tool","tool_call_id":"c2","content":"late 2"},
      {"role":"tool","tool_call_id":"c1","content":"late 1"}]})",
      kReply);
  const Json expected = *parse_json(
      R"([{"functionResponse":{"name":"sun","response":{"result":"r1"}}},
      {"functionResponse":{"name":"sun","response":{"result":"r2"}}},
      {"functionResponse":{"name":"old","response":{"result":"r9"}}},{"text":"so?"},
      {"functionResponse":{"name":"sun","response":{"result":"late 2"}}},
      {"functionResponse":{"name":"sun","response":{"result":"late 1"}}}])");
  EXPECT_EQ(sent["contents"][2]["parts"], expected) << dump(sent);
}

TEST(Gemini, parameters_go_into_the_generation_config) {
  Desk desk;
  const Json sent = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"temperature":0.5,"top_p":0.25,"top_k":9,"seed":42,
      "presence_penalty":1.5,"frequency_penalty":-1,"max_tokens":11,"max_completion_tokens":12,"stop":"END",
      "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}})",
      kReply);
  EXPECT_EQ(sent["generationConfig"],
            *parse_json(R"({"temperature":0.5,"topP":0.25,"topK":9,"seed":42,
      "presencePenalty":1.5,"frequencyPenalty":-1,"maxOutputTokens":12,"stopSequences":["END"],
      "responseMimeType":"application/json","responseJsonSchema":{"type":"object"}})"))
      << dump(sent);
  const Json plain = desk.translated(
      R"({"messages":[{"role":"user","content":"q"}],"stop":["a","b"],"temperature":null,"response_format":
      {"type":"json_object"}})",
      kReply);
  EXPECT_EQ(plain["generationConfig"],
            *parse_json(R"({"stopSequences":["a","b"],"responseMimeType":"application/json"})"));
}

TEST(Gemini, a_reasoning_effort_is_a_budget_for_thinking) {
  Desk desk;
  const auto config = [&](const std::string& effort,
                          const std::string& model = "gemini-2.5-flash") {
    const Json sent = desk.translated(R"({"messages":[{"role":"user","content":"q"}],)"
                                      R"("reasoning_effort":)" +
                                          effort + "}",
                                      kReply, model);
    return field(field(sent, "generationConfig"), "thinkingConfig");
  };
  const auto budget = [](int tokens) { return Json{{"thinkingBudget", tokens}}; };
  EXPECT_EQ(config("\"none\""), budget(0));
  EXPECT_EQ(config("\"minimal\""), budget(1024));
  EXPECT_EQ(config("\"low\""), budget(1024));
  EXPECT_EQ(config("\"medium\""), budget(8192));
  EXPECT_EQ(config("\"high\""), budget(24'576));
  EXPECT_EQ(config("\"high\"", "gemini-flash-latest"), budget(24'576));
  for (const char* cannot : {"gemini-2.0-flash", "gemma-3-27b-it", "gemini-embedding"}) {
    EXPECT_TRUE(config("\"high\"", cannot).is_null()) << cannot;
  }
  EXPECT_TRUE(config("\"none\"", "gemini-2.5-pro").is_null()) << "it cannot do without";
  for (const char* odd : {"null", "\"\"", "\"utmost\"", "3"}) {
    EXPECT_TRUE(config(odd).is_null()) << odd;
  }
}

TEST(Gemini, calls_that_nobody_signed_are_marked_for_the_models_that_want_signatures) {
  const std::string body = R"({"messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":"calling","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"a","arguments":"{}"}},
      {"id":"c2","type":"function","function":{"name":"b","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"r1"},
      {"role":"tool","tool_call_id":"c2","content":"r2"},
      {"role":"assistant","content":null,"tool_calls":[
      {"id":"c3","type":"function","function":{"name":"c","arguments":"{}"},
      "extra_content":{"google":{"thought_signature":"c2ln"}}},
      {"id":"c4","type":"function","function":{"name":"d","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c3","content":"r3"}]})";
  const auto signatures = [&](const std::string& model) {
    Desk desk;
    Attempt attempt = Desk::attempt();
    attempt.model = model;
    desk.play(script(kJsonType, kReply));
    const ChatRequest request = chat_request(body);
    EXPECT_TRUE(net::run(desk.provider->complete(request, attempt, desk.timings)).ok());
    std::vector<std::string> out;
    const Json sent = desk.sent();
    for (const auto& content : array_field(sent, "contents")) {
      for (const auto& part : array_field(content, "parts")) {
        if (part.contains("functionCall")) out.push_back(string_field(part, "thoughtSignature"));
        if (!part.contains("functionCall")) EXPECT_FALSE(part.contains("thoughtSignature"));
      }
    }
    return out;
  };
  const std::vector<std::string> marked{"skip_thought_signature_validator", "", "c2ln", ""};
  const std::vector<std::string> plain{"", "", "c2ln", ""};
  for (const char* model :
       {"gemini-3-pro", "models/gemini-3.1-flash", "gemini-10", "gemini-pro-latest"}) {
    EXPECT_EQ(signatures(model), marked) << model;
  }
  for (const char* model : {"gemini-2.5-pro", "gemma-3-27b-it", "gemini-"}) {
    EXPECT_EQ(signatures(model), plain) << model;
  }
}

TEST(Gemini, a_call_without_arguments_has_an_empty_object_of_them) {
  for (const char* call : {R"({"name":"now"})", R"({"name":"now","args":{}})"}) {
    const std::string reply = R"({"candidates":[{"content":{"parts":[{"functionCall":)" +
                              std::string(call) + R"(}]},"finishReason":"STOP"}]})";
    Desk desk;
    const Json message = message_in(desk.complete(script(kJsonType, reply)));
    EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], "{}");
    const Streamed out = desk.stream(script(kSse, "data: " + reply + "\n\n"));
    ASSERT_EQ(out.chunks.size(), 3U);
    const Json streamed = (*parse_json(out.chunks[1]))["choices"][0]["delta"]["tool_calls"][0];
    EXPECT_EQ(streamed["function"]["arguments"], "{}");
  }
}

TEST(Gemini, tools_are_declared_and_the_choice_is_a_mode) {
  const std::string rest =
      R"("tools":[{"type":"function","function":{"name":"a","description":"d1","parameters":
      {"type":"object","additionalProperties":false}}},{"type":"function","function":{"name":"b",
      "parameters":null}}],"messages":[{"role":"user","content":"q"}]})";
  Desk desk;
  const Json sent = desk.translated("{" + rest, kReply);
  EXPECT_EQ(sent["tools"], *parse_json(R"([{"functionDeclarations":[{"name":"a","description":"d1",
      "parametersJsonSchema":{"type":"object","additionalProperties":false}},{"name":"b"}]}])"))
      << dump(sent);
  EXPECT_FALSE(sent.contains("toolConfig"));
  const auto config = [&](const std::string& choice) {
    return desk.translated(R"({"tool_choice":)" + choice + "," + rest, kReply)["toolConfig"];
  };
  EXPECT_EQ(config("\"none\""), *parse_json(R"({"functionCallingConfig":{"mode":"NONE"}})"));
  EXPECT_EQ(config("\"auto\""), *parse_json(R"({"functionCallingConfig":{"mode":"AUTO"}})"));
  EXPECT_EQ(config("\"required\""), *parse_json(R"({"functionCallingConfig":{"mode":"ANY"}})"));
  EXPECT_EQ(
      config(R"({"type":"function","function":{"name":"b"}})"),
      *parse_json(R"({"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["b"]}})"));
  EXPECT_FALSE(desk.translated(R"({"tools":[],"messages":[{"role":"user","content":"q"}]})", kReply)
                   .contains("tools"));
}

TEST(Gemini, sounds_and_pdfs_go_inline_and_others_are_refused) {
  Desk desk;
  const auto sent = [&](const std::string& part) {
    return desk.translated(R"({"messages":[{"role":"user","content":[)" + part + "]}]}", kReply);
  };
  const auto data_of = [&](const Json& body) {
    return body["contents"][0]["parts"][0]["inlineData"];
  };
  EXPECT_EQ(data_of(sent(R"({"type":"input_audio","input_audio":{"data":"QUJD","format":"mp3"}})")),
            *parse_json(R"({"mimeType":"audio/mp3","data":"QUJD"})"));
  EXPECT_EQ(data_of(sent(
                R"({"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0="}})")),
            *parse_json(R"({"mimeType":"application/pdf","data":"JVBERi0="})"));
  for (const char* part : {R"({"type":"input_audio","input_audio":{"data":"QUJD","format":"amr"}})",
                           R"({"type":"file","file":{"file_data":"data:text/plain;base64,QUJD"}})",
                           R"({"type":"file","file":{"file_id":"file-1"}})"}) {
    EXPECT_TRUE(sent(part).is_null()) << part;
    ASSERT_FALSE(desk.last.ok()) << part;
    EXPECT_EQ(desk.last.error().reason, "upstream_cannot") << part;
    EXPECT_EQ(desk.last.error().field, "messages[0].content[0]") << part;
  }
}

TEST(Gemini, what_it_cannot_do_is_refused_before_anything_is_sent) {
  Desk desk;
  const auto refused = [&](const std::string& body) {
    EXPECT_TRUE(desk.translated(body, kReply).is_null()) << body;
    return desk.last.ok() ? Error() : desk.last.error();
  };
  EXPECT_EQ(refused(R"({"n":2,"messages":[{"role":"user","content":"q"}]})").field, "n");
  const Error far =
      refused(R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":
      {"url":"http://pictures.example/1.png"}}]}]})");
  EXPECT_EQ(far.code, Errc::unsupported);
  EXPECT_EQ(far.reason, "upstream_cannot");
  EXPECT_EQ(far.field, "messages[0].content[0]");
  EXPECT_EQ(
      refused(R"({"messages":[{"role":"user","content":[{"type":"file","file":{}}]}]})").reason,
      "upstream_cannot");
  EXPECT_EQ(refused(R"({"messages":[{"role":"system","content":"alone"}]})").field, "messages");
}

TEST(Gemini, a_models_name_that_is_no_path_segment_is_not_asked_for) {
  Desk desk;
  for (const char* name : {"", "a/b", "../x", "a b", "a?key=1", "a:b", "a%2f"}) {
    Attempt attempt = Desk::attempt();
    attempt.model = name;
    const ChatRequest request = chat_request(kAsk);
    const auto got = net::run(desk.provider->complete(request, attempt, desk.timings));
    ASSERT_FALSE(got.ok()) << name;
    EXPECT_EQ(got.error().reason, "upstream_model_unknown") << name;
  }
  EXPECT_TRUE(desk.client.sent.empty());
  Attempt attempt = Desk::attempt();
  attempt.model = "models/gemini-2.5";
  desk.play(script(kJsonType, kReply));
  const ChatRequest request = chat_request(kAsk);
  EXPECT_TRUE(net::run(desk.provider->complete(request, attempt, desk.timings)).ok());
  EXPECT_EQ(desk.client.sent.at(0).address,
            "http://models.example:11434/v1beta/models/gemini-2.5:generateContent");
}

TEST(Gemini, members_of_a_wrong_type_never_throw) {
  Desk desk;
  for (
      const char* body :
      {R"({"messages":[1,"x",null,[],{"role":3,"content":{"a":1},"tool_calls":{"a":1}}]})",
       R"({"messages":[{"role":"assistant","content":"x","tool_calls":[1,{"id":5,"function":"f",
        "extra_content":7},{"function":{"name":[],"arguments":{"a":1}},"extra_content":{"google":"g"}}]}]})",
       R"({"messages":[{"role":"tool","tool_call_id":7,"name":{},"content":[null,1,{"type":"text","text":4}]}]})",
       R"({"messages":[{"role":"user","content":[1,null,"x",{"type":5}]}]})",
       R"({"messages":[{"role":"user","content":"q"}],"tools":[1,{"function":2}],"tool_choice":{"function":"f"},
        "stop":7,"seed":"s","response_format":{"type":"json_schema","json_schema":3}})",
       R"({"messages":"x"})", R"([])", R"("x")", R"({"messages":[{"role":"user","content":"q"}],
        "response_format":"json_object"})"}) {
    EXPECT_NO_THROW(desk.translated(body, kReply)) << body;
  }
}

TEST(Gemini, a_whole_reply_becomes_a_completion) {
  Desk desk;
  const auto reply = desk.complete(script(kJsonType, kReply, 11));
  ASSERT_TRUE(reply.ok());
  const Json message = message_in(reply);
  EXPECT_EQ(message["content"], "Rayleigh");
  EXPECT_EQ(message["reasoning_content"], "think");
  const Json& call = message["tool_calls"][0];
  EXPECT_TRUE(call["id"].get<std::string>().starts_with("call_"));
  EXPECT_EQ(call["function"]["arguments"], R"({"angle":31})");
  EXPECT_EQ(call["extra_content"]["google"]["thought_signature"], "c2ln");
  EXPECT_EQ(finish_in(reply), "tool_calls");
  EXPECT_EQ(reply->usage.prompt, 10U);
  EXPECT_EQ(reply->usage.completion, 34U);
  const Json usage = (*parse_json(reply->body))["usage"];
  EXPECT_EQ(usage["prompt_tokens_details"]["cached_tokens"], 6);
  EXPECT_EQ(usage["completion_tokens_details"]["reasoning_tokens"], 4);
  EXPECT_EQ(desk.client.open, 0);
}

TEST(Gemini, what_cannot_be_held_is_replaced_and_the_answer_survives) {
  Desk desk;
  const auto reply = desk.complete(script(
      kJsonType, R"({"candidates":[{"content":{"parts":[{"text":"a\ud83db"},{"functionCall":)"
                 R"({"name":"sun","args":{"n":123456789012345678901234567890}}}]},)"
                 R"("finishReason":"STOP"}]})"));
  const Json message = message_in(reply);
  EXPECT_EQ(message["content"],
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"], R"({"n":1.2345678901234568e+29})");
}

TEST(Gemini, finish_reasons_are_told_in_openais_words) {
  Desk desk;
  const auto finish = [&](const std::string& reason) {
    return finish_in(desk.complete(
        script(kJsonType, R"({"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":")" +
                              reason + "\"}]}")));
  };
  EXPECT_EQ(finish("STOP"), "stop");
  EXPECT_EQ(finish("MAX_TOKENS"), "length");
  for (const char* reason :
       {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER"}) {
    EXPECT_EQ(finish(reason), "content_filter") << reason;
  }
  EXPECT_EQ(finish("MALFORMED_FUNCTION_CALL"), "upstream_error");
  EXPECT_EQ(finish("UNEXPECTED_TOOL_CALL"), "upstream_error");
  const auto blocked = desk.complete(script(
      kJsonType,
      R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":5}})"));
  EXPECT_EQ(finish_in(blocked), "content_filter");
  EXPECT_EQ(message_in(blocked)["content"], "");
  EXPECT_EQ(blocked->usage.prompt, 5U);
}

TEST(Gemini, a_reply_that_is_none_is_a_bad_reply) {
  Desk desk;
  for (const char* body : {"", "x", "[]", "null", "{}", R"({"candidates":[]})",
                           R"({"candidates":"x"})", R"({"usageMetadata":{"promptTokenCount":5}})",
                           R"({"candidates":[1]})", R"({"candidates":[{}]})"}) {
    const auto reply = desk.complete(script(kJsonType, body));
    ASSERT_FALSE(reply.ok()) << body;
    EXPECT_EQ(reply.error().reason, "upstream_bad_reply") << body;
  }
  const auto failed = desk.complete(
      script(kJsonType, R"({"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}})"));
  EXPECT_EQ(failed.error().reason, "upstream_overloaded");
  EXPECT_EQ(
      desk.complete(script(kJsonType, R"({"error":{"code":200,"message":"odd"}})")).error().reason,
      "upstream_error");
  EXPECT_EQ(desk.complete(script(kJsonType, R"({"error":"odd"})")).error().detail, "odd");
}

TEST(Gemini, a_stream_of_events_becomes_chunks) {
  Desk desk;
  const Streamed out = desk.stream(script(kSse, kStream));
  ASSERT_TRUE(out.ended) << out.error.detail;
  EXPECT_EQ(desk.client.sent.at(0).address,
            "http://models.example:11434/v1beta/models/model-5:streamGenerateContent?alt=sse");
  EXPECT_EQ(out.text, "Rayleigh é");
  EXPECT_EQ(out.thinking, "hm");
  EXPECT_EQ(out.finish, "tool_calls");
  EXPECT_EQ(out.tokens, 4U);
  EXPECT_EQ(out.usage.completion, 12U);
  ASSERT_EQ(out.chunks.size(), 7U);  // role, thought, two texts, call, finish, usage
  const Json call = (*parse_json(out.chunks[4]))["choices"][0]["delta"]["tool_calls"][0];
  EXPECT_EQ(call["index"], 0);
  EXPECT_EQ(call["id"], "g7");
  EXPECT_EQ((*parse_json(out.chunks[6]))["usage"]["prompt_tokens"], 8);
}

TEST(Gemini, words_after_the_finish_reason_come_before_the_finish) {
  const auto event = [](const std::string& candidate, const std::string& usage) {
    return "data: {\"candidates\":[" + candidate + "],\"usageMetadata\":" + usage + "}\n\n";
  };
  Desk desk;
  const Streamed out = desk.stream(script(
      kSse,
      event(R"({"content":{"parts":[{"text":"one "}]},"finishReason":"STOP"})",
            R"({"promptTokenCount":8,"candidatesTokenCount":1})") +
          event(R"({"content":{"parts":[{"text":"two"},{"functionCall":{"id":"g","name":"f"}}]}})",
                R"({"promptTokenCount":8,"candidatesTokenCount":5})")));
  ASSERT_TRUE(out.ended) << out.error.detail;
  EXPECT_EQ(out.text, "one two");
  EXPECT_EQ(out.finish, "tool_calls");
  ASSERT_EQ(out.chunks.size(), 6U);  // role, two texts, call, finish, usage
  EXPECT_NE(out.chunks[4].find(R"("finish_reason":"tool_calls")"), std::string::npos);
  EXPECT_EQ((*parse_json(out.chunks[5]))["usage"]["completion_tokens"], 5);
}

TEST(Gemini, the_pieces_of_a_stream_do_not_matter) {
  same_whatever_the_pieces<Desk>(kStream, kSse);
}

// proves Z3
TEST(Gemini, a_stream_cut_before_its_finish_reason_is_an_error) {
  const std::size_t finish = kStream.find("\r\n\r\n", kStream.find("finishReason")) + 3;
  every_cut_is_an_error<Desk>(kStream, kSse, finish);
  Desk desk;
  EXPECT_TRUE(desk.stream(script(kSse, kStream.substr(0, finish + 1))).ended);
}

TEST(Gemini, an_error_event_ends_the_stream_with_that_error) {
  Desk desk;
  const std::string start =
      "data: "
      R"({"candidates":[{"content":{"parts":[{"text":"Ray"}]}}]})"
      "\n\n";
  const Streamed busy =
      desk.stream(script(kSse, start + "data: "
                                       R"({"error":{"code":429,"message":"slow down"}})"
                                       "\n\n"));
  EXPECT_EQ(busy.text, "Ray");
  EXPECT_EQ(busy.error.reason, "upstream_rate_limited");
  EXPECT_EQ(desk.stream(script(kSse, start + "data: {\n\n")).error.reason, "upstream_bad_reply");
  EXPECT_EQ(desk.stream(script(kSse, "data: " + std::string(4097, 'x'))).error.reason,
            "upstream_bad_event");
  EXPECT_EQ(desk.client.open, 0);
}

TEST(Gemini, statuses_become_the_documented_errors) {
  statuses_become_errors<Desk>(R"({"error":{"code":400,"message":"overdone","status":"X"}})");
}

TEST(Gemini, a_wrong_key_is_ours_and_a_retry_delay_is_heard) {
  Desk desk;
  const auto key = desk.complete(script(
      kJsonType,
      R"({"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","details":
      [{"reason":"API_KEY_INVALID"}]}})",
      0, 400));
  EXPECT_EQ(key.error().reason, "upstream_credentials");
  const auto mention = desk.complete(script(
      kJsonType,
      R"({"error":{"code":429,"message":"Quota of this API key is used up","details":[7,{"@type":
      "type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"},{"retryDelay":{"seconds":1}}]}})",
      0, 429));
  EXPECT_EQ(mention.error().reason, "upstream_rate_limited");
  EXPECT_EQ(mention.error().retry_after, std::chrono::milliseconds(34'500));
  for (const char* odd : {"", "[]", R"({"error":7})", R"({"error":{"details":{}}})"}) {
    EXPECT_EQ(desk.complete(script(kJsonType, odd, 0, 429)).error().retry_after.count(), 0) << odd;
  }
}

TEST(Gemini, models_are_those_that_generate_or_embed) {
  Desk desk("https://g.example/v1beta/");
  desk.play(script(
      kJsonType,
      R"({"models":[{"name":"models/gemini-2.5","inputTokenLimit":1048576,"supportedGenerationMethods":
      ["countTokens","generateContent"]},{"name":"models/embed","supportedGenerationMethods":["embedContent"]},
      {"name":7},5,{"name":"bare","inputTokenLimit":"x","supportedGenerationMethods":[1,null]},{"name":"open"}]})"));
  const auto list = desk.models();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].id, "gemini-2.5");
  EXPECT_EQ((*list)[0].context, 1'048'576U);
  EXPECT_EQ((*list)[1].id, "embed");
  EXPECT_EQ((*list)[1].task, "embedding");
  EXPECT_EQ((*list)[2].id, "open");
  EXPECT_EQ(desk.client.sent[0].address, "https://g.example/v1beta/models?pageSize=1000");
  EXPECT_TRUE(desk.client.sent[0].has("x-goog-api-key: sk-secret-7"));
  desk.play(script(kJsonType, R"({"models":{"a":1}})"));
  EXPECT_TRUE(desk.models()->empty());
  desk.play(script(kJsonType, "7"));
  EXPECT_EQ(desk.models().error().reason, "upstream_bad_reply");
  desk.play(script(kJsonType, "{}", 0, 500));
  EXPECT_EQ(desk.models().error().reason, "upstream_error");
}

TEST(Gemini, changed_replies_are_answers_or_errors) {
  survives_changed_replies<Desk>(kReply, kStream, kSse);
}

}  // namespace
}  // namespace mainstay::models::gemini
