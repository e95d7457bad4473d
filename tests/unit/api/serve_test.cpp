// What every request meets on its way in and out, whatever its endpoint.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "telemetry/log_tail.h"
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

struct ServeTest : World {
  std::string metric(const std::string& line) const {
    const std::string text = metrics.text();
    const auto at = text.find("\n" + line + " ");
    if (at == std::string::npos) return "absent";
    const auto value = at + line.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
  }
};

TEST_F(ServeTest, an_unknown_path_is_404_with_a_request_id) {
  auto reply = serve(get("/nowhere"));
  EXPECT_EQ(refused(reply), "404 unknown_path");
  EXPECT_TRUE(reply->header("x-request-id").starts_with("req_"));
  EXPECT_EQ(metric("mainstay_http_unrouted_total"), "1");
}

TEST_F(ServeTest, a_failed_questions_line_says_what_is_known_and_no_empty_provider) {
  settings.log.sink = "/dev/null";
  settings.log.level = "info";
  settings.log.requests = true;
  log = std::move(*Log::open(settings.log, clock));
  log->keep_tail(64_KiB);
  models.error = Error::say(Errc::bad_upstream, "upstream_error", "The model provider failed.");
  models.error->detail = "after 2 calls: status 500: overheated";
  EXPECT_EQ(refused(serve(chat())), "502 upstream_error");
  log->stop(5s);
  const auto found = log->tail()->newest({}, UINT64_MAX, 10);
  ASSERT_EQ(found.lines.size(), 1U);
  const Json line = json(found.lines[0].text);
  EXPECT_EQ(line["event"], "http.request");
  EXPECT_EQ(line["detail"], "after 2 calls: status 500: overheated");
  EXPECT_FALSE(line.contains("attempts")) << "it would say 0";
  EXPECT_FALSE(line.contains("provider"));
}

TEST_F(ServeTest, a_path_that_lacks_its_v1_is_told_where_the_api_is) {
  const auto told = [this](Sent sent) {
    auto reply = serve(std::move(sent));
    EXPECT_EQ(refused(reply), "404 unknown_path");
    return json(reply->body)["error"]["message"].get<std::string>();
  };
  EXPECT_EQ(told(post("/chat/completions", "{}")),
            "There is no such path, but there is /v1/chat/completions: the client's base URL ends "
            "with /v1.");
  EXPECT_NE(told(get("/models/x")).find("/v1/models/"), std::string::npos);
  EXPECT_EQ(told(get("/nowhere")).find("/v1"), std::string::npos);
  EXPECT_EQ(told(post("/models", "{}")).find("/v1"), std::string::npos);
}

TEST_F(ServeTest, a_wrong_method_is_405_with_the_allowed_ones) {
  Sent sent = get("/v1/documents");
  sent.method = "PUT";
  auto reply = serve(std::move(sent));
  EXPECT_EQ(refused(reply), "405 method_not_allowed");
  EXPECT_EQ(reply->header("allow"), "POST, GET");
}

TEST_F(ServeTest, a_missing_and_a_wrong_key_are_401_before_the_body_is_read) {
  settings.auth.keys = {Secret("sk-right")};
  auto missing = serve(chat());
  EXPECT_EQ(refused(missing), "401 missing_key");
  EXPECT_EQ(missing->header("www-authenticate"), "Bearer");
  EXPECT_EQ(missing->body_reads, 0);
  auto wrong = serve(chat().with("authorization", "Bearer sk-wrong"));
  EXPECT_EQ(refused(wrong), "401 wrong_key");
  EXPECT_EQ(wrong->body_reads, 0);
  EXPECT_TRUE(models.asked.empty());
  EXPECT_EQ(serve(chat().with("authorization", "Bearer sk-right"))->status, 200);
  EXPECT_EQ(serve(chat().with("x-api-key", "sk-right"))->status, 200);
}

