// Token buckets by user.
#include "admission/rate.h"

#include <algorithm>
#include <cmath>

namespace mainstay::admission {
namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
Duration from_seconds(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}
/// Buckets looked at when a shard is full: bounds the work of one request.
constexpr std::size_t kLookedAt = 8;

}  // namespace

RateLimiter::RateLimiter(const LimitSettings& settings)
    : per_second_(settings.user.requests_per_minute / 60.0),
      capacity_(settings.user.requests_per_minute + settings.user.burst),
      limit_(settings.user.requests_per_minute),
      shard_max_(std::max<std::size_t>(1, settings.users_max / kShards)) {}

double RateLimiter::refilled(const Bucket& bucket, TimePoint now) const {
  return std::min(capacity_, bucket.tokens + seconds(now - bucket.at) * per_second_);
}

RateView RateLimiter::take(const UserId& user, TimePoint now) {
  Shard& shard = shards_[std::hash<UserId>()(user) % kShards];
  RateView view;
  view.limit = limit_;
  std::lock_guard lock(shard.mutex);
  auto found = shard.buckets.find(user);
  if (found == shard.buckets.end()) {
    if (shard.buckets.size() >= shard_max_) make_room(shard, now);
    found = shard.buckets.emplace(user, Bucket{capacity_, now}).first;
  }
  Bucket& bucket = found->second;
  double tokens = refilled(bucket, now);
  view.allowed = tokens >= 1.0 - 1e-9;
  if (view.allowed) {
    tokens -= 1.0;
  } else {
    view.retry_after = from_seconds((1.0 - tokens) / per_second_);
  }
  bucket.tokens = tokens;
  bucket.at = now;
  view.remaining = static_cast<std::uint32_t>(std::max(0.0, std::floor(tokens + 1e-9)));
  view.reset = from_seconds((capacity_ - tokens) / per_second_);
  return view;
}

void RateLimiter::make_room(Shard& shard, TimePoint now) {
  auto oldest = shard.buckets.begin();
  std::size_t looked = 0;
  for (auto it = shard.buckets.begin(); it != shard.buckets.end() && looked < kLookedAt;
       ++it, ++looked) {
    if (refilled(it->second, now) >= capacity_) {
      shard.buckets.erase(it);
      return;
    }
    if (it->second.at < oldest->second.at) oldest = it;
  }
  shard.buckets.erase(oldest);
}

std::size_t RateLimiter::users() const {
  std::size_t n = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    n += shard.buckets.size();
  }
  return n;
}

}  // namespace mainstay::admission
