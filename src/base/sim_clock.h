// A clock that moves only when told: tests run hours in milliseconds, in the same order each time.
// Used by tests; single-threaded, but that any thread may ask for the time.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>

#include "base/clock.h"

namespace mainstay {

/// Fake clock over one io_context that only `run*` drives.
class SimClock final : public Clock {
 public:
  explicit SimClock(asio::io_context& io) : io_(io) {}
  TimePoint now() const noexcept override { return now_.load(); }
  WallTime wall() const noexcept override { return wall_.load(); }
  std::unique_ptr<Alarm> alarm(Executor executor) override;

  /// Runs ready handlers and jumps from alarm to alarm until nothing is left to do or `limit` of
  /// virtual time has passed.
  void run(Duration limit = std::chrono::hours(24 * 365));
  /// Runs what is ready, then moves time by `d`, firing alarms on the way, then runs what is ready.
  void advance(Duration d);
  /// Moves the wall clock alone, as an administrator or NTP would.
  void jump_wall(Duration d) {
    wall_ = wall() + std::chrono::duration_cast<std::chrono::microseconds>(d);
  }

 private:
  friend class SimAlarm;
  void poll();
  void move_to(TimePoint at);
  asio::io_context& io_;
  std::atomic<TimePoint> now_{TimePoint(std::chrono::seconds(1000))};
  std::atomic<WallTime> wall_{WallTime(std::chrono::seconds(1'700'000'000))};
  std::uint64_t next_id_ = 1;
  std::map<std::pair<TimePoint, std::uint64_t>, class SimAlarm*> waiting_;
};

}  // namespace mainstay
