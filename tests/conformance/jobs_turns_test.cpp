// Owners take turns, whatever a worker cannot use: turns without jobs, other kinds, expired jobs.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

NewJob of_kind(NewJob job, const std::string& kind) {
  job.kind = kind;
  return job;
}

TEST_P(Jobs, a_turn_left_without_jobs_lets_no_lower_class_overtake) {
  for (int i = 1; i <= 3; ++i) add(job_of(i, "ann", JobClass::voice));
  add(job_of(4, "bob", JobClass::voice));
  for (int i = 5; i <= 7; ++i) add(job_of(i, "cid", JobClass::background));
  ASSERT_TRUE(ground_.run(jobs().cancel(std::nullopt, job_of(4).id, soon())).ok());
  const auto taken = take(2);
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].lease.id, job_of(1).id);
  EXPECT_EQ(taken[1].lease.id, job_of(2).id);
}

TEST_P(Jobs, what_others_take_lets_no_lower_class_overtake) {
  for (int i = 1; i <= 3; ++i) add(of_kind(job_of(i, "ann", JobClass::voice), "mine"));
  add(of_kind(job_of(4, "bob", JobClass::voice), "theirs"));
  for (int i = 5; i <= 7; ++i) add(of_kind(job_of(i, "ann", JobClass::background), "mine"));
  const auto taken = take(2, minutes(1), {"mine"});
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].lease.id, job_of(1).id);
  EXPECT_EQ(taken[1].lease.id, job_of(2).id);
}

TEST_P(Jobs, any_number_of_expired_jobs_hides_none_behind_them) {
  for (const int owners : {1, 4}) {
    for (int i = 0; i < 250; ++i) {
      NewJob job = job_of(owners * 1000 + i, "user " + std::to_string(i % owners));
      job.expires = wall() + seconds(1);
      add(std::move(job));
    }
    for (int i = 0; i < owners; ++i) {
      add(job_of(owners * 1000 + 500 + i, "user " + std::to_string(i)));
    }
    pass(seconds(2));
    EXPECT_EQ(take(std::uint32_t(owners)).size(), std::size_t(owners));
  }
}

TEST_P(Jobs, an_expiry_in_a_far_year_comes_back) {
  NewJob job = job_of(1);
  job.expires = WallTime(seconds(9'999'999'999));
  add(job);
  const auto taken = take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].job.job.expires, job.expires);
}

TEST_P(Jobs, a_worker_of_other_kinds_costs_nobody_a_turn) {
  for (int i = 0; i < 40; ++i) add(of_kind(job_of(i, "ann"), "y"));
  add(of_kind(job_of(100, "bob"), "y"));
  for (int i = 200; i < 240; ++i) add(of_kind(job_of(i, "cid"), "x"));
  int before_bob = 0;
  for (bool found = false; !found; ++before_bob) {
    const auto taken = take(1, minutes(1), {"y"});
    ASSERT_EQ(taken.size(), 1U);
    found = taken[0].job.job.owner == user("bob");
    EXPECT_EQ(take(1, minutes(1), {"x"}).size(), 1U);
  }
  EXPECT_LE(before_bob, 2);
}

}  // namespace
}  // namespace mainstay::storage
