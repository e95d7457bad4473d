// What the store does when the disk fails under it: no false acknowledgement, nothing half-done.
#include <sqlite3.h>

#include "conformance/back_ends.h"
#include "unit/storage/faulty_disk.h"

namespace mainstay::storage {
namespace {

class Faults : public testing::Test {
 protected:
  void open() {
    auto opened = ground_.open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    stores_ = std::move(*opened);
  }
  Status append(int n) {
    return ground_.run(stores_->conversations().append(owner_, turn_of("c", n), ground_.soon()));
  }
  std::uint64_t messages() {
    auto got = ground_.run(stores_->conversations().messages(owner_, ConversationId("c"),
                                                             MessageId(), 1000, ground_.soon()));
    return got.ok() ? got->size() : 0;
  }

  Ground ground_;
  TemporaryDir dir_;
  std::unique_ptr<Stores> stores_;
  const Owner owner_ = owner_of("t", "u");
};

TEST_F(Faults, every_commit_is_synced_before_its_answer) {
  FaultyDisk disk;
  open();
  for (int n = 1; n <= 5; ++n) {
    const int before = disk.syncs();
    ASSERT_TRUE(append(n).ok());
    EXPECT_GE(disk.syncs(), before + 1) << "the turn was acknowledged without a sync";
  }
}

// proves fault 3 (fsync EIO): no acknowledgement, writes refused, a restart recovers
TEST_F(Faults, a_failed_sync_is_not_acknowledged_and_ends_writing) {
  FaultyDisk disk;
  open();
  ASSERT_TRUE(append(1).ok());
  disk.fail_sync_from(1);
  auto failed = append(2);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_EQ(failed.error().reason, "storage_failed");
  disk.work_again();  // the disk recovers, but what it lost meanwhile is not known
  auto refused = append(3);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "storage_failed");
  EXPECT_FALSE(stores_->figures().writable);
  EXPECT_NE(stores_->figures().why_not, "");
  EXPECT_EQ(messages(), 2u) << "reading goes on";
  stores_.reset();
  open();
  // What was not acknowledged may be there or not: it had been written, but not synced.
  const auto found = messages();
  EXPECT_TRUE(found == 2u || found == 4u) << found;
  EXPECT_TRUE(append(2).ok());
  EXPECT_EQ(messages(), 4u) << "the same turn again is stored once";
}

TEST_F(Faults, writes_that_waited_behind_a_failed_commit_are_refused_too) {
  FaultyDisk disk;
  ground_.settings.batch_max = 1;
  open();
  ASSERT_TRUE(append(1).ok());
  disk.fail_sync_from(1);
  int refused = 0;
  for (int n = 2; n <= 9; ++n) {
    const auto ended = [&](std::exception_ptr, Status status) { refused += status.ok() ? 0 : 1; };
    asio::co_spawn(ground_.io.get_executor(),
                   stores_->conversations().append(owner_, turn_of("c", n), ground_.soon()), ended);
  }
  ground_.io.restart();
  ground_.io.run();
  EXPECT_EQ(refused, 8);
  EXPECT_EQ(messages(), 2u);
}

TEST_F(Faults, no_room_is_told_and_passes) {
  FaultyDisk disk;
  open();
  ASSERT_TRUE(append(1).ok());
  disk.fail_write_from(1, SQLITE_FULL);
  auto full = append(2);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Errc::disk_full);
  EXPECT_EQ(full.error().reason, "disk_full");
  EXPECT_TRUE(stores_->figures().writable);
  EXPECT_EQ(messages(), 2u);
  disk.work_again();
  EXPECT_TRUE(append(2).ok());
  EXPECT_EQ(messages(), 4u);
}

TEST_F(Faults, a_failure_at_any_write_leaves_the_turn_whole_or_absent) {
  for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
    for (int nth = 1; nth <= 12; ++nth) {
      TemporaryDir fresh;
      FaultyDisk disk;
      auto opened = ground_.open(fresh.path());
      ASSERT_TRUE(opened.ok());
      stores_ = std::move(*opened);
      ASSERT_TRUE(append(1).ok());
      disk.fail_write_from(nth, code);
      const bool stored = append(2).ok();
      disk.work_again();
      const std::uint64_t seen = messages();
      EXPECT_EQ(seen, stored ? 4u : 2u) << "failing write " << nth;
      stores_.reset();
      auto again = ground_.open(fresh.path());
      ASSERT_TRUE(again.ok()) << again.error().detail;
      stores_ = std::move(*again);
      const std::uint64_t later = messages();
      if (stored) {
        EXPECT_EQ(later, 4u);
      } else {
        EXPECT_TRUE(later == 2 || later == 4) << later;
      }
      EXPECT_TRUE(append(2).ok());
      EXPECT_EQ(messages(), 4u);
    }
  }
}

}  // namespace
}  // namespace mainstay::storage
