// Requests a minute per user: token buckets in bounded memory.
// Used by admission alone. Pure but for its mutexes: time is given.
#pragma once

#include <array>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "config/settings.h"

namespace mainstay::admission {

/// Outcome of one request against its user's bucket; feeds the x-ratelimit headers.
struct RateView {
  bool allowed = true;
  std::uint32_t limit = 0;      ///< requests a minute
  std::uint32_t remaining = 0;  ///< that would pass now
  Duration reset{};             ///< until the bucket is full again
  Duration retry_after{};       ///< until the next one passes; zero when allowed
};

/// Buckets hold `requests_per_minute + burst` and refill at requests_per_minute / 60 a second, so
/// that a quiet user may send 35 at once with the defaults. Thread-safe (16 shards).
/// A full shard forgets a bucket that has refilled, else the one touched longest ago among a few.
class RateLimiter {
 public:
  explicit RateLimiter(const LimitSettings& settings);
  RateView take(const UserId& user, TimePoint now);
  std::size_t users() const;

 private:
  struct Bucket {
    double tokens = 0;
    TimePoint at{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<UserId, Bucket> buckets;
  };
  void make_room(Shard& shard, TimePoint now);
  double refilled(const Bucket& bucket, TimePoint now) const;
  static constexpr std::size_t kShards = 16;
  const double per_second_;
  const double capacity_;
  const std::uint32_t limit_;
  const std::size_t shard_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace mainstay::admission
