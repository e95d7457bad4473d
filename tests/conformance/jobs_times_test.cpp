// Which times every job store shows and counts from: when a job runs and expires after a failure or
// a retry by hand, how long what is ready has waited, what becomes of an occurrence's key.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

TEST_P(Jobs, a_job_shows_when_its_next_attempt_runs_and_no_time_once_it_was_run_again_by_hand) {
  stores();
  NewJob job = job_of(1);
  job.run_at = wall() + seconds(20);
  job.expires = wall() + seconds(90);
  add(job);
  pass(seconds(20));
  EXPECT_EQ(fail(take_one().lease, seconds(30)), "scheduled");
  EXPECT_EQ(get(job.id)->job.run_at, job.run_at + seconds(30));
  EXPECT_EQ(get(job.id)->job.expires, job.expires);
  pass(seconds(70));
  EXPECT_EQ(state(job.id), "expired");
  const auto again = retry(job.id);
  ASSERT_TRUE(again.ok()) << reason_of(again);
  EXPECT_EQ(again->job.run_at, WallTime{});
  EXPECT_EQ(again->job.expires, WallTime{});
  pause();
  const auto kept = get(job.id);
  EXPECT_EQ(kept->job.run_at, WallTime{});
  EXPECT_EQ(kept->job.expires, WallTime{});
  EXPECT_EQ(kept->finished, WallTime{});
  const auto page = ground_.run(jobs().list({}, {}, 5, soon()));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items.at(0).job.run_at, WallTime{});
  EXPECT_EQ(page->items.at(0).job.expires, WallTime{});
  const Claimed taken = take_one();
  EXPECT_EQ(taken.job.job.run_at, WallTime{});
  EXPECT_EQ(taken.job.job.expires, WallTime{});
  const auto cancelled = cancel(job.id);
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->job.expires, WallTime{});
}

TEST_P(Jobs, a_repeating_job_keeps_its_plan_though_it_was_run_again_by_hand) {
  stores();
  NewJob job = job_of(1);
  job.repeat_every = minutes(1);
  job.run_at = wall() + seconds(10);
  job.expires = job.run_at + seconds(5);
  add(job);
  pass(seconds(10));
  ASSERT_TRUE(cancel(job.id).ok());
  ASSERT_TRUE(retry(job.id).ok());
  pause();
  EXPECT_EQ(get(job.id)->job.run_at, job.run_at);
  EXPECT_EQ(get(job.id)->job.expires, WallTime{});
  EXPECT_EQ(complete(take_one().lease), "ok");
  const auto next = get(next_id_of(*get(job.id)));
  ASSERT_TRUE(next.ok()) << reason_of(next);
  EXPECT_EQ(next->job.run_at, job.run_at + minutes(1));
  EXPECT_EQ(next->job.expires, job.expires + minutes(1));
}

TEST_P(Jobs, a_key_stays_with_the_occurrence_that_ended_the_repetition) {
  stores();
  for (const bool forgotten : {false, true}) {
    NewJob job = keyed(job_of(forgotten ? 2 : 1), forgotten ? "second key" : "key");
    job.repeat_every = minutes(1);
    job.run_at = wall();
    add(job);
    EXPECT_EQ(fail(take_one().lease, std::nullopt), "dead");
    const auto second = submit(job);
    ASSERT_TRUE(second->existed);
    ASSERT_TRUE(cancel(second->id).ok());
    if (forgotten) EXPECT_EQ(erase(second->id), "ok");
    pass(minutes(3));
    ASSERT_TRUE(retry(job.id).ok());
    EXPECT_EQ(complete(take_one().lease), "ok");
    pause();
    EXPECT_TRUE(next_id_of(*get(job.id)).empty());
    EXPECT_EQ(jobs().figures().depth, 0U) << "its next one was made and cancelled";
    const auto named = submit(job);
    ASSERT_TRUE(named.ok()) << reason_of(named);
    EXPECT_TRUE(named->existed);
    EXPECT_EQ(named->id, second->id);
    if (forgotten) continue;
    ASSERT_TRUE(retry(second->id).ok());
    EXPECT_EQ(complete(take_one().lease), "ok");
    const JobId third = next_id_of(*get(second->id));
    EXPECT_EQ(state(third), "scheduled") << "a cancelled one had made none";
    EXPECT_EQ(submit(job)->id, third);
    ASSERT_TRUE(cancel(third).ok());
  }
}

