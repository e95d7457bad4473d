// Failing providers: retries, budget, breaker, pause, fallback, permits, timers.
#include "telemetry/log_tail.h"
#include "world.h"

namespace mainstay::models::test {
namespace {

class router_fault : public World {
 protected:
  Asked& ask_new() { return ask("q-" + std::to_string(++count)); }
  Asked& ask_model(const std::string& model) {
    auto what = request(question("q-" + std::to_string(++count)));
    what.model = model;
    return ask(std::move(what));
  }
  int count = 0;
};

// proves M10: retries with backoff and jitter
TEST_F(router_fault, a_passing_failure_is_tried_again_after_a_pause) {
  auto& one = provider("one", {"m-one"});
  one.script = {fails(broken()), fails(broken()), reply("{\"n\":3}")};
  build();
  auto& got = ask_new();
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.body(), "{\"n\":3}");
  EXPECT_EQ(got.by().attempts, 3U);
  EXPECT_LE(one.at[1] - one.at[0], 100ms);
  EXPECT_LE(one.at[2] - one.at[1], 200ms);
  EXPECT_GT(one.at[2] - one.at[0], 0ms);
}

TEST_F(router_fault, attempts_are_bounded) {
  settings.models.retry_budget_per_second = 100;
  auto& one = provider("one", {"m-one"});
  one.always = fails(broken());
  build();
  auto& got = ask_model("m-one");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(one.calls, 3);
  EXPECT_EQ(got.error().code, Errc::bad_upstream);
  EXPECT_EQ(got.error().reason, "upstream_error");
  EXPECT_EQ(got.error().message, "No provider of this model could answer (one: upstream_error).");
}

TEST_F(router_fault, the_error_names_each_provider_that_failed_and_why) {
  auto& one = provider("one", {"m"});
  auto& two = provider("two", {"m"});
  one.always = fails(failure(Errc::deadline, "upstream_stalled"));
  two.always = fails(Error::say(Errc::bad_upstream, "upstream_bad_reply", "That is no JSON."));
  RouteSettings strict;
  strict.model = "strict";
  strict.candidates = {{"one", "m", 1, 0}, {"two", "m", 1, 1}};
  strict.extractive_fallback = false;
  settings.routes.push_back(strict);
  build();
  auto& got = ask_model("strict");
  EXPECT_EQ(got.error().reason, "upstream_bad_reply");
  EXPECT_EQ(got.error().message,
            "That is no JSON. No provider of this model could answer (one: upstream_stalled, two: "
            "upstream_bad_reply).");
  EXPECT_EQ(got.error().detail, "after 2 calls: That is no JSON.");
}

TEST_F(router_fault, the_log_names_the_request_whose_call_failed) {
  LogSettings kept;
  kept.sink = "/dev/null";
  auto seen = std::move(*Log::open(kept, clock));
  seen->keep_tail(64_KiB);
  std::swap(log, seen);
  provider("one", {"m-one"}).always = fails(failure(Errc::deadline, "upstream_stalled"));
  build();
  auto what = request(question("q"));
  what.request = RequestId("req_31");
  ask(std::move(what));
  log->stop(5s);
  LogTail::Filter failed;
  failed.request = "req_31";
  failed.text = "provider.failed";
  EXPECT_EQ(log->tail()->newest(failed, UINT64_MAX, 10).lines.size(), 1U);
  seen->stop(1s);
}

TEST_F(router_fault, a_long_list_of_failures_is_cut) {
  RouteSettings strict;
  strict.model = "strict";
  strict.extractive_fallback = false;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "provider-" + std::to_string(i);
    provider(name, {"m"}).always = fails(broken());
    strict.candidates.push_back({name, "m", 1, static_cast<std::uint32_t>(i)});
  }
  settings.routes.push_back(strict);
  build();
  auto& got = ask_model("strict");
  EXPECT_LT(got.error().message.size(), 700U);
  EXPECT_NE(got.error().message.find("provider-0: upstream_error"), std::string::npos);
}

TEST_F(router_fault, what_every_provider_rejects_is_the_callers_fault_and_nothing_stands_in) {
  auto& one = provider("one", {"m-one"});
  auto& two = provider("two", {"m-two"});
  Error rejected =
      Error::say(Errc::invalid, "upstream_rejected", "The picture is too large.", "messages");
  one.always = fails(rejected);
  two.always = fails(failure(Errc::unavailable, "upstream_overloaded"));
  build();
  auto& got = ask_new();
  EXPECT_EQ(got.error().reason, "upstream_rejected");
  EXPECT_EQ(got.error().message, "The picture is too large.");
  EXPECT_EQ(got.error().field, "messages");
  EXPECT_EQ(one.calls, 1);
  EXPECT_GE(two.calls, 1);
  EXPECT_EQ(built_in->calls, 0);
}

