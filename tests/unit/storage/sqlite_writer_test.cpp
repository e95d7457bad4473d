// Group commit: many operations to one commit, one failing operation alone, bounded queue.
#include <condition_variable>
#include <mutex>

#include "conformance/back_ends.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {
namespace {

/// Holds the writer thread until opened, so that a test decides what waits behind it.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_reached() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
  bool open_ = false;
};

class WriterThread : public testing::Test {
 protected:
  void SetUp() override { make(); }
  void make() {
    writer_.reset();
    auto db = std::make_unique<Connection>(path(), Mode::write, std::chrono::seconds(1));
    db->run("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS item (n INTEGER PRIMARY KEY)");
    writer_ = std::make_unique<Writer>(std::move(db), around());
  }
  Surroundings around() {
    return Surroundings{ground_.clock, *ground_.log, ground_.metrics, ground_.settings, "test"};
  }
  std::string path() const { return dir_.path() + "/x.db"; }
  /// Starts a write of item n; its outcome comes into `answers_`.
  void start(int n, bool fail = false, Deadline by = Deadline::never()) {
    auto work = [n, fail](Connection& db) -> Result<int> {
      Query(db, "INSERT INTO item VALUES (?)").bind(n).finish();
      if (fail) return Error::say(Errc::not_found, "made_to_fail", "no");
      return n;
    };
    answers_.emplace(n, std::nullopt);
    const auto ended = [this, n](std::exception_ptr, Result<int> got) {
      answers_[n] = std::move(got);
    };
    asio::co_spawn(ground_.io.get_executor(), writer_->write("insert", work, by), ended);
  }
  /// Occupies the writer with an operation that waits for the gate.
  void block(Gate& gate) {
    auto work = [&gate](Connection&) -> Status {
      gate.pass();
      return done();
    };
    const auto ended = [](std::exception_ptr, Status) {};
    asio::co_spawn(ground_.io.get_executor(), writer_->write("block", work, Deadline::never()),
                   ended);
    ground_.io.restart();
    ground_.io.poll();
    gate.wait_reached();
  }
  void poll() {
    ground_.io.restart();
    ground_.io.poll();
  }
  void finish() {
    ground_.io.restart();
    ground_.io.run();
  }
  std::int64_t items() {
    Connection db(path(), Mode::read, std::chrono::seconds(1));
    return db.number("SELECT count(*) FROM item");
  }

  Ground ground_;
  TemporaryDir dir_;
  std::unique_ptr<Writer> writer_;
  std::map<int, std::optional<Result<int>>> answers_;
};

TEST_F(WriterThread, what_waits_during_a_commit_shares_the_next_one) {
  Gate gate;
  block(gate);
  for (int n = 1; n <= 50; ++n) start(n);
  poll();
  EXPECT_EQ(writer_->waiting(), 50u);
  const auto before = writer_->commits();
  gate.open();
  finish();
  EXPECT_EQ(items(), 50);
  for (const auto& [n, answer] : answers_) EXPECT_TRUE(answer && answer->ok() && **answer == n);
  // At most: the batch of 50, cut where it took over 5 ms on a slow machine.
  EXPECT_LE(writer_->commits() - before, 10u);
}

TEST_F(WriterThread, a_batch_holds_at_most_its_limit) {
  ground_.settings.batch_max = 10;
  make();
  Gate gate;
  block(gate);
  for (int n = 1; n <= 21; ++n) start(n);
  poll();
  const auto before = writer_->commits();
  gate.open();
  finish();
  EXPECT_EQ(items(), 21);
  EXPECT_GE(writer_->commits() - before, 3u);
}

TEST_F(WriterThread, one_failing_operation_does_not_spoil_its_batch) {
  Gate gate;
  block(gate);
  start(1);
  start(2, true);
  start(3);
  poll();
  start(1'000'000);
  auto clash = [](Connection& db) -> Result<int> {
    Query(db, "INSERT INTO item VALUES (1)").finish();  // the key exists by then
    return 0;
  };
  std::optional<Result<int>> clashed;
  const auto ended = [&](std::exception_ptr, Result<int> got) { clashed = std::move(got); };
  asio::co_spawn(ground_.io.get_executor(), writer_->write("clash", clash, Deadline::never()),
                 ended);
  poll();
  gate.open();
  finish();
  EXPECT_EQ(items(), 3);
  EXPECT_TRUE(answers_[1]->ok());
  EXPECT_EQ(answers_[2]->error().reason, "made_to_fail");
  EXPECT_TRUE(answers_[3]->ok());
  ASSERT_TRUE(clashed);
  EXPECT_EQ(clashed->error().code, Errc::conflict);
}

