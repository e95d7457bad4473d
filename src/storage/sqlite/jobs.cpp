// The verbs as coroutines: hand over, wait for the answer, take it.
#include "storage/sqlite/jobs.h"

#include <algorithm>
#include <limits>

#include "storage/sqlite/jobs_ops.h"

namespace mainstay::storage::sqlite {
namespace {

/// Takes the alarm off the call however the wait ends, on the loop that it belongs to.
class AlarmTaken {
 public:
  explicit AlarmTaken(JobOp& op) : op_(op) {}
  ~AlarmTaken() { op_.alarm.reset(); }
  AlarmTaken(const AlarmTaken&) = delete;
  AlarmTaken& operator=(const AlarmTaken&) = delete;

 private:
  JobOp& op_;
};

/// Hands back what was claimed for a caller that never took it: its coroutine was destroyed.
class ClaimGuard {
 public:
  ClaimGuard(JobDesk& desk, ClaimJobs& op) : desk_(desk), op_(op) {}
  ~ClaimGuard() {
    if (settled_ || op_.give_up()) return;
    try {
      for (const auto& claimed : op_.found) {
        [[maybe_unused]] auto handed =
            desk_.hand(std::make_shared<GiveBackJob>(desk_.clock(), op_.executor, claimed.lease));
      }
    } catch (const std::bad_alloc&) {
      // The leases run out.
    }
  }
  ClaimGuard(const ClaimGuard&) = delete;
  ClaimGuard& operator=(const ClaimGuard&) = delete;
  std::vector<Claimed> take() {
    settled_ = true;
    return std::move(op_.found);
  }
  /// True: there is no answer, and none will be taken.
  bool give_up() {
    settled_ = op_.give_up();
    return settled_;
  }

 private:
  JobDesk& desk_;
  ClaimJobs& op_;
  bool settled_ = false;
};

/// How a verb went, once its caller has waited.
Status outcome(JobOp& op) {
  if (op.give_up()) {
    return Error::say(Errc::deadline, "write_timeout",
                      "Storing took too long; it may still happen.");
  }
  if (op.error) return *op.error;
  return done();
}

/// What a row tells, with what the disk did not know: an attempt that had just begun. `claims` are
/// taken before the first row is read, since what is written after that, no row of the same read
/// shows.
Job shown(JobRow row, const Unwritten& claims) {
  const auto found = claims.find(row.n);
  if (found == claims.end() || found->second.life.token <= row.life.token) {
    return std::move(row.job);
  }
  const UnwrittenClaim& claim = found->second;
  Job& job = row.job;
  job.state = claim.life.state;
  job.attempts = claim.life.attempts;
  job.token = claim.life.token;
  job.worker = claim.worker;
  job.started = claim.started;
  return std::move(job);
}

bool may_see(const std::optional<Owner>& asking, const Job& job) {
  return !asking || *asking == job.job.owner;
}

}  // namespace

Co<Result<Submitted>> SqliteJobs::submit(NewJob job, std::uint32_t waiting_max, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op =
      std::make_shared<SubmitJob>(clock_, executor, until(by), std::move(job), waiting_max);
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed.error();
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  auto went = outcome(*op);
  if (!went.ok()) co_return went.error();
  co_return std::move(op->found);
}

Co<Result<std::vector<Claimed>>> SqliteJobs::claim(Claim claim, Deadline by) {
  if (claim.slots == 0) co_return std::vector<Claimed>();
  auto executor = co_await asio::this_coro::executor;
  const auto op = std::make_shared<ClaimJobs>(clock_, executor, by, std::move(claim));
  ClaimGuard guard(desk_, *op);
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed.error();
  auto late = co_await op->alarm->wait_until(by.at());
  if (late && !op->answered() && !op->seen.load(std::memory_order_acquire)) {
    // A look at what is ready, at least: the desk answers as soon as it has looked. One answer that
    // is there already may have rung before this wait.
    late = co_await op->alarm->wait_until(until(Deadline::never()).at());
  }
  const bool gave_up = guard.give_up();
  if (gave_up && !late) co_return Error::log(Errc::cancelled, "claim was cancelled");
  if (gave_up) co_return std::vector<Claimed>();
  if (op->error) co_return *op->error;
  co_return guard.take();
}

Co<Status> SqliteJobs::extend(Lease lease, Duration by_how_long, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op =
      std::make_shared<ExtendLease>(clock_, executor, until(by), std::move(lease), by_how_long);
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed;
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  co_return outcome(*op);
}

Co<Status> SqliteJobs::complete(Lease lease, std::string result, Effects effects, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op = std::make_shared<CompleteJob>(clock_, executor, until(by), std::move(lease),
                                                std::move(result), std::move(effects));
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed;
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  co_return outcome(*op);
}

Co<Result<JobState>> SqliteJobs::fail(Lease lease, JobFailure failure,
                                      std::optional<Duration> again, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op = std::make_shared<FailJob>(clock_, executor, until(by), std::move(lease),
                                            std::move(failure), again);
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed.error();
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  auto went = outcome(*op);
  if (!went.ok()) co_return went.error();
  co_return op->found;
}

Co<Status> SqliteJobs::give_back(Lease lease, Duration later, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op =
      std::make_shared<GiveBackJob>(clock_, executor, until(by), std::move(lease), later);
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed;
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  co_return outcome(*op);
}

Co<Result<Job>> SqliteJobs::cancel(std::optional<Owner> owner, JobId id, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  NamedJob named;
  named.owner = std::move(owner);
  named.id = std::move(id);
  const auto op = std::make_shared<CancelJob>(clock_, executor, until(by), std::move(named));
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed.error();
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  auto went = outcome(*op);
  if (!went.ok()) co_return went.error();
  co_return std::move(op->found);
}

Co<Result<Job>> SqliteJobs::retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                                  Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  NamedJob named;
  named.owner = std::move(owner);
  named.id = std::move(id);
  const auto op =
      std::make_shared<RetryJob>(clock_, executor, until(by), std::move(named), waiting_max);
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed.error();
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  auto went = outcome(*op);
  if (!went.ok()) co_return went.error();
  co_return std::move(op->found);
}

