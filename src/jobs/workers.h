// Workers: run jobs in free slots, keep their leases, record their ends, drain gracefully.
// Used by app (one for each loop that runs jobs) and api (/admin/jobs).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "jobs/kind.h"
#include "jobs/news.h"
#include "storage/signal.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::jobs {

/// Who these workers are and how much they may do.
struct WorkersSetup {
  std::string name;                ///< of these workers alone, of this start
  std::uint32_t slots = 1;         ///< attempts at once, webhooks' deliveries aside
  std::vector<std::string> kinds;  ///< that they run; empty: all
  /// The share of the slots that pressure leaves, 0 to 1; 0: no new attempt. May be empty.
  std::function<double()> factor;
};

/// Deliveries of webhooks at once, beside the slots: they wait for others' servers, and one that
/// hangs is to hold up no work.
inline constexpr std::uint32_t kDeliveriesMax = 32;

/// One attempt that runs now.
struct RunningJob {
  storage::JobId id;
  std::string kind;
  std::uint32_t attempt = 0;
  WallTime started{};
};

/// What one worker did since its start.
struct WorkerFigures {
  std::string name;
  std::uint32_t slots = 0;
  std::uint32_t busy = 0;  ///< of the slots
  std::uint64_t claimed = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;  ///< attempts, those out of time included
  std::uint64_t timed_out = 0;
  std::uint64_t cancelled = 0;  ///< stopped because the job was cancelled
  std::uint64_t stale = 0;      ///< outcomes and extensions refused for their lease
  std::uint64_t given_back = 0;
  std::uint64_t threw = 0;  ///< attempts that ended in an exception: bugs
  std::vector<RunningJob> running;
};

/// Lives on one executor; figures() may be called from any thread.
class Workers {
 public:
  /// References outlive it.
  Workers(const Settings& settings, WorkersSetup setup, Clock& clock, Random& random, Log& log,
          Metrics& metrics, const Kinds& kinds, storage::JobStore& store, storage::Signal& signal,
          Executor executor);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Begins to take work.
  void start();
  /// Takes no more work, lets the running attempts finish, and hands back those that rest at once,
  /// those that have not finished when the deadline is near (jobs.give_back_time before it).
  /// Returns how many it handed back.
  Co<std::uint32_t> drain(Deadline by);
  /// Cancels and waits for what is left; must be awaited before destruction. An attempt that still
  /// ran is left to its lease.
  Co<> close();
  WorkerFigures figures() const;

 private:
  struct Attempt;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Slots for `setting` (jobs.workers): itself, or two for each core, when it is 0.
std::uint32_t worker_slots(std::uint32_t setting, std::uint32_t cores);

}  // namespace mainstay::jobs
