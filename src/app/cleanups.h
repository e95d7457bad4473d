// What has to be undone at the end: a registry of named steps, run once, latest first, each with a
// deadline of its own. Used by app/lifecycle.h and by whoever makes something that must be undone.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "telemetry/log.h"

namespace mainstay::app {

struct Cleanup {
  std::string name;
  std::function<Status()> run;  ///< on a thread of its own; may throw
  Duration within = std::chrono::seconds(5);
};

/// How a step ended. `stuck`: it was left behind, still running.
enum class CleanupEnd { done, failed, stuck };

struct CleanupReport {
  std::string name;
  CleanupEnd end = CleanupEnd::done;
  Duration took{};
  std::string why;  ///< of a failure; for the log
};

/// Thread-safe; run() blocks its caller.
class Cleanups {
 public:
  /// `log` is asked for at each line, because the log may come and go; it may give null.
  Cleanups(Clock& clock, std::function<Log*()> log);
  Cleanups(const Cleanups&) = delete;
  Cleanups& operator=(const Cleanups&) = delete;

  void add(Cleanup step);
  /// Called on run()'s thread before each step, e.g. to ask the service manager for time.
  void before_each(std::function<void(const Cleanup&)> tell) { tell_ = std::move(tell); }
  /// Runs and forgets every step, latest first; one log line each. A step that fails, throws or
  /// outlasts its deadline does not hold up the next. True when all ended well.
  bool run();
  /// Steps that wait are left behind after a second; running ones and those to come.
  void hurry();
  /// What run() did, in its order.
  std::vector<CleanupReport> reports() const;
  std::size_t size() const;

 private:
  struct Running;
  bool run_one(Cleanup step);
  CleanupReport wait_for(const Cleanup& step, const std::shared_ptr<Running>& running);
  void tell_of(const CleanupReport& report);

  Clock& clock_;
  const std::function<Log*()> log_;
  std::function<void(const Cleanup&)> tell_;
  mutable std::mutex mutex_;
  std::shared_ptr<Running> running_;  ///< the step that runs now
  std::vector<Cleanup> steps_;
  std::vector<CleanupReport> reports_;
  bool hurry_ = false;
};

}  // namespace mainstay::app
