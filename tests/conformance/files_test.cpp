// The SQLite back end's files: private, one owner, refused unchanged when they are not ours or are
// damaged; a full disk refuses writes and recovers.
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "base/text.h"
#include "conformance/back_ends.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/schema.h"

namespace mainstay::storage {
namespace {

std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write_bytes(const std::string& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

unsigned mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777u;
}

class Files : public testing::Test {
 protected:
  /// A data directory with one stored turn and one document, closed.
  void fill() {
    auto stores = ground_.open(dir_.path());
    ASSERT_TRUE(stores.ok());
    ASSERT_TRUE(store(**stores, 1).ok());
    NewDocument document;
    document.id = DocumentId("d1");
    document.sha256 = "h1";
    document.chunks.push_back({std::string(20'000, 'w'), 0, 20'000, ""});
    ASSERT_TRUE(
        ground_.run((*stores)->documents().add(TenantId("t"), document, ground_.soon())).ok());
    ASSERT_TRUE((*stores)->close().ok());
  }
  Status store(Stores& stores, int n) {
    return ground_.run(
        stores.conversations().append(owner_of("t", "u"), turn_of("c", n), ground_.soon()));
  }
  void expect_refused(const std::string& file, Errc code, const std::string& reason) {
    const std::string before = bytes_of(file);
    auto opened = ground_.open(dir_.path());
    ASSERT_FALSE(opened.ok()) << reason;
    EXPECT_EQ(opened.error().code, code) << opened.error().detail;
    EXPECT_EQ(opened.error().reason, reason) << opened.error().detail;
    EXPECT_GT(opened.error().message.size(), 60u) << "says what to do";
    EXPECT_NE(opened.error().message.find(file), std::string::npos) << "names the file";
    EXPECT_TRUE(bytes_of(file) == before) << "a refused file must not be changed";
  }
  std::string talk() const { return dir_.path() + "/mainstay.db"; }
  std::string knowledge() const { return dir_.path() + "/knowledge.db"; }

  Ground ground_;
  TemporaryDir dir_;
};

TEST_F(Files, directory_and_files_are_private) {
  const std::string inner = dir_.path() + "/a/b";
  auto stores = ground_.open(inner + "/");
  ASSERT_TRUE(stores.ok());
  ASSERT_TRUE(store(**stores, 1).ok());
  EXPECT_EQ(mode_of(dir_.path() + "/a"), 0700u);
  EXPECT_EQ(mode_of(inner), 0700u);
  for (const char* file : {"mainstay.db", "mainstay.db-wal", "knowledge.db", "mainstay.lock"}) {
    EXPECT_EQ(mode_of(inner + "/" + file), 0600u) << file;
  }
}

TEST_F(Files, a_second_opener_is_refused_until_the_first_has_closed) {
  auto first = ground_.open(dir_.path());
  ASSERT_TRUE(first.ok());
  auto second = ground_.open(dir_.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, "data_dir_in_use");
  EXPECT_TRUE(store(**first, 1).ok());
  first->reset();
  EXPECT_TRUE(ground_.open(dir_.path()).ok());
}

TEST_F(Files, a_directory_that_cannot_be_made_is_refused_with_its_name) {
  write_bytes(dir_.path() + "/file", "x");
  auto opened = ground_.open(dir_.path() + "/file/data");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, "data_dir_unusable");
  EXPECT_EQ(ground_.open("").error().reason, "data_dir_unusable");
}

TEST_F(Files, a_database_of_a_newer_version_is_refused_unchanged) {
  fill();
  {
    sqlite::Connection db(talk(), sqlite::Mode::write, std::chrono::seconds(1));
    const auto newer = sqlite::conversations_schema().steps.size() + 1;
    db.run("PRAGMA user_version = " + std::to_string(newer));
  }
  expect_refused(talk(), Errc::invalid, "database_newer");
}

TEST_F(Files, a_database_of_another_program_is_refused_unchanged) {
  for (const std::string mode : {"DELETE", "WAL"}) {
    for (const std::string& file : {talk(), knowledge()}) {
      {
        sqlite::Connection db(file, sqlite::Mode::write, std::chrono::seconds(1));
        db.run("PRAGMA journal_mode = " + mode);
        db.run("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
      }
      expect_refused(file, Errc::invalid, "database_foreign");
      for (const char* name : {"mainstay.db", "knowledge.db"}) {
        std::filesystem::remove(dir_.path() + "/" + name);
      }
    }
  }
}

TEST_F(Files, our_two_files_swapped_are_refused) {
  fill();
  std::filesystem::rename(talk(), dir_.path() + "/x");
  std::filesystem::rename(knowledge(), talk());
  std::filesystem::rename(dir_.path() + "/x", knowledge());
  expect_refused(talk(), Errc::invalid, "database_foreign");
}

TEST_F(Files, a_file_that_is_no_database_is_refused_unchanged) {
  for (const std::string& text :
       {std::string("hello"), std::string(5'000, 'z'), std::string(100, '\0')}) {
    write_bytes(talk(), text);
    expect_refused(talk(), Errc::corrupt, "database_corrupt");
  }
}

// proves fault 8 (bit flip in the database) for what a structure check can see
TEST_F(Files, a_damaged_database_is_refused_unchanged) {
  fill();
  const std::string whole = bytes_of(talk());
  for (const std::size_t page : {1u, 2u, 3u}) {
    std::string damaged = whole;
    for (std::size_t i = 0; i < 600; ++i) damaged[page * 4096 + i] = static_cast<char>(i * 7 + 1);
    write_bytes(talk(), damaged);
    expect_refused(talk(), Errc::corrupt, "database_corrupt");
  }
  write_bytes(talk(), whole.substr(0, 4096 * 2 + 100));
  expect_refused(talk(), Errc::corrupt, "database_corrupt");
  write_bytes(talk(), whole);
  EXPECT_TRUE(ground_.open(dir_.path()).ok());
}

TEST_F(Files, an_empty_file_left_by_an_interrupted_start_is_used) {
  write_bytes(talk(), "");
  auto stores = ground_.open(dir_.path());
  ASSERT_TRUE(stores.ok());
  EXPECT_TRUE(store(**stores, 1).ok());
}

TEST_F(Files, closing_leaves_the_database_files_alone_without_a_log_beside_them) {
  fill();
  EXPECT_FALSE(std::filesystem::exists(talk() + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(knowledge() + "-wal"));
}

/// A small file system in memory, when this machine lets us mount one.
class SmallDisk {
 public:
  SmallDisk() {
    mounted_ = ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=8m") == 0;
    if (!mounted_) why_not_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  const std::string& why_not() const { return why_not_; }
  std::string path() const { return dir_.path(); }

 private:
  TemporaryDir dir_;
  bool mounted_ = false;
  std::string why_not_;
};

// proves fault 5 (disk full in the WAL): writes refused, reads work, recovers by itself
TEST_F(Files, a_full_disk_refuses_writes_and_serves_reads_and_recovers) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount a tmpfs here: " << disk.why_not();
  auto stores = ground_.open(disk.path() + "/data");
  ASSERT_TRUE(stores.ok()) << stores.error().detail;
  ASSERT_TRUE(store(**stores, 1).ok());
  const std::string ballast = disk.path() + "/ballast";
  {
    std::ofstream out(ballast, std::ios::binary);
    const std::string block(64 * 1024, 'b');
    while (out << block && out.flush()) {
    }
  }
  int stored = 1;
  Status last;
  for (int n = 2; n <= 400 && last.ok(); ++n) {
    Turn turn = turn_of("c", n);
    turn.messages[0].json = std::string(50'000, 'm');
    last = ground_.run((*stores)->conversations().append(owner_of("t", "u"), turn, ground_.soon()));
    if (last.ok()) stored = n;
  }
  ASSERT_FALSE(last.ok()) << "the disk never filled";
  EXPECT_EQ(last.error().code, Errc::disk_full) << last.error().detail;
  EXPECT_EQ(last.error().reason, "disk_full");
  EXPECT_TRUE((*stores)->figures().writable) << "it may try again later";
  auto read = ground_.run(
      (*stores)->conversations().get(owner_of("t", "u"), ConversationId("c"), ground_.soon()));
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(read->messages, static_cast<std::uint64_t>(stored) * 2) << "nothing half-done";
  std::filesystem::remove(ballast);
  EXPECT_TRUE(store(**stores, 900).ok()) << "room again";
  EXPECT_TRUE((*stores)->close().ok());
  stores->reset();
  auto again = ground_.open(disk.path() + "/data");
  ASSERT_TRUE(again.ok()) << again.error().detail;
}

// proves fault 7 (a second program locks the database): busy for a bounded time, no thread stuck
TEST_F(Files, a_lock_held_by_another_program_is_waited_for_a_bounded_time) {
  ground_.settings.busy_timeout = std::chrono::milliseconds(50);
  auto stores = ground_.open(dir_.path());
  ASSERT_TRUE(stores.ok());
  ASSERT_TRUE(store(**stores, 1).ok());
  {
    sqlite::Connection other(talk(), sqlite::Mode::write, std::chrono::milliseconds(10));
    sqlite3_db_config(other.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    other.run("BEGIN IMMEDIATE");
    auto busy = store(**stores, 2);
    ASSERT_FALSE(busy.ok());
    EXPECT_EQ(busy.error().code, Errc::unavailable);
    EXPECT_EQ(busy.error().reason, "database_busy");
    EXPECT_TRUE(ground_
                    .run((*stores)->conversations().get(owner_of("t", "u"), ConversationId("c"),
                                                        ground_.soon()))
                    .ok());
    other.run("ROLLBACK");
  }
  EXPECT_TRUE(store(**stores, 2).ok());
}

}  // namespace
}  // namespace mainstay::storage
