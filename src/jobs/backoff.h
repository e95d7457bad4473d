// How long a failed attempt waits before the next: exponential with full jitter inside bounds.
// Used by jobs. Pure.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace mainstay::jobs {

struct Backoff {
  Duration min = std::chrono::seconds(1);
  Duration max = std::chrono::minutes(10);
  std::uint32_t factor = 2;
};

/// The longest wait that an error's retry_after can ask for.
inline constexpr Duration kRetryAfterMax = std::chrono::hours(1);

/// After attempt number `attempt` (from 1): uniform between min and min * factor^attempt, capped at
/// max, and never before `retry_after` (itself capped at kRetryAfterMax, or `max` when longer).
Duration delay_after(const Backoff& backoff, std::uint32_t attempt, Duration retry_after,
                     Random& random);

}  // namespace mainstay::jobs
