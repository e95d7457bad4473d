// What the suites of job stores share: a store of any back end, verbs as plain calls, jobs in which
// every field has a value of its own.
// Used by jobs_*test.cpp.
#pragma once

#include <boost/asio/co_spawn.hpp>

#include <set>
#include <vector>

#include "conformance/back_ends.h"
#include "storage/job_life.h"

namespace mainstay::storage {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// Runs all at once, on one loop; their answers in the order given.
template <class T>
std::vector<T> run_all(Ground& ground, std::vector<Co<T>> works) {
  std::vector<T> out(works.size());
  std::size_t ended = 0;
  for (std::size_t i = 0; i < works.size(); ++i) {
    asio::co_spawn(ground.io.get_executor(), std::move(works[i]),
                   [&out, &ended, i](std::exception_ptr thrown, T value) {
                     EXPECT_FALSE(thrown);
                     out[i] = std::move(value);
                     ++ended;
                   });
  }
  ground.io.restart();
  ground.io.run();
  EXPECT_EQ(ended, works.size());
  return out;
}

inline std::string reason_of(const Error& error) {
  return error.reason.empty() ? std::string(name(error.code)) : error.reason;
}
template <class T>
std::string reason_of(const Result<T>& result) {
  return result.ok() ? "ok" : reason_of(result.error());
}
inline std::string reason_of(const Status& status) {
  return status.ok() ? "ok" : reason_of(status.error());
}

inline Owner user(const std::string& name) {
  return owner_of("tenant of " + name, name);
}

/// A job in which every text has a value of its own, from `n`.
inline NewJob job_of(int n, const std::string& of = "ann",
                     JobClass priority = JobClass::interactive) {
  const std::string tag = std::to_string(n);
  NewJob job;
  job.id = JobId("job_" + std::string(6 - std::min<std::size_t>(tag.size(), 6), '0') + tag);
  job.owner = user(of);
  job.client = "client " + tag;
  job.kind = "kind " + tag;
  job.priority = priority;
  job.input = R"({"input":)" + tag + "}";
  job.digest = "digest " + tag;
  return job;
}
inline NewJob keyed(NewJob job, const std::string& key) {
  job.key = key;
  return job;
}

/// A store of the back end that the parameter names. Its clock stands still where it can be exact,
/// so that time moves by pass() alone.
class Jobs : public testing::TestWithParam<const char*> {
 protected:
  /// For limits other than the defaults: before the first verb.
  JobLimits& limits() { return ground_.limits; }

  Stores& stores() {
    if (stores_ == nullptr) {
      back_ = back_end(GetParam(), ground_);
      if (exact()) ground_.clock.stand_still();
      stores_ = &back_->stores();
    }
    return *stores_;
  }
  JobStore& jobs() { return stores().jobs(); }
  /// Closes and opens the store again, where the back end is one that does. Ends all attempts.
  void pause() {
    stores();
    stores_ = &back_->stores();
  }
  bool restarts() {
    stores();
    return back_->restarts();
  }
  bool exact() const { return !in_real_time_; }
  void pass(Duration d) {
    stores();
    if (exact()) {
      ground_.clock.move(d);
    } else {
      ground_.run(wait(d));
    }
  }
  WallTime wall() {
    stores();
    return ground_.clock.wall();
  }

