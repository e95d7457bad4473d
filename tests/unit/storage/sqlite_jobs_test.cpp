// What only the SQLite job store promises: its tables, its plans, and memory that never differs
// from the disk. What every store promises is in tests/conformance.
#include <sqlite3.h>

#include "conformance/back_ends.h"
#include "storage/job_life.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/jobs_rows.h"
#include "storage/sqlite/schema.h"
#include "unit/storage/faulty_disk.h"

namespace mainstay::storage {
namespace {

using sqlite::Connection;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

class SqliteJobStore : public testing::Test {
 protected:
  void open() {
    stores_.reset();
    auto opened = ground_.open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    stores_ = std::move(*opened);
  }
  JobStore& jobs() { return stores_->jobs(); }
  NewJob job(int n) {
    NewJob out;
    out.id = JobId("job_" + std::to_string(n));
    out.owner = owner_;
    out.kind = "kind";
    out.input = "{\"n\":" + std::to_string(n) + "}";
    return out;
  }
  std::string submit(NewJob one) {
    auto out = ground_.run(jobs().submit(std::move(one), 0, ground_.soon()));
    return out.ok() ? "ok" : out.error().reason;
  }
  std::vector<Claimed> take(std::uint32_t slots = 1) {
    Claim claim{"worker", {}, slots, minutes(1)};
    auto out = ground_.run(jobs().claim(std::move(claim), Deadline(ground_.clock.now())));
    EXPECT_TRUE(out.ok());
    return out.ok() ? std::move(*out) : std::vector<Claimed>();
  }
  std::string complete(const Lease& lease) {
    auto out = ground_.run(jobs().complete(lease, "{}", Effects(), ground_.soon()));
    return out.ok() ? "ok" : out.error().reason;
  }
  std::string state(int n) {
    auto out = ground_.run(jobs().get({}, JobId("job_" + std::to_string(n)), ground_.soon()));
    return out.ok() ? std::string(name(out->state)) : out.error().reason;
  }
  /// A file as the first `steps` of the schema left it, with a row.
  void make_older(std::size_t steps, const std::string& row) {
    sqlite::Schema older = sqlite::conversations_schema();
    older.steps.resize(steps);
    Connection db(dir_.path() + "/mainstay.db", sqlite::Mode::write, std::chrono::seconds(1));
    db.run("PRAGMA journal_mode = WAL");
    migrate(older, db);
    db.run(row);
  }
  std::int64_t on_disk(const std::string& sql) {
    Connection db(dir_.path() + "/mainstay.db", sqlite::Mode::read, std::chrono::seconds(2));
    return db.number(sql);
  }

  Ground ground_;
  TemporaryDir dir_;
  std::unique_ptr<Stores> stores_;
  const Owner owner_ = owner_of("t", "u");
};

TEST_F(SqliteJobStore, no_job_query_scans_a_table_or_sorts) {
  Connection db(dir_.path() + "/x.db", sqlite::Mode::write, std::chrono::seconds(1));
  migrate(sqlite::conversations_schema(), db);
  for (const auto& sql : sqlite::job_queries()) {
    std::string plan;
    sqlite::Query query(db, "EXPLAIN QUERY PLAN " + sql);
    while (query.step()) plan += query.text(3) + "\n";
    EXPECT_NE(plan.find("SEARCH"), std::string::npos) << sql << "\n" << plan;
    EXPECT_EQ(plan.find("SCAN"), std::string::npos) << sql << "\n" << plan;
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << sql << "\n" << plan;
  }
}

TEST_F(SqliteJobStore, a_file_from_before_there_were_jobs_opens_with_its_data) {
  make_older(1,
             "INSERT INTO conversation (id, tenant, user, title, created, updated, messages) "
             "VALUES ('c', 't', 'u', 'kept', 11, 12, 0)");
  open();
  auto kept =
      ground_.run(stores_->conversations().get(owner_, ConversationId("c"), ground_.soon()));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->title, "kept");
  EXPECT_EQ(submit(job(1)), "ok");
  EXPECT_EQ(state(1), "queued");
}

TEST_F(SqliteJobStore, keys_hold_when_the_file_gets_its_newer_index) {
  make_older(5,
             "INSERT INTO job (n, id, tenant, user, client, kind, priority, batch, key, key_held, "
             "digest, run_at, expires, attempts_max, repeat_every, created, input) VALUES "
             "(1, 'job_old', 't', 'u', '', 'kind', 1, '', 'key', 1, 'd', 0, 0, 3, 0, 11, '{}')");
  open();
  NewJob same = job(1);
  same.key = "key";
  same.digest = "d";
  const auto found = ground_.run(stores_->jobs().submit(same, 0, ground_.soon()));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->id, JobId("job_old"));
  EXPECT_TRUE(found->existed);
  EXPECT_EQ(on_disk("SELECT count(*) FROM job"), 1);
}

TEST_F(SqliteJobStore, an_attempt_is_on_the_disk_before_a_strict_claim_is_answered) {
  ground_.settings.job_claims = "strict";
  open();
  EXPECT_EQ(submit(job(1)), "ok");
  EXPECT_EQ(take().size(), 1u);
  EXPECT_EQ(on_disk("SELECT count(*) FROM job_now WHERE state = 2 AND attempts = 1"), 1);
  auto none = take();
  EXPECT_TRUE(none.empty());
}

TEST_F(SqliteJobStore, an_attempt_of_a_lazy_claim_is_charged_with_the_next_write) {
  open();
  EXPECT_EQ(submit(job(1)), "ok");
  ASSERT_EQ(take().size(), 1u);
  EXPECT_EQ(state(1), "running");
  ground_.clock.move(std::chrono::milliseconds(10));
  EXPECT_EQ(submit(job(2)), "ok");
  EXPECT_EQ(on_disk("SELECT count(*) FROM job_now WHERE state = 2 AND attempts = 1"), 1);
}

