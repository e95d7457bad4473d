// A provider over scripted replies, for the tests of the providers that translate: what was sent
// as a tree, what came back as chunks, and replies with bytes changed at random.
#pragma once

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/random.h"
#include "base/sim_clock.h"
#include "fake_client.h"
#include "models/provider.h"

namespace mainstay::models {

inline constexpr const char* kJsonType = "application/json";

/// What came out of a stream.
struct Streamed {
  bool started = false;
  std::vector<std::string> chunks;
  std::string text;
  std::string thinking;
  std::string finish;
  std::size_t tokens = 0;  ///< chunks that carry something to see
  Usage usage;
  bool ended = false;     ///< by the end marker
  std::size_t pings = 0;  ///< bytes that were no chunk yet
  Error error;
};

inline void add_chunk(Streamed& out, const ChatChunk& chunk) {
  out.chunks.push_back(chunk.json);
  if (chunk.token) ++out.tokens;
  if (chunk.usage.known) out.usage = chunk.usage;
  auto parsed = parse_json(chunk.json);
  ASSERT_TRUE(parsed.ok()) << chunk.json;
  EXPECT_EQ(string_field(*parsed, "object"), "chat.completion.chunk");
  const Json& choices = array_field(*parsed, "choices");
  if (choices.empty()) return;
  const Json& delta = field(choices[0], "delta");
  out.text += string_field(delta, "content");
  out.thinking += string_field(delta, "reasoning_content");
  out.finish += string_field(choices[0], "finish_reason");
  EXPECT_EQ(chunk.finish, !string_field(choices[0], "finish_reason").empty());
}

/// The request as the router hands it on; `body` is what the client sent.
inline ChatRequest chat_request(std::string body, bool stream = false) {
  ChatRequest out;
  out.body = std::move(body);
  out.stream = stream;
  out.include_usage = stream;
  out.request = RequestId("req_41");
  out.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  auto parsed = parse_json(out.body);
  if (parsed.ok()) {
    out.has_tools = !array_field(*parsed, "tools").empty();
    out.choices = static_cast<std::uint32_t>(count_field(*parsed, "n", 1));
  }
  out.index();
  return out;
}

inline const std::string kAsk = R"({"messages":[{"role":"user","content":"Why is it blue?"}]})";

/// `Make` is an inner room's make().
template <auto Make>
struct ProviderDesk {
  explicit ProviderDesk(std::string base = "http://models.example:11434",
                        std::string key = "sk-secret-7") {
    ProviderSettings settings;
    settings.name = "desk";
    settings.base_url = std::move(base);
    settings.api_key = Secret(std::move(key));
    upstream.event_max = 4_KiB;
    upstream.response_max = 16_KiB;
    provider = std::move(*Make(settings, upstream, clock, random, client));
  }
  static Attempt attempt() {
    Attempt out;
    out.model = "model-5";
    out.connect = std::chrono::seconds(4);
    out.first_token = std::chrono::seconds(5);
    out.between_tokens = std::chrono::seconds(6);
    return out;
  }
  void play(net::Script reply) { client.scripts.push_back(std::move(reply)); }
  Result<ChatReply> complete(const std::string& body = kAsk) {
    const ChatRequest request = chat_request(body);
    return net::run(provider->complete(request, attempt(), timings));
  }
  Result<ChatReply> complete(net::Script reply, const std::string& body = kAsk) {
    play(std::move(reply));
    return complete(body);
  }
  static Co<Streamed> consume(ChatProvider& from, ChatRequest request, AttemptTimings& took) {
    Streamed out;
    auto stream = co_await from.stream(request, attempt(), took);
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
      add_chunk(out, **chunk);
    }
    out.ended = true;
    co_return out;
  }
  Streamed stream(const std::string& body = kAsk) {
    return net::run(consume(*provider, chat_request(body, true), timings));
  }
  Streamed stream(net::Script reply, const std::string& body = kAsk) {
    play(std::move(reply));
    return stream(body);
  }
  Result<std::vector<ModelInfo>> models() { return net::run(provider->models(Deadline::never())); }
  /// The body of the newest call.
  Json sent() const {
    auto parsed = parse_json(client.sent.back().body);
    return parsed.ok() ? *parsed : Json();
  }
  /// What a request becomes; null when it is refused before it is sent.
  Json translated(const std::string& body, const std::string& reply,
                  const std::string& model = attempt().model) {
    const std::size_t before = client.sent.size();
    play(net::script(kJsonType, reply));
    Attempt one = attempt();
    one.model = model;
    const ChatRequest request = chat_request(body);
    last = net::run(provider->complete(request, one, timings));
    if (client.sent.size() == before) client.scripts.clear();
    return client.sent.size() == before ? Json() : sent();
  }

