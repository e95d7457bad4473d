// Verbs that a store decides in one step, since they came together, are answered as if each had
// come alone: SQLite's, which writes many rows with one statement, beside the store in memory.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

/// One call with its arguments; a lease is found by the job's id.
struct Told {
  enum class What { submit, complete, fail, give_back, cancel, retry, erase } what;
  NewJob job;
  std::uint32_t most = 0;
  JobId next;  ///< of the follow-up of a completion
  Lease lease;
};

Co<std::string> tell(JobStore& store, Told told, Deadline by) {
  const JobId id = told.job.id;
  const std::optional<Owner> anybody;
  if (told.what == Told::What::submit) {
    auto out = co_await store.submit(std::move(told.job), told.most, by);
    if (!out.ok()) co_return reason_of(out);
    // The state of one that was known is that of any moment of the step.
    if (out->existed) co_return "known " + out->id.text();
    co_return "new " + out->id.text() + " " + std::string(name(out->state)) + " " +
        std::to_string(out->waiting);
  }
  if (told.what == Told::What::complete) {
    Effects effects;
    if (told.most == 0) effects.follow_ups.push_back(std::move(told.job));
    auto out = co_await store.complete(std::move(told.lease), "{}", std::move(effects), by);
    co_return reason_of(out);
  }
  if (told.what == Told::What::fail) {
    JobFailure why{"c", "m"};
    auto out = co_await store.fail(std::move(told.lease), std::move(why), hours(1), by);
    co_return out.ok() ? std::string(name(*out)) : reason_of(out);
  }
  if (told.what == Told::What::give_back) {
    auto out = co_await store.give_back(std::move(told.lease), Duration::zero(), by);
    co_return reason_of(out);
  }
  if (told.what == Told::What::erase) {
    auto out = co_await store.erase(anybody, id, by);
    co_return reason_of(out);
  }
  if (told.what == Told::What::cancel) {
    auto out = co_await store.cancel(anybody, id, by);
    co_return reason_of(out);
  }
  auto out = co_await store.retry(anybody, id, told.most, by);
  co_return reason_of(out);
}

/// A store with what the test knows of it.
class Side : public Jobs {
 public:
  explicit Side(const char* back_end) : back_end_(back_end) {
    limits().depth_high = 40;
    limits().depth_low = 30;
    back_ = storage::back_end(back_end_, ground_);
    ground_.clock.stand_still();
    stores_ = &back_->stores();
  }
  void TestBody() override {}

  /// The ids of what is taken, in the order of the store.
  std::string claim(std::uint32_t slots) {
    std::string out;
    for (auto& one : take(slots)) {
      const std::string id = one.lease.id.text();
      leases_[id] = std::move(one.lease);
      out += id + " ";
    }
    return out;
  }
  Told with_lease(Told told) {
    const auto found = leases_.find(told.job.id.text());
    told.lease = found == leases_.end() ? Lease{told.job.id, 1} : found->second;
    if (told.what == Told::What::complete) {
      told.job.id = told.next;
      told.job.key.clear();
    }
    return told;
  }
  std::vector<std::string> one_by_one(const std::vector<Told>& all) {
    std::vector<std::string> out;
    for (const auto& told : all) {
      std::vector<Co<std::string>> one;
      one.push_back(tell(jobs(), with_lease(told), soon()));
      out.push_back(run_all(ground_, std::move(one)).front());
    }
    return out;
  }
  std::vector<std::string> together(const std::vector<Told>& all) {
    std::vector<Co<std::string>> works;
    for (const auto& told : all) works.push_back(tell(jobs(), with_lease(told), soon()));
    return run_all(ground_, std::move(works));
  }
  std::string all_jobs() {
    auto page = ground_.run(jobs().list({}, JobId(), 1000, soon()));
    std::string out;
    for (const auto& job : page->items) {
      out += job.job.id.text() + " " + std::string(name(job.state)) + " " +
             std::to_string(job.attempts) + " " + job.job.key + "\n";
    }
    const auto figures = jobs().figures();
    return out + "depth " + std::to_string(figures.depth) + " submitted " +
           std::to_string(figures.submitted) + " refused " + std::to_string(figures.refused_user) +
           " " + std::to_string(figures.refused_depth) + " replayed " +
           std::to_string(figures.replayed) + (figures.shedding ? " shedding" : "");
  }

 private:
  const char* const back_end_;
  std::map<std::string, Lease> leases_;
};

Told any_verb(SeededRandom& random, int& made, int nth) {
  Told told;
  told.next = JobId("next-" + std::to_string(nth));
  const auto dice = random.below(20);
  const bool anew = dice < 10;
  const auto some = static_cast<int>(random.below(static_cast<std::uint64_t>(made) + 1));
  const bool known = anew && random.below(8) == 0;
  const int n = known ? some - some % 5 : anew ? made++ : some;
  told.job = job_of(n, n % 3 == 0 ? "ann" : "bob", static_cast<JobClass>(n % 4));
  if (n % 2 == 0) told.job.key = "key " + std::to_string(random.below(12));
  told.job.digest = random.below(6) == 0 ? "other" : "same";
  if (n % 5 == 0) {  // these may come again, as they were
    told.job.key = n % 2 == 0 ? "key of " + std::to_string(n) : "";
    told.job.digest = "same";
  }
  told.most = random.below(2) == 0 ? 8 : 0;
  using What = Told::What;
  constexpr What kRest[] = {What::complete, What::complete,  What::complete, What::complete,
                            What::fail,     What::give_back, What::cancel,   What::retry,
                            What::erase,    What::erase};
  told.what = anew ? What::submit : kRest[dice - 10];
  // What was erased does not come again under its id: ids are made once.
  if (told.what == What::erase && n % 5 == 0) told.what = What::retry;
  return told;
}

TEST(JobsTogether, verbs_of_one_step_are_answered_as_if_each_came_alone) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SeededRandom random(seed);
    Side memory("memory");
    Side sqlite("sqlite");
    int made = 0;
    int told = 0;
    for (int step = 0; step < 6; ++step) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(step));
      std::vector<Told> verbs;
      for (int n = 0; n < 60; ++n) verbs.push_back(any_verb(random, made, ++told));
      const auto expected = memory.one_by_one(verbs);
      const auto got = sqlite.together(verbs);
      for (std::size_t n = 0; n < verbs.size(); ++n) {
        ASSERT_EQ(got[n], expected[n]) << "verb " << n << ": " << static_cast<int>(verbs[n].what)
                                       << " of " << verbs[n].job.id.text();
      }
      ASSERT_EQ(sqlite.all_jobs(), memory.all_jobs());
      const auto slots = static_cast<std::uint32_t>(random.below(20));
      ASSERT_EQ(sqlite.claim(slots), memory.claim(slots));
    }
  }
}

TEST(JobsTogether, a_job_handed_in_again_once_it_has_ended_can_be_completed_again) {
  for (const char* store : {"memory", "sqlite"}) {
    Side side(store);
    Told submit{Told::What::submit, job_of(1), 0, JobId(), {}};
    Told complete{Told::What::complete, job_of(1), 1, JobId(), {}};
    side.one_by_one({submit});
    ASSERT_EQ(side.claim(1), "job_000001 ") << store;
    EXPECT_EQ(side.one_by_one({complete}), std::vector<std::string>{"ok"}) << store;
    const std::vector<std::string> again{"known job_000001", "ok"};
    EXPECT_EQ(side.together({submit, complete}), again) << store;
  }
}

}  // namespace
}  // namespace mainstay::storage
