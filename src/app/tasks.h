// The register of background tasks: what runs, what ended and how. Loops enters them, the admin
// API lists them. Used by loops.cpp and program.cpp.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "api/program.h"

namespace mainstay::app {

enum class Cancellable : std::uint8_t { no, yes };

/// Thread-safe. Running tasks are few and named by the program; ended ones are bounded.
class Tasks {
 public:
  explicit Tasks(Clock& clock) : clock_(clock) {}
  /// How many ended tasks stay listed.
  void keep(std::size_t ended_max);
  std::uint64_t begin(std::string name, Cancellable cancellable);
  /// `why` is empty unless it failed. A task that was asked to end counts as cancelled.
  void ended(std::uint64_t id, std::string why);
  /// Notes that its end was asked for. Errors: not_found "unknown_task", conflict
  /// "task_not_cancellable".
  Status cancel(std::uint64_t id);
  bool runs(std::uint64_t id) const;
  /// Running ones first, by age; then the ended, newest first.
  std::vector<api::TaskInfo> list() const;

 private:
  Clock& clock_;
  mutable std::mutex mutex_;
  std::size_t ended_max_ = 100;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, api::TaskInfo> running_;
  std::deque<api::TaskInfo> ended_;
};

}  // namespace mainstay::app
