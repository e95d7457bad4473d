// Face: durable jobs. What submit() accepted will run, survives a crash and a power cut, and has at
// most one recorded outcome. Back ends: memory, sqlite, redis.
// Used by jobs (workers, batches) and api. The rules of a job's life are in job_life.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/conversations.h"

namespace mainstay::storage {

using JobId = Id<struct JobTag>;

/// Classes of work; a lower one runs only when no higher one is ready.
enum class JobClass : std::uint8_t { voice, interactive, batch, background };
constexpr std::size_t kJobClasses = 4;
std::string_view name(JobClass c) noexcept;
std::optional<JobClass> job_class(std::string_view name) noexcept;

/// scheduled: waits for its time (delayed, or for its next attempt). dead: given up, kept for a
/// retry by hand. Everything from `succeeded` on is an end.
enum class JobState : std::uint8_t {
  scheduled,
  queued,
  running,
  succeeded,
  dead,
  cancelled,
  expired,
};
constexpr std::size_t kJobStates = 7;
std::string_view name(JobState s) noexcept;
std::optional<JobState> job_state(std::string_view name) noexcept;
constexpr bool ended(JobState s) noexcept {
  return s >= JobState::succeeded;
}

/// What a kind ends in when only the process that keeps conversations, documents and files can run
/// the job. Said at submission and in claims; jobs that come out of a store never show it.
inline constexpr std::string_view kAtHome = "@home";

/// A job as it is handed in. Wall times of zero: none.
struct NewJob {
  JobId id;  ///< made by the caller with make_id("job_", …); never used twice
  Owner owner;
  std::string client;  ///< which of the user's clients the events are for; empty: all of them
  std::string kind;    ///< for a store that several processes share: may end in kAtHome
  JobClass priority = JobClass::interactive;
  std::string input;   ///< JSON
  std::string key;     ///< idempotency key, of this owner; empty: none
  std::string digest;  ///< of the request that the key stands for
  std::string batch;   ///< id of the batch it is an item of; empty: none
  WallTime run_at{};   ///< not before
  WallTime expires{};  ///< no attempt begins at or after this moment
  std::uint32_t attempts_max = 3;
  /// An end other than cancelled makes the next occurrence, this long after run_at (missed ones are
  /// skipped). Zero: runs once.
  std::chrono::seconds repeat_every{0};
  /// Mainstay's own work for a job that came in: the caps let it pass, as Effects::follow_ups.
  /// Said at submission; jobs that come out of a store need not show it.
  bool follow_up = false;
};

/// Why an attempt, or the job, failed. `code` is a stable word.
struct JobFailure {
  std::string code;
  std::string message;
};

/// What is known of a job.
struct Job {
  NewJob job;
  JobState state = JobState::queued;
  std::uint32_t attempts = 0;  ///< begun and charged; one handed back is not
  std::uint64_t token = 0;     ///< of the attempt that runs or ran last; grows, also by a retry
  std::string worker;          ///< who runs it or ran it last
  WallTime created{};
  WallTime started{};   ///< of the last attempt
  WallTime finished{};  ///< its end
  std::string result;   ///< JSON; of a succeeded job
  JobFailure failure;   ///< of the last failed attempt
  /// An end before a retry by hand has made the next occurrence: another end makes no other.
  bool followed = false;
};

struct Submitted {
  JobId id;
  JobState state = JobState::queued;
  bool existed = false;       ///< the key was used before, for the same request
  std::uint32_t waiting = 0;  ///< jobs of this owner that wait now, this one included
};

/// A right to end one attempt. Any verb that gets one answers conflict "stale_lease" once the
/// attempt is no longer the current one: lease over, cancelled, handed to another worker.
struct Lease {
  JobId id;
  std::uint64_t token = 0;
};

struct Claim {
  std::string worker;               ///< a name of this worker alone, of this start
  std::vector<std::string> kinds;   ///< which it can run; empty: all
  std::uint32_t slots = 1;          ///< free now; never claim ahead
  Duration lease{};                 ///< until it must have been extended
  std::string rationed;             ///< a kind of which fewer are wanted; empty: none
  std::uint32_t rationed_most = 0;  ///< so many of it, of the slots
};

/// One attempt that begins.
struct Claimed {
  Job job;
  Lease lease;
};

/// What completing a job also does, once: in the same transaction where the store holds these
/// things too, else before it and idempotent by the job's id.
struct Effects {
  std::optional<Turn> turn;        ///< stored for the job's owner
  std::vector<NewJob> follow_ups;  ///< submitted without regard to caps
};

struct JobFilter {
  std::optional<Owner> owner;  ///< none: everybody's (admin)
  std::optional<JobState> state;
  std::string kind;   ///< empty: any
  std::string batch;  ///< empty: any
};
struct PageOfJobs {
  std::vector<Job> items;  ///< newest first; inputs and results left out
  bool more = false;
};

/// Depths, ages and counts since this store was opened (of this process for redis).
struct JobFigures {
  std::uint64_t by_state[kJobClasses][kJobStates] = {};
  Duration oldest_ready[kJobClasses] = {};  ///< age of the longest waiting ready job; zero: none
  std::uint64_t depth = 0;                  ///< scheduled + queued + running
  bool shedding = false;                    ///< above the high mark and not yet below the low one
  double drained_per_second = 0;            ///< smoothed
  std::uint64_t submitted = 0;
  std::uint64_t replayed = 0;  ///< submissions answered from their key
  std::uint64_t claimed = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed_attempts = 0;
  std::uint64_t died = 0;
  std::uint64_t expired_leases = 0;
  std::uint64_t stale = 0;  ///< verbs refused for their lease
  std::uint64_t refused_user = 0;
  std::uint64_t refused_depth = 0;
};

/// How a store is set up; the same for all back ends.
struct JobLimits {
  std::uint32_t depth_high = 5000;  ///< at this depth submissions are refused …
  std::uint32_t depth_low = 3000;   ///< … until it is below this
  std::uint32_t poison_after = 3;   ///< leases that ended without a word, before a job is dead
  Duration keep_results = std::chrono::hours(24);  ///< ended jobs, from their end
  Duration keep_dead = std::chrono::hours(24 * 7);
  Duration keep_keys = std::chrono::hours(24);  ///< at least; never less than the job itself
  std::size_t input_max = 0;  ///< bytes of an input, for stores that bound messages; 0: not known
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable, deadline (it may still
/// happen; repeating a verb is safe), disk_full, corrupt, and those named.
class JobStore {
 public:
  virtual ~JobStore() = default;

  /// After Ok the job survives. A repeated key with the same digest gives the first job. Classes
  /// are refused in order: background and batch at 60 % of depth_high, interactive at 90 %, voice
  /// at 100 %. `waiting_max`: scheduled + queued jobs of this owner (0: no cap). A follow_up is
  /// asked neither. What depends on the present is asked of new jobs alone: a key that is known has
  /// its answer whenever it comes. Errors: conflict "idempotency_key_reused" (other digest);
  /// invalid "out_of_range" (field "expires": check_expiry()); over_limit "too_many_waiting_jobs";
  /// unavailable "queue_overloaded" with retry_after.
  virtual Co<Result<Submitted>> submit(NewJob job, std::uint32_t waiting_max, Deadline by) = 0;

  /// Jobs to run now: by class, then in turn between owners, then the oldest first. Waits until
  /// there is one; empty at the deadline. Wakes without polling. Looks once even when the deadline
  /// has passed already: a way to take only what is there.
  virtual Co<Result<std::vector<Claimed>>> claim(Claim claim, Deadline by) = 0;
  /// Extends a lease, from now. Errors: conflict "stale_lease".
  virtual Co<Status> extend(Lease lease, Duration by_how_long, Deadline by) = 0;
  /// The one outcome. `result` is JSON. Repeating it with the same lease is Ok and changes nothing.
  /// Errors: conflict "stale_lease": nothing was changed.
  virtual Co<Status> complete(Lease lease, std::string result, Effects effects, Deadline by) = 0;
  /// The attempt failed: `again` from now it is tried again, unless attempts are used up; none: it
  /// is dead at once. Gives the new state. Errors: conflict "stale_lease".
  virtual Co<Result<JobState>> fail(Lease lease, JobFailure failure, std::optional<Duration> again,
                                    Deadline by) = 0;
  /// Hands an attempt back unfinished, not charged: queued at once (drain), or scheduled `later`
  /// from now. Errors: "stale_lease".
  virtual Co<Status> give_back(Lease lease, Duration later, Deadline by) = 0;

  /// Ends a job that has not ended; the running attempt's lease becomes stale. `owner` none: admin.
  /// Errors: not_found "unknown_job"; conflict "job_ended".
  virtual Co<Result<Job>> cancel(std::optional<Owner> owner, JobId id, Deadline by) = 0;
  /// Runs a dead, cancelled or expired job again, with its id and key and no attempt charged. It is
  /// one more that waits and is admitted as by submit(), but for an administrator (`owner` none).
  /// Errors: not_found; conflict "job_not_ended", "job_succeeded"; those of a full queue.
  virtual Co<Result<Job>> retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                                Deadline by) = 0;
  /// Errors: not_found "unknown_job".
  virtual Co<Result<Job>> get(std::optional<Owner> owner, JobId id, Deadline by) = 0;
  /// `after`: id of the last one seen; empty: from the newest. One that is gone, or another's, is
  /// gone on behind by the moment in its id. Errors: not_found "unknown_job": it tells none.
  virtual Co<Result<PageOfJobs>> list(JobFilter filter, JobId after, std::uint32_t limit,
                                      Deadline by) = 0;
  /// Forgets a job that has ended, with its result. Errors: not_found; conflict "job_not_ended".
  virtual Co<Status> erase(std::optional<Owner> owner, JobId id, Deadline by) = 0;

  /// One slice of upkeep: due jobs become ready, leases end, what is kept too long is removed.
  /// The embedded stores keep due times and leases themselves and need it for removal alone. Called
  /// by the leader. Gives how long it may be left alone.
  virtual Co<Result<Duration>> upkeep(Deadline by) = 0;
  /// Never waits for a lock that is held over I/O.
  virtual JobFigures figures() const = 0;
};

}  // namespace mainstay::storage
