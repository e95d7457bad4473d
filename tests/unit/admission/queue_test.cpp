// Who is next: classes, turns of users, each user's own order, newest first in overload.
#include "admission/queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

namespace mainstay::admission {
namespace {

struct FairQueueTest : ::testing::Test {
  struct Message : FairQueue::Ticket {
    std::string what;
  };
  ~FairQueueTest() override {
    for (auto& message : messages) {
      if (message.line != nullptr) queue.remove(message);
    }
  }
  Message& add(const std::string& user, const std::string& what,
               Priority priority = Priority::interactive, std::uint32_t cost = 1) {
    Message& message = messages.emplace_back();
    message.what = what;
    message.priority = priority;
    message.cost = cost;
    message.anonymous = user.starts_with("anon");
    queue.add(message, user);
    return message;
  }
  /// The names of the next `n`, in order; each ends at once.
  std::string next(int n, Order order = Order::fair) {
    std::string out;
    for (int i = 0; i < n; ++i) {
      auto* ticket = queue.next(order);
      if (!out.empty()) out += " ";
      if (ticket == nullptr) return out + "-";
      out += static_cast<Message*>(ticket)->what;
      queue.finish(ticket->user);
    }
    return out;
  }
  FairQueue queue{4};
  std::deque<Message> messages;
};

TEST_F(FairQueueTest, users_take_turns_and_each_keeps_its_own_order) {
  for (const char* what : {"a1", "a2", "a3", "a4"}) add("a", what);
  add("b", "b1");
  add("c", "c1");
  add("b", "b2");
  EXPECT_EQ(next(8), "a1 b1 c1 a2 b2 a3 a4 -");
  EXPECT_EQ(queue.users(), 0u);
}

TEST_F(FairQueueTest, a_greedy_user_does_not_delay_a_modest_one_beyond_its_turn) {
  for (int i = 0; i < 100; ++i) add("greedy", "g");
  add("modest", "m");
  EXPECT_EQ(next(2), "g m");
}

TEST_F(FairQueueTest, a_message_that_costs_more_takes_more_turns) {
  for (const char* what : {"a1", "a2", "a3"}) add("a", what, Priority::interactive, 3);
  for (const char* what : {"b1", "b2", "b3", "b4", "b5", "b6"}) add("b", what);
  EXPECT_EQ(next(9), "a1 b1 b2 b3 a2 b4 b5 b6 a3");
}

TEST_F(FairQueueTest, a_debtor_alone_is_served_at_once) {
  add("a", "a1", Priority::interactive, 8);
  add("a", "a2", Priority::interactive, 8);
  EXPECT_EQ(next(2), "a1 a2");
}

TEST_F(FairQueueTest, more_urgent_classes_come_first) {
  add("a", "background", Priority::background);
  add("a", "batch", Priority::batch);
  add("a", "chat");
  add("a", "voice", Priority::voice);
  EXPECT_EQ(next(4), "voice chat batch background");
}

TEST_F(FairQueueTest, a_class_that_was_passed_over_often_enough_gets_a_permit) {
  for (int i = 0; i < 12; ++i) add("a", "v", Priority::voice);
  for (int i = 0; i < 3; ++i) add("b", "z", Priority::background);
  EXPECT_EQ(next(15), "v v v v z v v v v z v v v v z");
}

TEST_F(FairQueueTest, in_overload_the_newest_anonymous_user_goes_first_but_in_its_own_order) {
  add("anon-1", "1a");
  add("anon-2", "2a");
  add("anon-1", "1b");
  add("anon-3", "3a");
  add("anon-2", "2b");
  EXPECT_EQ(next(5, Order::newest_first), "2a 2b 3a 1a 1b");
}

TEST_F(FairQueueTest, newest_first_touches_neither_named_users_nor_other_classes) {
  add("a", "a1");
  add("b", "b1");
  add("anon-1", "voice1", Priority::voice);
  add("anon-2", "voice2", Priority::voice);
  EXPECT_EQ(next(4, Order::newest_first), "voice1 voice2 a1 b1");
}

TEST_F(FairQueueTest, a_named_user_keeps_its_turn_among_newest_first_ones) {
  add("anon-1", "1");
  add("a", "a1");
  add("anon-2", "2");
  add("a", "a2");
  add("anon-3", "3");
  EXPECT_EQ(next(5, Order::newest_first), "3 a1 2 1 a2");
}

TEST_F(FairQueueTest, a_user_at_its_bound_is_passed_over_until_one_ends) {
  queue.set_concurrent(1);
  auto* working = queue.start("a");
  add("a", "a1");
  add("a", "a2");
  add("b", "b1");
  EXPECT_FALSE(queue.may_work("a"));
  auto* first = queue.next(Order::fair);
  EXPECT_EQ(static_cast<Message*>(first)->what, "b1");
  EXPECT_EQ(queue.next(Order::fair), nullptr);
  queue.finish(working);
  auto* second = queue.next(Order::fair);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(static_cast<Message*>(second)->what, "a1");
  EXPECT_EQ(queue.next(Order::fair), nullptr);
  queue.finish(first->user);
  queue.finish(second->user);
}

TEST_F(FairQueueTest, lifting_the_bound_lets_those_in_who_were_passed_over) {
  queue.set_concurrent(1);
  auto* working = queue.start("a");
  add("a", "a1");
  EXPECT_EQ(queue.next(Order::fair), nullptr);
  queue.set_concurrent(0);
  EXPECT_EQ(next(1), "a1");
  queue.finish(working);
}

TEST_F(FairQueueTest, who_leaves_is_not_served_and_leaves_nothing_behind) {
  Message& gone = add("a", "a1");
  add("a", "a2");
  queue.remove(gone);
  EXPECT_EQ(queue.waiting_of("a"), 1u);
  EXPECT_EQ(next(2), "a2 -");
  EXPECT_EQ(queue.users(), 0u);
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST_F(FairQueueTest, what_is_ahead_of_a_newcomer_counts_turns) {
  for (int i = 0; i < 10; ++i) add("greedy", "g");
  add("voice", "v", Priority::voice);
  EXPECT_EQ(queue.ahead("modest", Priority::interactive), 2u);
  EXPECT_EQ(queue.ahead("greedy", Priority::interactive), 11u);
  EXPECT_EQ(queue.ahead("modest", Priority::voice), 1u);
  EXPECT_EQ(queue.ahead("modest", Priority::background), 11u);
}

TEST_F(FairQueueTest, the_least_urgent_waiter_makes_room) {
  add("a", "chat");
  Message& batch = add("a", "batch", Priority::batch);
  EXPECT_EQ(queue.least_urgent(Priority::interactive), &batch);
  EXPECT_EQ(queue.least_urgent(Priority::batch), nullptr) << "only for more urgent work";
}

TEST(Priority, is_named_by_its_class_and_capped_by_the_callers_right) {
  EXPECT_EQ(priority_of("voice"), Priority::voice);
  EXPECT_EQ(priority_of("Background"), Priority::background);
  EXPECT_FALSE(priority_of("urgent"));
  EXPECT_EQ(capped(Priority::voice, Priority::batch), Priority::batch);
  EXPECT_EQ(capped(Priority::background, Priority::batch), Priority::background);
}

}  // namespace
}  // namespace mainstay::admission