TEST_P(Jobs, what_is_run_again_after_its_next_occurrence_was_made_makes_no_other) {
  stores();
  NewJob job = job_of(1);
  job.repeat_every = minutes(1);
  job.run_at = wall();
  add(job);
  EXPECT_EQ(fail(take_one().lease, std::nullopt), "dead");
  pass(seconds(70));
  EXPECT_EQ(complete(take_one().lease), "ok");  // and the third one is planned
  for (int round = 0; round < 3; ++round) {
    pass(minutes(3));
    ASSERT_TRUE(retry(job.id).ok());
    pause();
    EXPECT_TRUE(get(job.id)->followed);
    EXPECT_EQ(get(job.id)->job.repeat_every, minutes(1)) << "as it was ordered";
    auto taken = take(2);
    ASSERT_EQ(taken.size(), 2U);
    const bool first = taken[0].lease.id == job.id;
    const Lease& again = taken[first ? 0 : 1].lease;
    EXPECT_EQ(again.id, job.id);
    if (round == 1) {
      ASSERT_TRUE(cancel(job.id).ok());
    } else {
      EXPECT_EQ(fail(again, std::nullopt), "dead");
    }
    EXPECT_TRUE(next_id_of(*get(job.id)).empty());
    EXPECT_EQ(jobs().figures().depth, 1U) << "the one that runs late";
    pass(minutes(2));
    EXPECT_EQ(complete(taken[first ? 1 : 0].lease), "stale_lease");
    EXPECT_EQ(complete(take_one().lease), "ok");
    EXPECT_EQ(jobs().figures().depth, 1U) << "one rhythm";
  }
}

TEST_P(Jobs, what_is_handed_back_for_later_waits_until_then_and_is_charged_nothing) {
  stores();
  NewJob job = job_of(1);
  job.expires = wall() + minutes(10);
  add(job);
  const Lease lease = take_one().lease;
  EXPECT_EQ(give_back(lease, minutes(2)), "ok");
  EXPECT_EQ(give_back(lease, minutes(2)), "ok") << "told again";
  const WallTime back = wall();
  pause();
  const auto waiting = get(job.id);
  EXPECT_EQ(waiting->state, JobState::scheduled);
  EXPECT_EQ(waiting->attempts, 0U);
  if (exact()) EXPECT_EQ(waiting->job.run_at, back + minutes(2));
  EXPECT_EQ(waiting->failure.code, "");
  pass(seconds(119));
  EXPECT_EQ(take(1).size(), 0U);
  pass(seconds(1));
  const Claimed second = take_one();
  EXPECT_EQ(second.job.attempts, 1U);
  EXPECT_GT(second.lease.token, lease.token);
  EXPECT_EQ(give_back(second.lease, minutes(20)), "ok");
  pass(minutes(8));
  EXPECT_EQ(state(job.id), "expired");
}

TEST_P(Jobs, each_end_of_a_job_has_a_number_of_its_own) {
  stores();
  NewJob job = job_of(1);
  add(job);
  std::set<std::uint64_t> met;
  for (int round = 0; round < 3; ++round) {
    met.insert(cancel(job.id)->token);
    const auto again = retry(job.id);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->token, get(job.id)->token);
    pause();
  }
  met.insert(take_one().lease.token);
  EXPECT_EQ(met.size(), 4U);
}

