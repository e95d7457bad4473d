// The machine as `auto` sees it, and the profiles' data.
#include "config/profile.h"

#include "config/table.h"
#include "config/value.h"
#include "unit/config/support.h"

namespace mainstay::config {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST(profile, auto_chooses_at_the_documented_borders) {
  EXPECT_EQ(profile_for({.cores = 16, .memory = 4 * kGiB - 1}), "sbc");
  EXPECT_EQ(profile_for({.cores = 16, .memory = 4 * kGiB}), "sbc");
  EXPECT_EQ(profile_for({.cores = 16, .memory = 4 * kGiB + 1}), "desktop");
  EXPECT_EQ(profile_for({.cores = 16, .memory = 16 * kGiB - 1}), "desktop");
  EXPECT_EQ(profile_for({.cores = 16, .memory = 16 * kGiB}), "server");
  EXPECT_EQ(profile_for({.cores = 7, .memory = 64 * kGiB}), "desktop");
  EXPECT_EQ(profile_for({.cores = 8, .memory = 64 * kGiB}), "server");
  EXPECT_EQ(profile_for({.cores = 4, .memory = 64 * kGiB, .arm64 = true}), "sbc");
  EXPECT_EQ(profile_for({.cores = 5, .memory = 64 * kGiB, .arm64 = true}), "desktop");
  EXPECT_EQ(profile_for({.cores = 64, .memory = 0}), "desktop");
}

class MachineFiles : public Setup {
 protected:
  void file(const std::string& path, const std::string& text) {
    scratch.write("root" + path, text);
  }
  Machine machine() { return read_machine(sources.root); }
};

TEST_F(MachineFiles, nothing_to_read_is_one_core_and_unknown_memory) {
  EXPECT_EQ(machine().cores, 1u);
  EXPECT_EQ(machine().memory, 0u);
}

TEST_F(MachineFiles, memory_and_cores_come_from_proc) {
  file("/proc/meminfo", "MemTotal:       32000000 kB\nMemFree: 1 kB\n");
  file("/proc/cpuinfo", "processor\t: 0\nmodel name: x\n\nprocessor\t: 1\n\nprocessor\t: 2\n");
  EXPECT_EQ(machine().cores, 3u);
  EXPECT_EQ(machine().memory, 32'000'000ULL * 1024);
}

TEST_F(MachineFiles, the_lowest_limit_of_the_control_groups_counts) {
  file("/proc/meminfo", "MemTotal:       32000000 kB\n");
  file("/proc/cpuinfo", "processor\t: 0\nprocessor\t: 1\nprocessor\t: 2\nprocessor\t: 3\n");
  file("/proc/self/cgroup", "0::/a.slice/b.service\n");
  file("/sys/fs/cgroup/a.slice/memory.max", "2147483648\n");
  file("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
  file("/sys/fs/cgroup/a.slice/b.service/cpu.max", "150000 100000\n");
  file("/sys/fs/cgroup/a.slice/cpu.max", "max 100000\n");
  EXPECT_EQ(machine().memory, 2 * kGiB);
  EXPECT_EQ(machine().cores, 2u);
  EXPECT_EQ(loaded().profile, "sbc");
  EXPECT_EQ(loaded().settings.profile, "auto");
}

TEST_F(MachineFiles, the_older_control_groups_are_read_too) {
  file("/proc/meminfo", "MemTotal:       32000000 kB\n");
  file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "3221225472\n");
  EXPECT_EQ(machine().memory, 3 * kGiB);
}

TEST_F(MachineFiles, a_named_profile_is_not_overruled_by_the_machine) {
  file("/proc/meminfo", "MemTotal:       1000000 kB\n");
  sources.environment = {{"MAINSTAY_PROFILE", "server"}};
  EXPECT_EQ(loaded().profile, "server");
  toml("profile = \"nas\"\n");
  EXPECT_EQ(loaded().profile, "server");
  sources.flags = {{"profile", "cluster"}};
  EXPECT_EQ(loaded().profile, "cluster");
  EXPECT_FALSE(loaded().settings.models.discover);
}

TEST_F(MachineFiles, an_unknown_profile_is_refused_with_the_known_ones) {
  toml("profile = \"sbcc\"\n");
  EXPECT_EQ(problem().says,
            "must be one of auto, sbc, nas, desktop, server, cluster, not \"sbcc\"");
}

TEST_F(MachineFiles, every_profile_passes_every_check_and_every_value_differs_from_the_default) {
  for (const char* name : {"sbc", "nas", "desktop", "server", "cluster"}) {
    sources.flags = {{"profile", name}};
    EXPECT_TRUE(problems().empty()) << name;
  }
  for (const ProfileValue& value : profile_values()) {
    const Row* row = find_row(value.key);
    ASSERT_NE(row, nullptr) << value.key;
    Settings settings;
    EXPECT_EQ(assign(*row, &settings, Words{value.value}), "") << value.key;
    EXPECT_EQ(differences(settings, Settings{}).size(), 1u) << value.profile << " " << value.key;
  }
}

}  // namespace
}  // namespace mainstay::config