TEST_F(router_fault, what_one_provider_rejects_another_may_take) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::invalid, "upstream_rejected"));
  provider("two", {"m-two"});
  build();
  auto& got = ask_new();
  EXPECT_EQ(got.by().provider, "two");
  EXPECT_EQ(one.calls, 1);
}

// proves Z17
TEST_F(router_fault, the_next_candidate_answers_when_one_is_down) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(refused());
  provider("two", {"m-two"});
  build();
  auto& got = ask_new();
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.by().provider, "two");
  EXPECT_EQ(got.by().fallbacks, 1U);
  EXPECT_EQ(got.by().attempts, 2U);
  EXPECT_FALSE(got.by().degraded);
}

TEST_F(router_fault, the_built_in_answerer_stands_in_and_says_so) {
  provider("one", {"m-one"}).always = fails(refused());
  provider("two", {"m-two"}).always = fails(failure(Errc::deadline, "upstream_first_byte_timeout"));
  build();
  auto& got = ask_new();
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got.by().degraded);
  EXPECT_EQ(got.by().provider, kBuiltIn);
  EXPECT_EQ(got.body(), "{\"from\":\"documents\"}");
}

TEST_F(router_fault, a_route_may_forbid_the_stand_in) {
  provider("one", {"m-one"}).always = fails(refused());
  RouteSettings strict;
  strict.model = "strict";
  strict.candidates.push_back({"one", "m-one", 1, 0});
  strict.extractive_fallback = false;
  settings.routes.push_back(strict);
  build();
  auto& got = ask_model("strict");
  EXPECT_EQ(got.error().reason, "upstream_refused");
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_EQ(built_in->calls, 0);
}

TEST_F(router_fault, a_model_asked_for_by_name_is_not_replaced) {
  provider("one", {"m-one"}).always = fails(refused());
  build();
  EXPECT_FALSE(ask_model("one/m-one").ok());
  EXPECT_EQ(built_in->calls, 0);
}

TEST_F(router_fault, the_first_failure_is_told_when_the_stand_in_fails_too) {
  provider("one", {"m-one"}).always = fails(broken());
  build();
  built_in->always = fails(failure(Errc::corrupt, "index_broken"));
  EXPECT_EQ(ask_new().error().reason, "upstream_error");
}

// proves fault row 22: attempts/request <= 1.2 when everything fails
TEST_F(router_fault, fault_22_upstream_errors_do_not_multiply_calls) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(broken());
  build();
  constexpr int kRequests = 500;
  for (int i = 0; i < kRequests; ++i) {
    start([&] {
      auto what = request(question("q-" + std::to_string(i)));
      what.model = "one/m-one";
      return what;
    }());
    clock.advance(100ms);
  }
  clock.run(60s);
  EXPECT_LE(one.calls, kRequests * 12 / 10);
  EXPECT_EQ(router->providers()[0].breaker, "open");
}

TEST_F(router_fault, the_retry_budget_alone_bounds_the_calls) {
  settings.models.breaker_calls_min = 1'000'000;
  settings.models.retry_budget_per_second = 0;
  auto& one = provider("one", {"m-one"});
  one.always = fails(broken());
  build();
  for (int i = 0; i < 500; ++i) ask_model("one/m-one");
  EXPECT_LE(one.calls, 600);
  EXPECT_GE(one.calls, 550);
}

// proves fault row 23: fails fast while the breaker is open
TEST_F(router_fault, fault_23_an_open_breaker_answers_at_once_with_retry_after) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(refused());
  build();
  for (int i = 0; i < 6; ++i) ask_model("one/m-one");
  const int before = one.calls;
  auto& got = start([&] {
    auto what = request(question("late"));
    what.model = "one/m-one";
    return what;
  }());
  clock.run(0s);
  ASSERT_TRUE(got.answer);
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_EQ(got.error().reason, "circuit_open");
  EXPECT_GT(got.error().retry_after, 0ms);
  EXPECT_LE(got.error().retry_after, 7s);
  EXPECT_EQ(one.calls, before);
}

