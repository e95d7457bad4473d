// Turns of jobs that another store holds: stored in PostgreSQL once, whoever tells it how often.
// proves G3
#include "conformance/jobs_rig.h"
#include "conformance/postgres_rig.h"
#include "conformance/redis_server.h"
#include "storage/redis/open.h"

namespace mainstay::storage {
namespace {

/// Jobs in SQLite or Redis, conversations in PostgreSQL.
class PostgresJobs : public OnPostgres, public testing::WithParamInterface<const char*> {
 protected:
  Stores& all() {
    if (all_) return *all_;
    auto embedded = ground_.open(dir_.path() + "/data");
    if (!embedded.ok()) throw std::runtime_error(embedded.error().detail);
    StorageSettings storage = ground_.settings;
    storage.postgres_url = Secret(url());
    auto opened = postgres::open(storage, settings_, ground_.clock, ground_.random, *ground_.log,
                                 ground_.metrics, std::move(*embedded));
    if (opened.ok() && GetParam() == std::string("redis")) {
      redis_ = std::make_unique<RedisServer>();
      storage.redis_url = redis_->url();
      opened =
          redis::open(storage, RedisSettings(), {ground_.limits, ground_.signal}, ground_.clock,
                      ground_.random, *ground_.log, ground_.metrics, std::move(*opened));
    }
    if (!opened.ok()) throw std::runtime_error(opened.error().detail);
    all_ = std::move(*opened);
    return *all_;
  }
  JobStore& jobs() { return all().jobs(); }
  Lease begun(int n) {
    NewJob job = job_of(n);
    job.owner = ann_;
    job.run_at = WallTime{};
    job.expires = WallTime{};
    EXPECT_TRUE(ground_.run(jobs().submit(std::move(job), 0, ground_.soon())).ok());
    return taken();
  }
  Lease taken() {
    Claim claim{"worker", {}, 1, std::chrono::minutes(1)};
    auto got = ground_.run(jobs().claim(std::move(claim), ground_.soon()));
    EXPECT_TRUE(got.ok() && got->size() == 1);
    return got.ok() && !got->empty() ? got->front().lease : Lease{};
  }
  Status complete(const Lease& lease, Turn turn) {
    Effects effects;
    turn.request = RequestId(lease.id.text());
    effects.turn = std::move(turn);
    return ground_.run(jobs().complete(lease, "{}", std::move(effects), ground_.soon()));
  }
  std::uint64_t messages(const std::string& id) {
    auto got = ground_.run(all().conversations().get(ann_, ConversationId(id), ground_.soon()));
    return got.ok() ? got->messages : 0;
  }
  std::string state(const JobId& id) {
    auto got = ground_.run(jobs().get(std::nullopt, id, ground_.soon()));
    return got.ok() ? std::string(name(got->state)) : "";
  }

  TemporaryDir dir_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stores> all_;
};
INSTANTIATE_TEST_SUITE_P(Over, PostgresJobs, testing::Values("sqlite", "redis"), back_end_name);

TEST_P(PostgresJobs, the_turn_of_a_completed_job_is_in_postgres_once) {
  const Lease lease = begun(1);
  ASSERT_TRUE(complete(lease, turn_of("c1", 1)).ok());
  EXPECT_EQ(messages("c1"), 2u);
  EXPECT_EQ(state(lease.id), "succeeded");
  EXPECT_EQ(Psql(server_.admin_url(database_)).tell("SELECT count(*) FROM mainstay.turn"), "1");
  ASSERT_TRUE(complete(lease, turn_of("c1", 1)).ok()) << "told again";
  EXPECT_EQ(messages("c1"), 2u);
}

TEST_P(PostgresJobs, a_second_attempt_after_a_stored_turn_adds_none) {
  const Lease first = begun(1);
  // The first attempt dies between storing its turn and completing the job.
  Turn stored = turn_of("c1", 1);
  stored.request = RequestId(first.id.text());
  ASSERT_TRUE(ground_.run(all().conversations().append(ann_, stored, ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(jobs().give_back(first, {}, ground_.soon())).ok());
  const Lease second = taken();
  ASSERT_TRUE(complete(second, turn_of("c1", 2)).ok());
  EXPECT_EQ(messages("c1"), 2u);
  EXPECT_EQ(state(second.id), "succeeded");
}

TEST_P(PostgresJobs, a_worker_that_lost_its_lease_stores_nothing) {
  const Lease lease = begun(1);
  ASSERT_TRUE(ground_.run(jobs().give_back(lease, {}, ground_.soon())).ok());
  const Lease current = taken();
  auto late = complete(lease, turn_of("c1", 1));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().reason, "stale_lease");
  EXPECT_EQ(messages("c1"), 0u);
  EXPECT_TRUE(complete(current, turn_of("c1", 2)).ok());
  EXPECT_EQ(messages("c1"), 2u);
}

TEST_P(PostgresJobs, a_turn_that_cannot_be_stored_leaves_the_attempt_running) {
  const Lease lease = begun(1);
  Psql admin(server_.admin_url("postgres"));
  admin.tell("ALTER DATABASE " + database_ + " ALLOW_CONNECTIONS false");
  admin.tell("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
             database_ + "'");
  auto failed = complete(lease, turn_of("c1", 1));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().reason, "database_unavailable");
  EXPECT_EQ(state(lease.id), "running");
  admin.tell("ALTER DATABASE " + database_ + " ALLOW_CONNECTIONS true");
  EXPECT_TRUE(comes_true([&] { return complete(lease, turn_of("c1", 1)).ok(); }));
  EXPECT_EQ(messages("c1"), 2u);
}

}  // namespace
}  // namespace mainstay::storage
