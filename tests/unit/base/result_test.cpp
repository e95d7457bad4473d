// Result, Status, Error and Deadline.
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/clock.h"
#include "base/deadline.h"

namespace mainstay {
namespace {

TEST(result, holds_a_value_or_an_error) {
  Result<std::string> good = std::string("v");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, "v");
  EXPECT_EQ(good->size(), 1u);
  Result<std::string> bad = Error::log(Errc::conflict, "why");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, Errc::conflict);
  EXPECT_EQ(bad.error().detail, "why");
}

TEST(result, never_set_is_an_internal_error) {
  Result<int> unset;
  ASSERT_FALSE(unset.ok());
  EXPECT_EQ(unset.error().code, Errc::internal);
}

TEST(result, a_value_that_only_moves_can_be_taken_out) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  auto taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
}

TEST(result, status_is_success_until_given_an_error) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(done().ok());
  Status bad = Error::say(Errc::denied, "no_key", "Give a key.", "authorization");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().reason, "no_key");
  EXPECT_EQ(bad.error().message, "Give a key.");
  EXPECT_EQ(bad.error().field, "authorization");
}

TEST(result, a_copy_of_a_failure_is_its_own) {
  const Status first = Error::say(Errc::denied, "no_key", "Give a key.");
  Status second = first;
  second.error().reason = "changed";
  EXPECT_EQ(first.error().reason, "no_key");
  Result<int> one = Error::log(Errc::conflict, "why");
  Result<int> other = one;
  other.error().detail = "changed";
  EXPECT_EQ(one.error().detail, "why");
  EXPECT_EQ(one.error().code, Errc::conflict);
}

TEST(result, failures_and_successes_can_be_assigned_over_each_other) {
  const Status bad = Error::log(Errc::conflict, "first");
  const Status worse = Error::log(Errc::corrupt, "second");
  Status status;
  status = bad;
  EXPECT_EQ(status.error().detail, "first");
  status = worse;
  EXPECT_EQ(status.error().detail, "second");
  const Status& same = status;
  status = same;
  EXPECT_EQ(status.error().detail, "second");
  status = done();
  EXPECT_TRUE(status.ok());
  status = worse;
  EXPECT_EQ(worse.error().detail, "second") << "what was copied from stays";
  Result<std::string> result = worse.error();
  result = std::string("value");
  EXPECT_EQ(*result, "value");
  result = bad.error();
  EXPECT_EQ(result.error().detail, "first");
}

TEST(result, moving_a_failure_takes_all_of_it_along) {
  Error error = Error::say(Errc::over_limit, "rate_limited", "Slower.", "field");
  error.detail = "detail";
  error.retry_after = std::chrono::milliseconds(1500);
  Result<std::string> from = std::move(error);
  Result<std::string> to = std::move(from);
  ASSERT_FALSE(to.ok());
  EXPECT_EQ(to.error().code, Errc::over_limit);
  EXPECT_EQ(to.error().reason, "rate_limited");
  EXPECT_EQ(to.error().message, "Slower.");
  EXPECT_EQ(to.error().field, "field");
  EXPECT_EQ(to.error().detail, "detail");
  EXPECT_EQ(to.error().retry_after, std::chrono::milliseconds(1500));
}

TEST(result, what_a_failure_was_moved_out_of_never_reads_as_success) {
  Status from = Error::log(Errc::corrupt, "first");
  Status to = std::move(from);
  EXPECT_FALSE(from.ok());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(to.error().detail, "first");
  const Status copy = from;
  EXPECT_FALSE(copy.ok());
  EXPECT_EQ(from.error().code, Errc::internal);
  to = std::move(from);
  EXPECT_FALSE(from.ok());  // NOLINT(bugprone-use-after-move)
  from = done();
  EXPECT_TRUE(from.ok());
  Status success;
  const Status taken = std::move(success);
  EXPECT_TRUE(taken.ok());
  EXPECT_TRUE(success.ok());  // NOLINT(bugprone-use-after-move)
  Result<int> result = Error::log(Errc::corrupt, "second");
  Result<int> other = std::move(result);
  EXPECT_FALSE(result.ok());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(result.error().code, Errc::internal);
  EXPECT_EQ(other.error().detail, "second");
}

// What succeeds is most, and travels through coroutine frames: a failure costs it one pointer.
static_assert(sizeof(Status) == sizeof(void*));
static_assert(sizeof(ErrorBox) == sizeof(void*));

TEST(result, a_logged_error_has_nothing_for_the_client) {
  const Error error = Error::log(Errc::corrupt, "/var/lib/x is broken");
  EXPECT_TRUE(error.message.empty());
  EXPECT_TRUE(error.reason.empty());
}

TEST(result, every_code_has_its_own_name) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    EXPECT_TRUE(names.insert(name(static_cast<Errc>(i))).second) << i;
  }
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(result_death, reading_the_wrong_side_stops_the_process) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  Result<int> bad = Error::log(Errc::internal, "x");
  EXPECT_DEATH((void)*bad, "broken invariant");
  Result<int> good = 1;
  EXPECT_DEATH((void)good.error(), "broken invariant");
  Status fine;
  EXPECT_DEATH((void)fine.error(), "broken invariant");
}

class StillClock final : public Clock {
 public:
  explicit StillClock(TimePoint at) : at_(at) {}
  TimePoint now() const noexcept override { return at_; }
  WallTime wall() const noexcept override { return {}; }
  std::unique_ptr<Alarm> alarm(Executor) override { return nullptr; }

 private:
  TimePoint at_;
};

using std::chrono::seconds;

TEST(deadline, far_deadlines_saturate_instead_of_wrapping) {
  const TimePoint late = TimePoint::max() - seconds(1);
  EXPECT_EQ(Deadline::in(StillClock(TimePoint(seconds(5))), Duration::max()).at(),
            TimePoint::max());
  EXPECT_EQ(Deadline::in(StillClock(late), seconds(2)).at(), TimePoint::max());
  EXPECT_EQ(Deadline::in(StillClock(late), Duration(seconds(1)) - Duration(1)).at(),
            TimePoint::max() - Duration(1));
  EXPECT_EQ(Deadline::in(StillClock(late), seconds(1)).at(), TimePoint::max());
}

TEST(deadline, never_has_all_time_left_and_does_not_pass) {
  EXPECT_EQ(Deadline::never().left(TimePoint(seconds(9))), Duration::max());
  EXPECT_FALSE(Deadline::never().passed(TimePoint(seconds(9))));
}

TEST(deadline, passes_at_its_moment_and_never_has_less_than_nothing_left) {
  const Deadline at(TimePoint(seconds(10)));
  EXPECT_FALSE(at.passed(TimePoint(seconds(10)) - Duration(1)));
  EXPECT_TRUE(at.passed(TimePoint(seconds(10))));
  EXPECT_EQ(at.left(TimePoint(seconds(7))), seconds(3));
  EXPECT_EQ(at.left(TimePoint(seconds(70))), Duration::zero());
}

TEST(deadline, sooner_takes_the_earlier_and_never_the_later) {
  const TimePoint now(seconds(100));
  const Deadline at(now + seconds(10));
  EXPECT_EQ(at.sooner(now, seconds(9)).at(), now + seconds(9));
  EXPECT_EQ(at.sooner(now, seconds(11)).at(), at.at());
  EXPECT_EQ(at.sooner(now, Duration::max()).at(), at.at());
  EXPECT_EQ(at.sooner(Deadline(now)).at(), now);
}

}  // namespace
}  // namespace mainstay
