// Keeps child processes running: starts them, listens to their signs of life, kills those that
// hang, restarts those that end within limits, stops them in order, and tells how each one went.
// Used by app/launch.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/task_group.h"
#include "resources/child_process.h"
#include "telemetry/log.h"

namespace mainstay::resources {

struct ChildSpec {
  std::string name;
  ChildProgram program;
  ChildRules rules;
};

/// One child as it is now.
struct ChildFigures {
  std::string name;
  ChildPhase phase = ChildPhase::resting;
  pid_t pid = 0;  ///< 0: it has no process
  std::uint64_t restarts = 0;
  WallTime started{};     ///< of the last process
  std::string last_exit;  ///< empty: none has ended
  std::string status;     ///< what it last said of itself
  Duration next_start{};  ///< of a resting child: from now
  bool mendable = true;   ///< false: given up because a restart could not help
  int exit_code = 0;      ///< of the last process that ended with one
};

enum class Printed : std::uint8_t { out, err };

struct SupervisorOptions {
  Duration tick = std::chrono::milliseconds(250);  ///< between two looks at the children
  std::size_t line_max = 8192;                     ///< of what they print; the rest is left out
  /// What is read of one stream in a second; a child that prints more waits.
  std::size_t bytes_per_second = 1 << 20;
  /// Orphans that the children leave behind come to this process and are waited for.
  bool adopt_orphans = false;
  std::function<void()> on_change = {};  ///< some figures changed; must not block
  std::function<void(const std::string& child, Printed, std::string_view line)> on_line = {};
};

/// All of it on one executor, whose thread must be the process's main one.
class Supervisor {
 public:
  Supervisor(SupervisorOptions options, Clock& clock, Random& random, Log& log, Executor executor);
  /// close() was awaited.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Before start().
  void add(ChildSpec spec);
  /// Starts all children, and looks after them from now on.
  void start();
  /// SIGTERM to these, without waiting; stop() of each waits.
  void begin_stop(const std::vector<std::string>& names, Deadline by);
  /// SIGTERM; whoever is there at `by` is killed with its group. Returns when the child is gone and
  /// true when it went by itself. It is not started again.
  Co<bool> stop(std::string name, Deadline by);
  /// Sends a signal to every child that has a process (not to what it started).
  void signal(int number);
  /// Kills all that run, at once.
  void kill_all(const std::string& why);
  /// Those that were given up get all their restarts back.
  void try_again();
  /// Kills what is left and ends all background work.
  Co<> close();

  std::vector<ChildFigures> figures() const;
  /// Something changed since `version`: see Event.
  Event& changed() noexcept { return changed_; }

 private:
  struct Child;
  static void begin_stop(Child& child, Deadline by);
  struct Running;
  Co<> look_after();
  Co<> await_end(Child& child, std::shared_ptr<Running> running);
  Co<> read_lines(Child& child, std::shared_ptr<Running> running, Printed which);
  Co<> read_signs(Child& child, std::shared_ptr<Running> running);
  void look(Child& child, TimePoint now);
  void start(Child& child);
  void take_sign(Child& child, std::string_view message);
  void end(Child& child, Running& running);
  void ended(Child& child, ChildExit how);
  void drain(Child& child, Running& running, Printed which);
  void reap_orphans();
  void tell();
  Child* find(const std::string& name) const;

  const SupervisorOptions options_;
  Clock& clock_;
  Random& random_;
  Log& log_;
  Executor executor_;
  std::vector<std::unique_ptr<Child>> children_;
  TimePoint looked_{};
  Event changed_;
  TaskGroup tasks_;
};

}  // namespace mainstay::resources
