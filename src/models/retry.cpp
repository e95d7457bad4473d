// Delays and the retry budget.
#include "models/retry.h"

#include <algorithm>

namespace mainstay::models {
namespace {
constexpr double kSecondsKept = 10;
constexpr double kSecondsAtStart = 2;
}  // namespace

std::optional<Duration> retry_delay(const ModelSettings& settings, std::uint32_t attempt,
                                    Duration retry_after, TimePoint now, Deadline by,
                                    Random& random) {
  const Duration cap = settings.retry_cap;
  Duration span = settings.retry_base;
  Duration delay{};
  if (retry_after > Duration::zero()) {
    if (retry_after > cap) return std::nullopt;
    delay = retry_after;
  } else {
    for (std::uint32_t i = 1; i < attempt && span < cap; ++i) span *= 2;
    span = std::min(span, cap);
  }
  delay += Duration(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(span.count()) + 1)));
  if (delay >= by.left(now)) return std::nullopt;
  return delay;
}

RetryBudget::RetryBudget(const ModelSettings& settings)
    : ratio_(settings.retry_budget_ratio),
      per_second_(settings.retry_budget_per_second),
      most_(std::max({per_second_ * kSecondsKept, ratio_ * kSecondsKept, 0.0})),
      tokens_(std::min(most_, per_second_ * kSecondsAtStart)) {}

void RetryBudget::refill(TimePoint now) {
  if (started_ && now > last_) {
    tokens_ += per_second_ * std::chrono::duration<double>(now - last_).count();
  }
  if (!started_ || now > last_) last_ = now;
  started_ = true;
  tokens_ = std::min(tokens_, most_);
}

void RetryBudget::deposit(TimePoint now) {
  refill(now);
  tokens_ = std::min(tokens_ + ratio_, most_);
}

bool RetryBudget::withdraw(TimePoint now) {
  refill(now);
  // A hair of tolerance: five deposits of 0.2 are one retry.
  if (tokens_ < 1 - 1e-9) return false;
  tokens_ = std::max(0.0, tokens_ - 1);
  return true;
}

}  // namespace mainstay::models
