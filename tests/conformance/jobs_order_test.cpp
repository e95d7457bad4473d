// What every job store promises of all jobs together: who is next, when, and who may come in.
// The numbers in comments are those of the list that every store must pass.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

// 8.

TEST_P(Jobs, a_lower_class_runs_only_when_no_higher_one_is_ready) {
  add(job_of(1, "ann", JobClass::background));
  add(job_of(2, "ann", JobClass::batch));
  add(job_of(3, "ann", JobClass::interactive));
  add(job_of(4, "ann", JobClass::voice));
  pause();
  EXPECT_EQ(run_everything(), "job_000004 job_000003 job_000002 job_000001");
}

TEST_P(Jobs, owners_take_turns_and_each_gets_its_oldest_first) {
  for (int i = 1; i <= 3; ++i) add(job_of(i, "ann"));
  for (int i = 4; i <= 5; ++i) add(job_of(i, "bob"));
  add(job_of(6, "cid"));
  pause();
  std::string order;
  for (const auto& one : take(6)) order += one.job.job.owner.user.text() + " ";
  EXPECT_EQ(order, "ann bob cid ann bob ann ");
}

TEST_P(Jobs, a_thousand_jobs_of_one_owner_delay_another_by_one_job_per_slot) {
  std::vector<Co<Result<Submitted>>> all;
  for (int i = 0; i < 1000; ++i) all.push_back(jobs().submit(job_of(i, "ann"), 0, soon()));
  for (const auto& one : run_all(ground_, std::move(all))) ASSERT_TRUE(one.ok());
  take(1);
  add(job_of(1000, "bob"));
  for (const std::uint32_t slots : {1U, 3U}) {
    const auto taken = take(slots + 1);
    ASSERT_EQ(taken.size(), slots + 1);
    const auto of_bob = std::count_if(taken.begin(), taken.end(), [](const Claimed& one) {
      return one.job.job.owner == user("bob");
    });
    EXPECT_EQ(of_bob, 1) << slots;
    add(job_of(2000, "bob"));
  }
}

TEST_P(Jobs, a_worker_gets_the_kinds_that_it_names_and_no_more_than_its_slots) {
  for (int i = 1; i <= 4; ++i) add(job_of(i));
  EXPECT_EQ(take(5, minutes(1), {"kind 9"}).size(), 0U);
  const auto taken = take(5, minutes(1), {"kind 4", "kind 2"});
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].job.job.kind, "kind 2");
  EXPECT_EQ(taken[1].job.job.kind, "kind 4");
  EXPECT_EQ(take(0).size(), 0U);
  EXPECT_EQ(take(1).size(), 1U);
  EXPECT_EQ(take(9).size(), 1U);
  EXPECT_EQ(take(9).size(), 0U);
}

TEST_P(Jobs, a_kind_is_found_behind_hundreds_of_others_and_these_keep_their_order) {
  const auto number = [](int i) {
    NewJob job = job_of(i);
    job.kind = i % 150 == 0 ? "rare" : "common";
    return job;
  };
  for (int i = 1; i <= 301; ++i) add(number(i));
  const auto rare = take(5, minutes(1), {"rare"});
  ASSERT_EQ(rare.size(), 2U);
  EXPECT_EQ(rare[0].job.job.id, number(150).id);
  EXPECT_EQ(rare[1].job.job.id, number(300).id);
  const auto first = take(2);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].job.job.id, number(1).id);
  EXPECT_EQ(first[1].job.job.id, number(2).id);
  EXPECT_EQ(take(400, minutes(1), {"common"}).size(), 297U);
}

// 3 and 6.

TEST_P(Jobs, a_lease_is_over_at_its_very_end) {
  stores();
  const Duration lease = seconds(10);
  for (const int after_us : {-1, 0, 1}) {
    const NewJob job = job_of(after_us + 5);
    add(job);
    const Lease held = take_one(lease).lease;
    pass(lease + microseconds(after_us));
    EXPECT_EQ(complete(held), after_us < 0 ? "ok" : "stale_lease") << after_us;
    if (after_us >= 0) EXPECT_TRUE(cancel(job.id).ok());
  }
  EXPECT_EQ(jobs().figures().expired_leases, 2U);
}

