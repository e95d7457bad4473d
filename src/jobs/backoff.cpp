// Exponential backoff with full jitter inside bounds.
#include "jobs/backoff.h"

#include <algorithm>

namespace mainstay::jobs {

Duration delay_after(const Backoff& backoff, std::uint32_t attempt, Duration retry_after,
                     Random& random) {
  const Duration max = std::max(backoff.min, backoff.max);
  Duration bound = backoff.min;
  for (std::uint32_t i = 0; i < attempt && bound < max; ++i) {
    bound = bound > max / std::max(1U, backoff.factor) ? max : bound * backoff.factor;
    if (backoff.factor < 2) break;
  }
  bound = std::min(bound, max);
  const auto span = static_cast<std::uint64_t>((bound - backoff.min).count()) + 1;
  const Duration drawn = backoff.min + Duration(static_cast<std::int64_t>(random.below(span)));
  return std::max(drawn, std::min(retry_after, std::max(max, kRetryAfterMax)));
}

}  // namespace mainstay::jobs
