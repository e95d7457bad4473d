// The table of a job's life: each event in each state, and the moments that decide.
#include "storage/job_life.h"

#include <gtest/gtest.h>

#include <set>

namespace mainstay::storage {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

const WallTime kNow = wall_from_micros(1'700'000'000'000'000);

JobLife life_in(JobState state) {
  JobLife life;
  life.state = state;
  life.attempts = 1;
  life.attempts_max = 3;
  life.token = 5;
  life.run_at = kNow - seconds(7);
  life.expires = kNow + seconds(9);
  return life;
}

JobStep event(JobEvent what) {
  JobStep out;
  out.event = what;
  out.now = kNow;
  const bool leased =
      what == JobEvent::complete || what == JobEvent::fail || what == JobEvent::give_back;
  if (leased) out.token = 5;
  if (what == JobEvent::fail) out.again = seconds(4);
  return out;
}

/// What an event does in a state: a new state, "same", or the reason of a refusal.
std::string outcome(JobState state, JobEvent what) {
  JobLife before = life_in(state);
  if (what == JobEvent::expire) before.expires = kNow;
  const auto after = step(before, event(what));
  if (!after.ok()) return after.error().reason;
  if (*after == before) return "same";
  return std::string(name(after->state));
}

struct Row {
  JobEvent event;
  const char* of[kJobStates];  // scheduled queued running succeeded dead cancelled expired
};

constexpr const char* kStale = "stale_lease";
const Row kTable[] = {
    {JobEvent::claim, {kStale, "running", kStale, kStale, kStale, kStale, kStale}},
    {JobEvent::complete, {kStale, kStale, "succeeded", kStale, kStale, kStale, kStale}},
    {JobEvent::fail, {kStale, kStale, "scheduled", kStale, kStale, kStale, kStale}},
    {JobEvent::give_back, {kStale, kStale, "queued", kStale, kStale, kStale, kStale}},
    {JobEvent::lease_over, {"same", "same", "queued", "same", "same", "same", "same"}},
    {JobEvent::restart, {"same", "same", "queued", "same", "same", "same", "same"}},
    {JobEvent::due, {"queued", "same", "same", "same", "same", "same", "same"}},
    {JobEvent::cancel,
     {"cancelled", "cancelled", "cancelled", "job_ended", "job_ended", "job_ended", "job_ended"}},
    {JobEvent::expire,
     {"expired", "expired", "same", "job_ended", "job_ended", "job_ended", "job_ended"}},
    {JobEvent::retry,
     {"job_not_ended", "job_not_ended", "job_not_ended", "job_succeeded", "queued", "queued",
      "queued"}},
};

TEST(JobLifeTable, every_event_in_every_state_does_what_the_table_says) {
  std::set<JobEvent> seen;
  for (const Row& row : kTable) {
    seen.insert(row.event);
    for (std::size_t s = 0; s < kJobStates; ++s) {
      const auto state = static_cast<JobState>(s);
      EXPECT_EQ(outcome(state, row.event), row.of[s])
          << "event " << static_cast<int>(row.event) << " in " << name(state);
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(JobEvent::retry) + 1);
}

TEST(JobLifeTable, a_claim_charges_an_attempt_and_grows_the_token) {
  const auto after = step(life_in(JobState::queued), event(JobEvent::claim));
  EXPECT_EQ(after->attempts, 2U);
  EXPECT_EQ(after->token, 6U);
}

TEST(JobLifeTable, no_attempt_begins_at_or_after_the_expiry) {
  JobLife life = life_in(JobState::queued);
  for (const int after_us : {-1, 0, 1}) {
    life.expires = kNow - microseconds(after_us);
    EXPECT_EQ(step(life, event(JobEvent::claim)).ok(), after_us < 0);
    const auto expired = step(life, event(JobEvent::expire));
    EXPECT_EQ(expired->state, after_us < 0 ? JobState::queued : JobState::expired);
  }
}

TEST(JobLifeTable, a_scheduled_job_is_due_at_its_moment_and_not_before) {
  JobLife life = life_in(JobState::scheduled);
  for (const int after_us : {-1, 0, 1}) {
    life.run_at = kNow - microseconds(after_us);
    const auto due = step(life, event(JobEvent::due));
    EXPECT_EQ(due->state, after_us < 0 ? JobState::scheduled : JobState::queued);
  }
}

TEST(JobLifeTable, another_token_is_stale_for_every_verb_with_a_lease) {
  for (const auto what : {JobEvent::complete, JobEvent::fail, JobEvent::give_back}) {
    for (const std::uint64_t token : {std::uint64_t{4}, std::uint64_t{6}}) {
      JobStep late = event(what);
      late.token = token;
      EXPECT_EQ(step(life_in(JobState::running), late).error().reason, "stale_lease");
    }
    JobStep none = event(what);
    none.token.reset();
    EXPECT_EQ(step(life_in(JobState::running), none).error().reason, "stale_lease");
  }
}

TEST(JobLifeTable, the_verb_that_ended_an_attempt_may_be_told_again_and_no_other) {
  const JobEvent verbs[] = {JobEvent::complete, JobEvent::fail, JobEvent::give_back};
  for (const auto first : verbs) {
    const auto after = step(life_in(JobState::running), event(first));
    for (const auto second : verbs) {
      const auto again = step(*after, event(second));
      if (first != second) {
        EXPECT_EQ(again.error().reason, "stale_lease");
      } else {
        EXPECT_EQ(*again, *after);
      }
    }
    JobStep older = event(first);
    older.token = 4;
    EXPECT_FALSE(step(*after, older).ok());
  }
}

TEST(JobLifeTable, a_failure_is_answered_the_same_until_the_next_attempt_begins) {
  const auto failed = step(life_in(JobState::running), event(JobEvent::fail));
  JobStep later = event(JobEvent::due);
  later.now = kNow + seconds(4);
  const auto ready = step(*failed, later);
  ASSERT_EQ(ready->state, JobState::queued);
  const auto again = step(*ready, event(JobEvent::fail));
  EXPECT_EQ(*again, *ready);
  EXPECT_EQ(answer_of_fail(*again), JobState::scheduled);
  later.event = JobEvent::claim;
  const auto next = step(*ready, later);
  EXPECT_EQ(step(*next, event(JobEvent::fail)).error().reason, "stale_lease");
}

TEST(JobLifeTable, a_failed_attempt_waits_from_now_and_the_last_one_is_the_death) {
  JobLife life = life_in(JobState::running);
  EXPECT_EQ(step(life, event(JobEvent::fail))->run_at, kNow + seconds(4));
  for (const std::uint32_t attempts : {2U, 3U, 4U}) {
    life.attempts = attempts;
    const auto after = step(life, event(JobEvent::fail));
    EXPECT_EQ(after->state, attempts < 3 ? JobState::scheduled : JobState::dead);
    EXPECT_EQ(answer_of_fail(*after), after->state);
  }
  life.attempts = 1;
  JobStep final = event(JobEvent::fail);
  final.again.reset();
  EXPECT_EQ(step(life, final)->state, JobState::dead);
}

TEST(JobLifeTable, an_attempt_handed_back_is_not_charged) {
  JobLife life = life_in(JobState::running);
  life.attempts = 3;
  const auto after = step(life, event(JobEvent::give_back));
  EXPECT_EQ(after->state, JobState::queued);
  EXPECT_EQ(after->attempts, 2U);
  EXPECT_EQ(after->token, 5U);
}

TEST(JobLifeTable, an_attempt_handed_back_for_later_waits_until_then) {
  JobStep later = event(JobEvent::give_back);
  later.again = seconds(7);
  const auto after = step(life_in(JobState::running), later);
  EXPECT_EQ(after->state, JobState::scheduled);
  EXPECT_EQ(after->run_at, kNow + seconds(7));
  EXPECT_EQ(after->attempts, life_in(JobState::running).attempts - 1);
  EXPECT_EQ(*step(*after, later), *after) << "told again";
}

TEST(JobLifeTable, silence_is_charged_and_kills_at_the_limit) {
  for (const std::uint32_t silent : {1U, 2U, 3U}) {
    JobLife life = life_in(JobState::running);
    life.attempts_max = 100;
    life.silent = silent;
    const auto after = step(life, event(JobEvent::lease_over));
    EXPECT_EQ(after->silent, silent + 1);
    EXPECT_EQ(after->state, silent + 1 < 3 ? JobState::queued : JobState::dead);
  }
  JobLife used = life_in(JobState::running);
  used.attempts = 3;
  EXPECT_EQ(step(used, event(JobEvent::lease_over))->state, JobState::dead);
}

TEST(JobLifeTable, a_word_from_the_worker_ends_the_silence) {
  JobLife life = life_in(JobState::running);
  life.silent = 2;
  EXPECT_EQ(step(life, event(JobEvent::fail))->silent, 0U);
  EXPECT_EQ(step(life, event(JobEvent::give_back))->silent, 0U);
}

TEST(JobLifeTable, a_restart_takes_the_token_away_and_is_not_silence) {
  JobLife life = life_in(JobState::running);
  const auto after = step(life, event(JobEvent::restart));
  EXPECT_EQ(after->state, JobState::queued);
  EXPECT_EQ(after->token, 6U);
  EXPECT_EQ(after->silent, 0U);
  EXPECT_EQ(after->attempts, 1U);
  life.attempts = 3;
  EXPECT_EQ(step(life, event(JobEvent::restart))->state, JobState::dead);
}

TEST(JobLifeTable, a_lease_that_ends_is_that_of_the_token_if_one_is_said) {
  JobStep other = event(JobEvent::lease_over);
  other.token = 4;
  EXPECT_EQ(*step(life_in(JobState::running), other), life_in(JobState::running));
}

TEST(JobLifeTable, a_retry_starts_over_but_never_reuses_a_token) {
  JobLife life = life_in(JobState::expired);
  life.silent = 2;
  const auto after = step(life, event(JobEvent::retry));
  EXPECT_EQ(after->attempts, 0U);
  EXPECT_EQ(after->silent, 0U);
  EXPECT_EQ(after->token, 6U) << "the end that follows is another one";
  EXPECT_EQ(after->expires, WallTime{});
  EXPECT_TRUE(step(*after, event(JobEvent::claim)).ok());
}

TEST(JobLifeTable, a_new_job_waits_for_its_moment) {
  NewJob job;
  job.attempts_max = 0;  // one attempt is the least there is
  job.expires = kNow + seconds(3);
  for (const int ahead_us : {-1, 0, 1}) {
    job.run_at = kNow + microseconds(ahead_us);
    const JobLife life = first_life(job, kNow);
    EXPECT_EQ(life.state, ahead_us > 0 ? JobState::scheduled : JobState::queued);
    EXPECT_EQ(life.attempts_max, 1U);
    EXPECT_EQ(life.run_at, job.run_at);
    EXPECT_EQ(life.expires, job.expires);
  }
}

TEST(JobOccurrences, the_next_one_is_the_first_moment_of_the_rhythm_after_now) {
  const WallTime base = kNow;
  const seconds every(60);
  EXPECT_EQ(next_occurrence(base, every, base), base + seconds(60));
  EXPECT_EQ(next_occurrence(base, every, base + seconds(59)), base + seconds(60));
  EXPECT_EQ(next_occurrence(base, every, base + seconds(60)), base + seconds(120));
  EXPECT_EQ(next_occurrence(base, every, base + seconds(61)), base + seconds(120));
  EXPECT_EQ(next_occurrence(base, every, base + seconds(6001)), base + seconds(6060));
  EXPECT_EQ(next_occurrence(base, every, base - seconds(5)), base + seconds(60));
}

TEST(JobOccurrences, one_moment_has_one_id_and_the_expiry_keeps_its_distance) {
  NewJob job;
  job.id = JobId("job_first");
  job.key = "key";
  job.repeat_every = seconds(60);
  job.expires = kNow + seconds(30);
  const NewJob second = next_occurrence_of(job, kNow, kNow + seconds(1));
  EXPECT_EQ(second.id.text(), "job_first." + std::to_string(micros(kNow + seconds(60))));
  EXPECT_EQ(second.expires, kNow + seconds(90));
  EXPECT_EQ(second.key, "key");
  const NewJob third = next_occurrence_of(second, kNow + seconds(1), kNow + seconds(61));
  EXPECT_EQ(third.id.text(), "job_first." + std::to_string(micros(kNow + seconds(120))));
  EXPECT_EQ(third.expires, kNow + seconds(150));
  // The first one, run again by hand and ended between them, makes the same third one.
  EXPECT_EQ(next_occurrence_of(job, kNow, kNow + seconds(70)).id, third.id);
}

TEST(JobOccurrences, only_an_end_other_than_cancelled_makes_one) {
  Job job;
  EXPECT_FALSE(makes_next(job, JobState::succeeded));
  job.job.repeat_every = seconds(1);
  EXPECT_TRUE(makes_next(job, JobState::succeeded));
  EXPECT_TRUE(makes_next(job, JobState::dead));
  EXPECT_TRUE(makes_next(job, JobState::expired));
  EXPECT_FALSE(makes_next(job, JobState::cancelled));
  EXPECT_FALSE(makes_next(job, JobState::queued));
  job.followed = true;
  EXPECT_FALSE(makes_next(job, JobState::succeeded)) << "it was made by the end before";
}

TEST(JobNames, every_class_and_state_has_a_name_that_leads_back) {
  for (std::size_t i = 0; i < kJobClasses; ++i) {
    const auto one = static_cast<JobClass>(i);
    EXPECT_EQ(job_class(name(one)), one);
  }
  for (std::size_t i = 0; i < kJobStates; ++i) {
    const auto one = static_cast<JobState>(i);
    EXPECT_EQ(job_state(name(one)), one);
  }
  EXPECT_FALSE(job_class("urgent"));
  EXPECT_FALSE(job_state("Queued"));
}

}  // namespace
}  // namespace mainstay::storage