Co<Status> SqliteJobs::erase(std::optional<Owner> owner, JobId id, Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  NamedJob named;
  named.owner = std::move(owner);
  named.id = std::move(id);
  const auto op = std::make_shared<EraseJob>(clock_, executor, until(by), std::move(named));
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed;
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  co_return outcome(*op);
}

Co<Result<Duration>> SqliteJobs::upkeep(Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op = std::make_shared<TendJobs>(clock_, executor, until(by));
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return handed.error();
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  auto went = outcome(*op);
  if (!went.ok()) co_return went.error();
  co_return op->found;
}

Co<> SqliteJobs::catch_up(Deadline by) {
  auto executor = co_await asio::this_coro::executor;
  const auto op = std::make_shared<CatchUp>(clock_, executor, until(by));
  const AlarmTaken taken(*op);
  auto handed = desk_.hand(op);
  if (!handed.ok()) co_return;  // closing, or broken: what is there can still be read
  [[maybe_unused]] auto late = co_await op->alarm->wait_until(op->by.at());
  [[maybe_unused]] auto went = outcome(*op);
}

Co<Result<Job>> SqliteJobs::get(std::optional<Owner> owner, JobId id, Deadline by) {
  const bool behind = desk_.behind();
  if (behind) {
    co_await catch_up(by);
  }
  const WallTime now = clock_.wall();
  auto work = [this, owner = std::move(owner), id = std::move(id),
               now](Connection& db) -> Result<Job> {
    const Unwritten claims = desk_.unwritten();
    auto row = job_by_id(db, id.text(), now);
    if (!row || !may_see(owner, row->job)) return unknown_job();
    return shown(std::move(*row), claims);
  };
  co_return co_await readers_.read("get_job", std::move(work), by);
}

Co<Result<PageOfJobs>> SqliteJobs::list(JobFilter filter, JobId after, std::uint32_t limit,
                                        Deadline by) {
  const bool behind = desk_.behind();
  if (behind) {
    co_await catch_up(by);
  }
  const WallTime now = clock_.wall();
  auto work = [this, filter = std::move(filter), after = std::move(after), limit,
               now](Connection& db) -> Result<PageOfJobs> {
    const Unwritten claims = desk_.unwritten();
    std::uint64_t below = std::numeric_limits<std::int64_t>::max();
    if (!after.empty()) {
      const auto last = job_by_id(db, after.text(), now);
      const bool seen = last && may_see(filter.owner, last->job);
      const std::string mark = seen ? std::string() : list_mark(after);
      if (!seen && mark.empty()) return unknown_job();
      below = seen ? last->n : made_before(db, mark) + 1;
    }
    PageOfJobs out;
    const auto add = [&](JobRow row) {
      Job job = shown(std::move(row), claims);
      if (filter.state && job.state != *filter.state) return;
      out.more = out.items.size() == limit;
      if (!out.more) out.items.push_back(std::move(job));
    };
    if (filter.state && !ended(*filter.state)) {
      // Which jobs wait or run is known in memory.
      const auto live = desk_.live(filter, below);
      for (auto n = live.begin(); n != live.end() && !out.more; ++n) {
        auto row = job_by_n(db, *n, now, false);
        if (row) add(std::move(*row));
      }
      return out;
    }
    for (auto& row : page_of_jobs(db, filter, below, limit + 1, now)) add(std::move(row));
    return out;
  };
  co_return co_await readers_.read("list_jobs", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
