// The arithmetic of a bucket: time instead of tokens, so that nothing has to be refilled.
#include "admission/rate.h"

#include <algorithm>

namespace mainstay::admission {
namespace {
/// No wait is longer: keeps every sum far from the end of 64 bits.
constexpr Duration kLongest = std::chrono::hours(24 * 365);
}  // namespace

Rate::Rate(std::uint64_t limit, std::uint64_t burst, Duration period) : limit_(limit) {
  if (limit == 0) return;
  const auto unit = static_cast<std::uint64_t>(period.count()) / limit;
  unit_ = Duration(std::max<std::uint64_t>(1, unit));
  window_ = cost(limit + burst);
}

Duration Rate::cost(std::uint64_t units) const noexcept {
  const auto most = static_cast<std::uint64_t>(kLongest / unit_);
  return unit_ * static_cast<std::int64_t>(std::min(units, most));
}

std::uint64_t Rate::earned(Duration d) const noexcept {
  return d <= Duration::zero() ? 0 : static_cast<std::uint64_t>(d / unit_);
}

Duration Bucket::wait(const Rate& rate, std::uint64_t units, TimePoint now) const noexcept {
  const Duration cost = rate.cost(units);
  if (cost > rate.window()) return Duration::max();
  return std::max(Duration::zero(), reset(now) + cost - rate.window());
}

void Bucket::take(const Rate& rate, std::uint64_t units, TimePoint now) noexcept {
  const TimePoint from = std::max(full_at_, now);
  full_at_ = std::min(from + rate.cost(units), std::max(from, now + 2 * rate.window()));
}

void Bucket::put(const Rate& rate, std::uint64_t units) noexcept {
  const Duration back = rate.cost(units);
  if (full_at_ > TimePoint::min() + back) full_at_ -= back;
}

std::uint64_t Bucket::left(const Rate& rate, TimePoint now) const noexcept {
  return rate.earned(rate.window() - reset(now));
}

Duration Bucket::reset(TimePoint now) const noexcept {
  return full(now) ? Duration::zero() : full_at_ - now;
}

}  // namespace mainstay::admission