TEST_P(Jobs, an_extended_lease_counts_from_the_extension) {
  add(job_of(1));
  const Lease held = take_one(seconds(1)).lease;
  EXPECT_EQ(extend(held, minutes(2)), "ok");
  pass(seconds(1) + milliseconds(100));
  EXPECT_EQ(take(1).size(), 0U);
  EXPECT_EQ(extend(held, milliseconds(200)), "ok");  // it may also become shorter
  pass(milliseconds(201));
  EXPECT_EQ(extend(held, minutes(2)), "stale_lease");
  EXPECT_EQ(take(1).size(), 1U);
}

TEST_P(Jobs, attempts_that_end_in_silence_are_charged_and_death_comes_once) {
  NewJob job = job_of(1);
  job.attempts_max = 2;
  add(job);
  for (const std::uint32_t attempt : {1U, 2U}) {
    const Claimed one = take_one(milliseconds(50));
    EXPECT_EQ(one.job.attempts, attempt);
    pass(milliseconds(60));
  }
  EXPECT_EQ(take(5).size(), 0U);
  upkeep();
  EXPECT_EQ(state(job.id), "dead");
  EXPECT_EQ(get(job.id)->failure.code, "lease_over");
  EXPECT_EQ(jobs().figures().died, 1U);
  EXPECT_EQ(jobs().figures().expired_leases, 2U);
  pause();
  EXPECT_EQ(state(job.id), "dead");
}

TEST_P(Jobs, a_job_that_kills_its_workers_is_put_aside_before_its_attempts_end) {
  limits().poison_after = 2;
  NewJob job = job_of(1);
  job.attempts_max = 100;
  add(job);
  take_one(milliseconds(50));
  pass(milliseconds(60));
  const Lease spoke = take_one(milliseconds(500)).lease;
  EXPECT_EQ(fail(spoke, Duration{}), "scheduled");  // a word: the silence starts over
  for (int silent = 0; silent < 2; ++silent) {
    take_one(milliseconds(50));
    pass(milliseconds(60));
  }
  EXPECT_EQ(take(5).size(), 0U);
  upkeep();
  EXPECT_EQ(state(job.id), "dead");
  EXPECT_EQ(get(job.id)->attempts, 4U);
}

TEST_P(Jobs, a_restart_ends_attempts_and_charges_them) {
  stores();
  if (!restarts()) GTEST_SKIP() << "only a store that is opened again restarts";
  NewJob job = job_of(1);
  job.attempts_max = 2;
  add(job);
  const Lease first = take_one().lease;
  pause();
  EXPECT_EQ(complete(first), "stale_lease");
  const Claimed second = take_one();
  EXPECT_EQ(second.job.attempts, 2U);
  EXPECT_GT(second.lease.token, first.token);
  pause();
  EXPECT_EQ(complete(second.lease), "stale_lease");
  EXPECT_EQ(state(job.id), "dead");
  EXPECT_EQ(get(job.id)->failure.code, "restarted");
}

// 7 and 21.

TEST_P(Jobs, an_attempt_handed_back_is_not_charged_and_ready_at_once) {
  NewJob job = job_of(1);
  job.attempts_max = 1;
  add(job);
  add(job_of(2));
  for (int i = 0; i < 5; ++i) {
    const Claimed one = take_one();
    EXPECT_EQ(one.job.job.id, job.id);  // and still the oldest
    EXPECT_EQ(one.job.attempts, 1U);
    EXPECT_EQ(give_back(one.lease), "ok");
    EXPECT_EQ(state(job.id), "queued");
  }
  pause();
  EXPECT_EQ(run_everything(), "job_000001 job_000002");
}

