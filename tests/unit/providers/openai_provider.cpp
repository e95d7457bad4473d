// The OpenAI-compatible provider: what it sends, what it passes through, what it calls an error.
#include <gtest/gtest.h>

#include "base/json.h"
#include "fake_client.h"
#include "models/openai/provider.h"
#include "models/openai/reply.h"

namespace mainstay::models::openai {
namespace {

using net::FakeClient;
using net::run;
using net::script;

constexpr const char* kSse = "text/event-stream; charset=utf-8";
constexpr const char* kJson = "application/json";

struct Streamed {
  bool started = false;
  std::vector<ChatChunk> chunks;
  bool ended = false;     ///< by the end marker
  std::size_t pings = 0;  ///< bytes that were no chunk yet
  Error error;
};

/// A provider over scripted replies.
struct Desk {
  explicit Desk(std::string base = "https://api.example/v1/", std::string key = "sk-7") {
    ProviderSettings settings;
    settings.name = "cloud";
    settings.base_url = std::move(base);
    settings.api_key = Secret(std::move(key));
    upstream.event_max = 4_KiB;
    upstream.response_max = 16_KiB;
    provider = std::move(*make(settings, upstream, client));
  }
  static ChatRequest request(bool stream) {
    ChatRequest out;
    out.body = R"({ "messages":[{"role":"user","content":"h\u00e9"}],  "model":"auto","stream":)";
    out.body += stream ? "true" : "false";
    out.body += R"(,"temperature":0.50,"x_unknown":{"a":[1, 2]}})";
    out.stream = stream;
    out.request = RequestId("req_9");
    out.traceparent = "00-aa-bb-01";
    out.index();
    return out;
  }
  static Attempt attempt() {
    Attempt out;
    out.model = "gpt-\"x\"";
    out.connect = std::chrono::seconds(4);
    out.first_token = std::chrono::seconds(5);
    out.between_tokens = std::chrono::seconds(6);
    return out;
  }
  Result<ChatReply> complete(net::Script reply, bool asked_stream = false) {
    client.scripts.push_back(std::move(reply));
    const ChatRequest req = request(asked_stream);
    return run(provider->complete(req, attempt(), timings));
  }
  static Co<Streamed> consume(ChatProvider& from, ChatRequest req, AttemptTimings& took) {
    Streamed out;
    auto stream = co_await from.stream(req, attempt(), took);
    if (!stream.ok()) {
      out.error = stream.error();
      co_return out;
    }
    out.started = true;
    while (true) {
      auto chunk = co_await (*stream)->next(Deadline::never());
      if (!chunk.ok()) {
        out.error = chunk.error();
        co_return out;
      }
      if (!chunk->has_value()) break;
      out.pings += (*chunk)->json.empty() ? 1 : 0;
      if ((*chunk)->json.empty()) continue;
      out.chunks.push_back(std::move(**chunk));
    }
    out.ended = true;
    co_return out;
  }
  Streamed stream(net::Script reply, bool asked_stream = true) {
    client.scripts.push_back(std::move(reply));
    return run(consume(*provider, request(asked_stream), timings));
  }

  FakeClient client;
  UpstreamSettings upstream;
  std::unique_ptr<ChatProvider> provider;
  AttemptTimings timings;
};

const std::string kReply =
    R"({"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,)"
    R"("prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}})";

TEST(OpenAi, the_callers_body_goes_through_with_the_model_replaced) {
  Desk desk;
  ASSERT_TRUE(desk.complete(script(kJson, kReply)).ok());
  const net::Sent& sent = desk.client.sent.at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.address, "https://api.example/v1/chat/completions");
  EXPECT_EQ(sent.body,
            R"({ "messages":[{"role":"user","content":"h\u00e9"}],  "model":"gpt-\"x\"",)"
            R"("stream":false,"temperature":0.50,"x_unknown":{"a":[1, 2]}})");
  EXPECT_TRUE(sent.has("authorization: Bearer sk-7\r\n"));
  EXPECT_TRUE(sent.has("content-type: application/json\r\n"));
  EXPECT_TRUE(sent.has("x-request-id: req_9\r\n"));
  EXPECT_TRUE(sent.has("traceparent: 00-aa-bb-01\r\n"));
  EXPECT_EQ(sent.timers.connect, std::chrono::seconds(4));
  EXPECT_EQ(sent.timers.first_byte, std::chrono::seconds(5));
  EXPECT_EQ(sent.timers.between_bytes, std::chrono::seconds(6));
  EXPECT_EQ(desk.timings.queue, std::chrono::milliseconds(1));
  EXPECT_EQ(desk.timings.connect, std::chrono::milliseconds(2));
  EXPECT_EQ(desk.timings.first_byte, std::chrono::milliseconds(3));
}

