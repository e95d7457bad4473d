// What jobs of many owners, kinds and states are to one another in Redis: whose turn it is, what a
// list reads, which keys are the same.
#include <map>

#include "conformance/redis_rig.h"

namespace mainstay::storage {
namespace {

// A process that runs what must stay at home looked through every owner who waited for the others.
TEST_F(OnRedis, who_runs_what_is_at_home_never_looks_through_what_is_not) {
  for (int n = 0; n < 40; ++n) {
    NewJob job = job_of(n, "user " + std::to_string(n));
    job.kind = "chat";
    ASSERT_TRUE(submit(job).ok());
  }
  NewJob at_home = job_of(50);
  at_home.kind = "chat@home";
  ASSERT_TRUE(submit(at_home).ok());
  const auto lanes = server().calls("zcard");
  Claim claim{"home", {"chat@home"}, 8, minutes(1)};
  const auto taken = ground_.run(jobs().claim(claim, in(seconds(10))));
  ASSERT_TRUE(taken.ok());
  ASSERT_EQ(taken->size(), 1U);
  EXPECT_EQ(taken->front().lease.id, at_home.id);
  EXPECT_EQ(taken->front().job.job.kind, "chat");
  EXPECT_EQ(server().calls("zcard") - lanes, 1U) << "one lane was looked at";
  Claim others{"others", {"chat"}, 50, minutes(1)};
  EXPECT_EQ(ground_.run(jobs().claim(others, in(seconds(10))))->size(), 40U);
}

TEST_F(OnRedis, who_runs_both_kinds_takes_from_each_in_turn) {
  for (int n = 0; n < 12; ++n) {
    NewJob job = job_of(n, n % 2 == 0 ? "ann" : "bob");
    job.kind = n % 2 == 0 ? "chat" : "chat@home";
    ASSERT_TRUE(submit(job).ok());
  }
  for (const std::vector<std::string>& kinds :
       {std::vector<std::string>{"chat", "chat@home"}, std::vector<std::string>{}}) {
    int of_ann = 0;
    for (int i = 0; i < 4; ++i) {
      Claim claim{"worker", kinds, 1, minutes(1)};
      const auto taken = ground_.run(jobs().claim(claim, in(seconds(10))));
      ASSERT_TRUE(taken.ok());
      ASSERT_EQ(taken->size(), 1U);
      of_ann += taken->front().job.job.owner == user("ann");
    }
    EXPECT_EQ(of_ann, 2);
  }
}

// Each kind had half of the claims, however many waited for them.
TEST_F(OnRedis, owners_of_both_kinds_have_the_same_turns) {
  int n = 0;
  for (int round = 0; round < 6; ++round) {
    for (int owner = 0; owner < 10; ++owner, ++n) {
      NewJob job = job_of(n, "user " + std::to_string(owner));
      job.kind = owner == 0 ? "chat@home" : "chat";
      ASSERT_TRUE(submit(job).ok());
    }
  }
  std::map<std::string, int> begun;
  for (int i = 0; i < 40; ++i) {
    for (const auto& one : take()) ++begun[one.job.job.owner.user.text()];
  }
  ASSERT_EQ(begun.size(), 10U);
  for (const auto& [user, jobs_of_user] : begun) EXPECT_EQ(jobs_of_user, 4) << user;
}

// A socket asks for these three, and found them by reading all that its user had ever asked for.
TEST_F(OnRedis, lists_of_what_has_not_ended_do_not_read_the_history) {
  constexpr int kEnded = 450;
  NewJob later = job_of(1);
  later.run_at = ground_.clock.wall() + hours(1);
  ASSERT_TRUE(submit(later).ok());
  ASSERT_TRUE(submit(job_of(2)).ok());
  ASSERT_EQ(take().size(), 1U);
  ASSERT_TRUE(submit(job_of(3)).ok());
  const auto dead = take();
  ASSERT_EQ(dead.size(), 1U);
  const auto killed =
      ground_.run(jobs().fail(dead[0].lease, JobFailure{"x", "x"}, std::nullopt, in(seconds(10))));
  ASSERT_TRUE(killed.ok());
  for (int n = 10; n < 10 + kEnded; ++n) ASSERT_TRUE(submit(job_of(n)).ok());
  for (const auto& one : take(kEnded)) ASSERT_TRUE(complete(one.lease).ok());
  ASSERT_TRUE(submit(job_of(4, "ann", JobClass::batch)).ok());
  const auto list = [this](JobState state) {
    const auto before = server().calls("evalsha");
    JobFilter filter;
    filter.owner = user("ann");
    filter.state = state;
    auto page = ground_.run(jobs().list(std::move(filter), JobId(), 100, in(seconds(10))));
    EXPECT_EQ(server().calls("evalsha"), before + 1) << name(state);
    EXPECT_TRUE(page.ok());
    std::string out;
    for (const auto& one : page->items) out += one.job.id.text() + " ";
    return out;
  };
  EXPECT_EQ(list(JobState::scheduled), "job_000001 ");
  EXPECT_EQ(list(JobState::running), "job_000002 ");
  EXPECT_EQ(list(JobState::dead), "job_000003 ");
  EXPECT_EQ(list(JobState::queued), "job_000004 ");
  // Records of deaths are not the jobs: without them the history is read.
  ASSERT_EQ(server().tell("DEL " + key("dead")), ":1\r\n");
  auto page =
      ground_.run(jobs().list(JobFilter{.state = JobState::dead}, JobId(), 100, in(seconds(10))));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items.size(), 1U);
}

// Each of the two may hold a ':', and only the tenant's length is told.
TEST_F(OnRedis, keys_of_users_whose_names_run_into_one_another_are_two) {
  NewJob first = keyed(job_of(1), "x:k");
  first.owner = owner_of("t", "ann");
  NewJob second = keyed(job_of(2), "k");
  second.owner = owner_of("t", "ann:x");
  second.digest = first.digest;
  ASSERT_TRUE(submit(first).ok());
  const auto submitted = submit(second);
  ASSERT_TRUE(submitted.ok());
  EXPECT_FALSE(submitted->existed);
  EXPECT_EQ(submitted->id, second.id);
}

}  // namespace
}  // namespace mainstay::storage
