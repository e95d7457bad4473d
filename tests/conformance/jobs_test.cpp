// What every job store promises of one job: it is kept, it has one outcome, one effect, one id.
// The numbers in comments are those of the list that every store must pass.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

INSTANTIATE_TEST_SUITE_P(BackEnds, Jobs, testing::ValuesIn(kJobBackEnds), back_end_name);

// 1 and 22.

TEST_P(Jobs, a_confirmed_job_is_there_with_every_field_as_it_was) {
  NewJob job = keyed(job_of(1), "key 1");
  job.priority = JobClass::batch;
  job.batch = "batch 1";
  job.run_at = wall() + seconds(20);
  job.expires = wall() + hours(3);
  job.attempts_max = 7;
  job.repeat_every = seconds(86'399);
  const WallTime created = wall();
  const auto submitted = submit(job);
  ASSERT_TRUE(submitted.ok()) << reason_of(submitted);
  EXPECT_EQ(submitted->id, job.id);
  EXPECT_EQ(submitted->state, JobState::scheduled);
  EXPECT_FALSE(submitted->existed);
  EXPECT_EQ(submitted->waiting, 0U) << "items of batches take no place of their owner's";
  pause();
  const auto kept = get(job.id, job.owner);
  ASSERT_TRUE(kept.ok()) << reason_of(kept);
  EXPECT_EQ(kept->job.id, job.id);
  EXPECT_EQ(kept->job.owner, job.owner);
  EXPECT_EQ(kept->job.client, "client 1");
  EXPECT_EQ(kept->job.kind, "kind 1");
  EXPECT_EQ(kept->job.priority, JobClass::batch);
  EXPECT_EQ(kept->job.input, R"({"input":1})");
  EXPECT_EQ(kept->job.key, "key 1");
  EXPECT_EQ(kept->job.digest, "digest 1");
  EXPECT_EQ(kept->job.batch, "batch 1");
  EXPECT_EQ(kept->job.run_at, job.run_at);
  EXPECT_EQ(kept->job.expires, job.expires);
  EXPECT_EQ(kept->job.attempts_max, 7U);
  EXPECT_EQ(kept->job.repeat_every, seconds(86'399));
  EXPECT_EQ(kept->state, JobState::scheduled);
  if (exact()) EXPECT_EQ(kept->created, created);
  EXPECT_EQ(kept->attempts, 0U);
  EXPECT_EQ(kept->finished, WallTime{});
}

TEST_P(Jobs, an_attempt_and_an_outcome_are_kept_with_their_moments) {
  add(job_of(1));
  pass(milliseconds(20));
  const WallTime started = wall();
  Claim claim{"worker A", {}, 1, minutes(1)};
  auto taken = ground_.run(jobs().claim(claim, soon()));
  ASSERT_EQ(taken->size(), 1U);
  const Claimed one = taken->front();
  EXPECT_EQ(one.job.job.input, R"({"input":1})");
  EXPECT_EQ(one.job.state, JobState::running);
  EXPECT_EQ(one.job.attempts, 1U);
  EXPECT_EQ(one.job.worker, "worker A");
  EXPECT_EQ(one.lease.id, JobId("job_000001"));
  EXPECT_EQ(one.lease.token, one.job.token);
  EXPECT_EQ(state(one.lease.id), "running");
  pass(milliseconds(30));
  EXPECT_EQ(complete(one.lease, R"({"answer":"forty-two"})"), "ok");
  pause();
  const auto kept = get(one.lease.id);
  EXPECT_EQ(kept->state, JobState::succeeded);
  EXPECT_EQ(kept->result, R"({"answer":"forty-two"})");
  EXPECT_EQ(kept->worker, "worker A");
  EXPECT_EQ(kept->attempts, 1U);
  if (!exact()) return;
  EXPECT_EQ(kept->started, started);
  EXPECT_EQ(kept->finished, started + milliseconds(30));
}

TEST_P(Jobs, an_id_is_never_given_to_two_jobs) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  NewJob other = job_of(2);
  other.id = JobId("job_000001");
  EXPECT_EQ(reason_of(submit(other)), "already_exists");
  pause();
  EXPECT_EQ(reason_of(submit(other)), "already_exists");
  NewJob of_another = job_of(1, "bob");
  EXPECT_EQ(reason_of(submit(of_another)), "already_exists");
  EXPECT_EQ(get(JobId("job_000001"))->job.kind, "kind 1");
}

TEST_P(Jobs, a_submission_told_again_after_its_answer_was_lost_is_the_same_job) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  const auto again = submit(job_of(1));
  ASSERT_TRUE(again.ok()) << reason_of(again);
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->id, JobId("job_000001"));
  EXPECT_EQ(run_everything(), "job_000001");
}