TEST(OpenAi, what_gemini_signed_is_for_google_alone) {
  const std::string call =
      R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{\"n\":1.50}"})";
  const std::string messages =
      R"([{"role":"user","content":"h\u00e9"},{"role":"assistant","tool_calls":[)";
  const std::string signed_call =
      call + R"(,"extra_content":{"google":{"thought_signature":"c2ln"}}})";
  const auto asked = [&](const std::string& base, const std::string& what) {
    Desk desk(base);
    ChatRequest request = Desk::request(false);
    request.body = R"({"messages":)" + what + R"(,"x_extra_content":1})";
    request.index();
    desk.client.scripts.push_back(script(kJson, kReply));
    EXPECT_TRUE(run(desk.provider->complete(request, Desk::attempt(), desk.timings)).ok());
    return desk.client.sent.at(0).body;
  };
  const std::string with = messages + signed_call + "]}]";
  const std::string google = "https://generativelanguage.googleapis.com/v1beta/openai";
  EXPECT_NE(asked(google, with).find(R"("thought_signature":"c2ln")"), std::string::npos);
  const std::string other = asked("https://api.example/v1", with);
  EXPECT_EQ(other.find("\"extra_content\""), std::string::npos) << other;
  EXPECT_NE(other.find(R"({\"n\":1.50})"), std::string::npos) << other;
  EXPECT_NE(other.find(R"("x_extra_content":1)"), std::string::npos) << other;
  const std::string without = messages + call + "}]}]";
  EXPECT_NE(asked("https://api.example/v1", without).find(without), std::string::npos)
      << "else word for word";
}

// DeepSeek refuses a tool's result without the thoughts before its call, Groq any message with
// them.
TEST(OpenAi, thoughts_go_back_to_servers_that_hear_them) {
  const std::string messages =
      R"([{"role":"user","content":"q"},{"role":"assistant","content":null,)"
      R"("reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function",)"
      R"("function":{"name":"f","arguments":"{\"n\":1.50}"}}]}])";
  const auto hears = [&messages](const std::string& base) {
    Desk desk(base);
    ChatRequest request = Desk::request(false);
    request.body = R"({"messages":)" + messages + R"(,"x":"reasoning_content"})";
    request.index();
    desk.client.scripts.push_back(script(kJson, kReply));
    EXPECT_TRUE(run(desk.provider->complete(request, Desk::attempt(), desk.timings)).ok());
    const std::string& body = desk.client.sent.at(0).body;
    EXPECT_NE(body.find(R"("x":"reasoning_content")"), std::string::npos) << body;
    EXPECT_NE(body.find("1.50"), std::string::npos) << body;
    return body.find(R"("reasoning_content":"hm")") != std::string::npos;
  };
  EXPECT_TRUE(hears("https://api.deepseek.com/v1"));
  EXPECT_TRUE(hears("http://127.0.0.1:8000/v1"));
  EXPECT_TRUE(hears("https://notopenai.com/v1"));
  EXPECT_FALSE(hears("https://api.groq.com/openai/v1"));
  EXPECT_FALSE(hears("https://api.mistral.ai/v1"));
  EXPECT_FALSE(hears("https://mine.openai.azure.com/openai/v1"));
  EXPECT_FALSE(hears("https://api.openai.com/v1"));
}

TEST(OpenAi, a_compressed_answer_is_named_as_that) {
  Desk desk;
  net::Script packed = script(kJson, "\x1f\x8b\x08");
  packed.headers["content-encoding"] = "gzip";
  const auto whole = desk.complete(packed);
  ASSERT_FALSE(whole.ok());
  EXPECT_EQ(whole.error().reason, "upstream_bad_reply");
  EXPECT_NE(whole.error().message.find("compressed"), std::string::npos);
  packed.headers["content-type"] = kSse;
  EXPECT_NE(desk.stream(packed).error.message.find("compressed"), std::string::npos);
  EXPECT_TRUE(desk.client.sent.at(0).has("accept-encoding: identity\r\n"));
}

