// Random histories: a store does what a small model does, also when calls fail or lose their
// answers and are told again. On a difference the seed is printed; MAINSTAY_SEED runs it alone.
// 1, 2, 4, 6 and 11 of the list that every store must pass.
#include <cstdlib>

#include "conformance/failing_jobs.h"
#include "conformance/jobs_model.h"
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

class JobHistories : public Jobs {
 protected:
  /// One history: `steps` random verbs. Stops at the first difference.
  void run(std::uint64_t seed, int steps, bool failing) {
    SCOPED_TRACE("MAINSTAY_SEED=" + std::to_string(seed));
    random_ = std::make_unique<SeededRandom>(seed);
    model_ = {};
    failing_ = failing;
    began_ = wall();
    for (step_ = 0; step_ < steps && !HasFailure(); ++step_) one_step();
    if (!HasFailure()) compare_effects();
  }
  void limit() {
    limits().keep_results = hours(1);
    limits().keep_dead = hours(2);
    limits().keep_keys = hours(24 * 365);
  }

 private:
  struct Held {
    Lease lease;
    int tokens = 0;
  };
  std::uint64_t below(std::uint64_t n) { return random_->below(n); }
  JobId id_of(int n) const { return job_of(n).id; }
  /// One of the jobs there were, now and then one that is not there.
  std::string some_id() { return id_of(static_cast<int>(below(made_ + 1))).text(); }

  void differs(const std::string& what, const std::string& store, const std::string& model) {
    if (store == model) return;
    ADD_FAILURE() << "step " << step_ << ": " << what << ": store \"" << store << "\", model \""
                  << model << "\"";
  }
  Fate next_fate() {
    if (!failing_ || below(4) != 0) return Fate::works;
    return below(2) == 0 ? Fate::fails_before : Fate::answer_lost;
  }
  /// Tells a verb until it is answered, and the model each time that it took effect.
  void tell(const std::string& what, const std::function<std::string(JobStore&)>& store,
            const std::function<std::string()>& model) {
    for (;;) {
      const Fate fate = next_fate();
      FailingNth wrapper([this]() -> JobStore& { return jobs(); }, [fate] { return fate; });
      const std::string answer = store(wrapper);
      if (fate == Fate::fails_before) continue;
      const std::string expected = model();
      if (fate == Fate::answer_lost) continue;
      return differs(what, answer, expected);
    }
  }

  void one_step() {
    const auto dice = below(100);
    if (dice < 25) return submits();
    if (dice < 45) return claims();
    if (dice < 75) return settles();
    if (dice < 85) return by_hand();
    if (dice < 95) return time_passes();
    if (restarts() && dice < 97) {
      pause();
      model_.restart();
    }
    compare();
  }

  void submits() {
    static const char* const users[] = {"ann", "bob", "cid"};
    NewJob job =
        job_of(static_cast<int>(made_++), users[below(3)], static_cast<JobClass>(below(4)));
    if (below(3) == 0) job.key = "key " + std::to_string(below(20));
    job.digest = "digest " + std::to_string(below(8) == 0 ? 1 : 0);
    job.attempts_max = static_cast<std::uint32_t>(1 + below(4));
    const auto now = model_.now;
    ModelJob same;
    same.run_at = below(3) == 0 ? now + static_cast<std::int64_t>(below(60)) * 1'000'000 : 0;
    if (below(5) == 0) same.expires = now + 1 + static_cast<std::int64_t>(below(90)) * 1'000'000;
    if (same.run_at > 0) job.run_at = began_ + microseconds(same.run_at);
    if (same.expires > 0) job.expires = began_ + microseconds(same.expires);
    same.id = job.id.text();
    same.owner = job.owner.user.text();
    same.key = job.key;
    same.digest = job.digest;
    same.priority = static_cast<int>(job.priority);
    same.attempts_max = static_cast<int>(job.attempts_max);
    const int cap = below(3) == 0 ? 10 : 0;
    tell(
        "submit " + same.id,
        [&](JobStore& store) {
          auto out = ground_.run(store.submit(job, static_cast<std::uint32_t>(cap), soon()));
          if (!out.ok()) return reason_of(out);
          return (out->existed ? "known " : "new ") + out->id.text();
        },
        [&] { return model_.submit(same, cap); });
  }

