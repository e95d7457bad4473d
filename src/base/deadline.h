// Deadline: the moment by which a call must have answered. Last parameter of every call that waits.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace mainstay {

/// A moment on the steady clock. A callee may only make it sooner.
class Deadline {
 public:
  /// Never; only for tests and for work that has its own bound.
  static constexpr Deadline never() { return Deadline(TimePoint::max()); }
  static Deadline in(const Clock& clock, Duration d) { return Deadline(clock.now()).plus(d); }
  explicit constexpr Deadline(TimePoint at) : at_(at) {}

  TimePoint at() const noexcept { return at_; }
  bool passed(TimePoint now) const noexcept { return now >= at_; }
  /// Time left, never negative.
  Duration left(TimePoint now) const noexcept {
    if (at_ == TimePoint::max()) return Duration::max();
    return std::max(Duration::zero(), at_ - now);
  }
  /// The earlier of this and `now + d`.
  Deadline sooner(TimePoint now, Duration d) const noexcept {
    return Deadline(std::min(at_, Deadline(now).plus(d).at_));
  }
  Deadline sooner(Deadline other) const noexcept { return Deadline(std::min(at_, other.at_)); }

 private:
  Deadline plus(Duration d) const noexcept {  // saturates
    if (d > TimePoint::max() - at_) return never();
    return Deadline(at_ + d);
  }
  TimePoint at_;
};

}  // namespace mainstay
