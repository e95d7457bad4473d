// What every job store asks of what comes in, and what may be asked of it: who passes the caps,
// what a known key is answered, how many of one kind a claim takes, where a list goes on.
#include "base/ids.h"
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

TEST_P(Jobs, what_follows_from_a_job_that_came_in_passes_the_caps) {
  limits().depth_high = 10;  // of the class of these: 9
  limits().depth_low = 5;
  for (int n = 1; n <= 9; ++n) add(job_of(n));
  EXPECT_EQ(reason_of(submit(job_of(10))), "queue_overloaded");
  NewJob look = job_of(20);
  look.follow_up = true;
  EXPECT_EQ(reason_of(submit(look, 1)), "ok") << "nor is the user's cap asked";
  look = keyed(job_of(21), "of its own");
  look.follow_up = true;
  EXPECT_EQ(reason_of(submit(look)), "ok") << "above the high mark, too";
  EXPECT_TRUE(jobs().figures().shedding);
  const auto again = submit(look);
  EXPECT_TRUE(again.ok() && again->existed);
  EXPECT_EQ(jobs().figures().depth, 11U);
  EXPECT_EQ(reason_of(submit(job_of(11, "bob", JobClass::voice))), "queue_overloaded");
}

TEST_P(Jobs, a_known_key_has_its_answer_after_the_expiry_and_a_new_job_comes_too_late) {
  stores();
  NewJob job = keyed(job_of(1), "key");
  job.expires = wall() + milliseconds(300);
  ASSERT_EQ(reason_of(submit(job)), "ok");
  pass(milliseconds(310));
  NewJob same = job;
  same.id = job_of(2).id;
  const auto again = submit(same);
  ASSERT_EQ(reason_of(again), "ok");
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->id, job.id);
  same.digest = "another";
  EXPECT_EQ(reason_of(submit(same)), "idempotency_key_reused");
  const auto refused = submit(keyed(same, "another key"));
  ASSERT_EQ(reason_of(refused), "out_of_range");
  EXPECT_EQ(refused.error().field, "expires");
  NewJob planned = job_of(3);
  planned.run_at = wall() + hours(1);
  planned.expires = planned.run_at;
  EXPECT_EQ(reason_of(submit(planned)), "out_of_range");
  planned.expires += microseconds(1);
  EXPECT_EQ(reason_of(submit(planned)), "ok");
}