TEST_F(WriterThread, an_operation_that_throws_fails_alone) {
  auto work = [](Connection&) -> Result<int> { throw std::runtime_error("broken"); };
  auto got = ground_.run(writer_->write("throw", work, Deadline::never()));
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Errc::internal);
  start(1);
  finish();
  EXPECT_TRUE(answers_[1]->ok());
}

TEST_F(WriterThread, the_queue_refuses_what_is_over_its_limit) {
  ground_.settings.write_queue_max = 3;
  make();
  Gate gate;
  block(gate);
  for (int n = 1; n <= 4; ++n) start(n);
  poll();
  EXPECT_EQ(writer_->waiting(), 3u);
  ASSERT_TRUE(answers_[4].has_value()) << "refused at once";
  EXPECT_EQ(answers_[4]->error().code, Errc::unavailable);
  EXPECT_EQ(answers_[4]->error().reason, "write_queue_full");
  EXPECT_GT(answers_[4]->error().retry_after.count(), 0);
  gate.open();
  finish();
  EXPECT_EQ(items(), 3);
}

TEST_F(WriterThread, an_operation_whose_deadline_passed_in_the_queue_is_not_run) {
  Gate gate;
  block(gate);
  start(1, false, Deadline(ground_.clock.now()));
  start(2);
  poll();
  gate.open();
  finish();
  EXPECT_EQ(items(), 1);
  EXPECT_EQ(answers_[1]->error().code, Errc::deadline);
  EXPECT_TRUE(answers_[2]->ok());
}

TEST_F(WriterThread, closing_finishes_what_is_queued_and_refuses_the_rest) {
  Gate gate;
  block(gate);
  for (int n = 1; n <= 5; ++n) start(n);
  poll();
  gate.open();
  EXPECT_TRUE(writer_->close().ok());
  start(6);
  finish();
  EXPECT_EQ(items(), 5);
  EXPECT_EQ(answers_[6]->error().reason, "storage_closed");
}

TEST_F(WriterThread, the_log_file_is_written_back_while_running) {
  for (int round = 0; round < 40; ++round) {
    auto work = [round](Connection& db) -> Status {
      db.run("CREATE TABLE IF NOT EXISTS bulk (x)");
      Query(db, "INSERT INTO bulk VALUES (?)")
          .bind(std::string(400'000, char('a' + round % 26)))
          .finish();
      return done();
    };
    ASSERT_TRUE(ground_.run(writer_->write("bulk", work, Deadline::never())).ok());
  }
  // 16 MB went through the log; checkpoints kept it near a thousand pages.
  EXPECT_LT(std::filesystem::file_size(path() + "-wal"), 9u << 20);
}

TEST_F(WriterThread, a_read_that_takes_too_long_is_stopped) {
  ground_.settings.read_timeout = std::chrono::milliseconds(20);
  OffloadPool pool("read-db", 1, 4);
  Readers readers(path(), pool, around());
  auto endless = [](Connection& db) -> Result<std::int64_t> {
    return db.number(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT count(*) FROM c");
  };
  auto got = ground_.run(readers.read("endless", endless, Deadline::never()));
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Errc::deadline);
  EXPECT_EQ(got.error().reason, "read_timeout");
  auto quick = [](Connection& db) -> Result<std::int64_t> { return db.number("SELECT 42"); };
  auto after = ground_.run(readers.read("quick", quick, Deadline::never()));
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(*after, 42);
  pool.stop();
}

TEST_F(WriterThread, readers_cannot_write) {
  OffloadPool pool("read-db", 1, 4);
  Readers readers(path(), pool, around());
  auto write = [](Connection& db) -> Result<std::int64_t> {
    db.run("INSERT INTO item VALUES (77)");
    return std::int64_t(0);
  };
  EXPECT_FALSE(ground_.run(readers.read("write", write, Deadline::never())).ok());
  EXPECT_EQ(items(), 0);
  pool.stop();
}

TEST_F(WriterThread, reads_over_the_queue_limit_are_refused) {
  OffloadPool pool("read-db", 1, 1);
  Readers readers(path(), pool, around());
  Gate gate;
  auto blocked = [&gate](Connection&) -> Status {
    gate.pass();
    return done();
  };
  int ok = 0;
  std::vector<std::string> refused;
  const auto ended = [&](std::exception_ptr, Status got) {
    if (got.ok())
      ++ok;
    else
      refused.push_back(got.error().reason);
  };
  const auto spawn = [&] {
    asio::co_spawn(ground_.io.get_executor(), readers.read("blocked", blocked, Deadline::never()),
                   ended);
    poll();
  };
  spawn();
  gate.wait_reached();
  spawn();
  spawn();
  EXPECT_EQ(refused, std::vector<std::string>{"read_queue_full"});
  gate.open();
  finish();
  EXPECT_EQ(ok, 2);
  pool.stop();
}

}  // namespace
}  // namespace mainstay::storage::sqlite
