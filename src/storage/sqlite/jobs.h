// Durable jobs over SQLite: the verbs that any loop may call. What is written goes through the desk
// on the writer's thread, what is read through the readers.
// Used by storage/sqlite/open.cpp.
#pragma once

#include "storage/jobs.h"
#include "storage/sqlite/jobs_desk.h"
#include "storage/sqlite/readers.h"

namespace mainstay::storage::sqlite {

/// The desk, the readers and the clock outlive it.
class SqliteJobs final : public JobStore {
 public:
  SqliteJobs(JobDesk& desk, Readers& readers, Duration operation_timeout)
      : desk_(desk), readers_(readers), clock_(desk.clock()), timeout_(operation_timeout) {}

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
  Co<Result<Duration>> upkeep(Deadline by) override;
  JobFigures figures() const override { return desk_.figures(); }

 private:
  /// Returns when no timer is behind, or at the deadline: what is read then is of this moment.
  Co<> catch_up(Deadline by);
  Deadline until(Deadline by) const { return by.sooner(clock_.now(), timeout_); }
  JobDesk& desk_;
  Readers& readers_;
  Clock& clock_;
  const Duration timeout_;
};

}  // namespace mainstay::storage::sqlite