TEST_F(router_fault, a_model_that_its_server_fails_with_does_not_block_the_others) {
  auto& one = provider("one", {"small", "big"});
  build();
  one.always = fails(broken());
  for (int i = 0; i < 6; ++i) ask_model("one/big");
  EXPECT_EQ(ask_model("one/big").error().reason, "circuit_open");
  EXPECT_EQ(router->providers()[0].breaker, "open") << "all that was asked of it failed";
  EXPECT_FALSE(router->providers()[0].up);
  EXPECT_EQ(router->providers()[0].why, "upstream_error");
  one.always = reply("{\"small\":1}");
  EXPECT_TRUE(ask_model("one/small").ok());
  EXPECT_EQ(ask_model("auto").by().provider, "one") << "whose default model is well";
  EXPECT_EQ(router->providers()[0].breaker, "closed");
  EXPECT_TRUE(router->providers()[0].up);
  EXPECT_EQ(router->providers()[0].why, "");
  EXPECT_EQ(ask_model("one/big").error().reason, "circuit_open");
}

TEST_F(router_fault, streams_that_break_off_count_for_their_model_alone) {
  auto& one = provider("one", {"small", "big"});
  Step cut = streams({"a"});
  cut.pieces.pop_back();
  cut.cut = failure(Errc::bad_upstream, "upstream_truncated");
  one.always = cut;
  build();
  for (int i = 0; i < 6; ++i) {
    auto what = request(question("s-" + std::to_string(i)), true);
    what.model = "one/big";
    ask(std::move(what));
  }
  EXPECT_EQ(ask_model("one/big").error().reason, "circuit_open");
  EXPECT_TRUE(ask_model("one/small").ok());
}

TEST_F(router_fault, no_answer_in_time_counts_for_its_model_alone) {
  settings.models.retry_budget_per_second = 0;
  auto& one = provider("one", {"small", "big"});
  one.always = fails(failure(Errc::deadline, "upstream_first_byte_timeout"));
  build();
  for (int i = 0; i < 6; ++i) ask_model("one/big");
  EXPECT_EQ(ask_model("one/big").error().reason, "circuit_open");
  one.always = reply("{}");
  EXPECT_TRUE(ask_model("one/small").ok());
}

TEST_F(router_fault, a_server_that_cannot_be_reached_is_left_alone_with_all_its_models) {
  for (const Error& away : {refused(), failure(Errc::unavailable, "upstream_unresolved"),
                            failure(Errc::deadline, "upstream_connect_timeout"),
                            failure(Errc::bad_upstream, "upstream_tls_failed")}) {
    auto& one = provider("one", {"small", "big"});
    one.always = fails(away);
    build();
    for (int i = 0; i < 6; ++i) ask_model("one/big");
    EXPECT_EQ(ask_model("one/small").error().reason, "circuit_open") << away.reason;
    EXPECT_EQ(router->providers()[0].breaker, "open");
    EXPECT_FALSE(router->providers()[0].up);
    EXPECT_EQ(router->providers()[0].why, away.reason);
    providers.clear();
  }
}

TEST_F(router_fault, the_provider_is_used_again_once_it_is_back) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(broken());
  build();
  while (router->providers()[0].breaker != "open") ask_model("one/m-one");
  one.always = reply("{\"back\":1}");
  clock.advance(10s);
  EXPECT_EQ(router->providers()[0].breaker, "half_open");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ask_model("one/m-one").ok());
  EXPECT_EQ(router->providers()[0].breaker, "closed");
  EXPECT_TRUE(router->providers()[0].up);
}

TEST_F(router_fault, client_errors_never_open_the_breaker) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::invalid, "upstream_rejected"));
  build();
  for (int i = 0; i < 50; ++i) ask_model("one/m-one");
  EXPECT_EQ(one.calls, 50);
  EXPECT_EQ(router->providers()[0].breaker, "closed");
}

// proves G14 and fault row 25: waited, and nobody else calls meanwhile
TEST_F(router_fault, fault_25_a_rate_limit_is_waited_out_and_not_hammered) {
  auto& one = provider("one", {"m-one"});
  one.script = {fails(failure(Errc::over_limit, "upstream_rate_limited", 2000ms))};
  build();
  auto first = request(question("a"));
  first.model = "one/m-one";
  auto second = request(question("b"));
  second.model = "one/m-one";
  auto& a = start(std::move(first));
  clock.advance(500ms);
  auto& b = start(std::move(second));
  clock.advance(1400ms);
  EXPECT_EQ(one.calls, 1);
  clock.run(10s);
  EXPECT_TRUE(a.ok());
  EXPECT_TRUE(b.ok());
  EXPECT_EQ(one.calls, 3);
  EXPECT_GE(one.at[1] - one.at[0], 2s);
  EXPECT_LE(one.at[2] - one.at[0], 2300ms);
}

