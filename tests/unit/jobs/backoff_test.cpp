// The wait between attempts: its bounds, its jitter, and what a provider asks for.
#include "jobs/backoff.h"

#include <gtest/gtest.h>

#include "jobs/kind.h"

namespace mainstay::jobs {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, stays_inside_bounds_that_double_up_to_the_longest) {
  SeededRandom random(3);
  const Backoff backoff{1s, 60s, 2};
  const Duration bounds[] = {2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s};
  for (std::uint32_t attempt = 1; attempt <= 8; ++attempt) {
    Duration least = 1h;
    Duration most = 0s;
    for (int i = 0; i < 2000; ++i) {
      const Duration wait = delay_after(backoff, attempt, 0s, random);
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    EXPECT_GE(least, 1s);
    EXPECT_LE(most, bounds[attempt - 1]);
    // Full jitter: both ends are reached, nearly.
    const Duration width = bounds[attempt - 1] - 1s;
    EXPECT_LT(least, 1s + width / 20) << attempt;
    EXPECT_GT(most, bounds[attempt - 1] - width / 20) << attempt;
  }
}

TEST(Backoff, never_overflows) {
  SeededRandom random(3);
  EXPECT_LE(delay_after({1s, 24h, 4}, 4'000'000'000U, 0s, random), 24h);
  EXPECT_EQ(delay_after({5s, 1s, 2}, 9, 0s, random), 5s) << "a longest below the shortest";
  EXPECT_EQ(delay_after({1s, 1h, 1}, 9, 0s, random), 1s);
}

TEST(Backoff, waits_as_long_as_the_error_says_within_reason) {
  SeededRandom random(3);
  EXPECT_EQ(delay_after({1s, 2s, 2}, 1, 30s, random), 30s);
  EXPECT_EQ(delay_after({1s, 2s, 2}, 1, 100h, random), kRetryAfterMax);
  EXPECT_GE(delay_after({10s, 20s, 2}, 1, 1s, random), 10s) << "never earlier for it";
}

TEST(Failures, that_cannot_change_are_not_tried_again) {
  for (const Errc code :
       {Errc::invalid, Errc::denied, Errc::forbidden, Errc::not_found, Errc::conflict,
        Errc::too_large, Errc::unsupported, Errc::unprocessable}) {
    EXPECT_FALSE(worth_another(Error::log(code, ""))) << name(code);
  }
  for (const Errc code : {Errc::over_limit, Errc::cancelled, Errc::bad_upstream, Errc::unavailable,
                          Errc::deadline, Errc::disk_full, Errc::corrupt, Errc::internal}) {
    EXPECT_TRUE(worth_another(Error::log(code, ""))) << name(code);
  }
}

}  // namespace
}  // namespace mainstay::jobs
