// Face: what the admin endpoints ask of the running program. app implements it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/co.h"
#include "base/deadline.h"
#include "base/json.h"
#include "base/result.h"
#include "jobs/workers.h"
#include "storage/stores.h"

namespace mainstay::api {

/// The configuration in force.
struct ConfigFigures {
  std::uint64_t version = 1;   ///< counts from 1; one more after each reload that changed something
  std::uint64_t hits = 0;      ///< reads that found their thread's copy current
  std::uint64_t misses = 0;    ///< reads that had to fetch the current one
  std::uint64_t reloads = 0;   ///< readings since the start, accepted ones
  std::uint64_t failures = 0;  ///< readings that were refused; the old one stayed in force
  bool last_succeeded = true;
  std::string last_error;  ///< why the last reading was refused; empty when it was accepted
  std::string file;        ///< empty: none
  std::string profile;
  Duration age{};                              ///< since the last accepted reading
  std::vector<std::string> waits_for_restart;  ///< keys whose new value is not in force yet
};

/// What a reload did.
struct ReloadReport {
  std::uint64_t version = 0;
  std::vector<std::string> changed;      ///< keys in force with a new value now
  std::vector<std::string> restart;      ///< keys whose new value waits for a restart
  std::vector<std::string> unreachable;  ///< new providers that did not answer the probe
  bool models_rebuilt = false;           ///< the response cache started empty
  Duration took{};
};

/// A background task, running or ended.
struct TaskInfo {
  std::uint64_t id = 0;
  std::string name;
  std::string state;  ///< running, cancelling, ended, cancelled, failed
  bool cancellable = false;
  std::string why;  ///< of a failure
  WallTime started{};
  std::optional<WallTime> ended;
};

/// What POST /admin/cleanup gave back.
struct CleanupReport {
  std::size_t sessions = 0;
  std::size_t cached_answers = 0;
  std::int64_t bytes = 0;  ///< resident memory before less after; may be negative
};

/// Any loop may call. Nothing here blocks but what is a coroutine, and that waits off the loop.
class Program {
 public:
  virtual ~Program() = default;
  virtual ConfigFigures config() const = 0;
  /// Effective settings with defaults and origins; secrets as stars.
  virtual Json settings() const = 0;
  /// Errors: unprocessable "invalid_config" (the old configuration stays in force), unavailable
  /// "reload_busy", deadline.
  virtual Co<Result<ReloadReport>> reload(std::string who, Deadline by) = 0;
  virtual Co<Result<CleanupReport>> cleanup(Deadline by) = 0;
  virtual std::vector<TaskInfo> tasks() const = 0;
  /// Errors: not_found "unknown_task", conflict "task_not_cancellable".
  virtual Status cancel_task(std::uint64_t id) = 0;
  virtual Co<Result<std::vector<storage::DatabaseFigures>>> databases(Deadline by) = 0;
  /// Readings of the machine and the process, pressures and what is shed because of them.
  virtual Co<Result<Json>> resources(Deadline by) = 0;
  /// Alerts raised now and of late, newest first.
  virtual Json alerts() const = 0;
  /// What `mainstay doctor` finds, as it says it in JSON, with "took_ms". Seconds of work, not on
  /// the loop. Errors: unavailable, deadline.
  virtual Co<Result<Json>> doctor(Deadline) {
    co_return Error::log(Errc::unavailable, "no doctor here");
  }
  /// What runs jobs in this process.
  virtual std::vector<jobs::WorkerFigures> workers() const { return {}; }
  /// Steps that the stop will run.
  virtual std::size_t cleanups() const = 0;
  virtual WallTime started() const = 0;
};

}  // namespace mainstay::api
