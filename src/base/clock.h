// Time, injected: the steady clock for durations, the wall clock for records, and alarms.
// Used by every room. Only base/clock.cpp reads the machine's clocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/co.h"

namespace mainstay {

using Duration = std::chrono::nanoseconds;
/// Steady time: never goes back, starts anywhere.
struct SteadyTag {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<SteadyTag>;
  static constexpr bool is_steady = true;
};
using TimePoint = std::chrono::time_point<SteadyTag, Duration>;
/// Wall time, microseconds since 1970-01-01 UTC.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// One waiter that is woken by time or by ring(). Lives and is used on one executor.
class Alarm {
 public:
  virtual ~Alarm() = default;
  /// Waits until `at` or ring(); true when the time was reached, false when rung or cancelled.
  /// One waiter at a time. TimePoint::max() waits for ring() alone.
  virtual Co<bool> wait_until(TimePoint at) = 0;
  /// Wakes the waiter; without a waiter, the next wait returns at once. From the alarm's executor.
  virtual void ring() = 0;
};

/// Source of time. Thread-safe, and outlives everything that uses it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const noexcept = 0;
  virtual WallTime wall() const noexcept = 0;
  virtual std::unique_ptr<Alarm> alarm(Executor executor) = 0;
};

/// The machine's clocks.
class RealClock final : public Clock {
 public:
  TimePoint now() const noexcept override;
  WallTime wall() const noexcept override;
  std::unique_ptr<Alarm> alarm(Executor executor) override;
};

/// Waits `for_how_long` on the current executor; false when cancelled early.
Co<bool> sleep(Clock& clock, Duration for_how_long);

/// Whole milliseconds of a duration, rounded down; for JSON and logs.
inline std::int64_t millis(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}
/// Microseconds since 1970 of a wall time; how storage keeps time.
inline std::int64_t micros(WallTime t) {
  return t.time_since_epoch().count();
}
inline WallTime wall_from_micros(std::int64_t us) {
  return WallTime(std::chrono::microseconds(us));
}
/// Seconds since 1970; how the OpenAI shape gives time.
inline std::int64_t unix_seconds(WallTime t) {
  return micros(t) / 1'000'000;
}

}  // namespace mainstay