TEST_F(ServeTest, without_keys_another_machine_is_refused_and_this_one_is_not) {
  Sent far = chat();
  far.peer = "192.0.2.7";
  EXPECT_EQ(refused(serve(std::move(far))), "401 missing_key");
  for (const char* peer : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"}) {
    Sent near = chat();
    near.peer = peer;
    EXPECT_EQ(serve(std::move(near))->status, 200) << peer;
  }
  Sent mapped = chat();
  mapped.peer = "::ffff:192.0.2.7";
  EXPECT_EQ(refused(serve(std::move(mapped))), "401 missing_key");
}

// proves the security matrix's row on DNS rebinding
TEST_F(ServeTest, on_loopback_only_loopback_and_configured_names_are_answered) {
  settings.server.allowed_hosts = {"assistant.home"};
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]",
                           "assistant.home", "Assistant.Home:8080"}) {
    EXPECT_EQ(serve(get("/v1/models").with("host", host))->status, 200) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080",
                           "evil.example:127.0.0.1", "[::2]", "assistant.home.evil.example"}) {
    auto reply = serve(chat().with("host", host));
    EXPECT_EQ(refused(reply), "403 host_not_allowed") << host;
    EXPECT_EQ(reply->body_reads, 0);
  }
  EXPECT_EQ(refused(serve(get("/health").with("host", "evil.example"))), "403 host_not_allowed");
}

TEST_F(ServeTest, on_a_public_address_any_host_name_is_answered) {
  settings.server.listen = "0.0.0.0:8080";
  settings.auth.keys = {Secret("sk-right")};
  EXPECT_EQ(serve(chat().with("host", "any.example").with("x-api-key", "sk-right"))->status, 200);
}

// proves M3
TEST_F(ServeTest, of_36_posts_at_once_35_pass_and_one_is_429_with_the_exact_wait) {
  for (int i = 0; i < 35; ++i) {
    auto reply = serve(chat());
    ASSERT_EQ(reply->status, 200) << "post " << i + 1;
    EXPECT_EQ(reply->header("x-ratelimit-limit-requests"), "30");
    EXPECT_EQ(reply->header("x-ratelimit-remaining-requests"), std::to_string(34 - i));
  }
  auto reply = serve(chat());
  EXPECT_EQ(refused(reply), "429 rate_limited");
  EXPECT_EQ(reply->header("retry-after"), "2");
  EXPECT_EQ(reply->header("retry-after-ms"), "2000");
  EXPECT_EQ(reply->header("x-ratelimit-remaining-requests"), "0");
  EXPECT_EQ(reply->header("x-ratelimit-reset-requests"), "70.000s");
  EXPECT_EQ(reply->body_reads, 0);
  EXPECT_EQ(models.asked.size(), 35u);
  EXPECT_EQ(serve(get("/v1/models"))->status, 200) << "looking is not counted";
  clock.advance(2s);
  EXPECT_EQ(serve(chat())->status, 200);
}

TEST_F(ServeTest, a_body_that_is_not_declared_as_json_is_415) {
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded",
                           "application/jsonx", "application/json2; charset=utf-8"}) {
    Sent sent = chat();
    sent.headers.clear();
    if (*type != '\0') sent.with("content-type", type);
    EXPECT_EQ(refused(serve(std::move(sent))), "415 unsupported_media_type") << type;
  }
  for (const char* type : {"application/json", "Application/JSON ; charset=utf-8"}) {
    Sent sent = chat();
    sent.headers.clear();
    EXPECT_EQ(serve(std::move(sent.with("content-type", type)))->status, 200) << type;
  }
}

TEST_F(ServeTest, a_body_that_cannot_be_read_is_refused_with_its_own_words) {
  auto reply = serve(chat(), [](FakeExchange& exchange) {
    exchange.body_error = Error::say(Errc::deadline, "request_timeout", "The body came too late.");
  });
  EXPECT_EQ(refused(reply), "408 request_timeout");
}