// 2, 3 and 4.

TEST_P(Jobs, the_first_outcome_is_the_only_one) {
  add(job_of(1));
  const Lease lease = take_one().lease;
  EXPECT_EQ(complete(lease, R"({"first":1})"), "ok");
  EXPECT_EQ(complete(lease, R"({"second":2})"), "ok");
  EXPECT_EQ(fail(lease, seconds(1)), "stale_lease");
  EXPECT_EQ(give_back(lease), "stale_lease");
  EXPECT_EQ(extend(lease, seconds(1)), "stale_lease");
  EXPECT_EQ(get(lease.id)->result, R"({"first":1})");
  EXPECT_EQ(get(lease.id)->state, JobState::succeeded);
}

TEST_P(Jobs, a_verb_told_again_gets_the_same_answer_and_another_one_is_stale) {
  add(job_of(1));
  const Lease first = take_one().lease;
  EXPECT_EQ(fail(first, hours(1), "one"), "scheduled");
  EXPECT_EQ(fail(first, hours(1), "two"), "scheduled");
  EXPECT_EQ(complete(first), "stale_lease");
  EXPECT_EQ(give_back(first), "stale_lease");
  EXPECT_EQ(get(first.id)->failure.code, "one");
  EXPECT_EQ(get(first.id)->failure.message, "message of one");
  add(job_of(2));
  const Lease second = take_one().lease;
  EXPECT_EQ(fail(second, std::nullopt), "dead");
  EXPECT_EQ(fail(second, std::nullopt), "dead");
  EXPECT_EQ(complete(second), "stale_lease");
  add(job_of(3));
  const Lease third = take_one().lease;
  EXPECT_EQ(give_back(third), "ok");
  EXPECT_EQ(give_back(third), "ok");
  EXPECT_EQ(fail(third, seconds(1)), "stale_lease");
  EXPECT_EQ(get(third.id)->attempts, 0U);
}

TEST_P(Jobs, what_ended_an_attempt_is_known_after_a_restart) {
  add(job_of(1));
  const Lease failed = take_one().lease;
  EXPECT_EQ(fail(failed, hours(1)), "scheduled");
  add(job_of(2));
  const Lease completed = take_one().lease;
  EXPECT_EQ(complete(completed), "ok");
  add(job_of(3));
  const Lease returned = take_one().lease;
  EXPECT_EQ(give_back(returned), "ok");
  pause();
  EXPECT_EQ(fail(failed, hours(1)), "scheduled");
  EXPECT_EQ(complete(failed), "stale_lease");
  EXPECT_EQ(complete(completed), "ok");
  EXPECT_EQ(give_back(returned), "ok");
  EXPECT_EQ(complete(returned), "stale_lease");
}

