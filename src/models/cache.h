// The response cache: exact, bounded in bytes, per tenant through its key.
// Used by the router alone; resources may shrink it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "config/settings.h"
#include "models/cache_key.h"
#include "models/chunk_tape.h"
#include "models/ranking.h"
#include "telemetry/metrics.h"

namespace mainstay::models {

/// A kept answer; immutable. Either body (whole reply) or tape (stream) is set.
struct CachedAnswer {
  std::string body;
  Usage usage;
  std::shared_ptr<const ChunkTape> tape;
  std::string provider;
  std::string model;
  TenantId tenant;
  TimePoint stored{};
  Duration cost{};  ///< what it took to get it
  /// Bytes of the answer itself; entry_max bounds them.
  std::size_t payload() const noexcept { return body.size() + (tape ? tape->bytes() : 0); }
};

/// What an answer must be to be kept: one that says something, and that no filter ended. Given
/// again for minutes, an empty answer or a filter's whim would be no service.
class WorthKeeping {
 public:
  /// Takes a completion, or a chunk of one; of what is neither nothing bad is thought.
  void look(const std::string& json);
  /// The same for the next chunk of a stream; most need no look.
  void hear(const ChatChunk& chunk) {
    if ((chunk.token && !said_) || chunk.finish) look(chunk.json);
  }
  explicit operator bool() const noexcept { return said_ && !filtered_; }

 private:
  bool said_ = false;      ///< text, a call, a refusal or sound; thoughts alone are no answer
  bool filtered_ = false;  ///< a choice ended by "content_filter"
};

/// Thread-safe. Each shard has its own mutex, held for a lookup or an insertion. What leaves first
/// when room is needed: low cost per byte and not used for long (GreedyDual-Size).
class ResponseCache {
 public:
  ResponseCache(const CacheSettings& settings, Metrics& metrics);

  struct Found {
    std::shared_ptr<const CachedAnswer> answer;  ///< null: nothing to give
    Duration age{};
  };
  /// A fresh answer, not older than `max_age` when given. Counts a hit or a miss.
  Found find(const CacheKey& key, TimePoint now, std::optional<std::chrono::seconds> max_age);
  /// An answer too old for find(), for when every provider fails; only if stale_if_error.
  Found find_stale(const CacheKey& key, TimePoint now);
  /// Keeps the answer, unless it is above entry_max.
  void put(const CacheKey& key, CachedAnswer answer);
  /// Drops the answers of one tenant, or all when empty. Returns how many.
  std::size_t forget(const TenantId& tenant);
  /// Drops what is too old even for find_stale().
  void expire(TimePoint now);
  /// Gives back this share (0 to 1) of the bytes held, least worth first. Returns bytes freed.
  std::size_t shrink(double fraction);
  std::size_t bytes() const;
  std::size_t entries() const;

  /// What one entry is counted with beside its payload.
  static constexpr std::size_t kEntryOverhead = 512;

 private:
  struct Kept : Ranking::Node {
    std::shared_ptr<const CachedAnswer> answer;
    std::size_t bytes = 0;
    const CacheKey* key = nullptr;  ///< the map's own
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<CacheKey, Kept, CacheKeyHash> map;
    Ranking ranking;
    std::size_t bytes = 0;
  };
  using Map = std::unordered_map<CacheKey, Kept, CacheKeyHash>;
  Shard& shard(const CacheKey& key);
  void drop(Shard& shard, Map::iterator at, Counter& reason);
  void discount(Shard& shard, const Kept& kept, Counter& reason);
  std::size_t evict_to(Shard& shard, std::size_t target, Counter& reason);
  Duration keep_for() const;
  static double worth(const Kept& kept);

  const CacheSettings settings_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::size_t shard_max_;
  Counter& hits_;
  Counter& misses_;
  Counter& for_size_;
  Counter& for_age_;
  Counter& for_pressure_;
  Counter& forgotten_;
  Gauge& bytes_gauge_;
  Gauge& entries_gauge_;
};

}  // namespace mainstay::models