TEST(OpenAi, without_a_key_nothing_is_sent_as_one) {
  Desk desk("http://127.0.0.1:1234", "");
  ASSERT_TRUE(desk.complete(script(kJson, kReply)).ok());
  EXPECT_FALSE(desk.client.sent.at(0).has("authorization"));
  EXPECT_EQ(desk.client.sent.at(0).address, "http://127.0.0.1:1234/chat/completions");
}

TEST(OpenAi, stream_is_set_to_what_is_wanted_of_the_provider) {
  Desk desk;
  ASSERT_TRUE(desk.complete(script(kJson, kReply), true).ok());
  EXPECT_NE(desk.client.sent.at(0).body.find(R"("stream":false)"), std::string::npos);
  ASSERT_TRUE(desk.stream(script(kSse, "data: [DONE]\n\n"), false).ended);
  EXPECT_NE(desk.client.sent.at(1).body.find(R"("stream":true)"), std::string::npos);
}

TEST(OpenAi, a_whole_reply_goes_through_as_received) {
  Desk desk;
  for (const std::size_t step : {0U, 1U, 7U}) {
    const auto reply = desk.complete(script(kJson, kReply, step));
    ASSERT_TRUE(reply.ok());
    EXPECT_EQ(reply->body, kReply);
    EXPECT_TRUE(reply->usage.known);
    EXPECT_EQ(reply->usage.prompt, 11U);
    EXPECT_EQ(reply->usage.completion, 3U);
    EXPECT_EQ(reply->usage.cached, 4U);
    EXPECT_EQ(reply->usage.reasoning, 2U);
  }
  const auto bare = desk.complete(script(kJson, R"({"choices":[{"message":{}}],"usage":null})"));
  ASSERT_TRUE(bare.ok());
  EXPECT_FALSE(bare->usage.known) << "usage may be missing";
  EXPECT_EQ(desk.client.open, 0);
}

/// What JSON can say and a program cannot hold: a number of 30 digits, half of a character.
TEST(OpenAi, what_cannot_be_held_is_replaced_and_the_answer_survives) {
  const std::string given = R"("content":"a\ud83db"},"score":123456789012345678901234567890)";
  const std::string told = R"("content":"a\ufffdb"},"score":1.2345678901234568e+29)";
  Desk desk;
  const auto reply = desk.complete(script(kJson, R"({"choices":[{"message":{)" + given + "}]}"));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->body, R"({"choices":[{"message":{)" + told + "}]}");
  const std::string event = "data: {\"choices\":[{\"delta\":{" + given + "}]}\n\n";
  const Streamed got = desk.stream(script(kSse, event + "data: [DONE]\n\n"));
  EXPECT_TRUE(got.ended);
  ASSERT_EQ(got.chunks.size(), 1U);
  EXPECT_EQ(got.chunks[0].json, "{\"choices\":[{\"delta\":{" + told + "}]}");
  EXPECT_TRUE(got.chunks[0].token);
}

TEST(OpenAi, a_reply_that_is_none_is_bad_upstream) {
  Desk desk;
  for (const std::string body :
       {"", "garbage", "[]", "{}", R"({"choices":[]})", R"({"choices":{}})", "{\"choices\":[{}]",
        "{\"choices\":[\"\xff\"]}"}) {
    const auto reply = desk.complete(script(kJson, body));
    ASSERT_FALSE(reply.ok()) << body;
    EXPECT_EQ(reply.error().code, Errc::bad_upstream);
    EXPECT_EQ(reply.error().reason, "upstream_bad_reply") << body;
  }
  const auto hidden = desk.complete(script(kJson, R"({"error":{"message":"overheated"}})"));
  EXPECT_EQ(hidden.error().reason, "upstream_error");
  EXPECT_EQ(hidden.error().detail, "overheated");
  EXPECT_EQ(hidden.error().message.find("overheated"), std::string::npos);
  const auto moved = desk.complete(script("text/html", "elsewhere", 0, 302));
  EXPECT_EQ(moved.error().reason, "upstream_bad_reply");
  const auto large = desk.complete(script(kJson, std::string(16 * 1024 + 1, ' ')));
  EXPECT_EQ(large.error().reason, "upstream_too_large");
}