TEST_P(Jobs, a_worker_that_drains_loses_nothing) {
  for (int i = 0; i < 40; ++i) add(job_of(i, i % 3 == 0 ? "ann" : "bob"));
  const auto held = take(16);
  ASSERT_EQ(held.size(), 16U);
  for (std::size_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(i % 2 == 0 ? complete(held[i].lease) : give_back(held[i].lease), "ok");
  }
  pause();
  std::set<std::string> rest;
  for (auto taken = take(); !taken.empty(); taken = take()) {
    EXPECT_TRUE(rest.insert(taken[0].job.job.id.text()).second);
    EXPECT_EQ(complete(taken[0].lease), "ok");
  }
  EXPECT_EQ(rest.size(), 32U);
  JobFilter filter;
  filter.state = JobState::succeeded;
  auto page = ground_.run(jobs().list(filter, JobId(), 100, soon()));
  EXPECT_EQ(page->items.size(), 40U);
}

// 9.

TEST_P(Jobs, sixty_four_submitters_at_once_get_exactly_the_users_cap) {
  std::vector<Co<Result<Submitted>>> all;
  for (int i = 0; i < 64; ++i) all.push_back(jobs().submit(job_of(i), 10, soon()));
  int in = 0;
  for (const auto& one : run_all(ground_, std::move(all))) {
    in += one.ok() ? 1 : 0;
    if (!one.ok()) EXPECT_EQ(one.error().code, Errc::over_limit);
    if (!one.ok()) EXPECT_EQ(reason_of(one), "too_many_waiting_jobs");
  }
  EXPECT_EQ(in, 10);
  EXPECT_EQ(jobs().figures().refused_user, 54U);
  EXPECT_TRUE(submit(job_of(100), 11).ok());
  EXPECT_EQ(reason_of(submit(job_of(101), 11)), "too_many_waiting_jobs");
  take_one();  // what runs does not wait
  EXPECT_EQ(submit(job_of(102), 11)->waiting, 11U);
  EXPECT_TRUE(submit(job_of(103, "bob"), 1).ok());
}

TEST_P(Jobs, items_of_batches_take_no_place_of_their_owners) {
  const auto item = [](int n) {
    NewJob job = job_of(n, "ann", JobClass::batch);
    job.batch = "batch";
    return job;
  };
  for (int n = 1; n <= 5; ++n) ASSERT_TRUE(submit(item(n)).ok());
  EXPECT_EQ(submit(job_of(11), 2)->waiting, 1U);
  EXPECT_EQ(submit(job_of(12), 2)->waiting, 2U);
  EXPECT_EQ(reason_of(submit(job_of(13), 2)), "too_many_waiting_jobs");
  pause();
  EXPECT_EQ(reason_of(submit(job_of(13), 2)), "too_many_waiting_jobs");
  for (int n = 1; n <= 2; ++n) EXPECT_EQ(complete(take_one().lease), "ok");  // interactive first
  const Lease lease = take_one().lease;
  EXPECT_EQ(fail(lease, hours(1)), "scheduled");
  ASSERT_TRUE(cancel(lease.id).ok());
  ASSERT_TRUE(cancel(job_of(5).id).ok());
  ASSERT_TRUE(retry(job_of(5).id, user("ann"), 1).ok());
  EXPECT_EQ(give_back(take_one().lease), "ok");
  EXPECT_EQ(submit(job_of(13), 1)->waiting, 1U);
  EXPECT_EQ(reason_of(submit(job_of(14), 1)), "too_many_waiting_jobs");
}

