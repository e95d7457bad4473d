// Forwarding, and the one verb that touches both stores.
#include "storage/postgres/split_jobs.h"

namespace mainstay::storage::postgres {
namespace {

/// The lease must outlast storing the turn and completing the job.
constexpr Duration kToStore = std::chrono::seconds(60);

}  // namespace

/// The lease is made longer first, so that a late worker stores nothing and nobody else begins
/// while the turn is stored. A lease that is no longer current may be that of the same completion
/// told again: the inner store knows.
Co<Status> SplitJobs::complete(Lease lease, std::string result, Effects effects, Deadline by) {
  if (effects.turn) {
    auto mine = co_await jobs_.extend(lease, kToStore, by);
    if (!mine.ok() && mine.error().reason != "stale_lease") co_return mine;
    if (mine.ok()) {
      auto job = co_await jobs_.get(std::nullopt, lease.id, by);
      if (!job.ok()) co_return job.error();
      auto stored = co_await conversations_.append(job->job.owner, std::move(*effects.turn), by);
      if (!stored.ok()) co_return stored;
    }
    effects.turn.reset();
  }
  co_return co_await jobs_.complete(std::move(lease), std::move(result), std::move(effects), by);
}

Co<Result<Submitted>> SplitJobs::submit(NewJob job, std::uint32_t waiting_max, Deadline by) {
  return jobs_.submit(std::move(job), waiting_max, by);
}
Co<Result<std::vector<Claimed>>> SplitJobs::claim(Claim claim, Deadline by) {
  return jobs_.claim(std::move(claim), by);
}
Co<Status> SplitJobs::extend(Lease lease, Duration by_how_long, Deadline by) {
  return jobs_.extend(std::move(lease), by_how_long, by);
}
Co<Result<JobState>> SplitJobs::fail(Lease lease, JobFailure failure, std::optional<Duration> again,
                                     Deadline by) {
  return jobs_.fail(std::move(lease), std::move(failure), again, by);
}
Co<Status> SplitJobs::give_back(Lease lease, Duration later, Deadline by) {
  return jobs_.give_back(std::move(lease), later, by);
}
Co<Result<Job>> SplitJobs::cancel(std::optional<Owner> owner, JobId id, Deadline by) {
  return jobs_.cancel(std::move(owner), std::move(id), by);
}
Co<Result<Job>> SplitJobs::retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                                 Deadline by) {
  return jobs_.retry(std::move(owner), std::move(id), waiting_max, by);
}
Co<Result<Job>> SplitJobs::get(std::optional<Owner> owner, JobId id, Deadline by) {
  return jobs_.get(std::move(owner), std::move(id), by);
}
Co<Result<PageOfJobs>> SplitJobs::list(JobFilter filter, JobId after, std::uint32_t limit,
                                       Deadline by) {
  return jobs_.list(std::move(filter), std::move(after), limit, by);
}
Co<Status> SplitJobs::erase(std::optional<Owner> owner, JobId id, Deadline by) {
  return jobs_.erase(std::move(owner), std::move(id), by);
}

}  // namespace mainstay::storage::postgres