TEST_F(ServeTest, a_body_has_its_limit) {
  const std::string body = R"({"prompt":"Capital?"})";
  const auto status = [&](std::uint64_t max) {
    settings.server.body_max = Bytes{max};
    return serve(post("/chat", body))->status;
  };
  EXPECT_EQ(status(body.size() - 1), 413);
  EXPECT_EQ(status(body.size()), 200);
  EXPECT_EQ(status(body.size() + 1), 200);
}

TEST_F(ServeTest, wrong_bodies_are_400_and_ask_nobody) {
  EXPECT_EQ(refused(serve(post("/chat", "{"))), "400 invalid_json");
  EXPECT_EQ(refused(serve(post("/chat", "[]"))), "400 invalid_type");
  EXPECT_EQ(refused(serve(post("/chat", "{}"))), "400 missing_field");
  EXPECT_EQ(refused(serve(post("/chat", R"({"prompt":"p","promt":"q"})"))), "400 unknown_field");
  EXPECT_EQ(refused(serve(post("/v1/chat/completions", "{"))), "400 invalid_json");
  EXPECT_EQ(refused(serve(post("/v1/chat/completions", "{}"))), "400 missing_field");
  EXPECT_EQ(refused(serve(post("/v1/search", R"({"query":"q","limit":0})"))), "400 out_of_range");
  EXPECT_EQ(refused(serve(post("/v1/search", R"({"query":"q","limit":1.5})"))), "400 out_of_range");
  EXPECT_EQ(refused(serve(post("/v1/documents", R"({"text":" "})"))), "400 empty_field");
  EXPECT_TRUE(models.asked.empty());
}

TEST_F(ServeTest, a_plain_request_id_is_echoed_and_a_strange_one_is_replaced) {
  EXPECT_EQ(serve(chat().with("x-request-id", "my-id/7"))->header("x-request-id"), "my-id/7");
  EXPECT_EQ(models.asked.back().request.text(), "my-id/7");
  for (const char* id : {"", "two words", "new\nline", "ü", "<script>"}) {
    const auto echoed = serve(chat().with("x-request-id", id))->header("x-request-id");
    EXPECT_TRUE(echoed.starts_with("req_")) << id << " -> " << echoed;
  }
  EXPECT_TRUE(serve(chat().with("x-request-id", std::string(129, 'a')))
                  ->header("x-request-id")
                  .starts_with("req_"));
  EXPECT_EQ(refused(serve(get("/nowhere").with("x-request-id", "id-404"))), "404 unknown_path");
}

TEST_F(ServeTest, two_requests_without_an_id_get_different_ones) {
  EXPECT_NE(serve(chat())->header("x-request-id"), serve(chat())->header("x-request-id"));
}

TEST_F(ServeTest, health_needs_no_key_and_no_store) {
  settings.auth.keys = {Secret("sk-right")};
  for (const char* path : {"/health", "/health/live"}) {
    Sent sent = get(path);
    sent.peer = "192.0.2.7";
    auto reply = serve(std::move(sent));
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, R"({"status":"ok"})");
  }
  EXPECT_EQ(api->health().status, 200);
  EXPECT_EQ(api->health().body, R"({"status":"ok"})");
}

TEST_F(ServeTest, readiness_says_why_not_and_names_the_providers) {
  models::ProviderState state;
  state.name = "provider-x";
  state.breaker = "open";
  state.in_flight = 3;
  state.why = "upstream_refused";
  models.states = {state};
  auto ready = serve(get("/health/ready"));
  EXPECT_EQ(ready->status, 200);
  Json body = json(ready->body);
  EXPECT_EQ(body["status"], "ready");
  EXPECT_EQ(body["reasons"].size(), 0u);
  EXPECT_EQ(body["providers"][0]["name"], "provider-x");
  EXPECT_EQ(body["providers"][0]["breaker"], "open");
  EXPECT_EQ(body["providers"][0]["in_flight"], 3);
  EXPECT_EQ(body["providers"][0]["up"], false);
  not_ready = "stopping";
  auto stopping = serve(get("/health/ready"));
  EXPECT_EQ(stopping->status, 503);
  body = json(stopping->body);
  EXPECT_EQ(body["status"], "not_ready");
  EXPECT_EQ(body["reasons"][0]["why"], "stopping");
}

