// Start and stop of parts: order, failures, a step that hangs.
#include "app/lifecycle.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

/// Lets a step hang until the test is over.
struct Gate {
  void wait() {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
    left = true;
    changed.notify_all();
  }
  void release() {
    std::unique_lock lock(mutex);
    open = true;
    changed.notify_all();
    changed.wait(lock, [this] { return left || !entered; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  bool entered = false;
  bool left = false;
};

class LifecycleTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lifecycle-" + std::to_string(::getpid()) + ".log";
    std::filesystem::remove(path_);
    LogSettings settings;
    settings.sink = path_;
    log_ = std::move(*Log::open(settings, clock_));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Part part(const std::string& name) {
    Part out;
    out.name = name;
    out.start = [this, name] {
      note("start " + name);
      return done();
    };
    out.stop = [this, name] {
      note("stop " + name);
      return done();
    };
    return out;
  }
  void note(const std::string& what) {
    std::lock_guard lock(mutex_);
    steps_.push_back(what);
  }
  std::vector<std::string> steps() {
    std::lock_guard lock(mutex_);
    return steps_;
  }
  /// The log's lines that tell of `event` and `name`.
  std::size_t logged(const std::string& event, const std::string& name) {
    if (log_) log_->stop(10s);
    log_.reset();
    std::ifstream file(path_);
    std::size_t found = 0;
    for (std::string line; std::getline(file, line);) {
      found += line.find("\"" + event + "\"") != std::string::npos &&
                       line.find("\"" + name + "\"") != std::string::npos
                   ? 1
                   : 0;
    }
    return found;
  }
  RealClock clock_;
  std::string path_;
  std::unique_ptr<Log> log_;
  std::mutex mutex_;
  std::vector<std::string> steps_;
  Lifecycle parts_{clock_, [this] { return log_.get(); }};
};
using Steps = std::vector<std::string>;

TEST_F(LifecycleTest, parts_start_in_order_and_stop_in_reverse_once) {
  for (const char* name : {"log", "stores", "listener"}) ASSERT_TRUE(parts_.start(part(name)).ok());
  EXPECT_TRUE(parts_.stop());
  const Steps wanted = {"start log",     "start stores", "start listener",
                        "stop listener", "stop stores",  "stop log"};
  EXPECT_EQ(steps(), wanted);
  EXPECT_TRUE(parts_.stop()) << "a second stop has nothing to do";
  EXPECT_EQ(steps(), wanted);
  EXPECT_EQ(logged("part.started", "stores"), 1u);
}

TEST_F(LifecycleTest, a_part_that_does_not_start_is_not_stopped_and_the_others_are) {
  ASSERT_TRUE(parts_.start(part("stores")).ok());
  Part broken = part("listener");
  broken.start = [] { return Status(Error::log(Errc::unavailable, "port taken")); };
  auto status = parts_.start(std::move(broken));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::unavailable);
  EXPECT_EQ(status.error().detail, "port taken");
  EXPECT_TRUE(parts_.stop());
  EXPECT_EQ(steps(), (Steps{"start stores", "stop stores"}));
  EXPECT_EQ(logged("part.failed", "listener"), 1u);
}

TEST_F(LifecycleTest, a_start_that_throws_is_an_error_and_no_end_of_the_process) {
  Part broken = part("stores");
  broken.start = []() -> Status { throw std::runtime_error("no such table"); };
  auto status = parts_.start(std::move(broken));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::internal);
  EXPECT_NE(status.error().detail.find("no such table"), std::string::npos);
}

TEST_F(LifecycleTest, a_stop_that_fails_or_throws_is_told_and_the_rest_goes_on) {
  ASSERT_TRUE(parts_.start(part("log")).ok());
  Part fails = part("stores");
  fails.stop = [] { return Status(Error::log(Errc::disk_full, "no space")); };
  ASSERT_TRUE(parts_.start(std::move(fails)).ok());
  Part throws = part("listener");
  throws.stop = []() -> Status { throw std::runtime_error("broken"); };
  ASSERT_TRUE(parts_.start(std::move(throws)).ok());
  EXPECT_FALSE(parts_.stop());
  EXPECT_EQ(steps().back(), "stop log");
  EXPECT_EQ(logged("part.stop_failed", "stores"), 1u);
  EXPECT_EQ(logged("part.stop_failed", "listener"), 1u);
}

TEST_F(LifecycleTest, a_stop_that_hangs_is_told_and_does_not_hold_up_the_rest) {
  auto gate = std::make_shared<Gate>();
  ASSERT_TRUE(parts_.start(part("log")).ok());
  Part stuck = part("workers");
  stuck.stop_within = 20ms;
  stuck.stop = [gate] {
    gate->wait();
    return done();
  };
  ASSERT_TRUE(parts_.start(std::move(stuck)).ok());
  ASSERT_TRUE(parts_.start(part("listener")).ok());
  EXPECT_FALSE(parts_.stop());
  EXPECT_FALSE(gate->left) << "the step is still hanging, and we are here";
  EXPECT_EQ(steps(),
            (Steps{"start log", "start workers", "start listener", "stop listener", "stop log"}));
  EXPECT_EQ(logged("part.stuck", "workers"), 1u);
  gate->release();
}

TEST_F(LifecycleTest, a_part_without_a_stop_step_is_passed_over) {
  Part plain = part("settings");
  plain.stop = nullptr;
  ASSERT_TRUE(parts_.start(std::move(plain)).ok());
  EXPECT_TRUE(parts_.stop());
}

TEST_F(LifecycleTest, without_a_log_nothing_is_written_and_everything_is_done) {
  Lifecycle quiet(clock_, [] { return nullptr; });
  ASSERT_TRUE(quiet.start(part("log")).ok());
  Part broken = part("x");
  broken.start = [] { return Status(Error::log(Errc::internal, "x")); };
  EXPECT_FALSE(quiet.start(std::move(broken)).ok());
  EXPECT_TRUE(quiet.stop());
  EXPECT_EQ(steps(), (Steps{"start log", "stop log"}));
}

}  // namespace
}  // namespace mainstay::app
