// Start and stop of the program's parts: once each, in order, each stop with a deadline of its own.
// Used by app/engine.cpp.
#pragma once

#include <functional>
#include <string>

#include "app/cleanups.h"

namespace mainstay::app {

/// One part. `stop` may be empty; it is called only when `start` succeeded.
struct Part {
  std::string name;
  std::function<Status()> start;
  std::function<Status()> stop;
  Duration stop_within = std::chrono::seconds(5);
};

/// start() and stop() run on the main thread.
class Lifecycle {
 public:
  /// `log` is asked for at each line, because the log is itself a part; it may give null.
  Lifecycle(Clock& clock, std::function<Log*()> log)
      : clock_(clock), log_(log), cleanups_(clock, log) {}
  /// Starts the part now and remembers it for stop(). The error is the part's; unavailable
  /// "threads_unavailable" when the system allows no more threads.
  Status start(Part part);
  /// Stops the started parts in reverse. A step that fails or outlasts its deadline is reported and
  /// the next goes on. False when any step failed or is still stuck.
  bool stop() { return cleanups_.run(); }
  /// Where parts may register what they made after their start.
  Cleanups& cleanups() noexcept { return cleanups_; }

 private:
  Clock& clock_;
  const std::function<Log*()> log_;
  Cleanups cleanups_;
};

}  // namespace mainstay::app
