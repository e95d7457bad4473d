// The registry of what is undone at the end: order, deadlines, hurry.
// proves V3 (registry, isolated steps)
#include "app/cleanups.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

class CleanupsTest : public testing::Test {
 protected:
  Cleanup noted(const std::string& name) {
    return {name, [this, name] {
              std::lock_guard lock(mutex_);
              ran_.push_back(name);
              return done();
            }};
  }
  Names ran() {
    std::lock_guard lock(mutex_);
    return ran_;
  }
  RealClock clock_;
  std::mutex mutex_;
  Names ran_;
  Cleanups cleanups_{clock_, [] { return nullptr; }};
};

TEST_F(CleanupsTest, steps_run_once_latest_first_and_are_reported) {
  for (const char* name : {"one", "two", "three"}) cleanups_.add(noted(name));
  EXPECT_EQ(cleanups_.size(), 3u);
  EXPECT_TRUE(cleanups_.run());
  EXPECT_EQ(ran(), (Names{"three", "two", "one"}));
  EXPECT_EQ(cleanups_.size(), 0u);
  EXPECT_TRUE(cleanups_.run());
  EXPECT_EQ(ran().size(), 3u) << "nothing runs twice";
  ASSERT_EQ(cleanups_.reports().size(), 3u);
  EXPECT_EQ(cleanups_.reports().front().name, "three");
  EXPECT_EQ(cleanups_.reports().front().end, CleanupEnd::done);
}

TEST_F(CleanupsTest, a_step_may_register_another_which_runs_next) {
  cleanups_.add(noted("first"));
  cleanups_.add({"adds", [this] {
                   cleanups_.add(noted("added"));
                   return done();
                 }});
  EXPECT_TRUE(cleanups_.run());
  EXPECT_EQ(ran(), (Names{"added", "first"}));
}

TEST_F(CleanupsTest, failing_and_throwing_steps_are_reported_and_the_rest_runs) {
  cleanups_.add(noted("last"));
  cleanups_.add({"fails", [] { return Status(Error::log(Errc::disk_full, "no space")); }});
  cleanups_.add({"throws", []() -> Status { throw std::runtime_error("broken"); }});
  cleanups_.add({"throws odd", []() -> Status { throw 7; }});
  EXPECT_FALSE(cleanups_.run());
  EXPECT_EQ(ran(), (Names{"last"}));
  const auto reports = cleanups_.reports();
  ASSERT_EQ(reports.size(), 4u);
  EXPECT_EQ(reports[1].why, "threw: broken");
  EXPECT_EQ(reports[2].why, "no space");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(reports[i].end, CleanupEnd::failed);
}

TEST_F(CleanupsTest, a_step_that_hangs_is_left_behind_after_its_own_deadline) {
  auto gate = std::make_shared<std::promise<void>>();
  auto left = std::make_shared<std::promise<void>>();
  cleanups_.add(noted("last"));
  cleanups_.add({"hangs",
                 [gate, left, open = gate->get_future().share()] {
                   open.wait();
                   left->set_value();
                   return done();
                 },
                 10ms});
  EXPECT_FALSE(cleanups_.run());
  EXPECT_EQ(ran(), (Names{"last"}));
  EXPECT_EQ(cleanups_.reports().front().end, CleanupEnd::stuck);
  gate->set_value();
  left->get_future().wait();
}

TEST_F(CleanupsTest, in_a_hurry_a_hanging_step_gets_seconds_not_its_whole_deadline) {
  auto gate = std::make_shared<std::promise<void>>();
  auto entered = std::make_shared<std::promise<void>>();
  auto left = std::make_shared<std::promise<void>>();
  cleanups_.add({"hangs",
                 [entered, left, open = gate->get_future().share()] {
                   entered->set_value();
                   open.wait();
                   left->set_value();
                   return done();
                 },
                 std::chrono::hours(1)});
  auto stopped = std::async(std::launch::async, [this] { return cleanups_.run(); });
  entered->get_future().wait();
  cleanups_.hurry();
  EXPECT_FALSE(stopped.get()) << "within the test's time limit, long before the hour";
  EXPECT_EQ(cleanups_.reports().front().end, CleanupEnd::stuck);
  gate->set_value();
  left->get_future().wait();
}

TEST_F(CleanupsTest, each_step_is_told_of_before_it_runs) {
  Names told;
  cleanups_.before_each([&](const Cleanup& step) { told.push_back(step.name); });
  cleanups_.add(noted("one"));
  cleanups_.add({"empty", nullptr});
  cleanups_.add(noted("two"));
  EXPECT_TRUE(cleanups_.run());
  EXPECT_EQ(told, (Names{"two", "one"}));
}

}  // namespace
}  // namespace mainstay::app