TEST_P(Jobs, what_its_owner_runs_again_is_admitted_like_a_submission) {
  limits().depth_high = 10;  // of the class of these: 9
  limits().depth_low = 5;
  const Owner me = job_of(1).owner;
  const auto again = [&](int n, std::uint32_t most) {
    return reason_of(retry(job_of(n).id, me, most));
  };
  for (int n = 1; n <= 3; ++n) ASSERT_TRUE(submit(job_of(n)).ok());
  for (int n = 1; n <= 3; ++n) ASSERT_TRUE(cancel(job_of(n).id).ok());
  EXPECT_EQ(again(1, 2), "ok");
  EXPECT_EQ(again(2, 2), "ok");
  EXPECT_EQ(again(3, 2), "too_many_waiting_jobs");
  EXPECT_EQ(again(2, 2), "job_not_ended") << "what the job is comes first";
  EXPECT_EQ(jobs().figures().refused_user, 1U);
  EXPECT_EQ(state(job_of(3).id), "cancelled");
  for (int n = 11; n <= 17; ++n) ASSERT_TRUE(submit(job_of(n, "bob")).ok());
  const auto refused = retry(job_of(3).id, me);
  EXPECT_EQ(reason_of(refused), "queue_overloaded");
  EXPECT_GE(refused.error().retry_after, seconds(1));
  EXPECT_EQ(jobs().figures().refused_depth, 1U);
  EXPECT_TRUE(retry(job_of(3).id).ok()) << "administrators mean it";
  EXPECT_EQ(reason_of(submit(job_of(18, "bob", JobClass::voice))), "queue_overloaded") << "ten";
  for (int left = 9; left >= 4; --left) EXPECT_EQ(complete(take_one().lease), "ok");
  ASSERT_TRUE(cancel(job_of(17).id).ok());
  EXPECT_EQ(reason_of(retry(job_of(17).id, job_of(17, "bob").owner)), "ok");
}

TEST_P(Jobs, the_depth_is_exact_under_many_submitters_and_opens_below_the_low_mark) {
  limits().depth_high = 50;
  limits().depth_low = 30;
  std::vector<Co<Result<Submitted>>> all;
  for (int i = 0; i < 64; ++i) {
    all.push_back(
        jobs().submit(job_of(i, "u" + std::to_string(i % 7), JobClass::voice), 0, soon()));
  }
  int in = 0;
  for (const auto& one : run_all(ground_, std::move(all))) {
    in += one.ok() ? 1 : 0;
    if (one.ok()) continue;
    EXPECT_EQ(reason_of(one), "queue_overloaded");
    EXPECT_EQ(one.error().code, Errc::unavailable);
    EXPECT_GE(one.error().retry_after, seconds(1));
    EXPECT_LE(one.error().retry_after, seconds(60));
  }
  EXPECT_EQ(in, 50);
  EXPECT_TRUE(jobs().figures().shedding);
  EXPECT_EQ(jobs().figures().refused_depth, 14U);
  const auto voice = [&](int n) { return reason_of(submit(job_of(n, "v", JobClass::voice))); };
  for (int left = 49; left >= 30; --left) {
    EXPECT_EQ(complete(take_one().lease), "ok");
    EXPECT_EQ(voice(1000), "queue_overloaded") << left;
  }
  EXPECT_EQ(complete(take_one().lease), "ok");  // 29 left
  EXPECT_FALSE(jobs().figures().shedding);
  for (int n = 0; n < 21; ++n) EXPECT_EQ(voice(2000 + n), "ok") << n;
  EXPECT_EQ(voice(3000), "queue_overloaded");
}

TEST_P(Jobs, classes_are_refused_in_order_at_their_shares) {
  limits().depth_high = 20;
  limits().depth_low = 5;
  int n = 0;
  const auto fill = [&](std::uint64_t depth) {
    while (jobs().figures().depth < depth) {
      ASSERT_TRUE(submit(job_of(n++, "v", JobClass::voice)).ok());
    }
  };
  const auto answer = [&](JobClass priority) {
    const auto out = submit(job_of(500 + n++, "w", priority));
    if (out.ok()) EXPECT_TRUE(cancel(out->id).ok());
    return reason_of(out);
  };
  const std::pair<JobClass, std::uint64_t> marks[] = {
      {JobClass::background, 12}, {JobClass::batch, 12}, {JobClass::interactive, 18}};
  for (const auto& [priority, mark] : marks) {
    if (jobs().figures().depth < mark) {
      fill(mark - 1);
      EXPECT_EQ(answer(priority), "ok") << mark;
      fill(mark);
    }
    EXPECT_EQ(answer(priority), "queue_overloaded") << mark;
    EXPECT_EQ(answer(JobClass::voice), "ok") << mark;
  }
}

