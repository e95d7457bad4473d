// What every job store promises to those who wait for work, while the clock runs: a submission, a
// due time and the end of a lease wake them, and nothing else is needed.
// 10, 12 and 13 of the list that every store must pass.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

INSTANTIATE_TEST_SUITE_P(BackEnds, JobsInRealTime, testing::ValuesIn(kJobBackEnds), back_end_name);

Co<bool> submits(JobStore& store, NewJob job, Deadline by) {
  auto out = co_await store.submit(std::move(job), 0, by);
  co_return out.ok();
}
Co<bool> claims_one(JobStore& store, Duration lease, Deadline by) {
  Claim claim{"waiting worker", {}, 1, lease};
  auto out = co_await store.claim(std::move(claim), by);
  co_return out.ok() && out->size() == 1;
}

Co<bool> works_once(JobStore& store, Deadline by) {
  Claim claim{"idle worker", {}, 1, minutes(1)};
  auto out = co_await store.claim(std::move(claim), by);
  if (!out.ok() || out->size() != 1) co_return false;
  Effects none;
  auto ended = co_await store.complete(out->front().lease, "{}", none, by);
  co_return ended.ok();
}

TEST_P(JobsInRealTime, a_waiting_worker_is_woken_by_each_submission) {
  const int rounds = std::string(GetParam()) == "memory" ? 10'000 : 200;
  for (int i = 0; i < rounds; ++i) {
    std::vector<Co<bool>> both;
    both.push_back(works_once(jobs(), soon()));
    both.push_back(submits(jobs(), job_of(i), soon()));
    const auto worked = run_all(ground_, std::move(both));
    ASSERT_TRUE(worked[0] && worked[1]) << i;  // the claim would be empty at its deadline
  }
}

TEST_P(JobsInRealTime, a_waiting_worker_is_woken_by_a_due_time_and_by_the_end_of_a_lease) {
  NewJob job = job_of(1);
  job.run_at = wall() + milliseconds(60);
  add(job);
  std::vector<Co<bool>> first;
  first.push_back(claims_one(jobs(), milliseconds(80), soon()));
  EXPECT_TRUE(run_all(ground_, std::move(first))[0]);
  EXPECT_GE(wall(), job.run_at);
  const TimePoint before = ground_.clock.now();
  std::vector<Co<bool>> second;
  second.push_back(claims_one(jobs(), minutes(1), soon()));
  EXPECT_TRUE(run_all(ground_, std::move(second))[0]);  // the first worker was silent
  EXPECT_LE(ground_.clock.now() - before, seconds(20));
  EXPECT_EQ(get(job.id)->attempts, 2U);
}

TEST_P(JobsInRealTime, an_attempt_that_began_at_the_end_of_a_lease_has_a_lease_with_an_end_itself) {
  add(job_of(1));
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    std::vector<Co<bool>> one;
    one.push_back(claims_one(jobs(), milliseconds(50), soon()));
    ASSERT_TRUE(run_all(ground_, std::move(one))[0]) << attempt;
  }
  EXPECT_EQ(get(job_of(1).id)->attempts, 3U);
}

TEST_P(JobsInRealTime, a_lease_taken_while_another_worker_waits_wakes_it_at_its_end) {
  add(job_of(1));
  std::vector<Co<bool>> all;
  // Whichever of the two the store hears first.
  for (int i = 0; i < 2; ++i) all.push_back(claims_one(jobs(), milliseconds(50), soon()));
  const auto got = run_all(ground_, std::move(all));
  EXPECT_TRUE(got[0] && got[1]);
}

TEST_P(JobsInRealTime, a_worker_without_work_waits_until_its_deadline) {
  const Deadline by = Deadline::in(ground_.clock, milliseconds(150));
  std::vector<Co<bool>> all;
  for (int i = 0; i < 5; ++i) all.push_back(claims_one(jobs(), minutes(1), by));
  for (const bool got : run_all(ground_, std::move(all))) EXPECT_FALSE(got);
  EXPECT_TRUE(by.passed(ground_.clock.now()));
}

TEST_P(JobsInRealTime, many_workers_at_once_never_get_the_same_job) {
  const auto works = [](JobStore& store, int rounds, Deadline by) -> Co<std::vector<JobId>> {
    std::vector<JobId> mine;
    for (int i = 0; i < rounds; ++i) {
      Claim claim{"one of many", {}, 3, minutes(1)};
      auto taken = co_await store.claim(std::move(claim), by);
      if (!taken.ok()) break;
      for (const Claimed& one : *taken) {
        mine.push_back(one.lease.id);
        Effects none;
        auto ended = co_await store.complete(one.lease, "{}", none, by);
        EXPECT_TRUE(ended.ok());
      }
    }
    co_return mine;
  };
  for (int i = 0; i < 120; ++i) add(job_of(i, "u" + std::to_string(i % 5)));
  const Deadline by = Deadline::in(ground_.clock, milliseconds(500));
  std::vector<Co<std::vector<JobId>>> all;
  for (int i = 0; i < 8; ++i) all.push_back(works(jobs(), 100, by));
  std::set<JobId> ids;
  std::size_t count = 0;
  for (const auto& mine : run_all(ground_, std::move(all))) {
    count += mine.size();
    ids.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(ids.size(), count);
  EXPECT_LE(count, 120U);
}

}  // namespace
}  // namespace mainstay::storage
