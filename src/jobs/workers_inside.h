// What workers are made of. All of it lives on one executor; what other threads read is atomic or
// behind `mutex`.
// Used by workers.cpp (taking work, stopping) and attempts.cpp (one attempt's life) alone.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/task_group.h"
#include "jobs/workers.h"

namespace mainstay::jobs {

/// Why an attempt is stopped before its kind ended it.
enum class Stop : std::uint8_t { none, cancelled, stale, timeout, drained };

/// One attempt. Shared by the two coroutines that serve it: one runs the kind, the other watches.
struct Workers::Attempt final : Run {
  Attempt(Parts& owner, storage::Claimed what);
  const storage::Job& job() const noexcept override { return claimed.job; }
  bool last_attempt() const noexcept override {
    return claimed.job.attempts >= claimed.job.job.attempts_max;
  }
  Co<> tell(std::string type, Json data) override;
  bool cancelled() const noexcept override { return why.load() != Stop::none; }
  Co<bool> rest(Duration how_long) override;
  void put_off(Duration how_long) noexcept override { later = how_long; }

  struct Said {
    EventType type;
    Json data;
  };
  Parts& parts;
  storage::Claimed claimed;
  std::string webhook;
  Kind* kind = nullptr;  ///< null: this program has no such kind
  Duration lease{};
  TimePoint began;
  TimePoint lease_until;
  TimePoint next_beat;
  Deadline until = Deadline::never();
  std::unique_ptr<Alarm> woken;  ///< rung when the kind ended, or the attempt is to stop
  std::optional<Result<Outcome>> outcome;
  bool ended = false;             ///< the kind's coroutine is over
  bool resting = false;           ///< the kind waits to ask again: a stop need not wait for it
  std::optional<Duration> later;  ///< it was put off so long
  std::uint64_t runner = 0;
  std::atomic<Stop> why{Stop::none};
  std::deque<Said> unsaid;
  bool saying = false;
  TimePoint token_said{};
};

struct Workers::Parts {
  Parts(const Settings& settings, WorkersSetup with, Clock& the_clock, Random& the_random,
        Log& the_log, Metrics& the_metrics, const Kinds& the_kinds, storage::JobStore& the_store,
        storage::Signal& the_signal, Executor executor);

  // workers.cpp
  Co<> take_work();
  Co<> hear_stops();
  void begin(storage::Claimed claimed);
  std::uint32_t free_slots() const;
  std::uint32_t free_deliveries() const;
  void count_running(const Attempt& attempt, int by);
  void stop(Attempt& attempt, Stop why);
  void stop_job(const std::string& id, std::uint64_t last);
  void ended(const Attempt& attempt);

  // attempts.cpp
  Co<> look_after(std::shared_ptr<Attempt> attempt);
  Co<> run_kind(std::shared_ptr<Attempt> attempt);
  Co<> watch(std::shared_ptr<Attempt> attempt);
  Co<> beat(std::shared_ptr<Attempt> attempt);
  Co<> say(std::shared_ptr<Attempt> attempt, bool all);
  TimePoint say_at(const Attempt& attempt) const;
  TimePoint due_at(const Attempt& attempt) const;
  Co<> settle(std::shared_ptr<Attempt> attempt);
  Co<> settle_success(std::shared_ptr<Attempt> attempt, Outcome outcome);
  Co<> settle_failure(std::shared_ptr<Attempt> attempt, Error error);
  Co<Status> complete(std::shared_ptr<Attempt> attempt, Outcome outcome);
  Co<Result<storage::JobState>> fail(std::shared_ptr<Attempt> attempt, storage::JobFailure failure,
                                     std::optional<Duration> again);
  Co<> hand_back(std::shared_ptr<Attempt> attempt, Duration later);
  Co<> deliver_webhook(std::shared_ptr<Attempt> attempt, storage::JobState state);
  Co<bool> wait_to_repeat(std::shared_ptr<Attempt> attempt, std::uint32_t* tries);
  Deadline storage_deadline() const { return Deadline::in(clock, operation_timeout); }

  const JobSettings config;
  const Duration operation_timeout;
  const WorkersSetup setup;
  Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
  const Kinds& kinds;
  storage::JobStore& store;
  storage::Signal& signal;
  const Executor executor;
  TaskGroup tasks;
  std::unique_ptr<Alarm> freed;    ///< rung when a slot becomes free
  std::unique_ptr<Alarm> emptied;  ///< rung when no attempt is left
  bool taking = false;
  std::uint64_t taker = 0;

  using Key = std::pair<std::string, std::uint64_t>;  ///< job and token
  std::map<Key, std::shared_ptr<Attempt>> running;
  std::uint32_t delivering = 0;  ///< of them, those beside the slots
  mutable std::mutex mutex;      ///< of `shown`
  std::map<Key, RunningJob> shown;
  std::atomic<std::uint32_t> busy{0};
  std::atomic<std::uint64_t> claimed{0};
  std::atomic<std::uint64_t> succeeded{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> timed_out{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> stale{0};
  std::atomic<std::uint64_t> given_back{0};
  std::atomic<std::uint64_t> threw{0};
};

}  // namespace mainstay::jobs