TEST_P(Jobs, the_default_depth_is_five_thousand) {
  std::vector<Co<Result<Submitted>>> all;
  for (int i = 0; i < 5010; ++i) {
    all.push_back(
        jobs().submit(job_of(i, "u" + std::to_string(i % 601), JobClass::voice), 10, soon()));
  }
  int in = 0;
  for (const auto& one : run_all(ground_, std::move(all))) in += one.ok() ? 1 : 0;
  EXPECT_EQ(in, 5000);
}

// 10.

TEST_P(Jobs, a_delayed_job_is_never_early) {
  stores();
  const Duration delay = exact() ? Duration(hours(30)) : Duration(milliseconds(300));
  NewJob job = job_of(1);
  job.run_at = wall() + std::chrono::duration_cast<microseconds>(delay);
  EXPECT_EQ(submit(job)->state, JobState::scheduled);
  pause();
  EXPECT_EQ(take(1).size(), 0U);
  if (exact()) {
    pass(delay - microseconds(1));
    EXPECT_EQ(take(1).size(), 0U);
    pass(microseconds(1));
  } else {
    pass(delay);
  }
  EXPECT_EQ(take(1).size(), 1U);
}

TEST_P(Jobs, a_failed_attempt_is_tried_again_after_its_delay_until_none_is_left) {
  NewJob job = job_of(1);
  job.attempts_max = 2;
  add(job);
  EXPECT_EQ(fail(take_one().lease, milliseconds(200), "first"), "scheduled");
  EXPECT_EQ(take(1).size(), 0U);
  pause();
  EXPECT_EQ(state(job.id), "scheduled");
  pass(milliseconds(200));
  const Claimed second = take_one();
  EXPECT_EQ(second.job.attempts, 2U);
  EXPECT_EQ(second.job.failure.code, "first");
  EXPECT_EQ(fail(second.lease, milliseconds(1), "second"), "dead");
  EXPECT_EQ(get(job.id)->failure.code, "second");
  EXPECT_EQ(get(job.id)->attempts, 2U);
}

TEST_P(Jobs, no_attempt_begins_at_or_after_the_expiry) {
  stores();
  const auto life = milliseconds(200);
  for (int i = 3; i >= 1; --i) {
    NewJob job = job_of(i);
    job.expires = wall() + life;
    add(job);
    if (i == 3) EXPECT_EQ(fail(take_one().lease, hours(1)), "scheduled");
  }
  const Lease running = take_one().lease;
  pass(life);
  EXPECT_EQ(take(5).size(), 0U);
  upkeep();
  EXPECT_EQ(state(JobId("job_000001")), "expired");
  EXPECT_EQ(state(JobId("job_000003")), "expired");
  EXPECT_EQ(complete(running), "ok");  // what has begun may end
}

// Recurring jobs.

TEST_P(Jobs, every_end_but_a_cancel_makes_the_next_occurrence) {
  stores();
  NewJob job = keyed(job_of(1), "every minute");
  job.repeat_every = minutes(1);
  job.run_at = wall() + seconds(5);
  const WallTime first = job.run_at;
  add(job);
  pass(seconds(6));
  EXPECT_EQ(complete(take_one().lease), "ok");
  EXPECT_EQ(take(1).size(), 0U);
  pause();
  const auto current = submit(job);  // its key stands for the one that comes
  EXPECT_TRUE(current->existed);
  EXPECT_EQ(current->state, JobState::scheduled);
  EXPECT_EQ(get(current->id)->job.run_at, first + minutes(1));
  EXPECT_EQ(get(current->id)->job.input, R"({"input":1})");
  pass(minutes(5));  // four moments are missed
  const Claimed second = take_one();
  EXPECT_EQ(second.lease.id, current->id);
  EXPECT_EQ(fail(second.lease, std::nullopt), "dead");
  const auto third = submit(job);
  EXPECT_EQ(get(third->id)->job.run_at, first + minutes(6));
  EXPECT_EQ(take(1).size(), 0U);
  ASSERT_TRUE(cancel(third->id).ok());
  pass(hours(1));
  EXPECT_EQ(take(1).size(), 0U);
}

