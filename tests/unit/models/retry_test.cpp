// Delays, the retry budget, and verdicts.
#include "models/retry.h"

#include <gtest/gtest.h>

#include "models/verdict.h"

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;

class retry : public ::testing::Test {
 protected:
  std::optional<Duration> delay(std::uint32_t attempt, Duration after, Duration left) {
    return retry_delay(settings, attempt, after, now, Deadline(now + left), random);
  }
  ModelSettings settings;  // base 100 ms, cap 20 s, 0.2 per request, 1 per second
  SeededRandom random{5};
  TimePoint now{1000s};
};

TEST_F(retry, waits_between_nothing_and_the_doubled_base) {
  Duration most{};
  for (int i = 0; i < 200; ++i) {
    EXPECT_LE(*delay(1, 0s, 60s), 100ms);
    most = std::max(most, *delay(3, 0s, 60s));
  }
  EXPECT_LE(most, 400ms);
  EXPECT_GT(most, 300ms);
}

TEST_F(retry, never_waits_above_the_cap) {
  for (int i = 0; i < 100; ++i) EXPECT_LE(*delay(40, 0s, 60s), 20s);
}

// proves G14
TEST_F(retry, waits_what_the_provider_asks_for_but_never_past_the_deadline) {
  const auto waited = delay(1, 2s, 60s);
  ASSERT_TRUE(waited);
  EXPECT_GE(*waited, 2s);
  EXPECT_LE(*waited, 2100ms);
  EXPECT_FALSE(delay(1, 2s, 2s));
  EXPECT_FALSE(delay(1, 2s, 1s));
}

TEST_F(retry, does_not_wait_for_what_is_above_the_cap) {
  EXPECT_TRUE(delay(1, 20s, 60s));
  EXPECT_FALSE(delay(1, 20s + 1ms, 60s));
}

TEST_F(retry, the_budget_is_a_fifth_of_requests_and_one_a_second) {
  settings.retry_budget_per_second = 0;
  RetryBudget budget(settings);
  EXPECT_FALSE(budget.withdraw(now));
  for (int i = 0; i < 4; ++i) budget.deposit(now);
  EXPECT_FALSE(budget.withdraw(now));
  budget.deposit(now);
  EXPECT_TRUE(budget.withdraw(now));
  EXPECT_FALSE(budget.withdraw(now));
}

TEST_F(retry, the_budget_grows_with_time_up_to_ten_seconds) {
  RetryBudget budget(settings);
  int taken = 0;
  while (budget.withdraw(now)) ++taken;
  EXPECT_EQ(taken, 2);
  now += 1s;
  EXPECT_TRUE(budget.withdraw(now));
  EXPECT_FALSE(budget.withdraw(now));
  now += 1h;
  taken = 0;
  while (budget.withdraw(now)) ++taken;
  EXPECT_EQ(taken, 10);
}

Verdict of(Errc code, const char* reason) {
  Error error = Error::log(code, "");
  error.reason = reason;
  return verdict(error);
}

TEST(verdict, the_callers_fault_is_never_tried_elsewhere) {
  EXPECT_FALSE(of(Errc::invalid, "upstream_rejected").next);
  EXPECT_FALSE(of(Errc::cancelled, "").next);
  EXPECT_EQ(of(Errc::invalid, "upstream_rejected").blame, Blame::nobody);
}

TEST(verdict, client_errors_do_not_count_against_a_breaker) {
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_credentials").blame, Blame::nobody);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_quota").blame, Blame::nobody);
  EXPECT_EQ(of(Errc::not_found, "upstream_model_unknown").blame, Blame::nobody);
  EXPECT_EQ(of(Errc::over_limit, "upstream_rate_limited").blame, Blame::nobody);
}

TEST(verdict, what_the_server_was_there_for_is_its_models_failure) {
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_error").blame, Blame::model);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_truncated").blame, Blame::model);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_bad_reply").blame, Blame::model);
  EXPECT_EQ(of(Errc::unavailable, "upstream_overloaded").blame, Blame::model);
  EXPECT_EQ(of(Errc::deadline, "upstream_first_byte_timeout").blame, Blame::model);
  EXPECT_EQ(of(Errc::unavailable, "upstream_refused").blame, Blame::server);
  EXPECT_EQ(of(Errc::unavailable, "upstream_unresolved").blame, Blame::server);
  EXPECT_EQ(of(Errc::deadline, "upstream_connect_timeout").blame, Blame::server);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_tls_failed").blame, Blame::server);
}

TEST(verdict, only_what_may_pass_is_called_again) {
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_error").again, Again::yes);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_reset").again, Again::yes);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_bad_reply").again, Again::never);
  EXPECT_EQ(of(Errc::bad_upstream, "upstream_quota").again, Again::never);
  EXPECT_TRUE(of(Errc::bad_upstream, "upstream_quota").next);
  EXPECT_EQ(of(Errc::unavailable, "upstream_refused").again, Again::if_last);
  EXPECT_EQ(of(Errc::unavailable, "upstream_overloaded").again, Again::yes);
  EXPECT_EQ(of(Errc::deadline, "upstream_first_byte_timeout").again, Again::never);
  EXPECT_EQ(of(Errc::over_limit, "upstream_rate_limited").again, Again::if_last);
  EXPECT_EQ(of(Errc::unavailable, "circuit_open").again, Again::never);
}

TEST(verdict, our_own_bounds_do_not_count_against_the_provider) {
  for (const char* reason : {"circuit_open", "provider_busy", "upstream_pool_full"}) {
    EXPECT_EQ(of(Errc::unavailable, reason).blame, Blame::nobody) << reason;
    EXPECT_TRUE(of(Errc::unavailable, reason).next) << reason;
  }
}

}  // namespace
}  // namespace mainstay::models
