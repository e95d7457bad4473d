// The life of a job as a pure function: (record, event, now) -> what it becomes. The one place that
// says which change is allowed; memory and sqlite call it, redis' scripts say the same and the
// conformance suite compares them.
//
//   submit -> scheduled | queued        due: scheduled -> queued        claim: queued -> running
//   running -> succeeded | scheduled (failed, tried again) | dead | queued (given back, lease over)
//   running -> scheduled (given back, for later)
//   cancel: any not ended -> cancelled  expire: scheduled, queued -> expired
//   retry: dead, cancelled, expired -> queued
#pragma once

#include <optional>

#include "storage/jobs.h"

namespace mainstay::storage {

/// How the attempt of the current token ended: told apart so that a verb whose answer was lost gets
/// the same answer again, until the next attempt begins or the job is retried by hand. An attempt
/// that runs, or that ended otherwise (lease, cancel): none.
enum class AttemptEnd : std::uint8_t { none, completed, failed, given_back };

/// What a store keeps of a job to decide; everything else of the record is carried along.
struct JobLife {
  JobState state = JobState::queued;
  std::uint32_t attempts = 0;
  std::uint32_t attempts_max = 3;
  std::uint32_t silent = 0;  ///< leases that ended without a word, in a row
  std::uint64_t token = 0;
  WallTime run_at{};
  WallTime expires{};
  AttemptEnd ended_by = AttemptEnd::none;
  friend bool operator==(const JobLife&, const JobLife&) = default;
};

enum class JobEvent : std::uint8_t {
  claim,       ///< a worker takes it
  complete,    ///< its lease's token is current
  fail,        ///< `again` says when it may run again; none: dead
  give_back,   ///< not charged; `again` says when it may run again; none: at once
  lease_over,  ///< nothing was heard: charged; dead when attempts or `poison_after` are used up
  restart,     ///< the store was opened again: as lease_over, but not `silent` (the crash was ours)
  due,         ///< its time has come
  cancel,
  expire,
  retry,
};

struct JobStep {
  JobEvent event;
  std::optional<std::uint64_t> token;  ///< must be current, where a lease is needed
  WallTime now{};
  std::optional<Duration> again;
  std::uint32_t poison_after = 3;
};

/// The state after `step`. The same life as before: nothing is to be done, or the verb was told
/// again (complete, fail, give_back with the token that they ended): answer as the first time and
/// touch nothing. Lease, run_at and expires count as over at the moment itself. Errors: conflict
/// "stale_lease" (the event needs a lease and it is not the current one), "job_ended",
/// "job_not_ended", "job_succeeded".
Result<JobLife> step(const JobLife& life, const JobStep& step);

/// The refusals that all back ends say in the same words.
Error stale_lease();
Error job_ended();
Error job_not_ended();
Error unknown_job();
Error key_reused();
/// Whether a text can be an idempotency key: 1 to 255 printable ASCII characters. Errors: invalid
/// "invalid_idempotency_key".
Status check_key(std::string_view key);
/// Where a list goes on behind a job that is gone: ids of that form which were made before it sort
/// below. Empty: its id was not made by make_id() and tells no moment.
std::string list_mark(const JobId& gone);
/// Whether an id has that form, which those of later occurrences have not.
constexpr bool orders_lists(std::string_view id) noexcept {
  return id.size() == 30;
}
/// Whether a new job can still run: it expires, if at all, later than now and than it is planned
/// for. Errors: invalid "out_of_range", field "expires".
Status check_expiry(const NewJob& job, WallTime now);
Error expires_too_early();
/// What a job's `failure` says after lease_over or restart.
JobFailure lost_attempt(JobEvent event);

/// How answers show an order's times: what its life says now, none once it was run again by hand;
/// a repeating job keeps showing when it was planned for.
void show_times(NewJob& job, const JobLife& life);
/// The life of a job as it comes in at `now`: scheduled when run_at is later, else queued.
JobLife first_life(const NewJob& job, WallTime now);
/// What fail() answers for the life after the step, also when it is told again.
JobState answer_of_fail(const JobLife& life) noexcept;

/// When the next occurrence of a repeating job runs: the first of run_at + n * every after `now`.
WallTime next_occurrence(WallTime run_at, std::chrono::seconds every, WallTime now);
/// Whether an end makes the next occurrence.
constexpr bool makes_next(const Job& job, JobState end) noexcept {
  const bool repeats = job.job.repeat_every.count() > 0 && !job.followed;
  return repeats && ended(end) && end != JobState::cancelled;
}
/// Whether the next occurrence has been made, by this end or by one before a retry.
constexpr bool has_next(const Job& job) noexcept {
  return job.followed || makes_next(job, job.state);
}
/// The next occurrence of a repeating job, `created` being when this one came in. Its id is made of
/// the first one's id and its moment, so the same occurrence is never made twice: a store that has
/// the id already makes nothing. Key and digest go along: from now on the key stands for it.
/// `expires` keeps its distance from run_at.
NewJob next_occurrence_of(const NewJob& job, WallTime created, WallTime now);
/// The id of the occurrence that is to run then; `id`: of any occurrence of the same job.
JobId occurrence_id(const JobId& id, WallTime run_at);
/// The id of the next occurrence; empty: this end made none, or there is no end yet, or one before
/// a retry by hand made it, whose moment is no longer known.
JobId next_id_of(const Job& job);

}  // namespace mainstay::storage
