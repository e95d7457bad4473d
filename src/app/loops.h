// The event loops: one io_context and one thread each, with a group for background coroutines.
// Used by app alone.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/tasks.h"
#include "base/task_group.h"
#include "telemetry/log.h"

namespace mainstay::app {

class Loops {
 public:
  /// Creates the loops; their threads start in run().
  Loops(std::size_t count, Clock& clock, Log& log);
  ~Loops();
  /// Throws std::system_error when the system allows no thread; then none runs.
  void run();
  /// Cancels the background coroutines and waits until they have ended. Blocks; main thread.
  Status end_background(Duration for_at_most);
  /// Ends the loops and their threads.
  Status stop();
  std::vector<asio::io_context*> contexts();
  /// Starts a background coroutine on the first loop. Any thread.
  void spawn(std::string name, std::function<Co<>()> work,
             Cancellable cancellable = Cancellable::no);
  /// Asks for the end of a task, by its id in tasks(). Any thread. Errors: those of Tasks::cancel.
  Status cancel(std::uint64_t id);
  Tasks& tasks() noexcept { return tasks_; }

 private:
  struct One;
  Tasks tasks_;
  std::vector<std::unique_ptr<One>> loops_;
  Log* log_ = nullptr;
};

}  // namespace mainstay::app
