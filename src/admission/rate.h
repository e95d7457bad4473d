// One bucket of a rate limit, kept as the moment at which it is full again.
// Used by limits.h. Pure: time is given; whole nanoseconds, so that what is told is exact.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace mainstay::admission {

/// `limit` units in each period, at most `limit + burst` at once. Off when the limit is 0.
class Rate {
 public:
  Rate() = default;
  Rate(std::uint64_t limit, std::uint64_t burst, Duration period);
  bool on() const noexcept { return limit_ != 0; }
  std::uint64_t limit() const noexcept { return limit_; }
  /// Time in which the rate earns `units`; more than `window` when they never fit in.
  Duration cost(std::uint64_t units) const noexcept;
  /// Units that were earned in `d`, rounded down.
  std::uint64_t earned(Duration d) const noexcept;
  /// Time to fill an empty bucket.
  Duration window() const noexcept { return window_; }
  friend bool operator==(const Rate&, const Rate&) = default;

 private:
  std::uint64_t limit_ = 0;
  Duration unit_{1};  ///< rounded down: the rate is never lower than its limit
  Duration window_{};
};

/// What one user has left. A bucket that is full is the same as none, so it may be forgotten.
class Bucket {
 public:
  /// Time until `units` fit in; zero: they do now; Duration::max(): they never will.
  Duration wait(const Rate& rate, std::uint64_t units, TimePoint now) const noexcept;
  /// Takes units out, whether they fit in or not (a debt is at most one more window).
  void take(const Rate& rate, std::uint64_t units, TimePoint now) noexcept;
  /// Puts units back.
  void put(const Rate& rate, std::uint64_t units) noexcept;
  std::uint64_t left(const Rate& rate, TimePoint now) const noexcept;
  /// Time until it is full.
  Duration reset(TimePoint now) const noexcept;
  bool full(TimePoint now) const noexcept { return full_at_ <= now; }
  TimePoint full_at() const noexcept { return full_at_; }

 private:
  TimePoint full_at_ = TimePoint::min();
};

}  // namespace mainstay::admission
