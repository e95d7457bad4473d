// Who may work at once, who waits, and who is turned away.
#include "admission/permits.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <deque>

#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

struct PermitsTest : SimTest {
  PermitsTest() {
    settings.concurrent_max = 2;
    settings.queued_max = 20;
    settings.user.queued = 10;
    settings.queue_timeout = 10s;
  }
  // Every wait ends while its permits are still there.
  void TearDown() override {
    for (int second = 0; second < 12; ++second) {
      for (auto& one : all) one.leave();
      clock.advance(1s);
    }
  }
  struct One : Outcome<Result<Permit>> {
    asio::cancellation_signal signal;
    TimePoint ended{};
    bool in() const { return done && !thrown && value->ok(); }
    bool refused() const { return done && !thrown && !value->ok(); }
    void leave() { value.reset(); }
    const Error& error() const { return value->error(); }
  };
  /// Asks for a permit; what became of it is in the result once the clock has run.
  One& ask(const char* user = "user-a", Deadline by = Deadline::never()) {
    all.emplace_back();
    One& one = all.back();
    if (!permits) permits.emplace(settings, clock);
    asio::co_spawn(
        io.get_executor(), permits->enter(UserId(user), by),
        asio::bind_cancellation_slot(one.signal.slot(),
                                     [this, &one](std::exception_ptr thrown, Result<Permit> r) {
                                       one.done = true;
                                       one.thrown = thrown;
                                       one.ended = clock.now();
                                       if (!thrown) one.value.emplace(std::move(r));
                                     }));
    clock.advance(0s);
    return one;
  }
  LimitSettings settings;
  std::optional<Permits> permits;
  std::deque<One> all;  // behind `permits`: given back before it goes
};

TEST_F(PermitsTest, as_many_as_allowed_work_at_once_and_the_next_waits) {
  EXPECT_TRUE(ask("user-a").in());
  EXPECT_TRUE(ask("user-b").in());
  One& third = ask("user-c");
  EXPECT_FALSE(third.done);
  EXPECT_EQ(permits->in_use(), 2u);
  EXPECT_EQ(permits->waiting(), 1u);
}

TEST_F(PermitsTest, a_permit_goes_back_when_it_is_destroyed_and_the_waiter_gets_it) {
  One& first = ask("user-a");
  ask("user-b");
  One& third = ask("user-c");
  first.leave();
  clock.advance(0s);
  EXPECT_TRUE(third.in());
  EXPECT_EQ(permits->in_use(), 2u);
  EXPECT_EQ(permits->waiting(), 0u);
  all.clear();
  EXPECT_EQ(permits->in_use(), 0u);
}

TEST_F(PermitsTest, a_moved_permit_is_given_back_once) {
  One& first = ask();
  Permit moved = std::move(**first.value);
  first.leave();
  EXPECT_EQ(permits->in_use(), 1u);
  Permit other;
  other = std::move(moved);
  EXPECT_EQ(permits->in_use(), 1u);
  other = Permit();
  EXPECT_EQ(permits->in_use(), 0u);
}

TEST_F(PermitsTest, the_queue_holds_as_many_as_allowed_and_turns_the_next_away_at_once) {
  settings.queued_max = 3;
  ask();
  ask();
  EXPECT_FALSE(ask("user-1").done);
  EXPECT_FALSE(ask("user-2").done);
  EXPECT_FALSE(ask("user-3").done);
  One& one_more = ask("user-4");
  ASSERT_TRUE(one_more.refused());
  EXPECT_EQ(one_more.error().code, Errc::unavailable);
  EXPECT_EQ(one_more.error().reason, "overloaded");
  EXPECT_GT(one_more.error().retry_after, 0ms);
  EXPECT_EQ(permits->waiting(), 3u);
}

// proves M6
TEST_F(PermitsTest, ten_messages_of_one_user_wait_and_the_eleventh_is_refused_by_name) {
  ask("user-x");
  ask("user-y");
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(ask("user-a").done) << "message " << i + 1;
  One& eleventh = ask("user-a");
  ASSERT_TRUE(eleventh.refused());
  EXPECT_EQ(eleventh.error().code, Errc::over_limit);
  EXPECT_EQ(eleventh.error().reason, "user_queue_full");
  EXPECT_GT(eleventh.error().retry_after, 0ms);
  EXPECT_FALSE(ask("user-b").done) << "another user may still wait";
  EXPECT_EQ(permits->waiting(), 11u);
}

TEST_F(PermitsTest, a_users_place_in_the_queue_is_free_again_once_it_got_in) {
  settings.user.queued = 1;
  One& first = ask("user-x");
  One& second = ask("user-y");
  ask("user-a");
  ASSERT_TRUE(ask("user-a").refused());
  first.leave();
  clock.advance(0s);
  EXPECT_FALSE(ask("user-a").done);
  second.leave();
  clock.advance(0s);
  EXPECT_EQ(permits->waiting(), 0u);
}

TEST_F(PermitsTest, who_gets_no_place_in_time_is_told_when_the_time_is_over) {
  ask();
  ask();
  One& third = ask("user-c");
  const TimePoint asked = clock.now();
  clock.advance(10s - 1ms);
  EXPECT_FALSE(third.done);
  clock.advance(1ms);
  ASSERT_TRUE(third.refused());
  EXPECT_EQ(third.error().code, Errc::unavailable);
  EXPECT_EQ(third.error().reason, "overloaded");
  EXPECT_GT(third.error().retry_after, 0ms);
  EXPECT_EQ(third.ended - asked, 10s);
  EXPECT_EQ(permits->waiting(), 0u);
}

TEST_F(PermitsTest, the_callers_own_deadline_counts_when_it_is_sooner) {
  ask();
  ask();
  One& third = ask("user-c", Deadline::in(clock, 3s));
  clock.advance(3s - 1ms);
  EXPECT_FALSE(third.done);
  clock.advance(1ms);
  EXPECT_TRUE(third.refused());
}

TEST_F(PermitsTest, a_cancelled_waiter_frees_its_place_and_takes_no_permit) {
  settings.queued_max = 1;
  One& first = ask("user-a");
  ask("user-b");
  One& waits = ask("user-c");
  ASSERT_TRUE(ask("user-d").refused()) << "the queue is full";
  waits.signal.emit(asio::cancellation_type::terminal);
  clock.advance(0s);
  EXPECT_TRUE(waits.done);
  EXPECT_FALSE(waits.in());
  EXPECT_EQ(permits->waiting(), 0u);
  EXPECT_FALSE(ask("user-d").done) << "its place is free";
  first.leave();
  clock.advance(0s);
  EXPECT_EQ(permits->in_use(), 2u);
}

TEST_F(PermitsTest, a_hundred_waiters_all_get_in_with_two_at_a_time) {
  settings.queued_max = 98;
  settings.user.queued = 98;
  for (int i = 0; i < 100; ++i) ask();
  std::size_t finished = 0;
  for (int round = 0; round < 100; ++round) {
    std::uint32_t in = 0;
    for (auto& one : all) in += one.in() ? 1 : 0;
    ASSERT_LE(in, 2u);
    for (auto& one : all) {
      if (!one.in()) continue;
      one.leave();
      one.done = false;
      ++finished;
    }
    clock.advance(1ms);
  }
  EXPECT_EQ(finished, 100u);
  EXPECT_EQ(permits->in_use(), 0u);
}

}  // namespace
}  // namespace mainstay::admission
