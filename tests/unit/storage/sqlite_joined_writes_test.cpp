// The layer that joins SQLite's writes: fewer calls, and the same bytes whatever a transaction
// does.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "conformance/back_ends.h"
#include "storage/sqlite/connection.h"
#include "unit/storage/faulty_disk.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr auto kBusy = std::chrono::seconds(1);

void prepare(Connection& db) {
  db.run("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  db.run("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB NOT NULL)");
}

/// What all rows are, in one text.
std::string content(Connection& db) {
  return db.text(
      "SELECT count(*) || ' ' || total(n) || ' ' || total(length(b)) || ' ' || "
      "coalesce(group_concat(substr(hex(b), 1, 8)), '') FROM (SELECT * FROM t ORDER BY n)");
}

TEST(JoinedWrites, a_commit_of_many_pages_is_few_writes) {
  const TemporaryDir dir;
  FaultyDisk disk("x.db-wal");
  Connection db(dir.path() + "/x.db", Mode::write, kBusy);
  prepare(db);
  const int before = disk.writes();
  db.run("BEGIN");
  for (int n = 0; n < 60; ++n) Query(db, "INSERT INTO t (b) VALUES (zeroblob(3000))").finish();
  db.run("COMMIT");
  const int commit = disk.writes() - before;
  EXPECT_GE(commit, 1);
  EXPECT_LE(commit, 6) << "sixty pages of 4 KiB and their headers fit into four times 64 KiB";
  EXPECT_EQ(db.number("SELECT count(*) FROM t"), 60);
}

TEST(JoinedWrites, a_write_that_was_put_off_fails_the_commit) {
  const TemporaryDir dir;
  FaultyDisk disk("x.db-wal");
  Connection db(dir.path() + "/x.db", Mode::write, kBusy);
  prepare(db);
  disk.fail_write_from(1, SQLITE_FULL);
  EXPECT_THROW(db.run("INSERT INTO t (b) VALUES (zeroblob(9000))"), Failure);
  disk.work_again();
  EXPECT_EQ(db.number("SELECT count(*) FROM t"), 0);
  db.run("INSERT INTO t (b) VALUES (zeroblob(9000))");
  Connection other(dir.path() + "/x.db", Mode::read, kBusy);
  EXPECT_EQ(other.number("SELECT count(*) FROM t"), 1);
}

// A checkpoint that stops early, since somebody reads an older state, is not synced.
TEST(JoinedWrites, who_begins_to_read_beside_an_older_reader_sees_what_was_committed) {
  const TemporaryDir dir;
  const std::string path = dir.path() + "/x.db";
  Connection db(path, Mode::write, kBusy);
  prepare(db);
  const auto insert = [&db] { Query(db, "INSERT INTO t (b) VALUES (zeroblob(3000))").finish(); };
  for (int n = 1; n <= 10; ++n) insert();
  Connection older(path, Mode::read, kBusy);
  older.run("BEGIN");
  EXPECT_EQ(older.number("SELECT count(*) FROM t"), 10);
  for (int n = 11; n <= 20; ++n) {
    insert();
    db.run("PRAGMA wal_checkpoint(PASSIVE)");
    Connection fresh(path, Mode::read, kBusy);
    ASSERT_EQ(fresh.number("SELECT count(*) FROM t"), n);
    ASSERT_EQ(fresh.text("PRAGMA quick_check"), "ok");
  }
  EXPECT_EQ(older.number("SELECT count(*) FROM t"), 10);
}

/// One random change of both databases.
void change(std::mt19937& random, Connection& file, Connection& memory) {
  const auto n = std::to_string(random() % 300);
  const auto size = std::to_string(random() % 6000);
  std::string sql;
  switch (random() % 4) {
    case 0:
      sql = "DELETE FROM t WHERE n = " + n;
      break;
    case 1:
      sql = "UPDATE t SET b = zeroblob(" + size + ") WHERE n % 7 = " + n + " % 7";
      break;
    default:
      sql = "INSERT OR REPLACE INTO t VALUES (" + n + ", CAST(" + n + " || printf('%." + size +
            "c', 'x') AS BLOB))";
  }
  for (Connection* db : {&file, &memory}) db->run(sql);
}

// A cache of ten pages makes a transaction write before its end, read that again and write it anew.
TEST(JoinedWrites, the_file_is_what_memory_is_whatever_transactions_do) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    const TemporaryDir dir;
    const std::string path = dir.path() + "/x.db";
    std::mt19937 random(seed);
    Connection memory(":memory:", Mode::write, kBusy);
    memory.run("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB NOT NULL)");
    auto file = std::make_unique<Connection>(path, Mode::write, kBusy);
    prepare(*file);
    for (int transaction = 0; transaction < 30; ++transaction) {
      file->run("PRAGMA cache_size = 10");
      for (Connection* db : {file.get(), &memory}) db->run("BEGIN IMMEDIATE");
      for (std::uint32_t n = random() % 40; n > 0; --n) change(random, *file, memory);
      EXPECT_EQ(content(*file), content(memory)) << "seed " << seed << ", in " << transaction;
      const char* end = random() % 3 == 0 ? "ROLLBACK" : "COMMIT";
      for (Connection* db : {file.get(), &memory}) db->run(end);
      Connection other(path, Mode::read, kBusy);
      ASSERT_EQ(content(other), content(memory)) << "seed " << seed << ", after " << transaction;
      if (random() % 5 == 0) file->run("PRAGMA wal_checkpoint(TRUNCATE)");
      if (random() % 10 == 0) file = std::make_unique<Connection>(path, Mode::write, kBusy);
    }
    file.reset();
    Connection other(path, Mode::read, kBusy);
    EXPECT_EQ(content(other), content(memory));
    EXPECT_EQ(other.text("PRAGMA integrity_check"), "ok");
  }
}

}  // namespace
}  // namespace mainstay::storage::sqlite