TEST_P(Jobs, the_lease_of_an_earlier_attempt_changes_nothing) {
  add(job_of(1));
  const Lease first = take_one().lease;
  EXPECT_EQ(give_back(first), "ok");
  const Lease second = take_one().lease;
  EXPECT_GT(second.token, first.token);
  EXPECT_EQ(complete(first, R"({"late":1})"), "stale_lease");
  EXPECT_EQ(fail(first, seconds(1)), "stale_lease");
  EXPECT_EQ(extend(first, seconds(1)), "stale_lease");
  EXPECT_EQ(give_back(first), "stale_lease");
  EXPECT_EQ(complete({second.id, second.token + 1}), "stale_lease");
  EXPECT_EQ(complete({JobId("job_nowhere"), 1}), "stale_lease");
  EXPECT_EQ(state(second.id), "running");
  EXPECT_EQ(complete(second, R"({"right":1})"), "ok");
  EXPECT_EQ(get(second.id)->result, R"({"right":1})");
  EXPECT_EQ(jobs().figures().stale, 6U);
}

// 5.

TEST_P(Jobs, the_same_key_and_request_is_the_first_job) {
  ASSERT_TRUE(submit(keyed(job_of(1), "key")).ok());
  NewJob again = keyed(job_of(2), "key");
  again.digest = "digest 1";
  const auto answer = submit(again);
  ASSERT_TRUE(answer.ok()) << reason_of(answer);
  EXPECT_EQ(answer->id, JobId("job_000001"));
  EXPECT_TRUE(answer->existed);
  EXPECT_EQ(answer->state, JobState::queued);
  EXPECT_EQ(answer->waiting, 1U);
  EXPECT_EQ(reason_of(submit(keyed(job_of(3), "key"))), "idempotency_key_reused");
  pause();
  EXPECT_EQ(run_everything(), "job_000001");
  const auto later = submit(again);
  EXPECT_EQ(later->id, JobId("job_000001"));
  EXPECT_EQ(later->state, JobState::succeeded);
  EXPECT_EQ(reason_of(submit(keyed(job_of(3), "key"))), "idempotency_key_reused");
  if (!restarts()) EXPECT_EQ(jobs().figures().replayed, 2U);
}

TEST_P(Jobs, a_key_is_its_owners_alone) {
  ASSERT_TRUE(submit(keyed(job_of(1, "ann"), "key")).ok());
  const auto other = submit(keyed(job_of(2, "bob"), "key"));
  ASSERT_TRUE(other.ok()) << reason_of(other);
  EXPECT_FALSE(other->existed);
  EXPECT_EQ(other->id, JobId("job_000002"));
  EXPECT_FALSE(submit(job_of(3))->existed);
  EXPECT_FALSE(submit(job_of(4))->existed);  // no key is not a key
}

TEST_P(Jobs, of_many_submissions_with_one_key_at_once_one_makes_a_job) {
  std::vector<Co<Result<Submitted>>> all;
  for (int i = 0; i < 64; ++i) {
    NewJob job = keyed(job_of(i), "key");
    job.digest = "the same";
    all.push_back(jobs().submit(std::move(job), 0, soon()));
  }
  std::set<JobId> ids;
  int made = 0;
  for (const auto& answer : run_all(ground_, std::move(all))) {
    ASSERT_TRUE(answer.ok()) << reason_of(answer);
    ids.insert(answer->id);
    made += answer->existed ? 0 : 1;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(run_everything(), ids.begin()->text());
}

TEST_P(Jobs, a_key_outlives_the_erased_job) {
  ASSERT_TRUE(submit(keyed(job_of(1), "key")).ok());
  EXPECT_EQ(run_everything(), "job_000001");
  EXPECT_EQ(erase(JobId("job_000001")), "ok");
  pause();
  const auto again = submit(keyed(job_of(1), "key"));
  ASSERT_TRUE(again.ok()) << reason_of(again);
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->id, JobId("job_000001"));
  EXPECT_EQ(take().size(), 0U);
}

// Exactly one effect.

Effects effects_of(int n) {
  Effects out;
  out.turn = turn_of("conversation", n);
  out.follow_ups.push_back(job_of(100 + n));
  return out;
}

