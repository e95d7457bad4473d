// Background coroutines with an owner: spawned by name, cancelled and waited for at close.
// Used by every room; `asio::detached` is banned.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"

namespace mainstay {

/// Coroutines of one executor. All calls from that executor's thread. An exception that escapes a
/// task goes to `on_error` (a bug: it is logged, the process goes on).
class TaskGroup {
 public:
  using OnError = std::function<void(const std::string& task, const std::string& what)>;
  TaskGroup(Clock& clock, Executor executor, OnError on_error);
  /// CHECKs that the group is empty: close() was awaited.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `work` now (it runs until its first wait). Returns an id for cancel().
  /// After close() began: the work is destroyed unstarted and 0 is returned.
  std::uint64_t spawn(std::string name, Co<> work);
  /// Terminal cancellation of one task; unknown ids are ignored.
  void cancel(std::uint64_t id);
  std::size_t size() const noexcept { return tasks_.size(); }
  std::vector<std::string> names() const;
  /// Waits for the tasks to end by themselves; false when the deadline came first.
  Co<bool> wait_empty(Deadline by);
  /// Cancels all and waits until the last has ended.
  Co<> close();

 private:
  struct Task;
  void ended(std::uint64_t id, std::exception_ptr thrown);
  Executor executor_;
  OnError on_error_;
  std::uint64_t next_id_ = 1;
  bool closing_ = false;
  std::map<std::uint64_t, std::unique_ptr<Task>> tasks_;
  std::unique_ptr<Alarm> emptied_;
};

}  // namespace mainstay
