// Shards, each a hash map with a ranking of its entries.
#include "models/cache.h"

#include <algorithm>

#include "base/json.h"

namespace mainstay::models {
namespace {

constexpr std::size_t kShardsMax = 16;

/// A shard must hold at least two of the largest entries.
std::size_t shards_for(const CacheSettings& settings) {
  const std::size_t each = 2 * (settings.entry_max.value + ResponseCache::kEntryOverhead);
  return std::clamp<std::size_t>(settings.size_max.value / each, 1, kShardsMax);
}

Counter& evictions(Metrics& metrics, const char* reason) {
  return metrics.counter("mainstay_cache_evictions_total",
                         "Answers dropped from the response cache", {{"reason", reason}});
}

/// A message, or a delta of one, that holds some of an answer.
bool says_something(simdjson::simdjson_result<simdjson::dom::element> message) {
  for (const std::string_view name :
       {"content", "tool_calls", "function_call", "refusal", "audio"}) {
    std::string_view text;
    simdjson::dom::array list;
    if (message[name].is_object()) return true;
    if (message[name].get(text) == simdjson::SUCCESS && !text.empty()) return true;
    if (message[name].get(list) == simdjson::SUCCESS && list.size() > 0) return true;
  }
  return false;
}

/// Nearly every answer: told without reading the JSON once more. Quotes inside a text are escaped.
bool plainly_says_something(std::string_view json) {
  constexpr std::string_view kContent = "\"content\":";
  auto at = json.find(kContent);
  if (at == std::string_view::npos || json.find("content_filter") != std::string_view::npos) {
    return false;
  }
  at += kContent.size();
  if (at < json.size() && json[at] == ' ') ++at;
  return at + 1 < json.size() && json[at] == '"' && json[at + 1] != '"';
}

}  // namespace

void WorthKeeping::look(const std::string& json) {
  if (plainly_says_something(json)) {
    said_ = true;
    return;
  }
  const auto parsed = read_json(json);
  simdjson::dom::array choices;
  if (!parsed.ok() || (*parsed)["choices"].get(choices) != simdjson::SUCCESS) {
    said_ = true;
    return;
  }
  for (const auto choice : choices) {
    std::string_view reason;
    const bool ended = choice["finish_reason"].get(reason) == simdjson::SUCCESS;
    filtered_ = filtered_ || (ended && reason == "content_filter");
    said_ = said_ || says_something(choice["message"]) || says_something(choice["delta"]);
  }
}

ResponseCache::ResponseCache(const CacheSettings& settings, Metrics& metrics)
    : settings_(settings),
      shard_max_(settings.size_max.value / shards_for(settings)),
      hits_(metrics.counter("mainstay_cache_hits_total", "Questions answered from the cache")),
      misses_(metrics.counter("mainstay_cache_misses_total", "Questions not found in the cache")),
      for_size_(evictions(metrics, "size")),
      for_age_(evictions(metrics, "age")),
      for_pressure_(evictions(metrics, "pressure")),
      forgotten_(evictions(metrics, "forgotten")),
      bytes_gauge_(metrics.gauge("mainstay_cache_bytes", "Bytes held by the response cache")),
      entries_gauge_(metrics.gauge("mainstay_cache_entries", "Answers in the response cache")) {
  const std::size_t count = shards_for(settings);
  for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>());
}

ResponseCache::Shard& ResponseCache::shard(const CacheKey& key) {
  return *shards_[key.bytes[31] % shards_.size()];
}

Duration ResponseCache::keep_for() const {
  return settings_.stale_if_error ? std::max<Duration>(settings_.ttl, settings_.stale_max)
                                  : Duration(settings_.ttl);
}

/// Nanoseconds it took to get each byte.
double ResponseCache::worth(const Kept& kept) {
  return static_cast<double>(std::max<std::int64_t>(kept.answer->cost.count(), 1)) /
         static_cast<double>(kept.bytes);
}

void ResponseCache::discount(Shard& shard, const Kept& kept, Counter& reason) {
  shard.bytes -= kept.bytes;
  bytes_gauge_.add(-static_cast<std::int64_t>(kept.bytes));
  entries_gauge_.add(-1);
  reason.add();
}

