// JobGate: whether another job may come in, from the depth of the queue, and how fast it drains.
// Used by JobBook, and by a back end that keeps its depth elsewhere. Pure: told the depth and time.
#pragma once

#include <cstdint>

#include "storage/jobs.h"

namespace mainstay::storage {

/// The depth from which a class is refused: batch and background 60 % of `depth_high`, interactive
/// 90 %, voice all of it; rounded down, at least 1.
std::uint32_t refused_from(const JobLimits& limits, JobClass priority) noexcept;

/// Hysteresis of the whole: once the depth has reached depth_high, every class is refused until it
/// is below depth_low. Single-threaded.
class JobGate {
 public:
  explicit JobGate(const JobLimits& limits) : limits_(limits) {}

  /// After each change of the depth.
  void depth_is(std::uint64_t depth) noexcept;
  /// A job has ended.
  void drained(TimePoint now) noexcept;

  /// May one more of this class come in at this depth? Errors: unavailable "queue_overloaded";
  /// retry_after is how long the queue needs to drain to where it is accepted again, 1 to 60 s.
  Status admit(std::uint64_t depth, JobClass priority, TimePoint now);

  bool shedding() const noexcept { return shedding_; }
  /// Ended jobs per second, smoothed over about 10 s.
  double drained_per_second(TimePoint now) const noexcept;
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  JobLimits limits_;
  bool shedding_ = false;
  double rate_ = 0;  ///< as of `last_`
  TimePoint last_{};
  std::uint64_t refused_ = 0;
};

/// The refusals, for back ends that count elsewhere.
Error queue_overloaded(std::chrono::milliseconds retry_after);
Error too_many_waiting(std::uint32_t waiting, std::uint32_t waiting_max);

}  // namespace mainstay::storage
