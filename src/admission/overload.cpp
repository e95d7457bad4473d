// Estimates from the mean time of service.
#include "admission/overload.h"

#include <algorithm>

namespace mainstay::admission {

void ServiceTime::note(Duration held) noexcept {
  constexpr std::int64_t kWindow = 16;
  constexpr Duration kLongest = std::chrono::hours(1);  // keeps products within 64 bits
  held = std::clamp(held, Duration(1), kLongest);
  const std::int64_t noted = noted_.load(std::memory_order_relaxed);
  const std::int64_t weight = std::min(noted + 1, kWindow);
  const std::int64_t mean = mean_.load(std::memory_order_relaxed);
  const std::int64_t step = (held.count() - mean) / weight;
  mean_.store(std::max<std::int64_t>(1, mean + step), std::memory_order_relaxed);
  if (noted < kWindow) noted_.store(noted + 1, std::memory_order_relaxed);
}

Duration Pace::gap() const noexcept {
  return service / std::int64_t(std::max<std::uint32_t>(1, permits));
}

std::uint32_t Pace::queue_bound(Duration deadline, std::uint32_t most) const noexcept {
  const Duration each = gap();
  if (each <= Duration::zero()) return most;
  const std::int64_t half = deadline / each / 2;
  return std::uint32_t(std::clamp<std::int64_t>(half, std::min<std::int64_t>(1, most), most));
}

Status Backpressure::check(std::uint64_t waiting, Duration gap) {
  if (waiting >= refuse_above_) refusing_ = true;
  if (waiting < accept_below_) refusing_ = false;
  if (!refusing_) return done();
  constexpr Duration kShortest = std::chrono::seconds(1);
  constexpr Duration kLongest = std::chrono::hours(1);
  const auto most = static_cast<std::uint64_t>(kLongest / std::max(gap, Duration(1)));
  const auto over = std::min(waiting - std::min(waiting, accept_below_) + 1, most);
  Error e = Error::say(Errc::unavailable, "queue_overloaded",
                       "Too much work is queued already. Try again as Retry-After says.");
  e.retry_after = std::chrono::ceil<std::chrono::milliseconds>(
      std::clamp(gap * static_cast<std::int64_t>(over), kShortest, kLongest));
  return e;
}

}  // namespace mainstay::admission
