// TaskGroup: owners of background coroutines.
#include "base/task_group.h"

#include "unit/base/support.h"

namespace mainstay {
namespace {

using std::chrono::seconds;

class TaskGroupTest : public SimTest {
 protected:
  TaskGroupTest()
      : tasks(clock, io.get_executor(), [this](const std::string& task, const std::string& what) {
          errors.push_back(task + ": " + what);
        }) {}
  ~TaskGroupTest() override {
    if (tasks.size() > 0) close();
  }
  void close() {
    Outcome<int> out;
    start(io, closing(tasks), out);
    clock.run();
    EXPECT_TRUE(out.done && !out.thrown);
  }
  static Co<int> closing(TaskGroup& group) {
    co_await group.close();
    co_return 1;
  }
  std::vector<std::string> errors;
  TaskGroup tasks;
};

Co<> nap(SimClock& clock, Duration pause, int& ended) {
  struct Count {
    int& n;
    ~Count() { ++n; }
  } count{ended};
  co_await sleep(clock, pause);
  co_await sleep(clock, Duration(1));  // throws after a cancellation
}

/// Cleans up for two seconds after its cancellation, as a task that must finish a write does.
Co<> slow_to_stop(SimClock& clock, bool& cleaned) {
  co_await sleep(clock, seconds(1000));
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await sleep(clock, seconds(2));
  cleaned = true;
}

Co<> broken() {
  throw std::runtime_error("a bug");
  co_return;
}

Co<> at_once(int& ran) {
  ++ran;
  co_return;
}

TEST_F(TaskGroupTest, work_runs_up_to_its_first_wait_and_leaves_the_group_when_it_ends) {
  int ran = 0;
  int ended = 0;
  EXPECT_NE(tasks.spawn("at_once", at_once(ran)), 0u);
  const auto id = tasks.spawn("nap", nap(clock, seconds(5), ended));
  clock.advance(seconds(1));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(tasks.names(), (std::vector<std::string>{"nap#" + std::to_string(id)}));
  clock.run();
  EXPECT_EQ(tasks.size(), 0u);
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(errors.empty());
}

TEST_F(TaskGroupTest, close_cancels_all_and_returns_when_the_last_has_cleaned_up) {
  int ended = 0;
  bool cleaned = false;
  for (int i = 0; i < 50; ++i) tasks.spawn("nap", nap(clock, std::chrono::hours(9), ended));
  tasks.spawn("slow", slow_to_stop(clock, cleaned));
  clock.advance(seconds(1));
  const TimePoint before = clock.now();
  Outcome<int> out;
  start(io, closing(tasks), out);
  clock.advance(seconds(1));
  EXPECT_EQ(ended, 50);
  EXPECT_FALSE(out.done) << "one task still cleans up";
  clock.run();
  EXPECT_TRUE(out.done);
  EXPECT_TRUE(cleaned);
  EXPECT_EQ(clock.now() - before, seconds(2));
  EXPECT_TRUE(errors.empty()) << "a cancelled task is no error: " << errors[0];
}

TEST_F(TaskGroupTest, after_close_new_work_is_not_started) {
  close();
  int ran = 0;
  EXPECT_EQ(tasks.spawn("late", at_once(ran)), 0u);
  clock.run();
  EXPECT_EQ(ran, 0);
}

TEST_F(TaskGroupTest, one_task_is_cancelled_alone_and_unknown_ids_are_ignored) {
  int first = 0;
  int second = 0;
  const auto id = tasks.spawn("first", nap(clock, seconds(100), first));
  tasks.spawn("second", nap(clock, seconds(100), second));
  clock.advance(seconds(1));
  tasks.cancel(id);
  tasks.cancel(9999);
  clock.advance(seconds(1));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  close();
  EXPECT_EQ(second, 1);
}

TEST_F(TaskGroupTest, an_exception_is_reported_with_the_tasks_name_and_hurts_nobody_else) {
  int ended = 0;
  tasks.spawn("nap", nap(clock, seconds(1), ended));
  tasks.spawn("broken", broken());
  clock.run();
  EXPECT_EQ(errors, (std::vector<std::string>{"broken: a bug"}));
  EXPECT_EQ(ended, 1);
}

Co<bool> wait_empty(TaskGroup& group, Deadline by) {
  auto empty = co_await group.wait_empty(by);
  co_return empty;
}

Co<> odd() {
  throw 5;
  co_return;
}

TEST_F(TaskGroupTest, an_exception_of_any_type_is_reported) {
  tasks.spawn("odd", odd());
  clock.run();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_TRUE(errors[0].starts_with("odd: "));
}

TEST_F(TaskGroupTest, waiting_for_the_end_stops_at_the_deadline) {
  int ended = 0;
  tasks.spawn("nap", nap(clock, seconds(10), ended));
  Outcome<bool> too_early;
  start(io, wait_empty(tasks, Deadline::in(clock, seconds(9))), too_early);
  clock.advance(seconds(9));
  EXPECT_EQ(too_early.value, false);
  Outcome<bool> in_time;
  start(io, wait_empty(tasks, Deadline::in(clock, seconds(9))), in_time);
  clock.run();
  EXPECT_EQ(in_time.value, true);
  Outcome<bool> nothing;
  start(io, wait_empty(tasks, Deadline(clock.now())), nothing);
  clock.run();
  EXPECT_EQ(nothing.value, true);
}

TEST(task_group_death, a_group_that_was_not_closed_stops_the_process) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        asio::io_context io;
        SimClock clock(io);
        int ended = 0;
        TaskGroup group(clock, io.get_executor(), [](auto&, auto&) {});
        group.spawn("left", nap(clock, seconds(1), ended));
      },
      "broken invariant");
}

}  // namespace
}  // namespace mainstay
