// A job store that fails a call now and then: before it took effect, or after, so that its answer
// is lost. Used by jobs_history_test.cpp.
#pragma once

#include <functional>

#include "storage/jobs.h"

namespace mainstay::storage {

enum class Fate { works, fails_before, answer_lost };

/// `fate` is asked once for each call, in order. Single-threaded.
class FailingNth final : public JobStore {
 public:
  FailingNth(std::function<JobStore&()> inner, std::function<Fate()> fate)
      : inner_(std::move(inner)), fate_(std::move(fate)) {}

  Co<Result<Submitted>> submit(NewJob job, std::uint32_t waiting_max, Deadline by) override {
    return through(inner_().submit(std::move(job), waiting_max, by), fate_());
  }
  Co<Result<std::vector<Claimed>>> claim(Claim claim, Deadline by) override {
    return through(inner_().claim(std::move(claim), by), fate_());
  }
  Co<Status> extend(Lease lease, Duration by_how_long, Deadline by) override {
    return through(inner_().extend(std::move(lease), by_how_long, by), fate_());
  }
  Co<Status> complete(Lease lease, std::string result, Effects effects, Deadline by) override {
    return through(inner_().complete(std::move(lease), std::move(result), std::move(effects), by),
                   fate_());
  }
  Co<Result<JobState>> fail(Lease lease, JobFailure failure, std::optional<Duration> again,
                            Deadline by) override {
    return through(inner_().fail(std::move(lease), std::move(failure), again, by), fate_());
  }
  Co<Status> give_back(Lease lease, Duration later, Deadline by) override {
    return through(inner_().give_back(std::move(lease), later, by), fate_());
  }
  Co<Result<Job>> cancel(std::optional<Owner> owner, JobId id, Deadline by) override {
    return through(inner_().cancel(std::move(owner), std::move(id), by), fate_());
  }
  Co<Result<Job>> retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                        Deadline by) override {
    return through(inner_().retry(std::move(owner), std::move(id), waiting_max, by), fate_());
  }
  Co<Result<Job>> get(std::optional<Owner> owner, JobId id, Deadline by) override {
    return through(inner_().get(std::move(owner), std::move(id), by), fate_());
  }
  Co<Result<PageOfJobs>> list(JobFilter filter, JobId after, std::uint32_t limit,
                              Deadline by) override {
    return through(inner_().list(std::move(filter), std::move(after), limit, by), fate_());
  }
  Co<Status> erase(std::optional<Owner> owner, JobId id, Deadline by) override {
    return through(inner_().erase(std::move(owner), std::move(id), by), fate_());
  }
  Co<Result<Duration>> upkeep(Deadline by) override {
    return through(inner_().upkeep(by), fate_());
  }
  JobFigures figures() const override { return inner_().figures(); }

 private:
  template <class T>
  static Co<T> through(Co<T> call, Fate fate) {
    const Error lost = Error::log(Errc::unavailable, "the call was made to fail");
    if (fate == Fate::fails_before) co_return lost;
    auto answer = co_await std::move(call);
    if (fate == Fate::answer_lost) co_return lost;
    co_return answer;
  }
  std::function<JobStore&()> inner_;
  std::function<Fate()> fate_;
};

}  // namespace mainstay::storage
