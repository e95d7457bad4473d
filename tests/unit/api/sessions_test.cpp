// Sessions on a simulated clock.
#include "api/sessions.h"

#include <gtest/gtest.h>

#include <string>

namespace mainstay::api {
namespace {

using namespace std::chrono_literals;

constexpr Duration kIdle = 30min;

TimePoint at(Duration since_start) {
  return TimePoint{} + since_start;
}

TEST(Sessions, a_session_lives_until_its_idle_time_is_full) {
  Sessions sessions(100);
  sessions.touch("t", "u", at(0s));
  EXPECT_EQ(sessions.expire(at(kIdle - 1ns), kIdle), 0u);
  EXPECT_EQ(sessions.figures().active, 1u);
  EXPECT_EQ(sessions.expire(at(kIdle), kIdle), 1u);
  EXPECT_EQ(sessions.figures().active, 0u);
}

TEST(Sessions, each_touch_starts_the_idle_time_anew) {
  Sessions sessions(100);
  sessions.touch("t", "u", at(0s));
  sessions.touch("t", "u", at(29min));
  EXPECT_EQ(sessions.expire(at(58min), kIdle), 0u);
  EXPECT_EQ(sessions.expire(at(59min), kIdle), 1u);
  EXPECT_EQ(sessions.figures().started, 1u);
}

TEST(Sessions, users_of_two_tenants_are_two) {
  Sessions sessions(100);
  sessions.touch("a", "u", at(0s));
  sessions.touch("b", "u", at(0s));
  EXPECT_EQ(sessions.figures().active, 2u);
}

// proves M4; fault row 18: a day in which everybody comes once, all freed and none early
TEST(Sessions, fault_18_over_a_day_all_expired_sessions_are_freed_and_none_early) {
  Sessions sessions(1'000'000);
  constexpr int kMinutes = 24 * 60;
  std::uint64_t expired = 0;
  for (int minute = 0; minute < kMinutes; ++minute) {
    sessions.touch("t", "user-" + std::to_string(minute), at(std::chrono::minutes(minute)));
    expired += sessions.expire(at(std::chrono::minutes(minute)), kIdle);
    const std::uint64_t due = minute >= 30 ? static_cast<std::uint64_t>(minute) - 29 : 0;
    ASSERT_EQ(expired, due) << minute;
  }
  expired += sessions.expire(at(std::chrono::minutes(kMinutes + 30)), kIdle);
  EXPECT_EQ(expired, static_cast<std::uint64_t>(kMinutes));
  EXPECT_EQ(sessions.figures().active, 0u);
}

TEST(Sessions, memory_is_bounded_and_the_longest_silent_goes_first) {
  Sessions sessions(16);  // one in each shard
  for (int i = 0; i < 1000; ++i)
    sessions.touch("t", std::to_string(i), at(std::chrono::seconds(i)));
  const auto figures = sessions.figures();
  EXPECT_LE(figures.active, 16u);
  EXPECT_EQ(figures.active + figures.evicted, 1000u);
}

TEST(Sessions, one_round_of_expiry_is_bounded) {
  Sessions sessions(100'000);
  for (int i = 0; i < 10'000; ++i) sessions.touch("t", std::to_string(i), at(0s));
  EXPECT_LE(sessions.expire(at(kIdle), kIdle, 10), 160u);
  while (sessions.expire(at(kIdle), kIdle) > 0) {
  }
  EXPECT_EQ(sessions.figures().active, 0u);
}

}  // namespace
}  // namespace mainstay::api