// proves Z17
TEST(OpenAi, refusals_become_the_documented_errors) {
  struct Row {
    int status;
    Errc code;
    const char* reason;
  };
  for (const Row row :
       {Row{429, Errc::over_limit, "upstream_rate_limited"},
        Row{401, Errc::bad_upstream, "upstream_credentials"},
        Row{403, Errc::bad_upstream, "upstream_forbidden"},
        Row{404, Errc::not_found, "upstream_model_unknown"},
        Row{400, Errc::invalid, "upstream_rejected"}, Row{422, Errc::invalid, "upstream_rejected"},
        Row{500, Errc::bad_upstream, "upstream_error"},
        Row{503, Errc::unavailable, "upstream_overloaded"},
        Row{529, Errc::unavailable, "upstream_overloaded"}}) {
    Desk desk;
    auto answer =
        script(kJson, R"({"error":{"message":"no such thing","param":"messages[0].role"}})", 5,
               row.status);
    answer.headers["retry-after-ms"] = "1500";
    const auto reply = desk.complete(answer);
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().code, row.code) << row.status;
    EXPECT_EQ(reply.error().reason, row.reason) << row.status;
    EXPECT_EQ(reply.error().retry_after, std::chrono::milliseconds(1500));
    const bool rejected = row.code == Errc::invalid;
    EXPECT_EQ(reply.error().message.find("no such thing") != std::string::npos,
              rejected || row.status == 403)
        << row.status;
    EXPECT_EQ(reply.error().message.find(" key") != std::string::npos, row.status == 401);
    EXPECT_EQ(reply.error().field, rejected ? "messages[0].role" : "");
    EXPECT_EQ(desk.stream(answer).error.reason, row.reason);
  }
}

TEST(OpenAi, a_failure_of_the_call_is_passed_on) {
  Desk desk;
  net::Script dead;
  dead.instead = Error::say(Errc::unavailable, "upstream_refused", "nobody there");
  EXPECT_EQ(desk.complete(dead).error().reason, "upstream_refused");
  EXPECT_EQ(desk.stream(dead).error.reason, "upstream_refused");
}

const std::string kBegun =
    ": hello\r\n\r\n"
    "data: "
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}"
    "\r\n\r\n"
    "data: "
    "{\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}],\"usage\":null}\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n";
const std::string kStream =
    kBegun +
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";

TEST(OpenAi, chunks_go_through_as_received_whatever_the_pieces) {
  const std::string whole = kStream + "data: [DONE]\n\n";
  for (const std::size_t step : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
    Desk desk;
    const Streamed got = desk.stream(script(kSse, whole, step));
    ASSERT_TRUE(got.ended) << got.error.detail;
    ASSERT_EQ(got.chunks.size(), 5U);
    EXPECT_EQ(got.chunks[1].json,
              R"({"choices":[{"delta":{"content":"Hel"},"finish_reason":null}],"usage":null})");
    const std::vector<bool> tokens{false, true, true, false, false};
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(got.chunks[i].token, tokens[i]) << i;
      EXPECT_EQ(got.chunks[i].finish, i == 3) << i;
      EXPECT_EQ(got.chunks[i].usage.known, i == 4) << i;
    }
    EXPECT_EQ(got.chunks[4].usage.prompt, 5U);
    EXPECT_EQ(got.chunks[4].usage.completion, 2U);
    EXPECT_EQ(desk.client.open, 0);
    EXPECT_TRUE(desk.client.sent.at(0).has("accept: text/event-stream"));
  }
}

TEST(OpenAi, a_comment_tells_that_the_server_is_at_work) {
  Desk desk;
  net::Script reply = net::script("text/event-stream", "");
  reply.pieces = {": PROCESSING\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n",
                  "\ndata: [DONE]\n\n"};
  const auto got = desk.stream(std::move(reply));
  EXPECT_TRUE(got.ended);
  EXPECT_EQ(got.chunks.size(), 1u);
  EXPECT_EQ(got.pings, 2u);
}

TEST(OpenAi, what_a_client_sees_counts_as_a_token) {
  for (const std::string delta :
       {R"({"content":"x"})", R"({"tool_calls":[{"index":0}]})", R"({"refusal":"no"})",
        R"({"reasoning_content":"hm"})", R"({"reasoning":"hm"})",
        R"({"function_call":{"name":"f"}})", R"({"content":[{"type":"text"}]})"}) {
    const auto chunk = read_chunk(R"({"choices":[{"delta":)" + delta + "}]}");
    ASSERT_TRUE(chunk.ok());
    EXPECT_TRUE(chunk->token) << delta;
  }
  for (const std::string delta :
       {R"({})", R"({"content":""})", R"({"content":null})", R"({"tool_calls":[]})",
        R"({"role":"assistant"})", R"({"reasoning":""})"}) {
    const auto chunk = read_chunk(R"({"choices":[{"delta":)" + delta + "}]}");
    ASSERT_TRUE(chunk.ok());
    EXPECT_FALSE(chunk->token) << delta;
  }
}