TEST_F(ServeTest, metrics_count_requests_by_route_and_class) {
  serve(chat());
  serve(post("/v1/chat/completions", "{"));
  models.error = Error::log(Errc::bad_upstream, "scripted");
  serve(chat());
  auto reply = serve(get("/metrics"));
  EXPECT_EQ(reply->status, 200);
  EXPECT_TRUE(reply->content_type.starts_with("text/plain; version=0.0.4"));
  const std::string name = R"(mainstay_http_requests_total{route="createChatCompletion",status=")";
  EXPECT_EQ(metric(name + "2xx\"}"), "1");
  EXPECT_EQ(metric(name + "4xx\"}"), "1");
  EXPECT_EQ(metric(name + "5xx\"}"), "1");
  EXPECT_EQ(metric(R"(mainstay_tokens_total{kind="prompt"})"), "11");
  EXPECT_EQ(metric(R"(mainstay_tokens_total{kind="completion"})"), "7");
}

TEST_F(ServeTest, a_full_house_is_503_with_a_time_to_come_back) {
  settings.limits.concurrent_max = 0;
  settings.limits.queued_max = 0;
  auto reply = serve(chat());
  EXPECT_EQ(refused(reply), "503 overloaded");
  EXPECT_NE(reply->header("retry-after"), "absent");
  EXPECT_EQ(reply->body_reads, 1) << "a slow body holds no place";
  EXPECT_EQ(serve(get("/health"))->status, 200) << "health always answers";
}

TEST_F(ServeTest, a_permit_is_given_back_after_every_outcome) {
  settings.limits.concurrent_max = 1;
  serve(chat());
  serve(chat(R"(,"stream":true)"));
  serve(post("/v1/chat/completions", "{"));
  models.error = Error::log(Errc::internal, "scripted");
  serve(chat());
  EXPECT_EQ(admission->permits().in_use(), 0u);
}

TEST_F(ServeTest, head_is_answered_as_get) {
  Sent sent = get("/health");
  sent.method = "HEAD";
  EXPECT_EQ(serve(std::move(sent))->status, 200);
}

TEST_F(ServeTest, a_cancelled_request_is_counted_gives_its_permit_back_and_unwinds) {
  models.hangs = true;
  open();
  FakeExchange exchange(chat(), clock.now());
  asio::cancellation_signal signal;
  std::exception_ptr thrown;
  bool ended = false;
  asio::co_spawn(io.get_executor(), api->serve(exchange),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) {
                   thrown = e;
                   ended = true;
                 }));
  clock.advance(1s);
  ASSERT_FALSE(ended);
  EXPECT_EQ(admission->permits().in_use(), 1u);
  signal.emit(asio::cancellation_type::terminal);
  clock.advance(0s);
  ASSERT_TRUE(ended);
  EXPECT_TRUE(thrown) << "the listener sees that it was cancelled";
  EXPECT_EQ(exchange.replies, 0);
  EXPECT_EQ(admission->permits().in_use(), 0u);
  EXPECT_EQ(metric(R"(mainstay_http_requests_total{route="createChatCompletion",status="4xx"})"),
            "1");
}

TEST_F(ServeTest, the_listeners_own_refusals_have_the_same_shape) {
  open();
  const auto response =
      api->refusal(Error::say(Errc::invalid, "bad_request", "The head is broken."));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(json(response.body)["error"]["code"], "bad_request");
}

}  // namespace
}  // namespace mainstay::api
