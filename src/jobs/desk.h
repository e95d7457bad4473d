// The room's door: hand in a job, ask for it, follow it, end it. Whatever comes from a client is
// checked here, against the caller's rights; another's job is not_found.
// Used by api (endpoints, WebSocket) and by the command line through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "base/json.h"
#include "config/settings.h"
#include "jobs/kind.h"
#include "jobs/news.h"
#include "storage/jobs.h"
#include "storage/signal.h"
#include "telemetry/log.h"

namespace mainstay::jobs {

/// What a client asks for.
struct Order {
  std::string kind;
  Json input;
  std::optional<storage::JobClass> priority;  ///< none: the kind's; the caller's right caps it
  std::string client;                         ///< which of the user's clients the events are for
  std::string key;                            ///< Idempotency-Key; empty: none
  std::string digest;  ///< of the whole request that the key stands for; empty: the desk makes one
  std::string batch;
  std::optional<Duration> delay;         ///< from now; wins over run_at
  WallTime run_at{};                     ///< zero: now
  std::optional<Duration> expires_in;    ///< from now; wins over expires
  WallTime expires{};                    ///< zero: never
  std::chrono::seconds repeat_every{0};  ///< 0: once
  std::uint32_t attempts_max = 0;        ///< 0: the kind's
  std::string webhook;                   ///< told of the job's end; empty: nobody
};

/// A job with what the store keeps inside its input taken apart.
struct JobView {
  storage::Job job;     ///< `input` is the kind's own
  std::string webhook;  ///< empty: none
};

struct PageOfViews {
  std::vector<storage::Job> items;  ///< newest first; inputs and results left out
  bool more = false;
};

/// What a follower looks at.
struct FollowSetup {
  std::string topic;
  std::string place;  ///< where it begins, as Signal::hear() wants it
  storage::Owner owner;
  bool any_owner = false;     ///< the caller is an administrator
  storage::JobId job;         ///< empty: all jobs of the owner
  bool end_was_seen = false;  ///< the reader has the job's end already
  Duration recheck{};
  std::size_t followed_max = 0;
  std::size_t result_max = 0;
};

/// Events of one job, or of all jobs of a user, in order, each once. Belongs to one coroutine; the
/// store and the signal outlive it.
class Follower {
 public:
  Follower(FollowSetup setup, storage::JobStore& store, storage::Signal& signal, Clock& clock)
      : setup_(std::move(setup)),
        store_(store),
        signal_(signal),
        clock_(clock),
        place_(setup_.place),
        end_was_seen_(setup_.end_was_seen),
        begun_(setup_.job.empty() || !setup_.place.empty()) {}
  /// The next events; waits until there are some; empty at the deadline or when finished().
  /// Nothing is lost: an end that nobody told (a process that died, a lease that ended) is made up
  /// from the store's record, at the latest jobs.events.recheck after it happened. An event of type
  /// "missed" says that others were lost between the reader's place, or the job's beginning, and
  /// the next event.
  /// Errors: the store's and the signal's; a job that is forgotten meanwhile is "unknown_job".
  Co<Result<std::vector<Event>>> next(Deadline by);
  /// One job: its end was given.
  bool finished() const noexcept { return finished_; }
  /// Where a later follow() goes on after what next() gave last.
  const std::string& place() const noexcept { return place_; }

 private:
  struct Seen {
    EventType last;
    TimePoint at;
    std::list<std::string>::iterator turn;
    bool again_comes = false;  ///< its attempt was told before the retry that it is due to
  };
  Co<Status> look(std::vector<Event>* out, Deadline by);
  Co<Status> look_at_job(std::vector<Event>* out, Deadline by);
  Co<Status> look_at_all(std::vector<Event>* out, Deadline by);
  Co<Status> find_open(Deadline by);
  void take(storage::Heard heard, std::vector<Event>& out);
  bool note(const Event& event);
  Seen& see(const std::string& job, EventType type);

  const FollowSetup setup_;
  storage::JobStore& store_;
  storage::Signal& signal_;
  Clock& clock_;
  std::string place_;
  bool end_was_seen_;
  bool begun_;  ///< one job: the reader has a place, or was told something
  bool finished_ = false;
  bool found_open_ = false;
  TimePoint next_look_{};
  std::map<std::string, Seen> seen_;  ///< jobs of late, at most followed_max
  std::list<std::string> turns_;      ///< the one heard of longest ago first
};

/// Any loop may call. References outlive it.
class Desk {
 public:
  Desk(const Settings& settings, Clock& clock, Random& random, Log& log,
       admission::Admission& admission, const Kinds& kinds, storage::JobStore& store,
       storage::Signal& signal);

