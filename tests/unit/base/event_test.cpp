// Event: no wake-up is lost, on one thread or on several.
#include "base/event.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <thread>

#include "unit/base/support.h"

namespace mainstay {
namespace {

using std::chrono::seconds;

Co<bool> wait_for(Event& event, std::uint64_t seen, Deadline by) {
  auto notified = co_await event.wait(seen, by);
  co_return notified;
}

TEST_F(SimTest, a_notification_between_looking_and_waiting_is_not_lost) {
  Event event(clock);
  const auto seen = event.version();
  event.notify();
  Outcome<bool> out;
  start(io, wait_for(event, seen, Deadline(clock.now())), out);
  clock.run();
  EXPECT_EQ(out.value, true);
}

TEST_F(SimTest, all_waiters_are_woken_and_later_ones_wait_for_the_next) {
  Event event(clock);
  Outcome<bool> first;
  Outcome<bool> second;
  start(io, wait_for(event, event.version(), Deadline::never()), first);
  start(io, wait_for(event, event.version(), Deadline::never()), second);
  clock.advance(seconds(1));
  EXPECT_FALSE(first.done);
  event.notify();
  clock.advance(seconds(0));
  EXPECT_EQ(first.value, true);
  EXPECT_EQ(second.value, true);
  Outcome<bool> late;
  start(io, wait_for(event, event.version(), Deadline::in(clock, seconds(5))), late);
  clock.advance(seconds(5) - Duration(1));
  EXPECT_FALSE(late.done);
  clock.advance(Duration(1));
  EXPECT_EQ(late.value, false) << "the deadline came first";
}

TEST_F(SimTest, a_cancelled_waiter_is_forgotten) {
  Event event(clock);
  asio::cancellation_signal signal;
  Outcome<bool> out;
  asio::co_spawn(io.get_executor(), wait_for(event, event.version(), Deadline::never()),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, bool v) {
                   out.done = true;
                   out.thrown = e;
                   out.value = v;
                 }));
  clock.advance(seconds(1));
  signal.emit(asio::cancellation_type::terminal);
  clock.advance(seconds(1));
  EXPECT_TRUE(out.done);
  EXPECT_EQ(out.value, false);
  event.notify();
  clock.run();
}

/// Counts up and hands over, many times, so that every interleaving of notify and wait occurs.
Co<> player(Event& event, std::atomic<int>& turn, int mine, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    for (;;) {
      const auto seen = event.version();
      if (turn.load() % 2 == mine) break;
      const Deadline by = Deadline::never();
      auto notified = co_await event.wait(seen, by);
      if (!notified) co_return;
    }
    turn.fetch_add(1);
    event.notify();
  }
}

TEST(event, two_threads_that_hand_over_thousands_of_times_never_lose_a_wake_up) {
  constexpr int kRounds = 3000;
  RealClock clock;
  Event event(clock);
  std::atomic<int> turn{0};
  std::atomic<int> ended{0};
  asio::io_context first(1);
  asio::io_context second(1);
  const auto count = [&](std::exception_ptr thrown) { ended += thrown ? 100 : 1; };
  asio::co_spawn(first.get_executor(), player(event, turn, 0, kRounds), count);
  asio::co_spawn(second.get_executor(), player(event, turn, 1, kRounds), count);
  std::thread one([&] { first.run(); });  // a lost wake-up hangs here: ctest's limit ends it
  std::thread two([&] { second.run(); });
  one.join();
  two.join();
  EXPECT_EQ(turn, 2 * kRounds);
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace mainstay
