// The circuit breaker, step by step on made-up time.
#include "models/breaker.h"

#include <gtest/gtest.h>

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;
using State = Breaker::State;

// proves Z17: backoff and circuit breaker
class breaker : public ::testing::Test {
 protected:
  void fail(int times = 1) {
    for (int i = 0; i < times; ++i) it.failure(it.ask(now), now, random);
  }
  void succeed(int times = 1) {
    for (int i = 0; i < times; ++i) it.success(it.ask(now));
  }
  /// Past any jitter of an opening of `nominal`.
  void outwait(Duration nominal) { now += nominal + nominal / 4 + 1ns; }
  ModelSettings settings;  // window 20, 5 calls, half, 5 s doubling to 300 s
  SeededRandom random{3};
  TimePoint now{1000s};
  Breaker it{settings};
};

TEST_F(breaker, stays_closed_below_the_least_number_of_calls) {
  fail(4);
  EXPECT_EQ(it.state(now), State::closed);
  fail(1);
  EXPECT_EQ(it.state(now), State::open);
}

TEST_F(breaker, opens_at_the_failure_ratio_and_not_below) {
  succeed(6);
  fail(5);
  EXPECT_EQ(it.state(now), State::closed);
  fail(1);
  EXPECT_EQ(it.state(now), State::open);
}

TEST_F(breaker, forgets_calls_that_left_the_window) {
  fail(2);
  succeed(30);
  fail(9);
  EXPECT_EQ(it.state(now), State::closed);
  fail(1);
  EXPECT_EQ(it.state(now), State::open);
}

TEST_F(breaker, refuses_while_open_and_says_for_how_long) {
  fail(5);
  const auto pass = it.ask(now);
  EXPECT_FALSE(pass.allowed);
  EXPECT_GE(pass.retry_after, 3750ms);
  EXPECT_LE(pass.retry_after, 6250ms);
  EXPECT_EQ(it.open_for(now), pass.retry_after);
}

TEST_F(breaker, lets_one_probe_through_then_three_then_closes) {
  fail(5);
  outwait(5s);
  EXPECT_EQ(it.state(now), State::half_open);
  const auto probe = it.ask(now);
  EXPECT_TRUE(probe.allowed);
  EXPECT_FALSE(it.ask(now).allowed);
  it.success(probe);
  std::vector<Breaker::Pass> more{it.ask(now), it.ask(now), it.ask(now)};
  for (const auto& pass : more) EXPECT_TRUE(pass.allowed);
  EXPECT_FALSE(it.ask(now).allowed);
  it.success(more[0]);
  it.success(more[1]);
  EXPECT_EQ(it.state(now), State::half_open);
  it.success(more[2]);
  EXPECT_EQ(it.state(now), State::closed);
}

TEST_F(breaker, a_probe_whose_stream_has_begun_lets_others_through) {
  fail(5);
  outwait(5s);
  auto probe = it.ask(now);
  it.answers(probe);
  std::vector<Breaker::Pass> more{it.ask(now), it.ask(now), it.ask(now)};
  for (auto& pass : more) {
    EXPECT_TRUE(pass.allowed);
    it.answers(pass);
  }
  EXPECT_EQ(it.state(now), State::closed);
  it.failure(probe, now, random);  // its end is not counted any more
  it.ignored(probe);
  EXPECT_EQ(it.state(now), State::closed);
  EXPECT_TRUE(it.ask(now).allowed);
}

TEST_F(breaker, a_stream_that_has_begun_is_counted_by_its_end_when_closed) {
  for (int i = 0; i < 5; ++i) {
    auto pass = it.ask(now);
    it.answers(pass);
    it.failure(pass, now, random);
  }
  EXPECT_EQ(it.state(now), State::open);
}

TEST_F(breaker, a_failed_probe_opens_for_twice_as_long_up_to_the_bound) {
  fail(5);
  Duration nominal = 5s;
  for (int i = 0; i < 8; ++i) {
    EXPECT_GE(it.open_for(now), nominal - nominal / 4);
    EXPECT_LE(it.open_for(now), std::min<Duration>(nominal + nominal / 4, 300s));
    outwait(nominal);
    fail(1);
    nominal = std::min<Duration>(nominal * 2, 300s);
  }
}

TEST_F(breaker, closing_resets_the_doubling) {
  fail(5);
  outwait(5s);
  fail(1);
  outwait(10s);
  succeed(4);
  EXPECT_EQ(it.state(now), State::closed);
  fail(5);
  EXPECT_LE(it.open_for(now), 6250ms);
}

TEST_F(breaker, a_probe_that_says_nothing_frees_its_place) {
  fail(5);
  outwait(5s);
  it.ignored(it.ask(now));
  EXPECT_TRUE(it.ask(now).allowed);
}

TEST_F(breaker, late_results_of_an_earlier_era_do_not_count) {
  const auto early = it.ask(now);
  const auto other = it.ask(now);
  fail(5);
  outwait(5s);
  const auto probe = it.ask(now);
  it.success(early);
  it.failure(other, now, random);
  EXPECT_EQ(it.state(now), State::half_open);
  it.success(probe);
  succeed(3);
  EXPECT_EQ(it.state(now), State::closed);
}

TEST_F(breaker, a_cancelled_call_counts_neither_way_when_closed) {
  fail(4);
  for (int i = 0; i < 10; ++i) it.ignored(it.ask(now));
  EXPECT_EQ(it.state(now), State::closed);
  fail(1);
  EXPECT_EQ(it.state(now), State::open);
}

}  // namespace
}  // namespace mainstay::models
