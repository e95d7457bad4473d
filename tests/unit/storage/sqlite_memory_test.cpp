// The writer thread when allocations fail: every operation is answered, the thread lives on.
#include "conformance/back_ends.h"
#include "failing_new.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {
namespace {

class WriterWithoutMemory : public testing::Test {
 protected:
  void SetUp() override { make(); }
  void make() {
    writer_.reset();
    auto db =
        std::make_unique<Connection>(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
    db->run(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE IF NOT EXISTS item (n INTEGER PRIMARY KEY, note TEXT)");
    const Surroundings around{ground_.clock, *ground_.log, ground_.metrics, ground_.settings,
                              "test"};
    writer_ = std::make_unique<Writer>(std::move(db), around);
  }
  /// Writes item `n`, with the `nth` allocation after the insert (and `count` in all) failing.
  Result<int> write(int n, int nth, int count, bool fails = false) {
    auto work = [=](Connection& db) -> Result<int> {
      fail_new(nth, count);
      Query(db, "INSERT INTO item VALUES (?, ?)").bind(n, std::string(100, 'x')).finish();
      if (fails) return Error::say(Errc::not_found, "made_to_fail", "This one is made to fail.");
      return n;
    };
    return ground_.run(writer_->write("insert", work, Deadline::never()));
  }
  /// How many allocations of the operation before failed; ends the failing.
  int failures() {
    auto work = [](Connection&) -> Result<int> {
      const int failed = failed_news();
      fail_new(0, 0);
      return failed;
    };
    auto got = ground_.run(writer_->write("count", work, Deadline::never()));
    if (got.ok()) return *got;
    // The allocation that had to fail was one of the question's own.
    got = ground_.run(writer_->write("count", work, Deadline::never()));
    EXPECT_TRUE(got.ok());
    return 1;
  }
  std::int64_t items() {
    auto work = [](Connection& db) -> Result<std::int64_t> {
      return db.number("SELECT count(*) FROM item");
    };
    auto got = ground_.run(writer_->write("items", work, Deadline::never()));
    return got.ok() ? *got : -1;
  }

  Ground ground_;
  TemporaryDir dir_;
  std::unique_ptr<Writer> writer_;
};

// proves fault row 10 for the storage writer
TEST_F(WriterWithoutMemory, fault_10_any_one_allocation_may_fail_and_every_write_is_answered) {
  for (const bool fails : {false, true}) {
    int stored = 0;
    int nth = 1;
    const std::int64_t before = items();
    for (;; ++nth) {
      ASSERT_LT(nth, 500) << "the failing never ends";
      const auto got = write(nth + (fails ? 1000 : 0), nth, 1, fails);
      if (got.ok())
        ++stored;
      else
        EXPECT_TRUE(got.error().reason == "out_of_memory" || got.error().reason == "made_to_fail")
            << nth << ": " << got.error().reason << " " << got.error().detail;
      if (failures() == 0) break;
    }
    EXPECT_GT(nth, 3) << "nothing was made to fail";
    EXPECT_EQ(items() - before, stored) << "what was refused is not there, what was accepted is";
  }
}

TEST_F(WriterWithoutMemory, many_failing_allocations_in_a_row_leave_the_thread_alive) {
  ground_.settings.operation_timeout = std::chrono::milliseconds(50);
  make();
  for (int nth = 1; nth <= 30; ++nth) {
    [[maybe_unused]] const auto got = write(nth, nth, 1000);
    auto end = [](Connection&) -> Status {
      fail_new(0, 0);
      return done();
    };
    // The failing may refuse this one as well, before it runs: until it has run, the next tries.
    for (int tries = 0; tries < 1000; ++tries) {
      if (ground_.run(writer_->write("end", end, Deadline::never())).ok()) break;
    }
    ASSERT_GE(items(), 0) << nth;
  }
}

}  // namespace
}  // namespace mainstay::storage::sqlite