  /// Puts other limits in force (a reload). Any thread.
  void apply(const LimitSettings& limits) noexcept;

  /// Checks the order, takes what it may use from the caller's tokens, and hands it to the store.
  /// After Ok it will happen.
  /// Errors: invalid (fields "kind", "input.x", "priority", "client", "idempotency-key", "delay",
  /// "run_at", "expires", "expires_in", "repeat_every", "attempts_max", "webhook.url"), forbidden
  /// "scope_required", those of Admission::charge and of JobStore::submit. A class above the
  /// caller's right is lowered to it.
  Co<Result<storage::Submitted>> submit(admission::Caller caller, Order order, Deadline by);
  /// The same for Mainstay's own work in the caller's name: kinds closed to clients are open, and
  /// neither waiting jobs nor a request are counted.
  Co<Result<storage::Submitted>> submit_own(admission::Caller caller, Order order, Deadline by);
  /// The check of submit() alone; what would be kept as input.
  Result<std::string> check(const admission::Caller& caller, const Order& order) const;

  /// A caller with the admin scope may name everybody's jobs in these.
  Co<Result<JobView>> get(admission::Caller caller, storage::JobId id, Deadline by);
  /// `filter.owner` is set here for callers without the admin scope, or when `everybody` is false.
  Co<Result<PageOfViews>> list(admission::Caller caller, storage::JobFilter filter, bool everybody,
                               storage::JobId after, std::uint32_t limit, Deadline by);
  /// An occurrence of a repeating job that has ended stands for the one that comes or runs, which
  /// is cancelled, and given, in its place: so the id that submit() gave ends the repetition. One
  /// that was retried since its next one was made is cancelled together with the one that comes.
  Co<Result<storage::Job>> cancel(admission::Caller caller, storage::JobId id, Deadline by);
  /// This job and no other.
  Co<Result<storage::Job>> cancel_only(admission::Caller caller, storage::JobId id, Deadline by);
  /// Takes what it may use from the tokens of a caller who is no administrator.
  Co<Result<storage::Job>> retry(admission::Caller caller, storage::JobId id, Deadline by);
  /// What its webhook was not told yet is told without it.
  Co<Status> erase(admission::Caller caller, storage::JobId id, Deadline by);

  /// `place`: of the last event seen (Last-Event-ID); empty: from the oldest kept.
  /// Errors: not_found "unknown_job".
  Co<Result<std::unique_ptr<Follower>>> follow(admission::Caller caller, storage::JobId id,
                                               std::string place, Deadline by);
  /// All jobs of the caller's user. `place` empty: from now on.
  Co<Result<std::unique_ptr<Follower>>> follow_all(admission::Caller caller, std::string place,
                                                   Deadline by);

  storage::JobFigures figures() const { return store_.figures(); }
  const Kinds& kinds() const noexcept { return kinds_; }
  storage::JobStore& store() noexcept { return store_; }
  storage::Signal& signal() noexcept { return signal_; }

 private:
  Co<Result<storage::Submitted>> put(admission::Caller caller, Order order, bool own, Deadline by);
  Co<Result<storage::Submitted>> known_or(Error refusal, storage::NewJob job, Deadline by);
  Co<Result<storage::Job>> cancel_next(admission::Caller caller, storage::Job last, Deadline by);
  Co<Status> keep_letter(storage::Job job, Deadline by);
  Co<> watch_for_webhook(storage::NewJob job, std::uint32_t looks, Deadline by);
  Co<> tell(storage::Job job, EventType type, storage::JobState state, Json more, Deadline by);
  Co<Result<bool>> end_at(std::string topic, std::string place, Deadline by);
  Result<storage::NewJob> made_of(const admission::Caller& caller, const Order& order,
                                  bool own) const;
  Result<const Kind*> kind_for(const admission::Caller& caller, const Order& order, bool own) const;
  Status set_times(const Order& order, storage::NewJob& job) const;
  std::uint32_t waiting_max(const admission::Caller& caller) const;
  std::optional<admission::Use> use_of(const std::string& kind, std::string input) const;
  Co<std::optional<admission::Use>> use_of_another_run(admission::Caller caller, storage::JobId id,
                                                       Deadline by);

  const JobSettings settings_;
  const bool shared_;                       ///< other processes take from this queue too
  std::atomic<std::uint32_t> waiting_max_;  ///< of one user; 0: no limit
  Clock& clock_;
  Random& random_;
  Log& log_;
  admission::Admission& admission_;
  const Kinds& kinds_;
  storage::JobStore& store_;
  storage::Signal& signal_;
};

}  // namespace mainstay::jobs
