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
  One& ask(const char* user = "user-a", Deadline by = Deadline::never(),
           Priority priority = Priority::interactive) {
    all.emplace_back();
    One& one = all.back();
    if (!permits) permits.emplace(settings, clock);
    asio::co_spawn(
        io.get_executor(),
        permits->enter(Entrant{user, priority, user[0] == '?', 1, queued_max}, by),
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
  std::uint32_t queued_max = 0;  ///< the caller's own
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

TEST_F(PermitsTest, a_caller_with_a_limit_of_its_own_may_have_that_many_waiting) {
  ask("user-x");
  ask("user-y");
  queued_max = 2;
  EXPECT_FALSE(ask("user-a").done);
  EXPECT_FALSE(ask("user-a").done);
  EXPECT_EQ(ask("user-a").error().reason, "user_queue_full");
  queued_max = 11;
  for (int i = 0; i < 11; ++i) EXPECT_FALSE(ask("user-b").done) << "message " << i + 1;
  EXPECT_EQ(ask("user-b").error().reason, "user_queue_full");
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

TEST_F(PermitsTest, a_free_permit_is_had_without_waiting_and_none_when_somebody_waits) {
  permits.emplace(settings, clock);
  {
    Permit one = permits->try_enter();
    Permit two = permits->try_enter();
    EXPECT_TRUE(one);
    EXPECT_TRUE(two);
    EXPECT_FALSE(permits->try_enter());
    EXPECT_EQ(permits->in_use(), 2u);
    One& waits = ask("user-c");
    one = Permit();
    EXPECT_FALSE(permits->try_enter()) << "it went to who waits";
    clock.advance(0s);
    EXPECT_TRUE(waits.in());
  }
  all.clear();
  EXPECT_EQ(permits->in_use(), 0u);
}

TEST_F(PermitsTest, a_freed_permit_wakes_the_chosen_waiter_alone) {
  One& first = ask("user-x");
  ask("user-y");
  for (int i = 0; i < 5; ++i) ask(("user-" + std::to_string(i)).c_str());
  first.leave();
  clock.advance(0s);
  int in = 0;
  for (std::size_t i = 2; i < all.size(); ++i) in += all[i].in() ? 1 : 0;
  EXPECT_EQ(in, 1);
  EXPECT_TRUE(all[2].in()) << "the one that came first";
  EXPECT_EQ(permits->waiting(), 4u);
}

// proves fault row 19: other users are unaffected
TEST_F(PermitsTest, fault_19_a_user_with_a_full_queue_delays_another_by_one_turn) {
  ask("user-a");
  One& running = ask("user-a");
  for (int i = 0; i < 10; ++i) ask("user-a");
  ASSERT_TRUE(ask("user-a").refused());
  One& modest = ask("user-b");
  running.leave();
  clock.advance(0s);
  EXPECT_FALSE(modest.done);
  all[2].leave();
  clock.advance(0s);
  EXPECT_TRUE(modest.in());
}

TEST_F(PermitsTest, a_user_has_as_many_at_work_as_allowed_and_the_rest_waits_for_its_own) {
  settings.user.concurrent = 1;
  settings.concurrent_max = 3;
  One& first = ask("user-a");
  One& second = ask("user-a");
  EXPECT_TRUE(first.in());
  EXPECT_FALSE(second.done) << "though permits are free";
  EXPECT_TRUE(ask("user-b").in());
  EXPECT_EQ(permits->waiting(), 1u);
  first.leave();
  clock.advance(0s);
  EXPECT_TRUE(second.in());
  second.leave();
  all.clear();
  EXPECT_EQ(permits->users(), 0u);
}

TEST_F(PermitsTest, fewer_permits_take_effect_as_they_come_back_and_more_at_once) {
  settings.concurrent_max = 4;
  for (int i = 0; i < 4; ++i) ask();
  One& waits = ask();
  permits->set_factor(0.5);
  EXPECT_EQ(permits->capacity(), 2u);
  EXPECT_EQ(permits->in_use(), 4u);
  all[0].leave();
  all[1].leave();
  clock.advance(0s);
  EXPECT_FALSE(waits.done);
  EXPECT_EQ(permits->in_use(), 2u);
  permits->set_factor(0);
  EXPECT_EQ(permits->capacity(), 1u) << "one always stays";
  permits->set_factor(1);
  clock.advance(0s);
  EXPECT_TRUE(waits.in());
}

/// With one permit and answers of two seconds the tests below know the pace.
struct PacedPermits : PermitsTest {
  PacedPermits() {
    settings.concurrent_max = 1;
    settings.queued_max = 1000;
    settings.queue_timeout = 10s;
    settings.user.queued = 1000;
  }
  void learn(Duration service = 2s) {
    One& one = ask("user-x");
    clock.advance(service);
    one.leave();
    all.clear();
    ASSERT_EQ(permits->service_time(), service);
  }
};

// proves fault row 21 (the bound)
TEST_F(PacedPermits, fault_21_the_queue_holds_half_of_what_the_deadline_can_serve) {
  settings.queue_timeout = 20s;
  learn();
  EXPECT_EQ(permits->queue_bound(), 5u);
  ask("user-y");
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(ask("user-a").done) << i;
  EXPECT_FALSE(ask("user-a").done) << "the fifth";
  One& sixth = ask("user-a");
  ASSERT_TRUE(sixth.refused());
  EXPECT_EQ(sixth.error().reason, "overloaded");
  EXPECT_EQ(sixth.error().retry_after, 2000ms) << "when the next place becomes free";
}

TEST_F(PacedPermits, who_would_wait_longer_than_it_may_is_refused_with_the_exact_time) {
  learn();
  ask("user-y");
  // Behind nobody: 2 s of waiting and 2 s of service.
  One& late = ask("user-a", Deadline::in(clock, 4s - 1ms));
  ASSERT_TRUE(late.refused());
  EXPECT_EQ(late.error().reason, "overloaded");
  EXPECT_FALSE(ask("user-a", Deadline::in(clock, 4s)).done);
  One& second = ask("user-a", Deadline::in(clock, 4s));
  ASSERT_TRUE(second.refused()) << "behind one";
  EXPECT_EQ(second.error().retry_after, 2000ms);
}

TEST_F(PacedPermits, more_urgent_work_takes_the_place_of_the_least_urgent) {
  settings.queue_timeout = 8s;
  learn();
  EXPECT_EQ(permits->queue_bound(), 2u);
  ask("user-y");
  One& chat = ask("user-a");
  One& batch = ask("user-b", Deadline::never(), Priority::batch);
  One& another = ask("user-c");
  EXPECT_TRUE(batch.refused());
  EXPECT_EQ(batch.error().reason, "overloaded");
  EXPECT_GT(batch.error().retry_after, 0ms);
  EXPECT_FALSE(chat.done);
  EXPECT_FALSE(another.done);
  EXPECT_TRUE(ask("user-d").refused()) << "but not of its like";
}

TEST_F(PacedPermits, newest_first_begins_when_waiting_has_lasted_two_seconds) {
  One& first = ask("user-x");
  One& old = ask("?1");
  ask("?2");
  clock.advance(2s - 1ms);
  One& newest = ask("?3");
  clock.advance(1ms);
  first.leave();
  clock.advance(0s);
  EXPECT_TRUE(newest.in());
  EXPECT_FALSE(old.done);
}

TEST_F(PacedPermits, before_two_seconds_the_oldest_is_first) {
  One& first = ask("user-x");
  One& old = ask("?1");
  clock.advance(2s - 1ms);
  ask("?2");
  first.leave();
  clock.advance(0s);
  EXPECT_TRUE(old.in());
}

}  // namespace
}  // namespace mainstay::admission
