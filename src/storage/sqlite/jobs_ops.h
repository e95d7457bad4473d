// What each verb of the job store hands to the desk, and the place for its answer.
// Used by storage/sqlite/jobs.cpp and jobs_desk.cpp.
#pragma once

#include "storage/sqlite/jobs_desk.h"

namespace mainstay::storage::sqlite {

struct SubmitJob final : JobOp {
  SubmitJob(Clock& clock, Executor on, Deadline until, NewJob new_job, std::uint32_t most)
      : JobOp("submit_job", clock, on, until),
        job(std::make_shared<WholeJob>(std::move(new_job))),
        waiting_max(most) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.submit(db, *this); }
  bool joins() const noexcept override { return true; }
  void let_go() noexcept override { job.reset(); }
  std::shared_ptr<WholeJob> job;  ///< the desk keeps it until the job runs
  const std::uint32_t waiting_max;
  std::uint64_t n = 0;  ///< of its row, while that is put off
  Submitted found;
};

struct ClaimJobs final : JobOp {
  ClaimJobs(Clock& clock, Executor on, Deadline until, Claim what)
      : JobOp("claim_jobs", clock, on, until), claim(std::move(what)) {}
  bool apply(JobDesk&, Connection&) override { return false; }
  Needs needs() const noexcept override { return Needs::work; }
  const Claim claim;
  std::vector<Claimed> found;
  std::atomic<bool> seen{false};  ///< the desk had nothing for it yet
};

struct ExtendLease final : JobOp {
  ExtendLease(Clock& clock, Executor on, Deadline until, Lease which, Duration how_long)
      : JobOp("extend_lease", clock, on, until), lease(std::move(which)), by_how_long(how_long) {}
  bool apply(JobDesk&, Connection&) override { return false; }
  Needs needs() const noexcept override { return Needs::memory; }
  const Lease lease;
  const Duration by_how_long;
};

struct CompleteJob final : JobOp {
  CompleteJob(Clock& clock, Executor on, Deadline until, Lease which, std::string json,
              Effects also)
      : JobOp("complete_job", clock, on, until),
        lease(std::move(which)),
        result(std::move(json)),
        effects(std::move(also)) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.complete(db, *this); }
  bool joins() const noexcept override { return true; }
  const Lease lease;
  const std::string result;
  const Effects effects;
};

struct FailJob final : JobOp {
  FailJob(Clock& clock, Executor on, Deadline until, Lease which, JobFailure why,
          std::optional<Duration> when)
      : JobOp("fail_job", clock, on, until),
        lease(std::move(which)),
        failure(std::move(why)),
        again(when) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.fail(db, *this); }
  const Lease lease;
  const JobFailure failure;
  const std::optional<Duration> again;
  JobState found = JobState::scheduled;
};

struct GiveBackJob final : JobOp {
  GiveBackJob(Clock& clock, Executor on, Deadline until, Lease which, Duration wait)
      : JobOp("give_back_job", clock, on, until), lease(std::move(which)), later(wait) {}
  /// Nobody waits for the answer.
  GiveBackJob(Clock& clock, Executor on, Lease which)
      : JobOp("give_back_job", clock, on), lease(std::move(which)) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.give_back(db, *this); }
  const Lease lease;
  const Duration later{};
};

/// One job, named by whoever may see it.
struct NamedJob {
  std::optional<Owner> owner;  ///< none: anybody's
  JobId id;
};

struct CancelJob final : JobOp {
  CancelJob(Clock& clock, Executor on, Deadline until, NamedJob which)
      : JobOp("cancel_job", clock, on, until), job(std::move(which)) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.cancel(db, *this); }
  const NamedJob job;
  Job found;
};

struct RetryJob final : JobOp {
  RetryJob(Clock& clock, Executor on, Deadline until, NamedJob which, std::uint32_t most)
      : JobOp("retry_job", clock, on, until), job(std::move(which)), waiting_max(most) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.retry(db, *this); }
  const NamedJob job;
  const std::uint32_t waiting_max;
  Job found;
};

struct EraseJob final : JobOp {
  EraseJob(Clock& clock, Executor on, Deadline until, NamedJob which)
      : JobOp("erase_job", clock, on, until), job(std::move(which)) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.erase(db, *this); }
  const NamedJob job;
};

struct TendJobs final : JobOp {
  TendJobs(Clock& clock, Executor on, Deadline until) : JobOp("tend_jobs", clock, on, until) {}
  bool apply(JobDesk& desk, Connection& db) override { return desk.tend(db, *this); }
  Duration found{};
};

/// Has the timers run whose moment has passed; they run at the start of each transaction.
struct CatchUp final : JobOp {
  CatchUp(Clock& clock, Executor on, Deadline until) : JobOp("job_timers", clock, on, until) {}
  bool apply(JobDesk&, Connection&) override { return false; }
};

}  // namespace mainstay::storage::sqlite
