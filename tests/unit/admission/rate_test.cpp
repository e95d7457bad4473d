// Token buckets in virtual time.
#include "admission/rate.h"

#include <gtest/gtest.h>

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{std::chrono::seconds(5000)};
const UserId kUser("user-a");
const UserId kOther("user-b");

int passed_of(RateLimiter& limiter, const UserId& user, int posts, TimePoint at) {
  int passed = 0;
  for (int i = 0; i < posts; ++i) passed += limiter.take(user, at).allowed ? 1 : 0;
  return passed;
}

// proves M3
TEST(RateLimiter, of_36_posts_at_once_35_pass_and_the_next_is_told_two_seconds) {
  RateLimiter limiter{LimitSettings()};
  for (std::uint32_t i = 0; i < 35; ++i) {
    const RateView view = limiter.take(kUser, kStart);
    ASSERT_TRUE(view.allowed) << "post " << i + 1;
    EXPECT_EQ(view.limit, 30u);
    EXPECT_EQ(view.remaining, 34 - i);
    EXPECT_EQ(view.retry_after, 0ns);
  }
  const RateView refused = limiter.take(kUser, kStart);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0u);
  EXPECT_EQ(refused.retry_after, 2s);
  EXPECT_EQ(refused.reset, 70s);
}

TEST(RateLimiter, who_comes_back_when_told_passes_and_a_moment_earlier_does_not) {
  RateLimiter limiter{LimitSettings()};
  passed_of(limiter, kUser, 35, kStart);
  const auto wait = limiter.take(kUser, kStart).retry_after;
  EXPECT_FALSE(limiter.take(kUser, kStart + wait - 1ms).allowed);
  EXPECT_TRUE(limiter.take(kUser, kStart + wait).allowed);
  EXPECT_FALSE(limiter.take(kUser, kStart + wait).allowed);
}

TEST(RateLimiter, told_waits_are_kept_from_any_moment_within_a_minute) {
  RateLimiter limiter{LimitSettings()};
  passed_of(limiter, kUser, 35, kStart);
  TimePoint now = kStart;
  for (int i = 1; i <= 500; ++i) {
    now += std::chrono::milliseconds(i % 7 * 131 + 1);
    const RateView view = limiter.take(kUser, now);
    if (view.allowed) continue;
    now += view.retry_after;
    ASSERT_TRUE(limiter.take(kUser, now).allowed) << "round " << i;
  }
}

TEST(RateLimiter, a_bucket_refills_with_thirty_a_minute_and_never_above_its_burst) {
  RateLimiter limiter{LimitSettings()};
  EXPECT_EQ(passed_of(limiter, kUser, 100, kStart), 35);
  EXPECT_EQ(passed_of(limiter, kUser, 100, kStart + 60s), 30);
  EXPECT_EQ(passed_of(limiter, kUser, 100, kStart + 24h), 35);
}

TEST(RateLimiter, over_an_hour_of_hammering_thirty_a_minute_pass) {
  RateLimiter limiter{LimitSettings()};
  int passed = 0;
  for (int i = 0; i < 36'000; ++i) {
    passed += limiter.take(kUser, kStart + i * 100ms).allowed ? 1 : 0;
  }
  EXPECT_GE(passed, 35 + 59 * 30);
  EXPECT_LE(passed, 35 + 60 * 30);
}

TEST(RateLimiter, one_user_does_not_use_up_anothers_requests) {
  RateLimiter limiter{LimitSettings()};
  passed_of(limiter, kUser, 36, kStart);
  EXPECT_EQ(passed_of(limiter, kOther, 36, kStart), 35);
  EXPECT_EQ(limiter.users(), 2u);
}

TEST(RateLimiter, configured_figures_count) {
  LimitSettings settings;
  settings.user.requests_per_minute = 6;
  settings.user.burst = 0;
  RateLimiter limiter{settings};
  EXPECT_EQ(passed_of(limiter, kUser, 7, kStart), 6);
  EXPECT_EQ(limiter.take(kUser, kStart).retry_after, 10s);
}

// proves fault row 17
TEST(RateLimiter, a_million_users_over_a_day_stay_within_the_remembered_ones) {
  LimitSettings settings;
  settings.users_max = 10'000;
  RateLimiter limiter{settings};
  constexpr int kUsers = 1'000'000;
  std::size_t most = 0;
  for (int i = 0; i < kUsers; ++i) {
    const auto at = kStart + std::chrono::microseconds(86'400LL * i);
    ASSERT_TRUE(limiter.take(UserId("user-" + std::to_string(i)), at).allowed);
    if (i % 50'000 == 0) most = std::max(most, limiter.users());
  }
  most = std::max(most, limiter.users());
  EXPECT_LE(most, 10'000u);
  EXPECT_GT(most, 9'000u);
}

TEST(RateLimiter, making_room_forgets_who_is_idle_before_who_is_limited) {
  LimitSettings settings;
  settings.users_max = 16 * 4;  // four a shard
  RateLimiter limiter{settings};
  TimePoint now = kStart;
  passed_of(limiter, kUser, 35, now);
  // Strangers come and go, each once; the limited user stays remembered as long as it is limited.
  for (int i = 0; i < 2'000; ++i) {
    now += 10s;
    limiter.take(UserId("stranger-" + std::to_string(i)), now);
    passed_of(limiter, kUser, 100, now);
    ASSERT_FALSE(limiter.take(kUser, now).allowed) << "forgotten after " << i;
  }
  EXPECT_LE(limiter.users(), 16u * 4u);
}

}  // namespace
}  // namespace mainstay::admission