TEST_P(Jobs, a_claim_takes_no_more_of_a_rationed_kind_than_it_says) {
  const auto of_kind = [&](int n, const char* kind, const char* owner) {
    NewJob job = job_of(n, owner);
    job.kind = kind;
    add(std::move(job));
  };
  for (int n = 1; n <= 5; ++n) of_kind(n, "letter", "post");
  for (int n = 11; n <= 12; ++n) of_kind(n, "letter", "ann");
  for (int n = 13; n <= 16; ++n) of_kind(n, "work", "ann");
  const auto claim = [&](std::uint32_t most, std::vector<std::string> kinds = {}) {
    Claim what{"w", std::move(kinds), 9, minutes(1), "letter", most};
    const Deadline by =
        exact() ? Deadline(ground_.clock.now()) : Deadline::in(ground_.clock, milliseconds(100));
    auto out = ground_.run(jobs().claim(std::move(what), by));
    EXPECT_TRUE(out.ok());
    std::string ids;
    for (const auto& one : *out) ids += one.job.job.kind.substr(0, 1);
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  EXPECT_EQ(claim(0, {"letter"}), "");
  std::string taken = claim(2);
  EXPECT_EQ(taken.substr(0, 3), "llw") << "the work behind them is not held up";
  for (std::string more = claim(0); !more.empty(); more = claim(0)) taken += more;
  EXPECT_EQ(taken, "llwwww");
  EXPECT_EQ(claim(1, {"letter", "work"}), "l");
  EXPECT_EQ(claim(9), "llll");
}

TEST_P(Jobs, a_list_goes_on_behind_a_job_that_is_gone) {
  stores();
  std::vector<NewJob> all;
  for (int n = 1; n <= 6; ++n) {
    NewJob job = job_of(n, n == 3 ? "bob" : "ann");
    job.id = JobId(make_id("job_", ground_.clock, ground_.random));
    add(job);
    all.push_back(job);
    pass(milliseconds(3));
  }
  const auto behind = [&](const JobId& after, const char* owner) {
    JobFilter filter;
    if (*owner != '\0') filter.owner = user(owner);
    auto page = ground_.run(jobs().list(filter, after, 10, soon()));
    if (!page.ok()) return reason_of(page);
    std::string out;
    for (const auto& one : page->items) {
      for (std::size_t n = 0; n < all.size(); ++n) {
        if (one.job.id == all[n].id) out += std::to_string(n + 1);
      }
    }
    return out;
  };
  for (const std::size_t n : {1U, 3U, 5U}) {
    ASSERT_TRUE(cancel(all[n].id).ok());
    ASSERT_EQ(erase(all[n].id), "ok");
  }
  EXPECT_EQ(behind(all[5].id, ""), "531");
  EXPECT_EQ(behind(all[3].id, ""), "31");
  EXPECT_EQ(behind(all[3].id, "ann"), "1");
  EXPECT_EQ(behind(all[1].id, ""), "1");
  EXPECT_EQ(behind(all[2].id, "ann"), "1") << "another's is as one that is gone";
  const JobId later("job_" + all[0].id.text().substr(4) + "." +
                    std::to_string(micros(wall() + minutes(1))));
  EXPECT_EQ(behind(later, ""), "531") << "an occurrence came in before it was to run";
  EXPECT_EQ(behind(JobId("job_nope"), ""), "unknown_job");
  EXPECT_EQ(behind(JobId(all[3].id.text() + "_look1"), ""), "unknown_job");
  ASSERT_TRUE(cancel(all[0].id).ok());
  ASSERT_EQ(erase(all[0].id), "ok");
  EXPECT_EQ(behind(all[0].id, ""), "");
}

TEST_P(Jobs, a_list_of_one_state_holds_all_of_it_newest_first) {
  stores();
  std::vector<Lease> running;
  for (int n = 1; n <= 12; ++n) {
    NewJob job = job_of(n, n % 2 == 0 ? "bob" : "ann", n % 3 == 0 ? JobClass::batch : JobClass{});
    if (n <= 4) job.run_at = wall() + hours(5 - n);
    if (n == 5) job.kind = "chat@home";
    add(job);
    if (n > 8) running.push_back(take_one().lease);
  }
  EXPECT_EQ(fail(running[1], std::nullopt), "dead");
  EXPECT_EQ(fail(running[3], std::nullopt), "dead");
  const std::string again = listed({.state = JobState::dead}).substr(0, 6);
  ASSERT_TRUE(retry(JobId("job_" + again)).ok()) << "a death that counts no more";
  const auto of = [this](JobState state, const char* owner = "", const std::string& after = "",
                         std::uint32_t limit = 100) {
    JobFilter filter;
    filter.state = state;
    if (*owner != '\0') filter.owner = user(owner);
    return listed(filter, after, limit);
  };
  EXPECT_EQ(of(JobState::scheduled), "000004 000003 000002 000001 end");
  EXPECT_EQ(of(JobState::scheduled, "ann"), "000003 000001 end");
  EXPECT_EQ(of(JobState::scheduled, "", "job_000003"), "000002 000001 end");
  EXPECT_EQ(of(JobState::scheduled, "", "", 3), "000004 000003 000002 more");
  std::map<std::string, std::string> expected;  // by state and owner, from the jobs themselves
  for (int n = 12; n > 0; --n) {
    const auto job = get(job_of(n).id);
    ASSERT_TRUE(job.ok());
    const std::string id = job->job.id.text().substr(4) + " ";
    expected[std::string(name(job->state))] += id;
    expected[std::string(name(job->state)) + job->job.owner.user.text()] += id;
  }
  for (const auto state : {JobState::scheduled, JobState::queued, JobState::running, JobState::dead,
                           JobState::succeeded}) {
    for (const char* owner : {"", "ann", "bob"}) {
      EXPECT_EQ(of(state, owner), expected[std::string(name(state)) + owner] + "end");
    }
  }
  EXPECT_FALSE(expected["queued"].empty() || expected["running"].empty() ||
               expected["dead"].empty());
}

TEST_P(Jobs, the_id_of_the_next_occurrence_is_known_from_the_one_that_ended) {
  stores();
  NewJob job = job_of(1);
  job.run_at = wall() - seconds(10);
  job.repeat_every = minutes(1);
  add(job);
  EXPECT_TRUE(next_id_of(*get(job.id)).empty());
  EXPECT_EQ(fail(take_one().lease, milliseconds(0)), "scheduled");
  EXPECT_EQ(complete(take_one().lease), "ok");
  const JobId next = next_id_of(*get(job.id));
  EXPECT_EQ(next, occurrence_id(job.id, job.run_at + minutes(1)));
  EXPECT_EQ(state(next), "scheduled");
  const auto listed = ground_.run(jobs().list({}, {}, 5, soon()));
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->items.size(), 2U);
  EXPECT_EQ(next_id_of(listed->items[1]), next);
  ASSERT_TRUE(cancel(next).ok());
  EXPECT_TRUE(next_id_of(*get(next)).empty());
}

}  // namespace
}  // namespace mainstay::storage
