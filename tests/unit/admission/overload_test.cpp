// Estimates of waits, and the queue's bound.
#include "admission/overload.h"

#include <gtest/gtest.h>

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

TEST(ServiceTime, is_the_plain_mean_at_first_and_then_follows) {
  ServiceTime service;
  EXPECT_EQ(service.mean(), 0ns);
  service.note(4s);
  EXPECT_EQ(service.mean(), 4s);
  service.note(2s);
  EXPECT_EQ(service.mean(), 3s);
  for (int i = 0; i < 200; ++i) service.note(10s);
  EXPECT_GT(service.mean(), 9900ms);
  for (int i = 0; i < 200; ++i) service.note(0s);
  EXPECT_GT(service.mean(), 0ns) << "known, however short";
  EXPECT_LT(service.mean(), 1ms);
}

TEST(Pace, of_two_permits_and_two_seconds_each_is_one_a_second) {
  const Pace pace{2s, 2};
  EXPECT_EQ(pace.gap(), 1s);
  EXPECT_EQ(pace.wait(0), 1s);
  EXPECT_EQ(pace.wait(9), 10s);
  EXPECT_EQ(pace.queue_bound(10s, 1000), 5u) << "deadline x rate / 2";
  EXPECT_EQ(pace.queue_bound(10s, 4), 4u);
  EXPECT_EQ(pace.queue_bound(10s, 0), 0u);
  EXPECT_EQ(pace.queue_bound(1s, 1000), 1u) << "at least one";
}

TEST(Pace, knows_nothing_before_the_first_answer) {
  const Pace pace{0s, 2};
  EXPECT_EQ(pace.wait(100), 0s);
  EXPECT_EQ(pace.queue_bound(10s, 1000), 1000u);
  EXPECT_EQ((Pace{1s, 0}.gap()), 1s);
}

// proves G3
TEST(Backpressure, refuses_above_its_bound_and_accepts_again_below_the_lower_one) {
  Backpressure queue(5000, 3000);
  EXPECT_TRUE(queue.check(4999, 10ms).ok());
  const Status refused = queue.check(5000, 10ms);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_EQ(refused.error().reason, "queue_overloaded");
  EXPECT_EQ(refused.error().retry_after, 20'010ms) << "2,001 fewer, at 10 ms each";
  EXPECT_FALSE(queue.check(4000, 10ms).ok()) << "still";
  EXPECT_FALSE(queue.check(3000, 0ms).ok());
  EXPECT_EQ(queue.check(3000, 0ms).error().retry_after, 1000ms) << "when nothing is known";
  EXPECT_TRUE(queue.check(2999, 10ms).ok());
  EXPECT_TRUE(queue.check(4999, 10ms).ok());
}

TEST(Busy, is_sustained_after_waiting_without_a_break) {
  constexpr TimePoint kStart{1000s};
  Busy busy;
  EXPECT_FALSE(busy.sustained(2s, kStart));
  busy.see(true, kStart);
  busy.see(true, kStart + 1s);
  EXPECT_FALSE(busy.sustained(2s, kStart + 2s - 1ns));
  EXPECT_TRUE(busy.sustained(2s, kStart + 2s));
  busy.see(false, kStart + 3s);
  busy.see(true, kStart + 3s);
  EXPECT_FALSE(busy.sustained(2s, kStart + 4s));
}

}  // namespace
}  // namespace mainstay::admission