TEST(OpenAi, a_chunk_spread_over_data_lines_stays_one_line) {
  Desk desk;
  const Streamed got =
      desk.stream(script(kSse, "data: {\"choices\":\ndata: []}\n\ndata: [DONE]\n\n"));
  ASSERT_TRUE(got.ended);
  EXPECT_EQ(got.chunks.at(0).json, "{\"choices\": []}");
}

// proves Z3: a stream cut without its end marker is an error, never a silent success
TEST(OpenAi, a_stream_cut_without_its_end_marker_is_an_error) {
  for (const std::string tail : {"", "data: [DO", "data: [DONE]", "data: {\"choices\":[]}\n"}) {
    Desk desk;
    const Streamed got = desk.stream(script(kSse, kBegun + tail));
    EXPECT_FALSE(got.ended) << tail;
    EXPECT_EQ(got.chunks.size(), 3U);
    EXPECT_EQ(got.error.code, Errc::bad_upstream);
    EXPECT_EQ(got.error.reason, "upstream_truncated");
  }
  Desk desk;
  auto reset = script(kSse, kStream);
  reset.at_end = Error::say(Errc::bad_upstream, "upstream_reset", "gone");
  EXPECT_EQ(desk.stream(reset).error.reason, "upstream_reset");
}

TEST(OpenAi, finished_choices_and_a_proper_end_do_without_the_end_marker) {
  for (const std::string tail : {"", "data: [DO", "data: [DONE]"}) {
    Desk desk;
    const Streamed got = desk.stream(script(kSse, kStream + tail));
    EXPECT_TRUE(got.ended) << tail << got.error.reason;
    EXPECT_EQ(got.chunks.size(), 5U);
    EXPECT_EQ(desk.client.open, 0);
  }
}

TEST(OpenAi, without_an_end_marker_every_choice_must_have_its_finish) {
  const auto choice = [](int index) {
    return R"({"index":)" + std::to_string(index) + R"(,"delta":{},"finish_reason":"stop"})";
  };
  const auto event = [](const std::string& choices) {
    return "data: {\"choices\":[" + choices + "]}\n\n";
  };
  const auto ended = [](const std::string& events) {
    Desk desk;
    desk.client.scripts.push_back(script(kSse, kBegun + events));
    ChatRequest two = Desk::request(true);
    two.choices = 2;
    const Streamed got = run(Desk::consume(*desk.provider, std::move(two), desk.timings));
    EXPECT_EQ(got.error.reason, got.ended ? "" : "upstream_truncated");
    return got.ended;
  };
  EXPECT_FALSE(ended(event(choice(0))));
  EXPECT_FALSE(ended(event(choice(0)) + event(choice(0)))) << "some servers say it twice";
  EXPECT_TRUE(ended(event(choice(1)) + event(choice(0))));
  EXPECT_TRUE(ended(event(choice(0) + "," + choice(1))));
}

// A bad prompt must not count against the provider.
TEST(OpenAi, an_error_told_in_a_reply_of_status_200_is_that_of_its_code) {
  const auto told = [](const std::string& code) {
    const std::string body =
        R"({"error":{"message":"no such role","param":"messages[0].role","code":)" + code + "}}";
    Desk desk;
    const auto whole = desk.complete(script(kJson, body));
    EXPECT_FALSE(whole.ok());
    for (const std::string& event : {"data: " + body, "event: error\ndata: " + body,
                                     "event: error\ndata: " + dump((*parse_json(body))["error"])}) {
      const Streamed got = desk.stream(script(kSse, kBegun + event + "\n\n"));
      EXPECT_EQ(got.error.reason, whole.error().reason) << event;
      EXPECT_EQ(got.error.field, whole.error().field) << event;
    }
    return whole.error();
  };
  for (const char* code : {"400", "\"400\""}) {
    const Error error = told(code);
    EXPECT_EQ(error.code, Errc::invalid) << code;
    EXPECT_EQ(error.reason, "upstream_rejected") << code;
    EXPECT_EQ(error.field, "messages[0].role") << code;
  }
  EXPECT_EQ(told("429").code, Errc::over_limit);
  EXPECT_EQ(told("502").reason, "upstream_error");
  for (const char* code : {"null", "\"server_error\"", "399", "600", "\"4xx\"", "400.5"}) {
    EXPECT_EQ(told(code).reason, "upstream_error") << code;
  }
}