  Result<Submitted> submit(NewJob job, std::uint32_t waiting_max = 0) {
    return ground_.run(jobs().submit(std::move(job), waiting_max, soon()));
  }
  /// The same, where it is no question that it comes in.
  void add(NewJob job) {
    const auto out = submit(std::move(job));
    EXPECT_TRUE(out.ok()) << reason_of(out);
  }
  /// Takes what is there now.
  std::vector<Claimed> take(std::uint32_t slots = 1, Duration lease = minutes(1),
                            std::vector<std::string> kinds = {}) {
    Claim claim{"worker " + std::to_string(slots), std::move(kinds), slots, lease};
    stores();
    const Deadline by =
        exact() ? Deadline(ground_.clock.now()) : Deadline::in(ground_.clock, milliseconds(100));
    auto out = ground_.run(jobs().claim(std::move(claim), by));
    EXPECT_TRUE(out.ok()) << reason_of(out);
    return out.ok() ? *out : std::vector<Claimed>{};
  }
  /// The one job that is there.
  Claimed take_one(Duration lease = minutes(1)) {
    auto taken = take(1, lease);
    EXPECT_EQ(taken.size(), 1U);
    return taken.empty() ? Claimed{} : taken.front();
  }
  /// Ids of what is taken until nothing is left, each completed at once.
  std::string run_everything() {
    std::string out;
    for (auto taken = take(); !taken.empty(); taken = take()) {
      out += (out.empty() ? "" : " ") + taken.front().job.job.id.text();
      EXPECT_EQ(complete(taken.front().lease), "ok");
    }
    return out;
  }
  std::string complete(const Lease& lease, const std::string& result = R"({"done":1})",
                       Effects effects = {}) {
    return reason_of(ground_.run(jobs().complete(lease, result, std::move(effects), soon())));
  }
  /// The new state, or the reason of the refusal.
  std::string fail(const Lease& lease, std::optional<Duration> again,
                   const std::string& code = "x") {
    JobFailure failure{code, "message of " + code};
    auto out = ground_.run(jobs().fail(lease, std::move(failure), again, soon()));
    return out.ok() ? std::string(name(*out)) : reason_of(out);
  }
  std::string extend(const Lease& lease, Duration by) {
    return reason_of(ground_.run(jobs().extend(lease, by, soon())));
  }
  std::string give_back(const Lease& lease, Duration later = {}) {
    return reason_of(ground_.run(jobs().give_back(lease, later, soon())));
  }
  Result<Job> get(const JobId& id, std::optional<Owner> owner = {}) {
    return ground_.run(jobs().get(std::move(owner), id, soon()));
  }
  std::string state(const JobId& id) {
    const auto job = get(id);
    return job.ok() ? std::string(name(job->state)) : reason_of(job);
  }
  Result<Job> cancel(const JobId& id, std::optional<Owner> owner = {}) {
    return ground_.run(jobs().cancel(std::move(owner), id, soon()));
  }
  Result<Job> retry(const JobId& id, std::optional<Owner> owner = {},
                    std::uint32_t waiting_max = 0) {
    return ground_.run(jobs().retry(std::move(owner), id, waiting_max, soon()));
  }
  std::string erase(const JobId& id, std::optional<Owner> owner = {}) {
    return reason_of(ground_.run(jobs().erase(std::move(owner), id, soon())));
  }
  Duration upkeep() {
    auto out = ground_.run(jobs().upkeep(soon()));
    EXPECT_TRUE(out.ok()) << reason_of(out);
    return out.ok() ? *out : Duration{};
  }
  std::string listed(JobFilter filter, const std::string& after = "", std::uint32_t limit = 100) {
    auto page = ground_.run(jobs().list(std::move(filter), JobId(after), limit, soon()));
    if (!page.ok()) return reason_of(page);
    std::string out;
    for (const auto& job : page->items) out += job.job.id.text().substr(4) + " ";
    return out + (page->more ? "more" : "end");
  }
  Deadline soon() { return ground_.soon(); }

  bool in_real_time_ = false;
  Ground ground_;
  std::unique_ptr<BackEnd> back_;
  Stores* stores_ = nullptr;

 private:
  Co<bool> wait(Duration d) {
    auto reached = co_await sleep(ground_.clock, d);
    co_return reached;
  }
};

/// For waiting and waking: the clock runs.
class JobsInRealTime : public Jobs {
 protected:
  JobsInRealTime() { in_real_time_ = true; }
};

}  // namespace mainstay::storage