TEST_F(router_fault, a_prompt_too_long_for_one_candidate_goes_to_the_next) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::invalid, "context_length_exceeded"));
  auto& two = provider("two", {"m-two"});
  build();
  EXPECT_EQ(ask_new().by().provider, "two");
  two.always = one.always;
  EXPECT_EQ(ask_new().error().reason, "context_length_exceeded") << "nobody stands in";
  EXPECT_EQ(router->providers()[0].breaker, "closed");
}

TEST_F(router_fault, a_rate_limit_of_one_model_leaves_the_others_of_its_provider) {
  auto& one = provider("one", {"m-one", "m-two"});
  one.script = {fails(failure(Errc::over_limit, "upstream_rate_limited", 30s))};
  build();
  EXPECT_EQ(ask_model("one/m-one").error().reason, "upstream_rate_limited");
  EXPECT_TRUE(ask_model("one/m-two").ok());
  EXPECT_EQ(ask_model("one/m-one").error().reason, "upstream_rate_limited");
  EXPECT_EQ(one.calls, 2);
}

TEST_F(router_fault, rate_limits_never_open_the_breaker) {
  auto& one = provider("one", {"m-one", "m-two"});
  one.always = fails(failure(Errc::over_limit, "upstream_rate_limited"));
  build();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ask_model("one/m-one").error().reason, "upstream_rate_limited");
  }
  EXPECT_GE(one.calls, 20);
  EXPECT_EQ(router->providers()[0].breaker, "closed");
  EXPECT_TRUE(router->providers()[0].up);
  one.always = reply("{}");
  EXPECT_TRUE(ask_model("one/m-one").ok());
}

// A key of stars was found again in its own replacement, for ever; "key" hid our own words.
TEST_F(router_fault, a_key_is_hidden_in_what_its_provider_says_and_nothing_else_is) {
  const auto said = [this](const std::string& key, const std::string& message) {
    auto& one = provider("p" + std::to_string(providers.size()), {"m"});
    providers.back().settings.api_key = Secret(key);
    const std::string name = providers.back().settings.name;
    Error error = failure(Errc::bad_upstream, "upstream_credentials");
    error.message = message;
    one.always = fails(error);
    build();
    const std::string got = ask_model(name + "/m").error().message;
    return got.substr(0, got.find(" No provider"));
  };
  EXPECT_EQ(said("sk-123456", "Wrong: sk-123456, I say sk-123456"), "Wrong: ****, I say ****.");
  EXPECT_EQ(said("********", "Wrong: ********!"), "Wrong: ****!");
  EXPECT_EQ(said("key", "Check the provider's API key."), "Check the provider's API key.");
}

TEST_F(router_fault, a_rate_limit_beyond_the_deadline_is_told_as_our_capacity) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::over_limit, "upstream_rate_limited", 30s));
  build();
  auto& got = ask_model("one/m-one");
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_EQ(got.error().reason, "upstream_rate_limited");
  EXPECT_EQ(got.error().retry_after, 30s);
  EXPECT_EQ(one.calls, 1);
}

TEST_F(router_fault, when_every_breaker_is_open_the_first_to_close_is_told) {
  settings.models.breaker_open = Millis(40'000);
  auto& one = provider("one", {"m"});
  auto& two = provider("two", {"m"});
  one.always = fails(failure(Errc::bad_upstream, "upstream_bad_reply"));
  two.always = one.always;
  RouteSettings strict;
  strict.model = "strict";
  strict.candidates = {{"one", "m", 1, 0}, {"two", "m", 1, 1}};
  strict.extractive_fallback = false;
  settings.routes.push_back(strict);
  build();
  for (int i = 0; i < 5; ++i) ask_model("one/m");
  clock.advance(5s);
  for (int i = 0; i < 5; ++i) ask_model("two/m");
  auto what = request(question("late"));
  what.model = "strict";
  auto& got = start(std::move(what));
  clock.run(0s);
  EXPECT_EQ(got.error().reason, "circuit_open");
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_GT(got.error().retry_after, 0ms);
  EXPECT_LT(got.error().retry_after, 45s);
  EXPECT_EQ(got.error().message,
            "No provider of this model could answer (one: circuit_open, two: circuit_open).");
  EXPECT_EQ(one.calls, 5);
  EXPECT_EQ(two.calls, 5);
}

TEST_F(router_fault, a_rate_limited_provider_is_passed_over_while_another_is_there) {
  auto& one = provider("one", {"m-one"});
  one.always = fails(failure(Errc::over_limit, "upstream_rate_limited", 2s));
  auto& two = provider("two", {"m-two"});
  build();
  EXPECT_EQ(ask_new().by().provider, "two");
  EXPECT_EQ(ask_new().by().provider, "two");
  EXPECT_EQ(one.calls, 1);
  EXPECT_EQ(two.calls, 2);
}

// proves fault row 24: no first byte within its timer
TEST_F(router_fault, fault_24_no_first_byte_in_time_goes_to_the_next) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 1h);
  provider("two", {"m-two"});
  build();
  auto& got = ask(request(question("q")), 400s);
  EXPECT_EQ(got.by().provider, "two");
  EXPECT_EQ(one.calls, 1);
  EXPECT_EQ(got.by().first_token_time, Duration(settings.models.whole_answer_timeout));
}

