// Every sensor reads its own figure from a tree of files, and nothing where there is nothing.
#include <gtest/gtest.h>

#include <cstdlib>

#include "resources/gpu.h"
#include "resources/heat.h"
#include "resources/memory.h"
#include "resources/readings.h"
#include "resources/stall.h"
#include "unit/resources/tree.h"

namespace mainstay::resources {
namespace {

constexpr std::uint64_t kKb = 1024;

TEST(Sensors, an_empty_machine_gives_nothing_and_no_crash) {
  Tree tree;
  const auto memory = read_memory(tree.roots());
  EXPECT_EQ(memory.source, MemorySource::none);
  EXPECT_EQ(memory.share, 0);
  EXPECT_FALSE(read_stalls(tree.roots()).memory);
  EXPECT_TRUE(read_heat(tree.roots()).empty());
  EXPECT_TRUE(GpuSensor(tree.roots()).read().empty());
  EXPECT_EQ(read_tasks(tree.roots()).max, 0u);
}

TEST(Sensors, machine_memory_is_what_is_not_available) {
  Tree tree;
  tree.machine_memory(1000, 300);
  const auto memory = read_memory(tree.roots());
  EXPECT_EQ(memory.source, MemorySource::machine);
  EXPECT_EQ(memory.used, 700 * kKb);
  EXPECT_EQ(memory.limit, 1000 * kKb);
  EXPECT_DOUBLE_EQ(memory.share, 0.7);
}

TEST(Sensors, the_nearest_limit_of_the_groups_above_counts_and_droppable_cache_does_not) {
  Tree tree;
  tree.machine_memory(1'000'000, 900'000);
  tree.put("proc/self/cgroup", "0::/outer/inner\n");
  tree.put("cgroup/cgroup.controllers", "memory pids\n");
  tree.put("cgroup/outer/inner/memory.current", "500000\n");
  tree.put("cgroup/outer/inner/memory.max", "max\n");
  tree.put("cgroup/outer/inner/memory.high", "max\n");
  tree.put("cgroup/outer/inner/memory.stat", "anon 1\ninactive_file 100000\n");
  tree.put("cgroup/outer/inner/memory.events", "low 0\nhigh 7\nmax 3\noom 2\noom_kill 1\n");
  tree.put("cgroup/outer/memory.current", "800000\n");
  tree.put("cgroup/outer/memory.max", "1000000\n");
  auto memory = read_memory(tree.roots());
  EXPECT_EQ(memory.source, MemorySource::cgroup_v2);
  EXPECT_DOUBLE_EQ(memory.share, 0.8);
  EXPECT_EQ(memory.limit, 1'000'000u);
  EXPECT_EQ(memory.least_limit, 1'000'000u);
  EXPECT_EQ(memory.events.high, 7u);
  EXPECT_EQ(memory.events.max, 3u);
  EXPECT_EQ(memory.events.oom_kill, 1u);
  tree.put("cgroup/outer/inner/memory.high", "444444\n");
  memory = read_memory(tree.roots());
  EXPECT_EQ(memory.high, 444'444u);
  EXPECT_EQ(memory.used, 400'000u) << "without the inactive page cache";
  EXPECT_NEAR(memory.share, 0.9, 0.001);
}

TEST(Sensors, groups_of_version_1_are_read_where_there_are_none_of_version_2) {
  Tree tree;
  tree.machine_memory(1'000'000, 900'000);
  tree.put("proc/self/cgroup",
           "3:cpu,cpuacct:/box\n2:memory:/host/path/unseen\n1:pids:/box\n0::/\n");
  tree.put("cgroup/memory/memory.usage_in_bytes", "950\n");
  tree.put("cgroup/memory/memory.limit_in_bytes", "1000\n");
  tree.put("cgroup/memory/memory.stat", "total_inactive_file 50\n");
  tree.put("cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  tree.put("cgroup/pids/box/pids.current", "17\n");
  tree.put("cgroup/pids/box/pids.max", "20\n");
  const auto memory = read_memory(tree.roots());
  EXPECT_EQ(memory.source, MemorySource::cgroup_v1);
  EXPECT_DOUBLE_EQ(memory.share, 0.9);
  EXPECT_EQ(memory.events.oom_kill, 4u);
  EXPECT_EQ(read_tasks(tree.roots()).used, 17u);
  EXPECT_EQ(read_tasks(tree.roots()).max, 20u);
  tree.put("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(read_memory(tree.roots()).source, MemorySource::machine) << "a huge limit is none";
}

TEST(Sensors, stalls_are_shares_of_the_last_two_seconds) {
  Tree tree;
  tree.stall("memory", 1'000'000, 500'000);
  TimePoint now{std::chrono::seconds(100)};
  StallWindow window;
  auto stalls = read_stalls(tree.roots());
  ASSERT_TRUE(stalls.memory);
  EXPECT_DOUBLE_EQ(stalls.memory->some_avg10, 1.5);
  EXPECT_DOUBLE_EQ(stalls.memory->full_avg10, 0.25);
  EXPECT_EQ(window.step(stalls.memory, now).some, 0) << "one look is no share";
  for (int i = 1; i <= 10; ++i) {
    now += std::chrono::seconds(1);
    tree.stall("memory", 1'000'000ULL + 200'000ULL * static_cast<unsigned>(i),
               500'000ULL + 50'000ULL * static_cast<unsigned>(i));
    const auto shares = window.step(read_stalls(tree.roots()).memory, now);
    EXPECT_NEAR(shares.some, 0.2, 0.001);
    EXPECT_NEAR(shares.full, 0.05, 0.001);
  }
  StallShares calm;
  for (int i = 0; i < 5; ++i) {
    now += std::chrono::seconds(1);
    calm = window.step(read_stalls(tree.roots()).memory, now);
  }
  EXPECT_EQ(calm.some, 0) << "what lies back more than the window is forgotten";
  tree.stall("memory", 1, 1);
  now += std::chrono::seconds(1);
  EXPECT_EQ(window.step(read_stalls(tree.roots()).memory, now).some, 0) << "totals went back";
}

TEST(Sensors, a_group_of_its_own_has_its_own_stalls) {
  Tree tree;
  tree.stall("cpu", 5, 6);
  tree.put("proc/self/cgroup", "0::/mine\n");
  tree.put("cgroup/cgroup.controllers", "cpu\n");
  tree.put("cgroup/mine/cpu.pressure", "some avg10=9.00 total=77\nfull avg10=8.00 total=66\n");
  const auto stalls = read_stalls(tree.roots());
  ASSERT_TRUE(stalls.cpu);
  EXPECT_EQ(stalls.cpu->some_us, 77u);
  EXPECT_EQ(stalls.cpu->full_us, 66u);
}

TEST(Sensors, heat_comes_with_the_lowest_trip_that_slows_the_machine) {
  Tree tree;
  const std::string zone = "sys/class/thermal/thermal_zone0/";
  tree.put(zone + "type", "cpu-thermal\n");
  tree.put(zone + "temp", "71500\n");
  tree.put(zone + "trip_point_0_type", "critical\n");
  tree.put(zone + "trip_point_0_temp", "97000\n");
  tree.put(zone + "trip_point_1_type", "passive\n");
  tree.put(zone + "trip_point_1_temp", "87000\n");
  tree.put(zone + "trip_point_2_type", "passive\n");
  tree.put(zone + "trip_point_2_temp", "85500\n");
  tree.put("sys/class/thermal/thermal_zone1/temp", "-273000\n");
  tree.put("sys/class/thermal/thermal_zone2/type", "unreadable\n");
  tree.put("sys/class/thermal/cooling_device0/temp", "50000\n");
  const auto zones = read_heat(tree.roots());
  ASSERT_EQ(zones.size(), 1u) << "a broken sensor and one without a figure are left out";
  EXPECT_EQ(zones[0].type, "cpu-thermal");
  EXPECT_DOUBLE_EQ(zones[0].temperature, 71.5);
  ASSERT_TRUE(zones[0].trip);
  EXPECT_DOUBLE_EQ(*zones[0].trip, 85.5);
}

// proves Z12
TEST(Sensors, each_gpu_of_the_library_is_read_and_one_that_fails_is_left_out) {
  Roots roots = Tree().roots();
  roots.nvml = FAKE_NVML;
  ::setenv("FAKE_NVML_USED", "930", 1);
  auto gpus = GpuSensor(roots).read();
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[1].index, 1u);
  EXPECT_EQ(gpus[1].memory_total, 1000u);
  EXPECT_EQ(gpus[1].memory_used, 930u);
  EXPECT_DOUBLE_EQ(*gpus[1].load, 0.37);
  EXPECT_DOUBLE_EQ(*gpus[1].temperature, 61);
  ::setenv("FAKE_NVML_ONE", "1", 1);
  EXPECT_EQ(GpuSensor(roots).read().size(), 1u);
  ::unsetenv("FAKE_NVML_ONE");
  ::setenv("FAKE_NVML_BROKEN", "1", 1);
  EXPECT_TRUE(GpuSensor(roots).read().empty());
  ::unsetenv("FAKE_NVML_BROKEN");
  ::unsetenv("FAKE_NVML_USED");
  roots.nvml = "/nowhere/libnvidia-ml.so.1";
  EXPECT_TRUE(GpuSensor(roots).read().empty());
}

TEST(Sensors, a_jetson_tells_its_load_and_shares_its_memory) {
  Tree tree;
  tree.put("sys/devices/platform/17000000.gpu/load", "452\n");
  const auto gpus = GpuSensor(tree.roots()).read();
  ASSERT_EQ(gpus.size(), 1u);
  EXPECT_TRUE(gpus[0].shares_memory);
  EXPECT_DOUBLE_EQ(*gpus[0].load, 0.452);
}

}  // namespace
}  // namespace mainstay::resources