  /// A claim whose answer was lost is found by looking at what runs.
  void claims() {
    const std::int64_t lease = 1'000'000 * static_cast<std::int64_t>(1 + below(40));
    const Fate fate = next_fate();
    FailingNth store([this]() -> JobStore& { return jobs(); }, [fate] { return fate; });
    Claim claim{"worker", {}, 1, microseconds(lease)};
    auto taken = ground_.run(store.claim(std::move(claim), Deadline(ground_.clock.now())));
    if (fate == Fate::fails_before) return;
    std::string id;
    if (fate == Fate::answer_lost) {
      id = started_unheard();
    } else if (!taken->empty()) {
      id = taken->front().lease.id.text();
    }
    differs("claim", model_.claim(id, lease), "");
    if (fate == Fate::answer_lost || id.empty() || HasFailure()) return;
    held_.push_back({taken->front().lease, model_.find(id)->tokens});
    differs("attempts of " + id, std::to_string(taken->front().job.attempts),
            std::to_string(model_.find(id)->attempts));
  }
  std::string started_unheard() {
    JobFilter filter;
    filter.state = JobState::running;
    auto page = ground_.run(jobs().list(filter, JobId(), 10'000, soon()));
    model_.settle();
    for (const auto& job : page->items) {
      const ModelJob* known = model_.find(job.job.id.text());
      if (known == nullptr || known->state != "running") return job.job.id.text();
    }
    return "";
  }

  /// A verb with a lease that was once given: current, late, or told before.
  void settles() {
    if (held_.empty()) return;
    const std::size_t recent = std::min<std::size_t>(held_.size(), below(4) == 0 ? 1000 : 5);
    const Held held = held_[held_.size() - 1 - below(recent)];
    const std::string id = held.lease.id.text();
    const std::string result = R"({"of":)" + std::to_string(step_) + "}";
    const auto again = static_cast<std::int64_t>(below(4) == 0 ? 0 : below(30) * 1'000'000);
    const bool gives_up = below(5) == 0;
    switch (below(5)) {
      case 0:
      case 1:
        return tell(
            "complete " + id,
            [&](JobStore& store) {
              Effects effects;
              effects.turn = turn_of(id, 1);
              return reason_of(ground_.run(store.complete(held.lease, result, effects, soon())));
            },
            [&] { return model_.verb("complete", id, held.tokens, 0, result); });
      case 2:
        return tell(
            "fail " + id,
            [&](JobStore& store) {
              std::optional<Duration> when;
              if (!gives_up) when = microseconds(again);
              auto out = ground_.run(store.fail(held.lease, {"c", "m"}, when, soon()));
              return out.ok() ? std::string(name(*out)) : reason_of(out);
            },
            [&] { return model_.verb("fail", id, held.tokens, gives_up ? -1 : again, ""); });
      case 3:
        return tell(
            "give back " + id,
            [&](JobStore& store) {
              return reason_of(ground_.run(store.give_back(held.lease, {}, soon())));
            },
            [&] { return model_.verb("give_back", id, held.tokens, 0, ""); });
      default:
        return tell(
            "extend " + id,
            [&](JobStore& store) {
              const Duration longer = microseconds(again + 1);
              return reason_of(ground_.run(store.extend(held.lease, longer, soon())));
            },
            [&] { return model_.verb("extend", id, held.tokens, again + 1, ""); });
    }
  }

  void by_hand() {
    const std::string id = some_id();
    const auto what = below(3);
    tell((what == 0   ? "cancel "
          : what == 1 ? "retry "
                      : "erase ") +
             id,
         [&](JobStore& store) {
           if (what == 0) return reason_of(ground_.run(store.cancel({}, JobId(id), soon())));
           if (what == 1) return reason_of(ground_.run(store.retry({}, JobId(id), 0, soon())));
           return reason_of(ground_.run(store.erase({}, JobId(id), soon())));
         },
         [&] {
           return what == 0 ? model_.cancel(id) : what == 1 ? model_.retry(id) : model_.erase(id);
         });
  }

  void time_passes() {
    std::int64_t us = static_cast<std::int64_t>(below(20'000'000));
    if (below(10) == 0) us = 3'600'000'000;
    pass(microseconds(us));
    model_.now += us;
    upkeep();
    model_.upkeep();
  }

  void compare() {
    std::string store;
    std::string model;
    auto page = ground_.run(jobs().list({}, JobId(), 10'000, soon()));
    upkeep();
    model_.upkeep();
    page = ground_.run(jobs().list({}, JobId(), 10'000, soon()));
    std::uint64_t depth = 0;
    for (auto& job : page->items) {
      ModelJob seen;
      seen.id = job.job.id.text();
      seen.state = name(job.state);
      seen.attempts = static_cast<int>(job.attempts);
      if (job.state == JobState::succeeded) seen.result = get(job.job.id)->result;
      store += model_.describe(seen) + "\n";
      depth += ended(job.state) ? 0 : 1;
    }
    for (auto job = model_.all.rbegin(); job != model_.all.rend(); ++job) {
      model += model_.describe(*job) + "\n";
    }
    differs("all jobs", store, model);
    differs("depth", std::to_string(jobs().figures().depth), std::to_string(depth));
  }

  /// Each job that succeeded has its turn once, no other has one.
  void compare_effects() {
    compare();
    for (const auto& job : model_.all) {
      const auto turn = ground_.run(stores().conversations().window(
          user(job.owner), ConversationId(job.id), Tokens{1'000}, soon()));
      EXPECT_EQ(turn->size(), job.turns > 0 ? 2U : 0U) << job.id;
      EXPECT_LE(job.turns, 1) << job.id;
    }
  }

  std::unique_ptr<SeededRandom> random_;
  JobModel model_;
  std::vector<Held> held_;
  bool failing_ = false;
  WallTime began_{};
  int step_ = 0;
  std::uint64_t made_ = 0;
};

INSTANTIATE_TEST_SUITE_P(BackEnds, JobHistories, testing::ValuesIn(kJobBackEnds), back_end_name);

/// Calls `one` with each seed that is to run: that of MAINSTAY_SEED, or `count` from `first` on.
template <class One>
void each_seed(std::uint64_t first, std::uint64_t count, One&& one) {
  const char* only = std::getenv("MAINSTAY_SEED");
  if (only != nullptr) return one(std::strtoull(only, nullptr, 10));
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    one(seed);
    if (testing::Test::HasFailure()) return;
  }
}

/// A store of its own for each history, without a fixture of its own.
class OneHistory final : public JobHistories {
 public:
  void TestBody() override {}
  void live(std::uint64_t seed, int steps, bool failing) {
    limit();
    stores();
    if (!exact()) return;
    run(seed, steps, failing);
  }
};

TEST_P(JobHistories, a_store_does_what_the_model_does) {
  const bool memory = std::string(GetParam()) == "memory";
  each_seed(1, memory ? 25 : 5, [&](std::uint64_t seed) {
    OneHistory history;
    history.live(seed, memory ? 600 : 300, false);
  });
}

TEST_P(JobHistories, verbs_that_fail_or_lose_their_answer_may_be_told_again) {
  const bool memory = std::string(GetParam()) == "memory";
  each_seed(1001, memory ? 25 : 5, [&](std::uint64_t seed) {
    OneHistory history;
    history.live(seed, memory ? 600 : 300, true);
  });
}

}  // namespace
}  // namespace mainstay::storage
