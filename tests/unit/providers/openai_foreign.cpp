// What servers that nearly speak OpenAI's API send between its chunks, and what they are told of
// us.
#include <gtest/gtest.h>

#include "fake_client.h"
#include "models/openai/provider.h"
#include "models/openai/reply.h"

namespace mainstay::models::openai {
namespace {

struct Heard {
  std::string text;  ///< of the chunks passed on
  bool ended = false;
  std::string why;
};

std::unique_ptr<ChatProvider> provider_at(net::FakeClient& client) {
  ProviderSettings settings;
  settings.name = "cloud";
  settings.base_url = "https://api.example/v1";
  return std::move(*make(settings, {}, client));
}

Co<Heard> hear(ChatProvider& provider) {
  ChatRequest request;
  request.body = R"({"messages":[],"stream":true})";
  request.stream = true;
  request.index();
  Heard out;
  AttemptTimings timings;
  Attempt attempt;
  auto stream = co_await provider.stream(request, attempt, timings);
  if (!stream.ok()) {
    out.why = stream.error().reason;
    co_return out;
  }
  for (;;) {
    auto chunk = co_await (*stream)->next(Deadline::never());
    if (!chunk.ok()) {
      out.why = chunk.error().reason;
      co_return out;
    }
    if (!chunk->has_value()) break;
    out.text += (*chunk)->json;
  }
  out.ended = true;
  co_return out;
}

const std::string kToken = R"({"choices":[{"delta":{"content":"a"}}]})";

Heard with_between(const std::string& foreign) {
  net::FakeClient client;
  client.scripts.push_back(net::script(
      "text/event-stream",
      "data: " + kToken + "\n\n" + foreign + "\n\ndata: " + kToken + "\n\ndata: [DONE]\n\n"));
  auto provider = provider_at(client);
  return net::run(hear(*provider));
}

TEST(OpenAiForeign, an_event_without_choices_is_passed_over) {
  for (const std::string foreign :
       {R"(data: {"type":"ping"})", "event: ping\ndata: {}", "event: ping\ndata: 2026-01-01",
        R"(data: {"choices":null})", R"(data: {"id":"c","object":"chat.completion.chunk"})",
        R"(data: {"choices":null,"error":null,"usage":null})"}) {
    const Heard heard = with_between(foreign);
    EXPECT_TRUE(heard.ended) << foreign << ": " << heard.why;
    EXPECT_EQ(heard.text, kToken + kToken) << foreign;
  }
}

TEST(OpenAiForeign, an_error_and_garbage_end_the_stream_all_the_same) {
  EXPECT_EQ(with_between(R"(data: {"error":{"message":"hot"}})").why, "upstream_error");
  EXPECT_EQ(with_between(R"(data: {"object":"error","message":"hot"})").why, "upstream_error");
  EXPECT_EQ(with_between(R"(data: {"type":"error","message":"hot"})").why, "upstream_error");
  EXPECT_EQ(with_between("event: error\ndata: {}").why, "upstream_error");
  for (const char* garbage : {"data: {\"choices\":", "data: <p>", "data: 7", "data: []",
                              R"(data: {"choices":7})", R"(data: {"choices":[7]})"}) {
    const Heard heard = with_between(garbage);
    EXPECT_EQ(heard.why, "upstream_bad_reply") << garbage;
    EXPECT_EQ(heard.text, kToken) << garbage;
  }
}

TEST(OpenAiForeign, every_call_says_which_program_calls) {
  net::FakeClient client;
  auto provider = provider_at(client);
  client.scripts.push_back(net::script("text/event-stream", "data: [DONE]\n\n"));
  net::run(hear(*provider));
  client.scripts.push_back(net::script("application/json", R"({"data":[]})"));
  EXPECT_TRUE(net::run(provider->models(Deadline::never())).ok());
  for (const auto& sent : client.sent) EXPECT_TRUE(sent.has("user-agent: mainstay/"));
}

TEST(OpenAiForeign, a_403_is_told_in_the_providers_words_and_not_as_a_wrong_key) {
  net::FakeClient client;
  auto provider = provider_at(client);
  const std::string page = "error code: 1010" + std::string(2000, 'x');
  client.scripts.push_back(net::script("text/plain", page, 0, 403));
  const auto refused = net::run(provider->models(Deadline::never()));
  EXPECT_EQ(refused.error().reason, "upstream_forbidden");
  EXPECT_TRUE(refused.error().message.starts_with(
      "The model provider refuses to serve this server (status 403): error code: 1010"));
  EXPECT_LT(refused.error().message.size(), 600U);
}

}  // namespace
}  // namespace mainstay::models::openai