TEST_P(Jobs, completing_stores_the_turn_and_the_follow_ups_once) {
  add(job_of(1));
  const Lease lease = take_one().lease;
  EXPECT_EQ(complete(lease, "{}", effects_of(1)), "ok");
  EXPECT_EQ(complete(lease, "{}", effects_of(1)), "ok");
  EXPECT_EQ(complete(lease, "{}", effects_of(2)), "ok");  // told again: changes nothing
  pause();
  const auto window = ground_.run(stores().conversations().window(
      user("ann"), ConversationId("conversation"), Tokens{100'000}, soon()));
  ASSERT_TRUE(window.ok());
  ASSERT_EQ(window->size(), 2U);
  EXPECT_EQ(window->front().id, MessageId("q1"));
  EXPECT_EQ(run_everything(), "job_000101");
}

TEST_P(Jobs, a_stale_completion_has_no_effect) {
  add(job_of(1));
  const Lease stale = take_one().lease;
  EXPECT_EQ(give_back(stale), "ok");
  take_one();
  EXPECT_EQ(complete(stale, "{}", effects_of(1)), "stale_lease");
  const auto window = ground_.run(stores().conversations().window(
      user("ann"), ConversationId("conversation"), Tokens{100'000}, soon()));
  EXPECT_TRUE(window->empty());
  EXPECT_EQ(reason_of(get(JobId("job_000101"))), "unknown_job");
}

TEST_P(Jobs, follow_ups_know_no_caps_and_are_made_once) {
  limits().depth_high = 2;
  limits().depth_low = 1;
  ASSERT_TRUE(submit(job_of(1, "ann", JobClass::voice)).ok());
  Effects effects;
  for (int i = 2; i <= 6; ++i) effects.follow_ups.push_back(job_of(i));
  effects.follow_ups.push_back(job_of(3));
  EXPECT_EQ(complete(take_one().lease, "{}", effects), "ok");
  EXPECT_EQ(reason_of(submit(job_of(7, "ann", JobClass::voice))), "queue_overloaded");
  EXPECT_EQ(run_everything(), "job_000002 job_000003 job_000004 job_000005 job_000006");
}

// 15, and what is done by hand.

TEST_P(Jobs, of_a_cancel_and_a_completion_at_once_one_wins) {
  for (int round = 0; round < 20; ++round) {
    const NewJob job = job_of(round);
    add(job);
    const Lease lease = take_one().lease;
    std::vector<Co<bool>> both;
    const auto cancels = [](JobStore& store, JobId id, Deadline by) -> Co<bool> {
      auto out = co_await store.cancel(std::nullopt, id, by);
      co_return out.ok();
    };
    const auto completes = [](JobStore& store, Lease of, Deadline by) -> Co<bool> {
      Effects none;
      auto out = co_await store.complete(of, "{}", none, by);
      co_return out.ok();
    };
    if (round % 2 == 0) both.push_back(cancels(jobs(), job.id, soon()));
    both.push_back(completes(jobs(), lease, soon()));
    if (round % 2 == 1) both.push_back(cancels(jobs(), job.id, soon()));
    const auto won = run_all(ground_, std::move(both));
    EXPECT_EQ((won[0] ? 1 : 0) + (won[1] ? 1 : 0), 1);
    const bool cancelled = won[round % 2 == 0 ? 0 : 1];
    EXPECT_EQ(state(job.id), cancelled ? "cancelled" : "succeeded");
  }
}

TEST_P(Jobs, cancelling_ends_whatever_has_not_ended) {
  NewJob scheduled = job_of(1);
  scheduled.run_at = wall() + hours(1);
  add(scheduled);
  add(job_of(2));
  const Lease running = take_one().lease;
  add(job_of(3));
  for (const char* id : {"job_000001", "job_000002", "job_000003"}) {
    const auto cancelled = cancel(JobId(id), user("ann"));
    ASSERT_TRUE(cancelled.ok()) << reason_of(cancelled);
    EXPECT_EQ(cancelled->state, JobState::cancelled);
    EXPECT_EQ(cancelled->job.id, JobId(id));
    if (exact()) EXPECT_EQ(cancelled->finished, wall());
    EXPECT_EQ(reason_of(cancel(JobId(id))), "job_ended");
  }
  EXPECT_EQ(complete(running), "stale_lease");
  EXPECT_EQ(extend(running, seconds(1)), "stale_lease");
  EXPECT_EQ(take(5).size(), 0U);
  pause();
  EXPECT_EQ(state(JobId("job_000002")), "cancelled");
}

TEST_P(Jobs, nobody_sees_or_touches_the_job_of_another) {
  add(job_of(1, "ann"));
  const JobId id("job_000001");
  const Owner same_user{TenantId("elsewhere"), UserId("ann")};
  for (const Owner& stranger : {user("bob"), same_user}) {
    EXPECT_EQ(reason_of(get(id, stranger)), "unknown_job");
    EXPECT_EQ(reason_of(cancel(id, stranger)), "unknown_job");
    EXPECT_EQ(reason_of(retry(id, stranger)), "unknown_job");
    EXPECT_EQ(erase(id, stranger), "unknown_job");
    JobFilter filter;
    filter.owner = stranger;
    EXPECT_EQ(listed(filter), "end");
    EXPECT_EQ(listed(filter, "job_000001"), "unknown_job");
  }
  EXPECT_EQ(state(id), "queued");
}

// 14.

TEST_P(Jobs, a_dead_job_runs_again_with_its_id_and_key_and_fresh_attempts) {
  NewJob job = keyed(job_of(1), "key");
  job.attempts_max = 1;
  add(job);
  const Lease first = take_one().lease;
  EXPECT_EQ(fail(first, seconds(1), "broke"), "dead");
  pause();
  EXPECT_EQ(get(job.id)->failure.code, "broke");
  const auto again = retry(job.id, job.owner);
  ASSERT_TRUE(again.ok()) << reason_of(again);
  EXPECT_EQ(again->state, JobState::queued);
  EXPECT_EQ(again->attempts, 0U);
  EXPECT_EQ(again->job.key, "key");
  EXPECT_EQ(again->finished, WallTime{});
  EXPECT_EQ(reason_of(retry(job.id)), "job_not_ended");
  EXPECT_EQ(submit(keyed(job_of(1), "key"))->existed, true);
  pause();
  const Claimed second = take_one();
  EXPECT_GT(second.lease.token, first.token);
  EXPECT_EQ(second.job.attempts, 1U);
  EXPECT_EQ(second.job.job.input, R"({"input":1})");
  EXPECT_EQ(complete(first), "stale_lease");
  EXPECT_EQ(complete(second.lease), "ok");
  EXPECT_EQ(reason_of(retry(job.id)), "job_succeeded");
  EXPECT_EQ(reason_of(retry(JobId("job_none"))), "unknown_job");
}

TEST_P(Jobs, a_cancelled_and_an_expired_job_run_again_when_asked) {
  add(job_of(1));
  ASSERT_TRUE(cancel(JobId("job_000001")).ok());
  NewJob expiring = job_of(2);
  expiring.expires = wall() + milliseconds(50);
  add(expiring);
  pass(milliseconds(60));
  EXPECT_EQ(take(5).size(), 0U);
  upkeep();
  EXPECT_EQ(state(expiring.id), "expired");
  ASSERT_TRUE(retry(JobId("job_000001")).ok());
  ASSERT_TRUE(retry(expiring.id).ok());
  EXPECT_EQ(run_everything(), "job_000001 job_000002");
}

TEST_P(Jobs, only_what_has_ended_can_be_forgotten) {
  add(job_of(1));
  const JobId id("job_000001");
  EXPECT_EQ(erase(id), "job_not_ended");
  const Lease lease = take_one().lease;
  EXPECT_EQ(erase(id), "job_not_ended");
  EXPECT_EQ(complete(lease), "ok");
  EXPECT_EQ(erase(id, user("ann")), "ok");
  EXPECT_EQ(erase(id), "unknown_job");
  EXPECT_EQ(reason_of(get(id)), "unknown_job");
  EXPECT_EQ(listed({}), "end");
  pause();
  EXPECT_EQ(reason_of(get(id)), "unknown_job");
}

// Lists and figures.

TEST_P(Jobs, lists_are_newest_first_by_filter_and_in_pages) {
  for (int i = 1; i <= 5; ++i) {
    NewJob job = job_of(i, i % 2 == 0 ? "bob" : "ann");
    job.batch = i < 3 ? "first" : "second";
    job.kind = i == 4 ? "turn" : "webhook";
    add(job);
  }
  EXPECT_EQ(complete(take_one().lease, R"({"r":1})"), "ok");
  EXPECT_EQ(listed({}), "000005 000004 000003 000002 000001 end");
  pause();
  EXPECT_EQ(listed({}, "", 2), "000005 000004 more");
  EXPECT_EQ(listed({}, "job_000004", 2), "000003 000002 more");
  EXPECT_EQ(listed({}, "job_000002", 1), "000001 end");
  EXPECT_EQ(listed({}, "job_000001"), "end");
  EXPECT_EQ(listed({}, "job_unknown"), "unknown_job");
  JobFilter filter;
  filter.owner = user("ann");
  EXPECT_EQ(listed(filter), "000005 000003 000001 end");
  EXPECT_EQ(listed(filter, "", 2), "000005 000003 more");
  filter.batch = "second";
  EXPECT_EQ(listed(filter), "000005 000003 end");
  filter = {};
  filter.kind = "turn";
  EXPECT_EQ(listed(filter), "000004 end");
  filter = {};
  filter.state = JobState::succeeded;
  EXPECT_EQ(listed(filter), "000001 end");
  auto page = ground_.run(jobs().list(filter, JobId(), 1, soon()));
  EXPECT_EQ(page->items[0].job.input, "");
  EXPECT_EQ(page->items[0].result, "");
  EXPECT_EQ(page->items[0].job.client, "client 1");
  EXPECT_EQ(get(JobId("job_000001"))->result, R"({"r":1})");
}

TEST_P(Jobs, figures_count_what_is_and_what_was) {
  limits().depth_high = 100;
  for (int i = 1; i <= 4; ++i) add(job_of(i, "ann", JobClass::voice));
  NewJob later = job_of(5, "bob", JobClass::background);
  later.run_at = wall() + hours(1);
  add(later);
  EXPECT_EQ(reason_of(submit(job_of(6), 4)), "too_many_waiting_jobs");
  const auto taken = take(3);
  ASSERT_EQ(taken.size(), 3U);
  complete(taken[0].lease);
  fail(taken[1].lease, std::nullopt);
  complete(taken[1].lease);
  const JobFigures now = jobs().figures();
  EXPECT_EQ(now.by_state[0][1], 1U);  // voice, queued
  EXPECT_EQ(now.by_state[0][2], 1U);
  EXPECT_EQ(now.by_state[0][3], 1U);
  EXPECT_EQ(now.by_state[0][4], 1U);
  EXPECT_EQ(now.by_state[3][0], 1U);  // background, scheduled
  EXPECT_EQ(now.depth, 3U);
  EXPECT_EQ(now.submitted, 5U);
  EXPECT_EQ(now.claimed, 3U);
  EXPECT_EQ(now.completed, 1U);
  EXPECT_EQ(now.failed_attempts, 1U);
  EXPECT_EQ(now.died, 1U);
  EXPECT_EQ(now.stale, 1U);
  EXPECT_EQ(now.refused_user, 1U);
  EXPECT_FALSE(now.shedding);
  pass(milliseconds(40));
  EXPECT_GE(jobs().figures().oldest_ready[0], milliseconds(40));
  EXPECT_EQ(jobs().figures().oldest_ready[3], Duration{});
  pause();
  const JobFigures after = jobs().figures();
  EXPECT_EQ(after.by_state[0][3], 1U);
  EXPECT_EQ(after.by_state[0][4], 1U);
  EXPECT_EQ(after.depth, 3U);
}

}  // namespace
}  // namespace mainstay::storage
