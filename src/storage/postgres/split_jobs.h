// Jobs of one store whose turns live in another: the turn is stored before the job is completed,
// and by its request id, which is the job's, only once. Used by open.cpp and tests.
#pragma once

#include "storage/jobs.h"

namespace mainstay::storage::postgres {

/// Everything but completing with a turn is the inner store's.
class SplitJobs final : public JobStore {
 public:
  /// Both outlive it.
  SplitJobs(JobStore& jobs, Conversations& conversations)
      : jobs_(jobs), conversations_(conversations) {}
  Co<Result<Submitted>> submit(NewJob job, std::uint32_t waiting_max, Deadline by) override;
  Co<Result<std::vector<Claimed>>> claim(Claim claim, Deadline by) override;
  Co<Status> extend(Lease lease, Duration by_how_long, Deadline by) override;
  Co<Status> complete(Lease lease, std::string result, Effects effects, Deadline by) override;
  Co<Result<JobState>> fail(Lease lease, JobFailure failure, std::optional<Duration> again,
                            Deadline by) override;
  Co<Status> give_back(Lease lease, Duration later, Deadline by) override;
  Co<Result<Job>> cancel(std::optional<Owner> owner, JobId id, Deadline by) override;
  Co<Result<Job>> retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                        Deadline by) override;
  Co<Result<Job>> get(std::optional<Owner> owner, JobId id, Deadline by) override;
  Co<Result<PageOfJobs>> list(JobFilter filter, JobId after, std::uint32_t limit,
                              Deadline by) override;
  Co<Status> erase(std::optional<Owner> owner, JobId id, Deadline by) override;
  Co<Result<Duration>> upkeep(Deadline by) override { return jobs_.upkeep(by); }
  JobFigures figures() const override { return jobs_.figures(); }

 private:
  JobStore& jobs_;
  Conversations& conversations_;
};

}  // namespace mainstay::storage::postgres
