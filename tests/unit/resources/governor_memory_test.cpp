// When the governor gives memory back: after the start, under pressure, and when all is quiet.
#include <gtest/gtest.h>

#include "base/sim_clock.h"
#include "resources/governor.h"
#include "unit/resources/tree.h"

namespace mainstay::resources {
namespace {

using namespace std::chrono_literals;

class GovernorMemory : public testing::Test {
 protected:
  void SetUp() override {
    tree_.machine_memory(1000, 900);
    tree_.process(100, 3);
    LogSettings log;
    log.sink = "none";
    auto opened = Log::open(log, clock_);
    ASSERT_TRUE(opened.ok());
    log_ = std::move(*opened);
  }
  Governor& governor() {
    if (!governor_) {
      GovernorParts parts;
      parts.settings = settings_;
      parts.roots = tree_.roots();
      parts.cores = 2;
      governor_ = std::make_unique<Governor>(parts, clock_, *log_, metrics_);
      governor_->on_trim([this] { ++trims_; });
    }
    return *governor_;
  }
  /// One look a second.
  void run(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock_.advance(1s);
      governor().sample();
    }
  }
  Tree tree_;
  asio::io_context io_;
  SimClock clock_{io_};
  ResourceSettings settings_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  int trims_ = 0;
  std::unique_ptr<Governor> governor_;
};

TEST_F(GovernorMemory, at_the_first_look_and_each_trim_interval) {
  settings_.trim_interval = Millis{10'000};
  run(1);
  EXPECT_EQ(trims_, 1) << "what the start left";
  run(9);
  EXPECT_EQ(trims_, 1);
  run(1);
  EXPECT_EQ(trims_, 2);
  run(100);
  EXPECT_EQ(trims_, 12);
  governor().trim();
  EXPECT_EQ(trims_, 13) << "and when asked to";
  EXPECT_NE(metrics_.text().find("mainstay_memory_trims_total 13"), std::string::npos);
}

// proves Z8, fault_12
TEST_F(GovernorMemory, fault_12_at_once_when_memory_runs_short_and_after_the_caches) {
  settings_.trim_interval = Millis{3'600'000};
  std::vector<char> order;
  governor().on_trim([&] { order.push_back('t'); });
  governor().while_at(Resource::memory, Level::soft, 10s, [&] { order.push_back('c'); });
  run(1);
  order.clear();
  tree_.machine_memory(1000, 151);
  run(20);
  EXPECT_TRUE(order.empty()) << "just below the soft mark";
  tree_.machine_memory(1000, 150);
  run(1);
  EXPECT_EQ(order, (std::vector{'c', 't'})) << "at the mark, the caches first";
  run(9);
  EXPECT_EQ(order.size(), 2u);
  tree_.machine_memory(1000, 50);
  run(1);
  EXPECT_EQ(order, (std::vector{'c', 't', 'c', 't'})) << "and at the hard one";
}

TEST_F(GovernorMemory, the_heap_has_a_size_in_readings_and_metrics) {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer's allocator tells no size";
#endif
  run(1);
  EXPECT_GT(governor().snapshot()->readings.heap.in_use, 0u);
  EXPECT_EQ(metrics_.text().find("mainstay_heap_bytes 0\n"), std::string::npos);
}

TEST_F(GovernorMemory, an_account_above_its_cap_raises_an_alert) {
  settings_.alarm_hold = Millis{0};
  std::uint64_t held = 99;
  governor().book().add("queues", [&] { return held; }, 100);
  const auto alert = [this] {
    for (const Alert& each : governor().alerts().list()) {
      if (each.name == "memory_account" && !each.cleared) return true;
    }
    return false;
  };
  run(2);
  EXPECT_FALSE(alert());
  held = 100;
  run(2);
  EXPECT_FALSE(alert());
  held = 101;
  run(2);
  EXPECT_TRUE(alert());
}

}  // namespace
}  // namespace mainstay::resources
