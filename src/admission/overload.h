// How long a wait would be, and when waiting is overload. Pure: time is given.
// Used by permits.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/result.h"

namespace mainstay::admission {

/// The mean time that a permit is held: of all of the first 16, then each counts for a sixteenth.
/// Any thread may note; one of two that note at once may be lost.
class ServiceTime {
 public:
  void note(Duration held) noexcept;
  /// Zero before the first.
  Duration mean() const noexcept { return Duration(mean_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<std::int64_t> mean_{0};
  std::atomic<std::int64_t> noted_{0};
};

/// What waits cost while every permit is in use: one becomes free each `gap`. By Little's law the
/// rate is permits / service time; it holds also when the machine has been idle before.
struct Pace {
  Duration service{};  ///< mean; zero: nothing is known yet
  std::uint32_t permits = 0;
  /// Zero while nothing is known.
  Duration gap() const noexcept;
  /// Until the one behind `ahead` others gets its permit.
  Duration wait(std::uint32_t ahead) const noexcept { return gap() * (std::int64_t(ahead) + 1); }
  /// How many may wait: half of those that could be served within `deadline`, at least one, and
  /// at most `most`.
  std::uint32_t queue_bound(Duration deadline, std::uint32_t most) const noexcept;
};

/// A queue that refuses when it is too full and then goes on refusing until it is clearly emptier:
/// so that it does not open and close with every message.
class Backpressure {
 public:
  /// `accept_below` is at most `refuse_above`.
  Backpressure(std::uint64_t refuse_above, std::uint64_t accept_below)
      : refuse_above_(refuse_above), accept_below_(accept_below) {}
  /// Whether another may join `waiting` others; `gap`: mean time in which one of them is done, zero
  /// when not known. Errors: unavailable "queue_overloaded", with the time until it accepts again.
  Status check(std::uint64_t waiting, Duration gap);

 private:
  std::uint64_t refuse_above_;
  std::uint64_t accept_below_;
  bool refusing_ = false;
};

/// Whether somebody has been waiting for want of a permit without a break.
class Busy {
 public:
  void see(bool waiting, TimePoint now) noexcept {
    if (!waiting) since_.reset();
    if (waiting && !since_) since_ = now;
  }
  bool sustained(Duration at_least, TimePoint now) const noexcept {
    return since_ && now - *since_ >= at_least;
  }

 private:
  std::optional<TimePoint> since_;
};

}  // namespace mainstay::admission
