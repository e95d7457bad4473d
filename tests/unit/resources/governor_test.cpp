// The governor over a tree of files and a clock that a test moves: what it sheds, when, how often.
#include "resources/governor.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/sim_clock.h"
#include "unit/resources/tree.h"

namespace mainstay::resources {
namespace {

using namespace std::chrono_literals;

class GovernorTest : public testing::Test {
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
      parts.roots.nvml = nvml_;
      parts.cores = 2;
      parts.disks = {{"data", tree_.path()}};
      parts.read_disk = [this](const std::string&) { return disk_; };
      governor_ = std::make_unique<Governor>(parts, clock_, *log_, metrics_);
    }
    return *governor_;
  }
  void run(int for_seconds) {
    for (int i = 0; i < for_seconds; ++i) {
      clock_.advance(1s);
      governor().sample();
    }
  }
  Level level(Resource resource) {
    return governor().snapshot()->levels[static_cast<std::size_t>(resource)];
  }
  Tree tree_;
  asio::io_context io_;
  SimClock clock_{io_};
  ResourceSettings settings_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  std::string nvml_;
  std::optional<DiskFigures> disk_ = DiskFigures{.total = 1'000'000'000, .free = 900'000'000};
  std::unique_ptr<Governor> governor_;
};

TEST_F(GovernorTest, a_calm_machine_sheds_nothing) {
  run(5);
  EXPECT_FALSE(governor().sheds(ShedPoint::batch_jobs));
  EXPECT_EQ(governor().permit_factor(), 1);
  EXPECT_TRUE(governor().writes_allowed());
  EXPECT_EQ(governor().snapshot()->switches, 0u);
  EXPECT_EQ(governor().snapshot()->samples, 5u);
  const std::string text = metrics_.text();
  EXPECT_NE(text.find("mainstay_resource_pressure{resource=\"memory\"} 0.1"), std::string::npos)
      << text;
}

// proves Z8, fault_12
TEST_F(GovernorTest, fault_12_memory_pressure_sheds_in_order_and_gives_memory_back) {
  int trims = 0;
  std::vector<Level> seen;
  governor().while_at(Resource::memory, Level::soft, 10s, [&] { ++trims; });
  governor().on_level(Resource::memory, [&](Level, Level to) { seen.push_back(to); });
  tree_.machine_memory(1000, 151);
  run(1);
  EXPECT_EQ(level(Resource::memory), Level::normal);
  tree_.machine_memory(1000, 150);
  run(11);
  EXPECT_EQ(level(Resource::memory), Level::soft);
  EXPECT_TRUE(governor().sheds(ShedPoint::batch_jobs));
  EXPECT_FALSE(governor().sheds(ShedPoint::authenticated_chat));
  EXPECT_EQ(trims, 2) << "at once, then each ten seconds";
  tree_.machine_memory(1000, 50);
  tree_.stall("memory", 0, 0);
  run(1);
  tree_.stall("memory", 900'000, 900'000);
  run(1);
  EXPECT_EQ(level(Resource::memory), Level::hard);
  EXPECT_EQ(level(Resource::stall), Level::hard);
  EXPECT_TRUE(governor().sheds(ShedPoint::authenticated_chat));
  EXPECT_FALSE(governor().sheds(ShedPoint::voice_turns));
  EXPECT_FALSE(governor().sheds(ShedPoint::health));
  EXPECT_EQ(governor().permits(100), 50u);
  EXPECT_GE(governor().alerts().active(), 1u);
  tree_.machine_memory(1000, 900);
  run(300);
  EXPECT_EQ(level(Resource::memory), Level::normal);
  EXPECT_EQ(governor().permits(100), 100u);
  EXPECT_EQ(governor().alerts().active(), 0u);
  EXPECT_EQ(seen, (std::vector{Level::soft, Level::hard, Level::soft, Level::normal}));
}

TEST_F(GovernorTest, the_programs_own_limit_counts_when_it_is_nearer) {
  settings_.memory_max = Bytes{1000 * 1024};
  tree_.process(949, 3);
  run(1);
  EXPECT_EQ(level(Resource::memory), Level::soft);
  tree_.process(950, 3);
  run(1);
  EXPECT_EQ(level(Resource::memory), Level::hard);
  EXPECT_EQ(governor().snapshot()->accounts.cap, 1000u * 1024u);
}

// proves Z14, fault_14
TEST_F(GovernorTest, fault_14_heat_lowers_concurrency_without_flapping) {
  std::vector<TimePoint> switches;
  governor().on_level(Resource::heat, [&](Level, Level) { switches.push_back(clock_.now()); });
  for (int degrees = 70; degrees <= 95; ++degrees) {
    tree_.heat(degrees);
    run(1);
    const double wanted = degrees >= 82 ? 0 : degrees >= 75 ? 0.5 : 1;
    EXPECT_EQ(governor().permit_factor(), wanted) << degrees;
  }
  EXPECT_EQ(governor().permits(8), 1u) << "one slot stays";
  tree_.heat(60);
  run(60);
  EXPECT_EQ(governor().permits(8), 1u) << "not before a minute below";
  run(1);
  EXPECT_EQ(governor().permits(8), 4u);
  for (int i = 0; i < 400; ++i) {  // a fan that goes on and off
    tree_.heat(i % 3 == 0 ? 84 : 70);
    run(1);
  }
  for (std::size_t i = 2; i < switches.size(); ++i) {
    EXPECT_GE(switches[i] - switches[i - 2], 60s);
  }
}

// proves fault_13: less is begun before the kernel refuses a thread or a child
TEST_F(GovernorTest, fault_13_no_background_work_is_begun_at_the_limit_of_tasks) {
  tree_.put("proc/self/cgroup", "1:pids:/\n");
  tree_.put("cgroup/pids/pids.max", "100\n");
  tree_.put("cgroup/pids/pids.current", "69\n");
  run(1);
  EXPECT_FALSE(governor().sheds(ShedPoint::batch_jobs));
  tree_.put("cgroup/pids/pids.current", "70\n");
  run(1);
  EXPECT_TRUE(governor().sheds(ShedPoint::batch_jobs));
  EXPECT_FALSE(governor().sheds(ShedPoint::uploads));
  tree_.put("cgroup/pids/pids.current", "90\n");
  run(1);
  EXPECT_TRUE(governor().sheds(ShedPoint::uploads));
}

// proves fault_15 as far as the decision goes: unload; what loads a model asks the level
TEST_F(GovernorTest, fault_15_gpu_memory_unloads_models_and_then_is_at_its_end) {
  nvml_ = FAKE_NVML;
  int unloads = 0;
  governor().while_at(Resource::gpu, Level::soft, 5s, [&] { ++unloads; });
  ::setenv("FAKE_NVML_USED", "849", 1);
  run(1);
  EXPECT_EQ(unloads, 0);
  ::setenv("FAKE_NVML_USED", "850", 1);
  run(1);
  EXPECT_EQ(unloads, 1);
  EXPECT_EQ(level(Resource::gpu), Level::soft);
  ::setenv("FAKE_NVML_USED", "930", 1);
  run(1);
  EXPECT_EQ(level(Resource::gpu), Level::hard);
  ::unsetenv("FAKE_NVML_USED");
}

TEST_F(GovernorTest, other_programs_on_the_processor_take_no_permit_and_our_own_late_loops_do) {
  Duration lag{};
  governor().watch_loop_lag([&] { return lag; });
  unsigned long long waited = 0;
  const auto busy = [&](int for_seconds, double share) {
    for (int i = 0; i < for_seconds; ++i) {
      waited += static_cast<unsigned long long>(share * 1'000'000);
      tree_.stall("cpu", waited, 0);
      run(1);
    }
  };
  busy(5, 0);
  busy(60, 1);  // the machine is as busy as can be, by whomever
  EXPECT_EQ(level(Resource::cpu), Level::soft);
  EXPECT_TRUE(governor().sheds(ShedPoint::batch_jobs));
  EXPECT_FALSE(governor().sheds(ShedPoint::anonymous_chat));
  EXPECT_EQ(governor().permits(100), 100u) << "what waits for a model elsewhere needs no core";
  lag = 250ms;
  busy(1, 1);
  EXPECT_EQ(governor().permits(100), 100u) << "one slow handler is no pressure";
  busy(1, 1);
  EXPECT_EQ(level(Resource::cpu), Level::hard);
  EXPECT_EQ(governor().permits(100), 50u);
  lag = 0ms;
  busy(300, 0);
  EXPECT_EQ(level(Resource::cpu), Level::normal);
  EXPECT_EQ(governor().permits(100), 100u);
}

TEST_F(GovernorTest, a_loop_is_late_from_its_limit_on) {
  Duration lag = 249ms;
  governor().watch_loop_lag([&] { return lag; });
  run(5);
  EXPECT_EQ(level(Resource::cpu), Level::soft);
  EXPECT_EQ(governor().permits(100), 100u);
  lag = 250ms;
  run(2);
  EXPECT_EQ(level(Resource::cpu), Level::hard);
}

TEST_F(GovernorTest, uploads_come_back_within_seconds_of_there_being_room) {
  run(1);
  disk_->free = 1000;
  run(60);
  EXPECT_EQ(level(Resource::disk), Level::hard);
  disk_->free = 900'000'000;
  run(7);
  EXPECT_TRUE(governor().writes_allowed());
  EXPECT_FALSE(governor().sheds(ShedPoint::uploads));
}

// proves fault_05 from the caller's side
TEST_F(GovernorTest, fault_05_a_full_disk_stops_writes_and_recovers_by_itself) {
  settings_.disk_ballast = Bytes{4096};
  run(1);
  EXPECT_TRUE(governor().writes_allowed());
  disk_->free = 1000;
  run(1);
  EXPECT_FALSE(governor().writes_allowed());
  EXPECT_EQ(governor().snapshot()->reserve.stop, WriteStop::no_room);
  EXPECT_EQ(governor().alerts().list().front().severity, Severity::critical);
  disk_->free = 900'000'000;
  run(1);
  EXPECT_TRUE(governor().writes_allowed());
  governor().write_failed();
  EXPECT_FALSE(governor().writes_allowed());
  run(4);
  EXPECT_FALSE(governor().writes_allowed());
  run(1);
  EXPECT_TRUE(governor().writes_allowed());
  disk_.reset();
  run(3);
  EXPECT_TRUE(governor().writes_allowed()) << "a disk that cannot be looked at changes nothing";
}

// proves K8
TEST_F(GovernorTest, figures_above_their_marks_raise_alerts) {
  std::uint64_t used = 8;
  std::uint64_t connections = 0;
  governor().watch_pool("readers", [&] { return used; }, 10);
  governor().watch_connections([&] { return connections; });
  tree_.process(600 * 1024, 100);
  run(200);
  ASSERT_EQ(governor().alerts().active(), 1u);
  EXPECT_EQ(governor().alerts().list()[0].name, "memory") << "above 512 MiB";
  used = 9;
  tree_.process(1000, 151);
  connections = 50;
  run(200);
  auto names = governor().alerts().list();
  ASSERT_EQ(governor().alerts().active(), 2u);
  EXPECT_EQ(names[0].name, "handles") << "101 beside connections";
  EXPECT_EQ(names[1].name, "pool_readers");
  used = 8;
  connections = 51;
  run(200);
  EXPECT_EQ(governor().alerts().active(), 0u);
}

TEST_F(GovernorTest, switched_off_it_says_yes_to_everything) {
  settings_.enabled = false;
  tree_.machine_memory(1000, 1);
  run(5);
  EXPECT_EQ(governor().snapshot()->samples, 0u);
  EXPECT_TRUE(governor().writes_allowed());
  EXPECT_FALSE(governor().sheds(ShedPoint::batch_jobs));
}

}  // namespace
}  // namespace mainstay::resources
