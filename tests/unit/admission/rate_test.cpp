// One bucket in virtual time: exact in whole nanoseconds.
#include "admission/rate.h"

#include <gtest/gtest.h>

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{std::chrono::seconds(5000)};

bool pass(Bucket& bucket, const Rate& rate, std::uint64_t units, TimePoint at) {
  if (bucket.wait(rate, units, at) > 0ns) return false;
  bucket.take(rate, units, at);
  return true;
}

TEST(Bucket, holds_the_limit_and_the_burst_and_not_one_more) {
  for (const std::uint64_t limit : {1u, 7u, 30u, 999'983u}) {
    const Rate rate(limit, 5, 1min);
    Bucket bucket;
    EXPECT_TRUE(pass(bucket, rate, limit + 4, kStart)) << limit;
    EXPECT_TRUE(pass(bucket, rate, 1, kStart)) << limit;
    EXPECT_FALSE(pass(bucket, rate, 1, kStart)) << limit;
    EXPECT_EQ(bucket.left(rate, kStart), 0u);
  }
}

TEST(Bucket, one_by_one_is_the_same_as_at_once) {
  const Rate rate(7, 5, 1min);
  Bucket bucket;
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(pass(bucket, rate, 1, kStart)) << i;
  EXPECT_FALSE(pass(bucket, rate, 1, kStart));
}

TEST(Bucket, the_told_wait_is_exact_to_the_nanosecond) {
  const Rate rate(30, 5, 1min);
  Bucket bucket;
  bucket.take(rate, 35, kStart);
  EXPECT_EQ(bucket.wait(rate, 1, kStart), 2s);
  EXPECT_EQ(bucket.wait(rate, 35, kStart), 70s);
  EXPECT_EQ(bucket.reset(kStart), 70s);
  EXPECT_FALSE(pass(bucket, rate, 1, kStart + 2s - 1ns));
  EXPECT_TRUE(pass(bucket, rate, 1, kStart + 2s));
}

TEST(Bucket, what_never_fits_in_waits_for_ever) {
  const Rate rate(100, 0, 1min);
  const Bucket bucket;
  EXPECT_EQ(bucket.wait(rate, 100, kStart), 0ns);
  EXPECT_EQ(bucket.wait(rate, 101, kStart), Duration::max());
  EXPECT_EQ(bucket.wait(rate, ~std::uint64_t(0), kStart), Duration::max());
}

TEST(Bucket, what_is_put_back_can_be_taken_again_and_never_overfills) {
  const Rate rate(100, 0, 1min);
  Bucket bucket;
  bucket.take(rate, 100, kStart);
  bucket.put(rate, 40);
  EXPECT_EQ(bucket.left(rate, kStart), 40u);
  bucket.put(rate, 1000);
  EXPECT_EQ(bucket.left(rate, kStart), 100u);
  EXPECT_TRUE(bucket.full(kStart));
}

TEST(Bucket, a_debt_is_at_most_one_more_window) {
  const Rate rate(100, 0, 1min);
  Bucket bucket;
  bucket.take(rate, 100, kStart);
  bucket.take(rate, 1'000'000, kStart);
  EXPECT_EQ(bucket.reset(kStart), 2min);
  EXPECT_EQ(bucket.left(rate, kStart), 0u);
}

TEST(Bucket, over_an_hour_of_hammering_the_rate_passes) {
  const Rate rate(30, 5, 1min);
  Bucket bucket;
  int passed = 0;
  for (int i = 0; i < 36'000; ++i) passed += pass(bucket, rate, 1, kStart + i * 100ms) ? 1 : 0;
  EXPECT_GE(passed, 35 + 59 * 30);
  EXPECT_LE(passed, 35 + 60 * 30);
}

TEST(Rate, without_a_limit_it_is_off) {
  EXPECT_FALSE(Rate().on());
  EXPECT_FALSE(Rate(0, 5, 1min).on());
  EXPECT_TRUE(Rate(1, 0, 1min).on());
}

}  // namespace
}  // namespace mainstay::admission
