// The life of a supervised child as a pure machine: when it is started, what its signs of life say,
// when it is killed, how long its next start waits, and when it is given up. No I/O, no clock.
// Used by supervisor.cpp and its tests.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "base/clock.h"
#include "base/random.h"

namespace mainstay::resources {

/// What a child is granted.
struct ChildRules {
  std::uint32_t restarts_max = 5;  ///< in `window`; one more end, and the child is given up
  Duration window = std::chrono::seconds(300);
  Duration backoff_min = std::chrono::seconds(1);  ///< before a restart; the bound doubles
  Duration backoff_max = std::chrono::seconds(30);
  Duration heartbeat = std::chrono::seconds(2);     ///< between two signs of life
  std::uint32_t missed_max = 3;                     ///< so many missed in a row: it hangs
  Duration stuck_after = std::chrono::seconds(30);  ///< alive, but not every part of it answers
  Duration start_timeout = std::chrono::seconds(60);
  Duration stop_timeout = std::chrono::seconds(40);  ///< when it stops by itself
};

enum class ChildPhase : std::uint8_t { resting, starting, running, stopping, given_up, ended };
/// "resting", "starting", ...
const char* name(ChildPhase phase) noexcept;

/// What a child says of itself.
enum class Sign : std::uint8_t {
  alive,  ///< it runs
  well,   ///< all of its parts answered since the last time
  ready,  ///< its start is done
  leaving
};

/// How a process ended.
struct ChildExit {
  enum class How : std::uint8_t { code, signal, not_started };
  How how = How::code;
  int value = 0;               ///< exit code, signal or errno
  bool out_of_memory = false;  ///< the kernel killed it to get memory back
  std::string killed_for;      ///< why the supervisor killed it; empty: it did not
};
/// "exit code 1", "signal 9 (Killed), out of memory", "killed: no sign of life".
std::string describe(const ChildExit& how);
/// False for an end that comes again however often the child is started: a wrong command line (2)
/// or configuration (78).
bool worth_a_restart(const ChildExit& how) noexcept;

/// What the supervisor must do now.
enum class ChildStep : std::uint8_t {
  none,
  start,
  kill_hung,
  kill_stuck,
  kill_slow_start,
  kill_slow_stop
};
/// Why a step kills, as in ChildExit::killed_for.
const char* why(ChildStep step) noexcept;

/// One child. Not thread-safe.
class ChildLife {
 public:
  explicit ChildLife(ChildRules rules) : rules_(rules) {}

  ChildPhase phase() const noexcept { return phase_; }
  /// The step that is due; each kill is asked for once.
  ChildStep look(TimePoint now);
  /// Its process was made.
  void started(TimePoint now);
  void heard(Sign sign, TimePoint now);
  /// Its process has ended, or could not be made.
  void exited(const ChildExit& how, TimePoint now, Random& random);
  /// It was told to stop, or is not to be started again; killed when it is there at `by`.
  void stop(TimePoint by) noexcept;
  /// One that was given up gets a new life: all its restarts. False when it was not given up.
  bool try_again() noexcept;
  /// The supervisor itself did not run for a while: silence until now means nothing.
  void forgive(TimePoint now) noexcept;

  bool has_process() const noexcept {
    return phase_ == ChildPhase::starting || phase_ == ChildPhase::running ||
           phase_ == ChildPhase::stopping;
  }
  /// Restarts since the beginning.
  std::uint64_t restarts() const noexcept { return restarts_; }
  /// When a resting child is started.
  TimePoint next_start() const noexcept { return next_start_; }

 private:
  ChildStep kill(ChildStep step) noexcept;
  ChildRules rules_;
  ChildPhase phase_ = ChildPhase::resting;
  bool killed_ = false;
  bool told_ = false;  ///< to stop, by us
  std::uint64_t restarts_ = 0;
  std::deque<TimePoint> recent_;  ///< restarts inside the window, at most restarts_max
  TimePoint next_start_{};
  TimePoint began_{};
  TimePoint alive_{};
  TimePoint well_{};
  TimePoint stop_by_{};
};

}  // namespace mainstay::resources