TEST_F(router_fault, a_whole_answer_may_take_longer_than_a_first_token) {
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 100s);
  provider("two", {"m-two"});
  build();
  auto& got = ask(request(question("q")), 400s);
  EXPECT_EQ(got.by().provider, "one");
  EXPECT_EQ(got.by().first_token_time, Duration(100s));
  EXPECT_EQ(one.between_tokens, Duration(settings.models.whole_answer_timeout))
      << "its head may come at once";
}

TEST_F(router_fault, the_whole_attempt_has_its_own_bound) {
  settings.models.whole_answer_timeout = 100s;
  settings.models.total_timeout = 20s;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{}", 1h);
  build();
  const TimePoint before = clock.now();
  auto what = request(question("q"));
  what.model = "m-one";
  auto& got = ask(std::move(what), 200s);
  EXPECT_EQ(got.error().code, Errc::deadline);
  EXPECT_EQ(got.answered - before, 20s);
}

TEST_F(router_fault, calls_beyond_the_bound_wait_their_turn) {
  concurrent_max = 2;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"ok\":1}", 3s);
  build();
  for (int i = 0; i < 6; ++i) start(request(question("q-" + std::to_string(i))));
  clock.run(30s);
  EXPECT_EQ(one.most_running, 2);
  for (const auto& each : asked) EXPECT_TRUE(each->ok());
  EXPECT_EQ(asked[5]->by().queue_time, 6s);
  EXPECT_EQ(router->providers()[0].in_flight, 0U);
}

TEST_F(router_fault, a_wait_for_a_permit_is_bounded) {
  concurrent_max = 1;
  settings.models.queue_timeout = 5s;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"ok\":1}", 20s);
  build();
  for (int i = 0; i < 2; ++i) {
    auto what = request(question("q-" + std::to_string(i)));
    what.model = "m-one";
    start(std::move(what));
  }
  clock.run(30s);
  EXPECT_TRUE(asked[0]->ok());
  EXPECT_EQ(asked[1]->error().reason, "provider_busy");
  EXPECT_EQ(asked[1]->error().code, Errc::unavailable);
}

TEST_F(router_fault, a_client_that_leaves_frees_its_permit_and_is_no_failure) {
  concurrent_max = 1;
  auto& one = provider("one", {"m-one"});
  one.always = reply("{\"ok\":1}", 20s);
  build();
  for (int i = 0; i < 8; ++i) {
    auto& left = start(request(question("q-" + std::to_string(i))));
    clock.advance(1s);
    EXPECT_EQ(router->providers()[0].in_flight, 1U);
    left.hold->client_gone();
    clock.advance(0s);
    EXPECT_TRUE(left.cancelled());
    EXPECT_EQ(router->providers()[0].in_flight, 0U);
  }
  EXPECT_EQ(one.calls, 8);
  EXPECT_EQ(router->providers()[0].breaker, "closed");
}

TEST_F(router_fault, tools_nobody_can_use_are_the_callers_to_know) {
  provider("one", {"m-one"}).always = fails(
      Error::say(Errc::unsupported, "upstream_cannot", "The provider cannot use tools.", "tools"));
  build();
  auto& got = ask_new();
  EXPECT_EQ(got.error().reason, "upstream_cannot");
  EXPECT_EQ(built_in->calls, 0);
}

TEST_F(router_fault, one_that_cannot_does_not_hide_that_another_is_only_down) {
  const Step cannot =
      fails(Error::say(Errc::unsupported, "upstream_cannot", "It cannot use tools.", "tools"));
  const Step down = fails(Error::say(Errc::unavailable, "upstream_refused", "Nobody there."));
  auto& one = provider("one", {"m-one"});
  auto& two = provider("two", {"m-two"});
  one.always = down;
  two.always = cannot;
  build();
  EXPECT_TRUE(ask_new().by().degraded);
  one.always = cannot;
  two.always = down;
  EXPECT_TRUE(ask_new().by().degraded);
  EXPECT_EQ(built_in->calls, 2);
}

}  // namespace
}  // namespace mainstay::models::test