TEST_F(SqliteJobStore, a_job_runs_although_there_is_no_memory_for_inputs) {
  ground_.settings.job_inputs_memory = Bytes{0};
  open();
  EXPECT_EQ(submit(job(7)), "ok");
  const auto taken = take();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].job.job.input, "{\"n\":7}");
  EXPECT_EQ(taken[0].job.job.kind, "kind");
  EXPECT_EQ(complete(taken[0].lease), "ok");
}

// proves fault 3 for jobs: a submission whose sync failed is neither acknowledged nor handed out
TEST_F(SqliteJobStore, a_job_whose_sync_failed_is_not_confirmed_and_not_claimed) {
  FaultyDisk disk;
  open();
  EXPECT_EQ(submit(job(1)), "ok");
  disk.fail_sync_from(1);
  EXPECT_EQ(submit(job(2)), "storage_failed");
  EXPECT_EQ(jobs().figures().depth, 1u);
  disk.work_again();
  EXPECT_EQ(submit(job(3)), "storage_failed");
  Claim claim{"worker", {}, 5, minutes(1)};
  auto refused = ground_.run(jobs().claim(std::move(claim), ground_.soon()));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "storage_failed");
}

// proves fault 1 for jobs: a full disk refuses, and changes nothing that was there
TEST_F(SqliteJobStore, on_a_full_disk_every_verb_is_refused_and_memory_stays_as_it_was) {
  FaultyDisk disk;
  open();
  EXPECT_EQ(submit(job(1)), "ok");
  EXPECT_EQ(submit(job(2)), "ok");
  const auto taken = take();
  ASSERT_EQ(taken.size(), 1u);
  disk.fail_write_from(1, SQLITE_FULL);
  EXPECT_EQ(submit(job(3)), "disk_full");
  EXPECT_EQ(complete(taken[0].lease), "disk_full");
  auto failed = ground_.run(jobs().fail(taken[0].lease, JobFailure{"x", "y"}, {}, ground_.soon()));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().reason, "disk_full");
  auto cancelled = ground_.run(jobs().cancel({}, JobId("job_2"), ground_.soon()));
  ASSERT_FALSE(cancelled.ok());
  const auto figures = jobs().figures();
  EXPECT_EQ(figures.depth, 2u);
  EXPECT_EQ(figures.submitted, 2u);
  EXPECT_EQ(figures.completed, 0u);
  EXPECT_EQ(figures.by_state[1][int(JobState::running)], 1u);
  disk.work_again();
  EXPECT_EQ(complete(taken[0].lease), "ok");
  EXPECT_EQ(submit(job(3)), "ok");
  EXPECT_EQ(take(5).size(), 2u);
  open();
  EXPECT_EQ(state(1), "succeeded");
  EXPECT_EQ(state(2), "queued") << "its attempt ended with the process that had it";
}

TEST_F(SqliteJobStore, nothing_is_left_of_jobs_whose_time_is_over) {
  ground_.limits.keep_results = milliseconds(1);
  ground_.limits.keep_keys = milliseconds(1);
  open();
  for (int n = 1; n <= 300; ++n) {
    NewJob one = job(n);
    one.key = "key " + std::to_string(n);
    ASSERT_EQ(submit(std::move(one)), "ok");
    const auto taken = take();
    ASSERT_EQ(taken.size(), 1u);
    ASSERT_EQ(complete(taken[0].lease), "ok");
  }
  ground_.clock.move(hours(1));
  int slices = 0;
  for (;;) {
    auto next = ground_.run(jobs().upkeep(ground_.soon()));
    ASSERT_TRUE(next.ok());
    ASSERT_LT(++slices, 1000);
    if (*next > Duration{}) break;
  }
  EXPECT_GT(slices, 1) << "one slice removes a bounded number";
  for (const std::string table : {"job", "job_now", "job_kept_key"}) {
    EXPECT_EQ(on_disk("SELECT count(*) FROM " + table), 0) << table;
  }
  const auto figures = jobs().figures();
  EXPECT_EQ(figures.by_state[1][int(JobState::succeeded)], 0u);
}

TEST_F(SqliteJobStore, a_start_reads_from_the_oldest_job_that_may_live) {
  open();
  for (int n = 1; n <= 120; ++n) {
    ASSERT_EQ(submit(job(n)), "ok");
    ASSERT_EQ(complete(take().at(0).lease), "ok");
  }
  ASSERT_TRUE(ground_.run(jobs().upkeep(ground_.soon())).ok());
  EXPECT_GT(on_disk("SELECT live_from FROM job_store"), 100);
  EXPECT_EQ(submit(job(2000)), "ok");
  open();
  EXPECT_EQ(take(5).size(), 1u);
  EXPECT_EQ(jobs().figures().by_state[1][int(JobState::succeeded)], 120u);
}

TEST_F(SqliteJobStore, a_retried_job_lives_though_newer_ones_have_ended) {
  open();
  EXPECT_EQ(submit(job(1)), "ok");
  ASSERT_TRUE(ground_.run(jobs().cancel({}, JobId("job_1"), ground_.soon())).ok());
  for (int n = 2; n <= 120; ++n) {
    ASSERT_EQ(submit(job(n)), "ok");
    ASSERT_EQ(complete(take().at(0).lease), "ok");
  }
  ASSERT_TRUE(ground_.run(jobs().upkeep(ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(jobs().retry({}, JobId("job_1"), 0, ground_.soon())).ok());
  open();
  const auto taken = take(5);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].job.job.id.text(), "job_1");
}

}  // namespace
}  // namespace mainstay::storage
