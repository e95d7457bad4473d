// Sessions: who was active within the last half hour. A session begins with a caller's request and
// is over after sessions.idle_timeout of silence; what it stored stays in the conversations.
// Used by service.cpp (touches), the admin endpoints and app (expiry).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace mainstay::api {

struct SessionFigures {
  std::uint64_t active = 0;
  std::uint64_t started = 0;  ///< since the program's start
  std::uint64_t expired = 0;
  std::uint64_t evicted = 0;  ///< pushed out by newer ones at sessions_max
};

/// Thread-safe, sharded by caller. Touching a known session allocates nothing.
class Sessions {
 public:
  explicit Sessions(std::size_t sessions_max);
  void touch(std::string_view tenant, std::string_view user, TimePoint now);
  /// Removes sessions silent for `idle_timeout`, at most `most` of each of the 16 shards, so that
  /// no touch waits long. Returns how many; call again while it gives 16 x `most`.
  std::size_t expire(TimePoint now, Duration idle_timeout, std::size_t most = 256);
  SessionFigures figures() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct Session {
    std::uint64_t key = 0;
    TimePoint last{};
  };
  struct Shard {
    std::mutex mutex;
    std::list<Session> by_age;  ///< the latest touched first
    std::unordered_map<std::uint64_t, std::list<Session>::iterator> by_key;
  };
  const std::size_t shard_max_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> started_{0};
  std::atomic<std::uint64_t> expired_{0};
  std::atomic<std::uint64_t> evicted_{0};
};

}  // namespace mainstay::api
