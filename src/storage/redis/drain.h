// How fast the queue of all processes drains, from a count of ends seen now and then. Pure.
// Used by jobs.cpp.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/clock.h"

namespace mainstay::storage::redis {

/// Ended jobs per second, smoothed over about 10 s. Single-threaded.
class Drain {
 public:
  /// `ends`: how many jobs have ended so far.
  void saw(std::uint64_t ends, TimePoint now) noexcept {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (seen_ && seconds < kStep) return;
    if (seen_ && ends >= ends_) {
      const double keep = std::exp(-seconds / kSmoothedOver);
      rate_ = rate_ * keep + (1 - keep) * static_cast<double>(ends - ends_) / seconds;
    }
    seen_ = true;
    ends_ = ends;
    last_ = now;
  }
  double per_second() const noexcept { return rate_; }

 private:
  static constexpr double kSmoothedOver = 10;
  static constexpr double kStep = 0.1;  // seconds; closer looks say nothing
  bool seen_ = false;
  std::uint64_t ends_ = 0;
  TimePoint last_{};
  double rate_ = 0;
};

}  // namespace mainstay::storage::redis