TEST_P(Jobs, an_occurrence_that_is_run_again_by_hand_does_not_start_a_second_rhythm) {
  stores();
  NewJob job = job_of(1);
  job.repeat_every = minutes(1);
  add(job);
  EXPECT_EQ(fail(take_one().lease, std::nullopt), "dead");
  ASSERT_TRUE(retry(job.id).ok());
  EXPECT_EQ(complete(take_one().lease), "ok");
  EXPECT_EQ(jobs().figures().depth, 1U);
  pass(minutes(1));
  EXPECT_EQ(complete(take_one().lease), "ok");
  EXPECT_EQ(jobs().figures().depth, 1U);
}

TEST_P(Jobs, a_rhythm_outlives_failures_and_hands) {
  stores();
  NewJob job = job_of(1);
  job.run_at = wall() - seconds(10);
  job.repeat_every = minutes(1);
  add(job);
  fail(take_one().lease, milliseconds(0));
  EXPECT_EQ(fail(take_one().lease, std::nullopt), "dead");
  ASSERT_TRUE(retry(job.id).ok());
  EXPECT_EQ(complete(take_one().lease), "ok");
  pause();
  EXPECT_EQ(jobs().figures().depth, 1U);
  JobFilter filter;
  filter.state = JobState::scheduled;
  const auto next = ground_.run(jobs().list(filter, {}, 5, ground_.soon()));
  ASSERT_TRUE(next.ok());
  ASSERT_EQ(next->items.size(), 1U);
  EXPECT_EQ(next->items[0].job.run_at, job.run_at + minutes(1));
}

TEST_P(Jobs, what_is_run_again_by_hand_expires_no_more) {
  stores();
  NewJob job = job_of(1);
  job.expires = wall() + milliseconds(50);
  add(job);
  pass(milliseconds(60));
  upkeep();
  ASSERT_EQ(state(job.id), "expired");
  ASSERT_TRUE(retry(job.id).ok());
  const Claimed again = take_one();
  EXPECT_EQ(again.job.job.expires, WallTime{});
}

// 16 and 18.

TEST_P(Jobs, what_has_ended_is_kept_for_its_time_and_not_longer) {
  limits().keep_results = hours(1);
  limits().keep_dead = hours(5);
  limits().keep_keys = hours(3);
  stores();
  add(keyed(job_of(1), "key"));
  complete(take_one().lease);
  add(job_of(2));
  fail(take_one().lease, std::nullopt);
  add(job_of(3));
  ASSERT_TRUE(cancel(JobId("job_000003")).ok());
  pass(hours(1) - microseconds(1));
  upkeep();
  EXPECT_EQ(listed({}), "000003 000002 000001 end");
  pass(microseconds(1));
  pause();
  upkeep();
  EXPECT_EQ(listed({}), "000002 end");
  EXPECT_TRUE(submit(keyed(job_of(1), "key"))->existed);
  pass(hours(2));
  upkeep();
  const auto fresh = submit(keyed(job_of(4), "key"));
  ASSERT_TRUE(fresh.ok()) << reason_of(fresh);
  EXPECT_FALSE(fresh->existed);
  EXPECT_EQ(fresh->id, JobId("job_000004"));
  pass(hours(2) - microseconds(1));
  upkeep();
  EXPECT_EQ(state(JobId("job_000002")), "dead");
  pass(microseconds(1));
  upkeep();
  EXPECT_EQ(state(JobId("job_000002")), "unknown_job");
}

TEST_P(Jobs, nothing_that_has_not_ended_is_ever_removed) {
  stores();
  NewJob far = job_of(1);
  far.run_at = wall() + hours(24 * 400);
  add(keyed(far, "key"));
  add(job_of(2));
  const Lease running = take_one(hours(24 * 500)).lease;
  add(job_of(3));
  pass(hours(24 * 365));
  EXPECT_GT(upkeep(), Duration{});
  EXPECT_EQ(listed({}), "000003 000002 000001 end");
  EXPECT_TRUE(submit(keyed(far, "key"))->existed);
  EXPECT_EQ(complete(running), "ok");
  pause();
  pass(hours(24 * 35));
  EXPECT_EQ(take(5).size(), 2U);
}

}  // namespace
}  // namespace mainstay::storage