TEST_P(Jobs, what_was_delayed_is_as_old_as_its_moment_is_past) {
  stores();
  if (!exact()) GTEST_SKIP() << "ages are exact where the clock stands";
  const auto oldest = [&] { return jobs().figures().oldest_ready[1]; };
  NewJob later = job_of(1);
  later.run_at = wall() + seconds(10);
  add(later);
  pass(seconds(9));
  EXPECT_EQ(oldest(), Duration{}) << "what is not ready has no age";
  pass(seconds(6));
  add(job_of(2));
  pass(seconds(45));
  EXPECT_EQ(state(later.id), "queued");
  EXPECT_EQ(oldest(), seconds(50));
  const Lease held = take_one(hours(1)).lease;
  EXPECT_EQ(held.id, later.id);
  EXPECT_EQ(oldest(), seconds(45));
  EXPECT_EQ(fail(held, seconds(10)), "scheduled");
  EXPECT_EQ(complete(take_one().lease), "ok");
  pass(seconds(30));
  EXPECT_EQ(state(later.id), "queued");
  EXPECT_EQ(oldest(), seconds(20)) << "from when it was to be tried again";
}

TEST_P(Jobs, what_waits_is_as_old_after_a_restart_as_before) {
  stores();
  const auto oldest = [&] { return jobs().figures().oldest_ready[1]; };
  add(job_of(1));
  NewJob later = job_of(2, "bob");
  later.run_at = wall() + seconds(10);
  add(later);
  pass(seconds(40));
  pause();
  EXPECT_EQ(state(later.id), "queued");
  EXPECT_EQ(oldest(), seconds(40));
  EXPECT_EQ(complete(take_one().lease), "ok");
  EXPECT_EQ(oldest(), seconds(30));
  const Lease back = take_one(hours(1)).lease;
  pass(seconds(5));
  EXPECT_EQ(give_back(back), "ok");
  pass(seconds(7));
  pause();
  EXPECT_EQ(oldest(), seconds(7)) << "it waits again since it was handed back";
  take_one(milliseconds(1));
  pass(seconds(1));
  EXPECT_EQ(state(later.id), "queued");
  pass(seconds(3));
  EXPECT_LE(oldest(), seconds(4));
  ASSERT_TRUE(cancel(later.id).ok());
  pass(hours(30));
  ASSERT_TRUE(retry(later.id).ok());
  pass(seconds(2));
  pause();
  EXPECT_EQ(oldest(), seconds(2)) << "and since it was run again by hand";
}

TEST_P(Jobs, what_expired_is_shown_and_counted_so_wherever_one_looks) {
  stores();
  NewJob delayed = job_of(1, "ann", JobClass::batch);
  delayed.run_at = wall() + seconds(10);
  delayed.expires = wall() + seconds(30);
  add(delayed);
  NewJob ready = job_of(2, "bob", JobClass::batch);
  ready.expires = wall() + seconds(20);
  add(ready);
  NewJob stays = job_of(3, "ann", JobClass::batch);
  stays.expires = wall() + seconds(31);
  add(stays);
  pass(seconds(30));
  JobFilter filter;
  filter.state = JobState::expired;
  EXPECT_EQ(listed(filter), "000002 000001 end");
  filter.state = JobState::queued;
  EXPECT_EQ(listed(filter), "000003 end");
  const auto expired = static_cast<std::size_t>(JobState::expired);
  const auto waits = static_cast<std::size_t>(JobState::queued);
  for (int round = 0; round < 2; ++round) {
    const auto one = get(delayed.id);
    EXPECT_EQ(one->state, JobState::expired);
    EXPECT_EQ(one->attempts, 0U);
    EXPECT_EQ(one->started, WallTime{});
    EXPECT_EQ(one->job.expires, delayed.expires);
    EXPECT_EQ(one->failure.code, "");
    if (exact()) EXPECT_EQ(one->finished, wall());
    const JobFigures now = jobs().figures();
    EXPECT_EQ(now.by_state[2][expired], 2U);
    EXPECT_EQ(now.by_state[2][waits], 1U);
    EXPECT_EQ(now.depth, 1U);
    EXPECT_EQ(now.oldest_ready[2], seconds(30));
    pause();
  }
  EXPECT_EQ(submit(job_of(4))->waiting, 2U) << "what expired takes no place: of ann's, these";
  EXPECT_EQ(reason_of(cancel(ready.id)), "job_ended");
}

}  // namespace
}  // namespace mainstay::storage
