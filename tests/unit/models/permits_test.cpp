// The bound on concurrent calls and its queue.
#include "models/permits.h"

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "base/sim_clock.h"

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;

Co<> take_one(Permits& permits, Deadline by, std::vector<int>& order, int number, Permit& into) {
  into = co_await permits.take(by);
  if (into) order.push_back(number);
  if (!into) order.push_back(-number);
}

class permits : public ::testing::Test {
 protected:
  void take(int number, Permit& into, Duration within = 10s,
            asio::cancellation_signal* by = nullptr) {
    auto work = take_one(it, Deadline::in(clock, within), order, number, into);
    const auto done = [](std::exception_ptr) {};
    if (by == nullptr) {
      asio::co_spawn(io, std::move(work), done);
    } else {
      asio::co_spawn(io, std::move(work), asio::bind_cancellation_slot(by->slot(), done));
    }
    clock.run(0s);
  }
  asio::io_context io;
  SimClock clock{io};
  Permits it{clock, 2, 2};
  std::vector<int> order;
};

TEST_F(permits, gives_as_many_as_allowed_and_no_more) {
  auto one = it.try_take();
  auto two = it.try_take();
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
  EXPECT_FALSE(it.try_take());
  one = Permit();
  EXPECT_TRUE(it.try_take());
}

TEST_F(permits, first_come_first_served_and_nobody_overtakes) {
  auto one = it.try_take();
  auto two = it.try_take();
  Permit third;
  Permit fourth;
  take(3, third);
  take(4, fourth);
  {
    Permit leaving = std::move(one);
  }
  EXPECT_FALSE(it.try_take());
  clock.run(0s);
  {
    Permit leaving = std::move(two);
  }
  clock.run(0s);
  EXPECT_EQ(order, (std::vector<int>{3, 4}));
  EXPECT_EQ(it.taken(), 2U);
}

TEST_F(permits, the_queue_is_bounded) {
  auto one = it.try_take();
  auto two = it.try_take();
  Permit a;
  Permit b;
  Permit c;
  take(1, a);
  take(2, b);
  EXPECT_EQ(it.waiting(), 2U);
  take(3, c);
  EXPECT_EQ(order, std::vector<int>{-3});
  EXPECT_EQ(it.waiting(), 2U);
  clock.run(20s);
}

TEST_F(permits, a_wait_ends_with_its_deadline) {
  auto one = it.try_take();
  auto two = it.try_take();
  Permit waiting;
  take(1, waiting, 5s);
  clock.advance(4999ms);
  EXPECT_TRUE(order.empty());
  clock.advance(2ms);
  EXPECT_EQ(order, std::vector<int>{-1});
  EXPECT_EQ(it.waiting(), 0U);
}

TEST_F(permits, a_cancelled_waiter_loses_nothing) {
  auto one = it.try_take();
  auto two = it.try_take();
  Permit gone;
  Permit stays;
  asio::cancellation_signal signal;
  take(1, gone, 10s, &signal);
  take(2, stays);
  signal.emit(asio::cancellation_type::terminal);
  {
    Permit leaving = std::move(one);
  }  // granted to the first in the same breath
  clock.run(0s);
  EXPECT_TRUE(stays || gone);
  EXPECT_EQ(it.taken(), 2U);
  gone = Permit();
  two = Permit();
  clock.run(0s);
  EXPECT_TRUE(stays);
  stays = Permit();
  EXPECT_EQ(it.taken(), 0U);
}

TEST_F(permits, another_limit_counts_at_once_upwards_and_as_permits_come_back_downwards) {
  auto one = it.try_take();
  auto two = it.try_take();
  Permit third;
  take(3, third);
  EXPECT_FALSE(third);
  it.set_limit(3);
  clock.run(0s);
  EXPECT_TRUE(third);
  it.set_limit(1);
  EXPECT_EQ(it.limit(), 1u);
  EXPECT_EQ(it.taken(), 3u);
  Permit fourth;
  take(4, fourth);
  one = Permit();
  two = Permit();
  clock.run(0s);
  EXPECT_FALSE(fourth);
  EXPECT_EQ(it.taken(), 1u);
  third = Permit();
  clock.run(0s);
  EXPECT_TRUE(fourth);
}

}  // namespace
}  // namespace mainstay::models