void ResponseCache::drop(Shard& shard, Map::iterator at, Counter& reason) {
  discount(shard, at->second, reason);
  shard.ranking.remove(at->second);
  shard.map.erase(at);
}

std::size_t ResponseCache::evict_to(Shard& shard, std::size_t target, Counter& reason) {
  const std::size_t before = shard.bytes;
  while (shard.bytes > target) {
    const auto* least = static_cast<const Kept*>(shard.ranking.take_least());
    if (least == nullptr) break;
    discount(shard, *least, reason);
    shard.map.erase(shard.map.find(*least->key));
  }
  return before - shard.bytes;
}

ResponseCache::Found ResponseCache::find(const CacheKey& key, TimePoint now,
                                         std::optional<std::chrono::seconds> max_age) {
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  const auto at = home.map.find(key);
  if (at == home.map.end()) {
    misses_.add();
    return {};
  }
  const Duration age = now - at->second.answer->stored;
  if (age >= settings_.ttl || (max_age && age > *max_age)) {
    misses_.add();
    if (age >= keep_for()) drop(home, at, for_age_);
    return {};
  }
  hits_.add();
  home.ranking.remove(at->second);
  home.ranking.add(at->second, worth(at->second));
  return {at->second.answer, age};
}

ResponseCache::Found ResponseCache::find_stale(const CacheKey& key, TimePoint now) {
  if (!settings_.stale_if_error) return {};
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  const auto at = home.map.find(key);
  if (at == home.map.end()) return {};
  const Duration age = now - at->second.answer->stored;
  if (age >= keep_for()) return {};
  return {at->second.answer, age};
}

void ResponseCache::put(const CacheKey& key, CachedAnswer answer) {
  if (answer.payload() > settings_.entry_max.value) return;
  Kept kept;
  kept.bytes = answer.payload() + kEntryOverhead;
  if (kept.bytes > shard_max_) return;
  kept.answer = std::make_shared<const CachedAnswer>(std::move(answer));
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  const auto old = home.map.find(key);
  if (old != home.map.end()) drop(home, old, for_age_);
  evict_to(home, shard_max_ - kept.bytes, for_size_);
  const auto at = home.map.emplace(key, std::move(kept)).first;
  at->second.key = &at->first;
  home.ranking.add(at->second, worth(at->second));
  home.bytes += at->second.bytes;
  bytes_gauge_.add(static_cast<std::int64_t>(at->second.bytes));
  entries_gauge_.add(1);
}

std::size_t ResponseCache::forget(const TenantId& tenant) {
  std::size_t count = 0;
  for (auto& each : shards_) {
    std::lock_guard lock(each->mutex);
    for (auto at = each->map.begin(); at != each->map.end();) {
      const auto here = at++;
      if (!tenant.empty() && here->second.answer->tenant != tenant) continue;
      drop(*each, here, forgotten_);
      ++count;
    }
  }
  return count;
}

void ResponseCache::expire(TimePoint now) {
  for (auto& each : shards_) {
    std::lock_guard lock(each->mutex);
    for (auto at = each->map.begin(); at != each->map.end();) {
      const auto here = at++;
      if (now - here->second.answer->stored >= keep_for()) drop(*each, here, for_age_);
    }
  }
}

std::size_t ResponseCache::shrink(double fraction) {
  const double keep = 1 - std::clamp(fraction, 0.0, 1.0);
  std::size_t freed = 0;
  for (auto& each : shards_) {
    std::lock_guard lock(each->mutex);
    const auto target = static_cast<std::size_t>(static_cast<double>(each->bytes) * keep);
    freed += evict_to(*each, target, for_pressure_);
  }
  return freed;
}

std::size_t ResponseCache::bytes() const {
  std::size_t sum = 0;
  for (const auto& each : shards_) {
    std::lock_guard lock(each->mutex);
    sum += each->bytes;
  }
  return sum;
}

std::size_t ResponseCache::entries() const {
  std::size_t sum = 0;
  for (const auto& each : shards_) {
    std::lock_guard lock(each->mutex);
    sum += each->map.size();
  }
  return sum;
}

}  // namespace mainstay::models