  asio::io_context io;
  SimClock clock{io};
  SeededRandom random{17};
  net::FakeClient client;
  UpstreamSettings upstream;
  std::unique_ptr<ChatProvider> provider;
  AttemptTimings timings;
  Result<ChatReply> last = Error();
};

inline Json message_in(const Result<ChatReply>& reply) {
  if (!reply.ok()) return {};
  auto parsed = parse_json(reply->body);
  if (!parsed.ok() || array_field(*parsed, "choices").empty()) return {};
  return field(array_field(*parsed, "choices")[0], "message");
}

inline std::string finish_in(const Result<ChatReply>& reply) {
  if (!reply.ok()) return reply.error().reason;
  auto parsed = parse_json(reply->body);
  return parsed.ok() ? string_field(array_field(*parsed, "choices")[0], "finish_reason") : "";
}

/// `text` with a few bytes changed, taken out, doubled, or a JSON value swapped for another type.
inline std::string mutated(std::string text, Random& random) {
  static const std::vector<std::string> kValues = {
      "null", "true", "-1", "1.5", "\"x\"", "[]", "{}", "[null]", "1e308", "18446744073709551615"};
  for (std::uint64_t i = 1 + random.below(3); i > 0 && !text.empty(); --i) {
    const auto at = static_cast<std::size_t>(random.below(text.size()));
    switch (random.below(5)) {
      case 0:
        text[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        text.erase(at, 1 + static_cast<std::size_t>(random.below(8)));
        break;
      case 2:
        text.insert(at, text.substr(at, 1 + static_cast<std::size_t>(random.below(16))));
        break;
      default: {  // the value behind a colon becomes another: still JSON, mostly
        const auto colon = text.find(':', at);
        if (colon == std::string::npos) break;
        int depth = 0;
        bool quoted = false;
        std::size_t end = colon + 1;
        for (; end < text.size(); ++end) {
          const char c = text[end];
          if (c == '"' && text[end - 1] != '\\') quoted = !quoted;
          if (quoted) continue;
          if (depth == 0 && (c == ',' || c == '}' || c == ']')) break;
          if (c == '{' || c == '[') ++depth;
          if (c == '}' || c == ']') --depth;
        }
        text.replace(colon + 1, end - colon - 1,
                     kValues[static_cast<std::size_t>(random.below(kValues.size()))]);
      }
    }
  }
  return text;
}

/// Two thousand changed replies, whole and streamed: each is an answer or one of the documented
/// errors, and nothing is thrown.
template <class Desk>
void survives_changed_replies(const std::string& whole, const std::string& streamed,
                              const char* stream_type) {
  Desk desk;
  SeededRandom random(20'26);
  std::size_t answers = 0;
  std::size_t errors = 0;
  const auto expected = [](const Error& error) {
    return error.code != Errc::internal && !error.reason.starts_with("invalid_json");
  };
  for (int i = 0; i < 1000; ++i) {
    const std::string body = mutated(whole, random);
    auto reply = desk.complete(net::script(kJsonType, body));
    reply.ok() ? ++answers : ++errors;
    if (reply.ok()) {
      EXPECT_TRUE(message_in(reply).is_object()) << body;
    } else {
      EXPECT_TRUE(expected(reply.error())) << body << "\n" << reply.error().reason;
    }
    const std::string events = mutated(streamed, random);
    const auto out = desk.stream(net::script(stream_type, events, 1 + random.below(40)));
    EXPECT_TRUE(out.ended || expected(out.error)) << events << "\n" << out.error.reason;
    out.ended ? ++answers : ++errors;
  }
  EXPECT_GT(answers, 100U);
  EXPECT_GT(errors, 100U);
  EXPECT_EQ(desk.client.open, 0);
}

/// The stream in pieces of any size gives the same chunks as in one piece.
template <class Desk>
void same_whatever_the_pieces(const std::string& streamed, const char* type) {
  Desk whole;
  const Streamed expected = whole.stream(net::script(type, streamed));
  ASSERT_TRUE(expected.ended) << expected.error.detail;
  for (std::size_t step = 1; step <= streamed.size(); step += step < 48 ? 1 : step / 4) {
    Desk desk;
    const Streamed out = desk.stream(net::script(type, streamed, step));
    ASSERT_TRUE(out.ended) << step << " " << out.error.detail;
    ASSERT_EQ(out.chunks, expected.chunks) << step;
  }
}

/// A stream cut anywhere before `marker`'s end is an error, never a short answer.
template <class Desk>
void every_cut_is_an_error(const std::string& streamed, const char* type, std::size_t complete_at) {
  for (std::size_t size = 0; size < complete_at; ++size) {
    Desk desk;
    const Streamed out = desk.stream(net::script(type, streamed.substr(0, size), 7));
    ASSERT_TRUE(out.started);
    ASSERT_FALSE(out.ended) << size;
    ASSERT_EQ(out.error.reason, "upstream_truncated") << size << " " << out.error.detail;
    ASSERT_EQ(out.error.code, Errc::bad_upstream);
  }
}

struct StatusRow {
  int status;
  Errc code;
  const char* reason;
};
inline constexpr StatusRow kStatusRows[] = {
    {400, Errc::invalid, "upstream_rejected"},
    {401, Errc::bad_upstream, "upstream_credentials"},
    {402, Errc::bad_upstream, "upstream_quota"},
    {403, Errc::bad_upstream, "upstream_forbidden"},
    {404, Errc::not_found, "upstream_model_unknown"},
    {405, Errc::bad_upstream, "upstream_error"},
    {408, Errc::deadline, "upstream_timeout"},
    {413, Errc::invalid, "upstream_rejected"},
    {422, Errc::invalid, "upstream_rejected"},
    {429, Errc::over_limit, "upstream_rate_limited"},
    {500, Errc::bad_upstream, "upstream_error"},
    {502, Errc::bad_upstream, "upstream_error"},
    {503, Errc::unavailable, "upstream_overloaded"},
    {504, Errc::deadline, "upstream_timeout"},
    {529, Errc::unavailable, "upstream_overloaded"},
    {302, Errc::bad_upstream, "upstream_bad_reply"},
};

/// Statuses become provider.h's errors; the provider's words reach the caller only when the
/// request itself was refused, or every one of ours. `body` says "overdone".
template <class Desk>
void statuses_become_errors(const std::string& body) {
  for (const StatusRow& row : kStatusRows) {
    Desk desk;
    net::Script reply = net::script(kJsonType, body, 5, row.status);
    reply.headers["retry-after"] = "2";
    const auto got = desk.complete(reply);
    ASSERT_FALSE(got.ok()) << row.status;
    EXPECT_EQ(got.error().code, row.code) << row.status;
    EXPECT_EQ(got.error().reason, row.reason) << row.status;
    const bool quoted = got.error().message.find("overdone") != std::string::npos;
    EXPECT_EQ(quoted, std::string(row.reason) == "upstream_rejected" || row.status == 403)
        << row.status;
    EXPECT_EQ(got.error().detail.find("sk-secret-7"), std::string::npos);
    if (row.status == 302) continue;
    EXPECT_EQ(got.error().retry_after, std::chrono::milliseconds(2000)) << row.status;
    EXPECT_NE(got.error().detail.find("overdone"), std::string::npos) << row.status;
    const Streamed streamed = desk.stream(reply);
    EXPECT_FALSE(streamed.started) << row.status;
    EXPECT_EQ(streamed.error.reason, row.reason) << row.status;
  }
}

/// The key is in the header `header` and nowhere else; the request's tags go along.
inline void expect_tagged(const net::Sent& sent, const std::string& header) {
  EXPECT_TRUE(sent.has(header + "\r\n")) << sent.headers;
  EXPECT_EQ(sent.headers.find("sk-secret-7"), sent.headers.rfind("sk-secret-7"));
  EXPECT_EQ(sent.address.find("sk-secret-7"), std::string::npos);
  EXPECT_EQ(sent.body.find("sk-secret-7"), std::string::npos);
  EXPECT_TRUE(sent.has("x-request-id: req_41\r\n")) << sent.headers;
  EXPECT_TRUE(sent.has("user-agent: mainstay/")) << sent.headers;
  EXPECT_TRUE(sent.has("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
  EXPECT_TRUE(sent.has("content-type: application/json\r\n"));
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.timers.connect, Duration(std::chrono::seconds(4)));
  EXPECT_EQ(sent.timers.first_byte, Duration(std::chrono::seconds(5)));
  EXPECT_EQ(sent.timers.between_bytes, Duration(std::chrono::seconds(6)));
}

}  // namespace mainstay::models
