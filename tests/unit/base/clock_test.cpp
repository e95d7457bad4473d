// The fake clock's order and speed, alarms of both clocks, and sleep.
#include "base/clock.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include "base/random.h"
#include "base/task_group.h"
#include "unit/base/support.h"

namespace mainstay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Co<> sleeper(SimClock& clock, std::vector<int>& order, int id, std::uint64_t seed) {
  SeededRandom random(seed);
  for (int i = 0; i < 20; ++i) {
    const auto pause = milliseconds(random.below(5'000'000) + 1);
    co_await sleep(clock, pause);
    order.push_back(id);
  }
}

std::vector<int> simulate(Duration& took) {
  asio::io_context io;
  SimClock clock(io);
  std::vector<int> order;
  TaskGroup tasks(clock, io.get_executor(), [](auto&, auto&) { ADD_FAILURE(); });
  for (int id = 0; id < 200; ++id) {
    tasks.spawn("sleeper", sleeper(clock, order, id, static_cast<std::uint64_t>(id)));
  }
  const TimePoint start = clock.now();
  clock.run();
  took = clock.now() - start;
  EXPECT_EQ(tasks.size(), 0u);
  return order;
}

TEST(sim_clock, fourteen_hours_of_many_sleepers_run_in_the_same_order_each_time) {
  Duration took{};
  Duration again{};
  const auto first = simulate(took);
  EXPECT_EQ(first.size(), 4000u);
  EXPECT_GT(took, hours(14));
  EXPECT_EQ(simulate(again), first);
  EXPECT_EQ(again, took);
}

Co<> note(SimClock& clock, std::vector<int>& order, int id, Duration pause) {
  co_await sleep(clock, pause);
  order.push_back(id);
}

TEST_F(SimTest, alarms_fire_by_time_and_at_equal_times_by_who_came_first) {
  std::vector<int> order;
  TaskGroup tasks(clock, io.get_executor(), [](auto&, auto&) { ADD_FAILURE(); });
  tasks.spawn("a", note(clock, order, 1, seconds(2)));
  tasks.spawn("b", note(clock, order, 2, seconds(1)));
  tasks.spawn("c", note(clock, order, 3, seconds(2)));
  tasks.spawn("d", note(clock, order, 4, seconds(0)));
  clock.run();
  EXPECT_EQ(order, (std::vector<int>{4, 2, 1, 3}));
}

TEST_F(SimTest, advance_fires_what_is_due_and_nothing_later) {
  std::vector<int> order;
  TaskGroup tasks(clock, io.get_executor(), [](auto&, auto&) { ADD_FAILURE(); });
  tasks.spawn("a", note(clock, order, 1, seconds(10)));
  clock.advance(seconds(10) - Duration(1));
  EXPECT_TRUE(order.empty());
  clock.advance(Duration(1));
  EXPECT_EQ(order, (std::vector<int>{1}));
}

TEST_F(SimTest, the_wall_clock_moves_along_and_jumps_alone) {
  const auto wall = clock.wall();
  const auto steady = clock.now();
  clock.advance(seconds(3));
  EXPECT_EQ(clock.wall() - wall, seconds(3));
  clock.jump_wall(-hours(2));
  EXPECT_EQ(clock.wall() - wall, seconds(3) - hours(2));
  EXPECT_EQ(clock.now() - steady, seconds(3));
}

Co<bool> wait_on(Alarm& alarm, TimePoint at) {
  auto reached = co_await alarm.wait_until(at);
  co_return reached;
}

/// Both clocks keep the alarm's contract; the real one drives the io_context itself.
template <class Make>
void alarm_contract(asio::io_context& io, Clock& clock, Make run) {
  auto alarm = clock.alarm(io.get_executor());
  Outcome<bool> past;
  start(io, wait_on(*alarm, clock.now()), past);
  run();
  EXPECT_EQ(past.value, true) << "a past moment is reached at once";

  Outcome<bool> rung;
  start(io, wait_on(*alarm, TimePoint::max()), rung);
  asio::post(io, [&] { alarm->ring(); });
  run();
  EXPECT_EQ(rung.value, false) << "a ring wakes the waiter";

  alarm->ring();
  Outcome<bool> early;
  start(io, wait_on(*alarm, TimePoint::max()), early);
  run();
  EXPECT_EQ(early.value, false) << "a ring without a waiter ends the next wait";

  Outcome<bool> twice;
  start(io, wait_on(*alarm, clock.now() + milliseconds(1)), twice);
  asio::post(io, [&] {
    alarm->ring();
    alarm->ring();
  });
  run();
  EXPECT_EQ(twice.value, false);
  Outcome<bool> after;
  start(io, wait_on(*alarm, clock.now() + milliseconds(1)), after);
  run();
  EXPECT_EQ(after.value, true) << "two rings of one wait leave nothing behind";
}

TEST_F(SimTest, the_fake_alarm_keeps_its_contract) {
  alarm_contract(io, clock, [&] { clock.run(); });
}

TEST(real_clock, the_real_alarm_keeps_its_contract) {
  asio::io_context io;
  RealClock clock;
  alarm_contract(io, clock, [&] {
    io.restart();
    io.run();
  });
}

/// Awaits twice after being cancelled: the second await throws before it waits.
Co<> stubborn(Alarm& alarm) {
  co_await alarm.wait_until(TimePoint::max());
  co_await alarm.wait_until(TimePoint::max());
}

template <class Run>
void cancelled_alarm(asio::io_context& io, Clock& clock, Run run) {
  auto alarm = clock.alarm(io.get_executor());
  asio::cancellation_signal signal;
  std::exception_ptr thrown;
  bool ended = false;
  asio::co_spawn(io.get_executor(), stubborn(*alarm),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) {
                   ended = true;
                   thrown = e;
                 }));
  asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
  run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(thrown) << "the await after a cancellation throws";
  alarm->ring();  // nobody waits now: the ring must be kept
  Outcome<bool> next;
  start(io, wait_on(*alarm, TimePoint::max()), next);
  run();
  EXPECT_EQ(next.value, false) << "an alarm whose waiter was cancelled still works";
}

TEST_F(SimTest, a_cancelled_waiter_leaves_the_fake_alarm_usable) {
  cancelled_alarm(io, clock, [&] { clock.run(); });
}

TEST(real_clock, a_cancelled_waiter_leaves_the_real_alarm_usable) {
  asio::io_context io;
  RealClock clock;
  cancelled_alarm(io, clock, [&] {
    io.restart();
    io.poll();  // never blocks: a lost ring fails the test instead of hanging it
  });
}

TEST(clock, times_convert_as_their_names_say) {
  EXPECT_EQ(millis(std::chrono::microseconds(1999)), 1);
  const WallTime at = wall_from_micros(1'700'000'000'999'999);
  EXPECT_EQ(micros(at), 1'700'000'000'999'999);
  EXPECT_EQ(unix_seconds(at), 1'700'000'000);
}

}  // namespace
}  // namespace mainstay
