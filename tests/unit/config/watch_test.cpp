// When a configuration file is read again.
#include "config/watch.h"

#include <gtest/gtest.h>

#include <fstream>

#include "config/load.h"

namespace mainstay::config {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTtl = 300s;

FileStamp version(std::int64_t n) {
  FileStamp out;
  out.there = true;
  out.inode = 7;
  out.size = 100;
  out.modified_ns = n;
  return out;
}

struct WatchTest : ::testing::Test {
  WatchTest() { was_read(watch, version(1), now); }
  Due after(Duration time, const FileStamp& there) {
    now += time;
    return look(watch, there, now, kTtl);
  }
  Watch watch;
  TimePoint now{};
};

TEST_F(WatchTest, an_untouched_file_is_read_again_when_it_is_old) {
  EXPECT_EQ(after(kTtl - 1ns, version(1)), Due::no);
  EXPECT_EQ(after(1ns, version(1)), Due::expired);
}

TEST_F(WatchTest, a_changed_file_is_read_once_two_looks_saw_the_same) {
  EXPECT_EQ(after(1s, version(2)), Due::no) << "it may be half written";
  EXPECT_EQ(after(1s, version(3)), Due::no) << "it was";
  EXPECT_EQ(after(1s, version(3)), Due::changed);
  was_read(watch, version(3), now);
  EXPECT_EQ(after(1s, version(3)), Due::no);
}

TEST_F(WatchTest, a_refused_file_is_not_read_each_second) {
  EXPECT_EQ(after(1s, version(2)), Due::no);
  EXPECT_EQ(after(1s, version(2)), Due::changed);
  was_read(watch, version(2), now);  // refused: that version is known all the same
  for (int i = 0; i < 10; ++i) EXPECT_EQ(after(1s, version(2)), Due::no);
}

TEST_F(WatchTest, a_file_that_vanished_or_was_replaced_counts_as_changed) {
  EXPECT_EQ(after(1s, FileStamp{}), Due::no);
  EXPECT_EQ(after(1s, FileStamp{}), Due::changed);
  FileStamp replaced = version(1);
  replaced.inode = 8;
  EXPECT_EQ(after(1s, replaced), Due::no);
  EXPECT_EQ(after(1s, replaced), Due::changed) << "same time and size, another file";
}

TEST(stamp, tells_versions_of_a_file_apart) {
  const std::string path = testing::TempDir() + "mainstay-stamp-test.toml";
  std::ofstream(path) << "a = 1\n";
  const FileStamp first = stamp_of(path);
  EXPECT_TRUE(first.there);
  EXPECT_EQ(stamp_of(path), first);
  std::ofstream(path) << "a = 22\n";
  EXPECT_NE(stamp_of(path), first);
  ::remove(path.c_str());
  EXPECT_FALSE(stamp_of(path).there);
  EXPECT_FALSE(stamp_of("").there);
}

TEST(restart, values_that_need_one_are_kept_and_named) {
  Settings boot;
  Settings next;
  next.server.listen = "127.0.0.1:9";
  next.log.level = "debug";
  next.limits.user.burst = 77;
  const auto kept = keep_until_restart(next, boot);
  EXPECT_EQ(kept, std::vector<std::string>{"server.listen"});
  EXPECT_EQ(next.server.listen, boot.server.listen);
  EXPECT_EQ(next.log.level, "debug");
  EXPECT_EQ(next.limits.user.burst, 77u);
  EXPECT_EQ(differences(boot, next), (std::vector<std::string>{"log.level", "limits.user.burst"}));
}

TEST(restart, providers_and_routes_come_and_go_without_one) {
  Settings boot;
  Settings next;
  next.providers.emplace_back().name = "new";
  next.routes.emplace_back().model = "fast";
  for (const auto& key : differences(boot, next)) EXPECT_FALSE(needs_restart(key)) << key;
  EXPECT_TRUE(keep_until_restart(next, boot).empty());
  EXPECT_EQ(next.providers.size(), 1u);
  EXPECT_TRUE(needs_restart("server.listen"));
  EXPECT_TRUE(needs_restart("no.such.key"));
}

}  // namespace
}  // namespace mainstay::config
