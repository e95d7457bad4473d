// The disk reserve: its steps, and a real small file system that fills up and recovers.
#include "resources/reserve.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "base/sim_clock.h"
#include "resources/disk_reserve.h"
#include "unit/resources/tree.h"

namespace mainstay::resources {
namespace {

using std::chrono::seconds;
constexpr std::uint64_t kMiB = 1 << 20;

TEST(DiskLimits, the_larger_of_share_and_size_holds_and_a_small_disk_is_not_full_at_once) {
  ResourceSettings s;
  auto big = disk_limits({.total = 1'000'000 * kMiB, .inodes_total = 1000}, s);
  EXPECT_EQ(big.soft, 50'000 * kMiB);
  EXPECT_EQ(big.hard, 20'000 * kMiB);
  EXPECT_EQ(big.ballast, 32 * kMiB);
  EXPECT_EQ(big.inodes_soft, 50u);
  EXPECT_EQ(big.inodes_hard, 20u);
  auto middle = disk_limits({.total = 4096 * kMiB}, s);
  EXPECT_EQ(middle.soft, 512 * kMiB);
  EXPECT_EQ(middle.hard, 128 * kMiB);
  EXPECT_EQ(middle.inodes_hard, 0u);
  auto small = disk_limits({.total = 32 * kMiB, .inodes_total = 10}, s);
  EXPECT_EQ(small.soft, 8 * kMiB);
  EXPECT_EQ(small.hard, 2 * kMiB);
  EXPECT_EQ(small.ballast, 2 * kMiB);
  EXPECT_EQ(small.inodes_hard, 1u);
}

struct Desk {
  DiskLimits limits{.soft = 500, .hard = 100, .inodes_soft = 10, .inodes_hard = 4, .ballast = 50};
  ReserveState state;
  TimePoint now{seconds(1000)};
  ReserveAction look(std::uint64_t free, std::uint64_t inodes = 100, bool read_only = false) {
    return event(ReserveEvent::looked, {.total = 1000,
                                        .free = free,
                                        .inodes_total = 100,
                                        .inodes_free = inodes,
                                        .read_only = read_only});
  }
  ReserveAction event(ReserveEvent what, const DiskFigures& disk = {}) {
    const auto next = step(state, what, disk, limits, now);
    state = next.state;
    return next.action;
  }
};

// proves Z13
TEST(Reserve, writes_stop_below_the_hard_limit_and_come_back_with_the_ballast) {
  Desk desk;
  EXPECT_EQ(desk.look(160), ReserveAction::make);
  desk.event(ReserveEvent::made);
  EXPECT_EQ(desk.look(101), ReserveAction::none);
  EXPECT_EQ(desk.look(100), ReserveAction::none);
  EXPECT_EQ(desk.state.stop, WriteStop::none);
  EXPECT_EQ(desk.look(99), ReserveAction::release);
  EXPECT_EQ(desk.state.stop, WriteStop::no_room);
  EXPECT_EQ(desk.look(149), ReserveAction::none) << "the ballast's own bytes are not room";
  EXPECT_EQ(desk.look(159), ReserveAction::none);
  EXPECT_EQ(desk.state.stop, WriteStop::no_room);
  EXPECT_EQ(desk.look(160), ReserveAction::make);
  EXPECT_EQ(desk.state.stop, WriteStop::no_room) << "not before the ballast is made";
  desk.event(ReserveEvent::made);
  EXPECT_EQ(desk.state.stop, WriteStop::none);
}

TEST(Reserve, a_failed_write_gives_the_ballast_back_whatever_the_figures_say) {
  Desk desk;
  desk.look(900);
  desk.event(ReserveEvent::made);
  EXPECT_EQ(desk.event(ReserveEvent::write_failed), ReserveAction::release);
  EXPECT_EQ(desk.event(ReserveEvent::write_failed), ReserveAction::none) << "once";
  EXPECT_EQ(desk.state.stop, WriteStop::write_failed);
  desk.now += seconds(5) - Duration{1};
  EXPECT_EQ(desk.look(900), ReserveAction::none);
  desk.now += Duration{1};
  EXPECT_EQ(desk.look(900), ReserveAction::make);
  desk.event(ReserveEvent::make_failed);
  EXPECT_EQ(desk.state.stop, WriteStop::write_failed);
  EXPECT_EQ(desk.look(900), ReserveAction::none) << "it waits again";
  desk.now += seconds(5);
  EXPECT_EQ(desk.look(900), ReserveAction::make);
  desk.event(ReserveEvent::make_refused);
  EXPECT_EQ(desk.state.stop, WriteStop::none) << "without a ballast, but not without writes";
}

// proves fault_06
TEST(Reserve, fault_06_no_inodes_and_a_read_only_disk_stop_writes_too) {
  Desk desk;
  desk.look(900);
  desk.event(ReserveEvent::made);
  EXPECT_EQ(desk.look(900, 4), ReserveAction::none);
  EXPECT_EQ(desk.look(900, 3), ReserveAction::release);
  EXPECT_EQ(desk.state.stop, WriteStop::no_inodes);
  EXPECT_EQ(desk.look(900, 100), ReserveAction::make);
  desk.event(ReserveEvent::made);
  EXPECT_EQ(desk.look(900, 100, true), ReserveAction::none) << "nothing can be removed there";
  EXPECT_EQ(desk.state.stop, WriteStop::read_only);
  desk.look(900, 100);
  EXPECT_EQ(desk.state.stop, WriteStop::none);
}

TEST(Reserve, without_a_ballast_wanted_writes_still_stop_and_come_back) {
  Desk desk;
  desk.limits.ballast = 0;
  EXPECT_EQ(desk.look(900), ReserveAction::none);
  EXPECT_EQ(desk.look(99), ReserveAction::none);
  EXPECT_EQ(desk.state.stop, WriteStop::no_room);
  EXPECT_EQ(desk.look(109), ReserveAction::none);
  EXPECT_EQ(desk.state.stop, WriteStop::no_room);
  desk.look(110);
  EXPECT_EQ(desk.state.stop, WriteStop::none);
}

/// A tmpfs of its own; skips where it may not be mounted.
class SmallDisk : public testing::Test {
 protected:
  void mount_it(const char* options) {
    folder_ = tree_.path("disk");
    std::filesystem::create_directories(folder_);
    mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, options) == 0;
    if (!mounted_) GTEST_SKIP() << "a tmpfs cannot be mounted here";
  }
  void TearDown() override {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  void fill(const std::string& name, std::uint64_t bytes) const {
    const int fd = ::open((folder_ + "/" + name).c_str(), O_RDWR | O_CREAT, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::posix_fallocate(fd, 0, static_cast<off_t>(bytes)), 0);
    ::close(fd);
  }
  Tree tree_;
  std::string folder_;
  bool mounted_ = false;
  asio::io_context io_;
  SimClock clock_{io_};
  ResourceSettings settings_;
};

// proves fault_05
TEST_F(SmallDisk, fault_05_a_full_disk_turns_writes_off_and_recovers_by_itself) {
  mount_it("size=32m");
  if (!mounted_) return;
  DiskReserve reserve(folder_, settings_, clock_);
  reserve.look(*read_disk(folder_));
  ASSERT_TRUE(std::filesystem::exists(reserve.path()));
  EXPECT_EQ(std::filesystem::file_size(reserve.path()), 2 * kMiB);
  EXPECT_EQ(read_disk(folder_)->free, 30 * kMiB) << "the ballast holds real blocks";
  EXPECT_TRUE(reserve.writes_allowed());
  fill("user", 29 * kMiB);
  reserve.look(*read_disk(folder_));
  EXPECT_FALSE(reserve.writes_allowed());
  EXPECT_FALSE(std::filesystem::exists(reserve.path()));
  EXPECT_EQ(read_disk(folder_)->free, 3 * kMiB) << "room for deletes and a checkpoint";
  reserve.look(*read_disk(folder_));
  EXPECT_FALSE(reserve.writes_allowed());
  std::filesystem::remove(folder_ + "/user");
  reserve.look(*read_disk(folder_));
  EXPECT_TRUE(reserve.writes_allowed());
  EXPECT_TRUE(std::filesystem::exists(reserve.path()));
}

TEST_F(SmallDisk, fault_06_a_disk_without_inodes_is_full) {
  mount_it("size=32m,nr_inodes=10");
  if (!mounted_) return;
  DiskReserve reserve(folder_, settings_, clock_);
  for (int i = 0; i < 9; ++i) fill("f" + std::to_string(i), 1);
  ASSERT_EQ(read_disk(folder_)->inodes_free, 0u);
  reserve.look(*read_disk(folder_));
  EXPECT_FALSE(reserve.writes_allowed());
  std::filesystem::remove(folder_ + "/f1");
  std::filesystem::remove(folder_ + "/f2");
  reserve.look(*read_disk(folder_));
  EXPECT_TRUE(reserve.writes_allowed());
}

TEST_F(SmallDisk, a_ballast_of_an_earlier_setting_takes_the_new_size) {
  mount_it("size=32m");
  if (!mounted_) return;
  fill("ballast.reserve", 5 * kMiB);
  DiskReserve reserve(folder_, settings_, clock_);
  reserve.look(*read_disk(folder_));
  EXPECT_EQ(std::filesystem::file_size(reserve.path()), 2 * kMiB);
}

}  // namespace
}  // namespace mainstay::resources