TEST(OpenAi, an_error_inside_a_stream_is_an_error) {
  for (const std::string event :
       {R"(data: {"error":{"message":"overheated","code":null}})",
        R"(data: {"error":"overheated"})", "event: error\ndata: {\"message\":\"overheated\"}",
        "event: error\ndata: overheated"}) {
    Desk desk;
    const Streamed got = desk.stream(script(kSse, kStream + event + "\n\ndata: [DONE]\n\n"));
    EXPECT_EQ(got.chunks.size(), 5U);
    EXPECT_EQ(got.error.reason, "upstream_error") << event;
    EXPECT_EQ(got.error.detail, "overheated") << event;
  }
}

TEST(OpenAi, garbage_inside_a_stream_is_an_error) {
  for (const std::string event : {"data: {\"choices\":[", "data: 7", "data: {\"choices\":[1]}",
                                  "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}"}) {
    Desk desk;
    const Streamed got = desk.stream(script(kSse, kStream + event + "\n\ndata: [DONE]\n\n"));
    EXPECT_EQ(got.error.reason, "upstream_bad_reply") << event;
  }
  Desk desk;
  const std::string huge = "data: " + std::string(5000, 'x') + "\n\n";
  EXPECT_EQ(desk.stream(script(kSse, huge)).error.reason, "upstream_bad_event");
}

TEST(OpenAi, a_stream_of_another_type_is_looked_at_or_refused) {
  Desk desk;
  EXPECT_EQ(desk.stream(script("text/html", "<p>hi")).error.reason, "upstream_bad_reply");
  EXPECT_EQ(desk.stream(script(kJson, R"({"error":{"message":"m"}})")).error.reason,
            "upstream_error");
  const Streamed whole = desk.stream(script(kJson, kReply));
  ASSERT_TRUE(whole.ended);
  ASSERT_EQ(whole.chunks.size(), 1U);
  EXPECT_TRUE(whole.chunks[0].token);
  EXPECT_TRUE(whole.chunks[0].finish);
  EXPECT_EQ(whole.chunks[0].usage.prompt, 11U);
  const Json tree = *parse_json(whole.chunks[0].json);
  EXPECT_EQ(tree["object"], "chat.completion.chunk");
  EXPECT_EQ(tree["choices"][0]["delta"]["content"], "hi");
  EXPECT_TRUE(desk.stream(script("", "data: [DONE]\n\n")).ended) << "a type left out is forgiven";
}

TEST(OpenAi, models_are_listed_with_what_the_server_says_of_them) {
  Desk desk;
  desk.client.scripts.push_back(script(
      kJson, R"({"data":[{"id":"a","context_length":8192},{"id":"b","meta":{"n_ctx_train":4096}},)"
             R"({"id":"c"},{"no":"id"},3]})"));
  const auto list = run(desk.provider->models(Deadline::never()));
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].context, 8192U);
  EXPECT_EQ((*list)[1].context, 4096U);
  EXPECT_EQ((*list)[2].id, "c");
  EXPECT_EQ((*list)[2].provider, "cloud");
  EXPECT_EQ(desk.client.sent.at(0).method, "GET");
  EXPECT_EQ(desk.client.sent.at(0).address, "https://api.example/v1/models");
  desk.client.scripts.push_back(script(kJson, "{}"));
  EXPECT_FALSE(run(desk.provider->models(Deadline::never())).ok());
  desk.client.scripts.push_back(script(kJson, "no", 0, 401));
  EXPECT_EQ(run(desk.provider->models(Deadline::never())).error().reason, "upstream_credentials");
}

TEST(OpenAi, an_address_that_is_none_is_refused_at_once) {
  FakeClient client;
  ProviderSettings settings;
  settings.base_url = "ftp://x";
  EXPECT_EQ(make(settings, {}, client).error().code, Errc::invalid);
}

}  // namespace
}  // namespace mainstay::models::openai
