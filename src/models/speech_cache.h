// The speech cache: what was spoken, by tenant, engine, text, voice, speed and form; bounded in
// bytes, given back under pressure.
// Used by the router alone.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "config/settings.h"
#include "models/cache_key.h"
#include "models/synthesize.h"
#include "telemetry/metrics.h"

namespace mainstay::models {

/// Speech that was made once; immutable.
struct KeptSpeech {
  std::string bytes;
  AudioShape shape;
  std::string provider;
  std::string model;
  TenantId tenant;
  TimePoint stored{};
};

/// `model` as it was asked for, defaults filled in.
CacheKey speech_key(const SpeechRequest& request, const std::string& model);

/// Thread-safe: one mutex, held for a lookup or an insertion. What was not used for the longest
/// time leaves first.
class SpeechCache {
 public:
  SpeechCache(const AudioSettings& settings, Metrics& metrics);
  ~SpeechCache();
  SpeechCache(const SpeechCache&) = delete;
  SpeechCache& operator=(const SpeechCache&) = delete;
  bool enabled() const noexcept { return settings_.cache; }
  std::size_t entry_max() const noexcept { return settings_.cache_entry_max.value; }
  /// Null: nothing to give. Counts a hit or a miss.
  std::shared_ptr<const KeptSpeech> find(const CacheKey& key, TimePoint now);
  /// Keeps it, unless it is above audio.cache_entry_max or audio.cache_max.
  void put(const CacheKey& key, std::shared_ptr<const KeptSpeech> speech);
  /// Drops what is too old.
  void expire(TimePoint now);
  /// Gives back this share (0 to 1) of the bytes held. Returns bytes freed.
  std::size_t shrink(double fraction);
  /// Drops what was spoken for one tenant, or all when empty. Returns how many.
  std::size_t forget(const TenantId& tenant);
  std::size_t bytes() const;

  /// What one entry is counted with beside its audio.
  static constexpr std::size_t kEntryOverhead = 512;

 private:
  struct Kept {
    CacheKey key;
    std::shared_ptr<const KeptSpeech> speech;
  };
  using Order = std::list<Kept>;
  static std::size_t size_of(const KeptSpeech& speech) noexcept {
    return speech.bytes.size() + kEntryOverhead;
  }
  void drop(Order::iterator at, Counter& reason);
  std::size_t evict_to(std::size_t target, Counter& reason);

  const AudioSettings settings_;
  mutable std::mutex mutex_;
  Order order_;  ///< used last first
  std::unordered_map<CacheKey, Order::iterator, CacheKeyHash> map_;
  std::size_t bytes_ = 0;
  Counter& hits_;
  Counter& misses_;
  Counter& for_size_;
  Counter& for_age_;
  Counter& for_pressure_;
  Counter& forgotten_;
  Gauge& bytes_gauge_;
};

}  // namespace mainstay::models
