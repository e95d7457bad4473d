// When to try again: full-jitter exponential delay, and a budget that keeps retries a small share.
// Pure. Used by the router.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/random.h"
#include "config/settings.h"

namespace mainstay::models {

/// Delay before attempt number `attempt` + 1 (attempt counts from 1): uniform between zero and
/// retry_base * 2^(attempt-1), at most retry_cap. A provider's `retry_after` is waited in full,
/// plus up to retry_base so that waiters do not return together. nullopt: not worth waiting, the
/// delay would pass the deadline or retry_after is above retry_cap.
std::optional<Duration> retry_delay(const ModelSettings& settings, std::uint32_t attempt,
                                    Duration retry_after, TimePoint now, Deadline by,
                                    Random& random);

/// Retries earned by requests and by time. Starts with what two seconds earn, and never holds more
/// than ten seconds or ten requests earn, whichever is more. Not thread-safe.
class RetryBudget {
 public:
  explicit RetryBudget(const ModelSettings& settings);
  /// A request came in.
  void deposit(TimePoint now);
  /// Takes one retry; false when none is left.
  bool withdraw(TimePoint now);

 private:
  void refill(TimePoint now);
  const double ratio_;
  const double per_second_;
  const double most_;
  double tokens_;
  TimePoint last_{};
  bool started_ = false;
};

}  // namespace mainstay::models
