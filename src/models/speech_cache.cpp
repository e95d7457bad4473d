// One list in the order of use, and a map into it.
#include "models/speech_cache.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace mainstay::models {
namespace {

Counter& evictions(Metrics& metrics, const char* reason) {
  return metrics.counter("mainstay_speech_cache_evictions_total",
                         "Pieces of speech dropped from the speech cache", {{"reason", reason}});
}

}  // namespace

CacheKey speech_key(const SpeechRequest& request, const std::string& model) {
  std::string text;
  put_field(text, request.tenant.text());
  put_field(text, model);
  put_field(text, request.text);
  put_field(text, request.voice);
  put_field(text, request.language);
  put_field(text, request.instructions);
  put_field(text, name(request.form));
  put_field(text, fmt::format("{}", request.speed));
  return key_of_fields(text);
}

SpeechCache::SpeechCache(const AudioSettings& settings, Metrics& metrics)
    : settings_(settings),
      hits_(metrics.counter("mainstay_speech_cache_hits_total",
                            "Texts whose speech was made before")),
      misses_(metrics.counter("mainstay_speech_cache_misses_total",
                              "Texts not found in the speech cache")),
      for_size_(evictions(metrics, "size")),
      for_age_(evictions(metrics, "age")),
      for_pressure_(evictions(metrics, "pressure")),
      forgotten_(evictions(metrics, "forgotten")),
      bytes_gauge_(metrics.gauge("mainstay_speech_cache_bytes", "Bytes held by the speech cache")) {
}

SpeechCache::~SpeechCache() {
  bytes_gauge_.add(-static_cast<std::int64_t>(bytes_));
}

void SpeechCache::drop(Order::iterator at, Counter& reason) {
  const std::size_t size = size_of(*at->speech);
  bytes_ -= size;
  bytes_gauge_.add(-static_cast<std::int64_t>(size));
  map_.erase(at->key);
  order_.erase(at);
  reason.add();
}

std::size_t SpeechCache::evict_to(std::size_t target, Counter& reason) {
  const std::size_t before = bytes_;
  while (bytes_ > target && !order_.empty()) drop(order_.begin(), reason);
  return before - bytes_;
}

std::shared_ptr<const KeptSpeech> SpeechCache::find(const CacheKey& key, TimePoint now) {
  std::lock_guard lock(mutex_);
  const auto found = map_.find(key);
  if (found == map_.end()) {
    misses_.add();
    return nullptr;
  }
  if (now - found->second->speech->stored >= Duration(settings_.cache_ttl)) {
    drop(found->second, for_age_);
    misses_.add();
    return nullptr;
  }
  order_.splice(order_.end(), order_, found->second);
  hits_.add();
  return found->second->speech;
}

void SpeechCache::put(const CacheKey& key, std::shared_ptr<const KeptSpeech> speech) {
  const std::size_t size = size_of(*speech);
  if (!settings_.cache || speech->bytes.size() > settings_.cache_entry_max.value ||
      size > settings_.cache_max.value) {
    return;
  }
  std::lock_guard lock(mutex_);
  const auto found = map_.find(key);
  if (found != map_.end()) drop(found->second, for_size_);
  evict_to(settings_.cache_max.value - size, for_size_);
  order_.push_back({key, std::move(speech)});
  map_.emplace(key, std::prev(order_.end()));
  bytes_ += size;
  bytes_gauge_.add(static_cast<std::int64_t>(size));
}

void SpeechCache::expire(TimePoint now) {
  std::lock_guard lock(mutex_);
  for (auto at = order_.begin(); at != order_.end();) {
    const auto here = at++;
    if (now - here->speech->stored >= Duration(settings_.cache_ttl)) drop(here, for_age_);
  }
}

std::size_t SpeechCache::shrink(double fraction) {
  std::lock_guard lock(mutex_);
  const double kept = static_cast<double>(bytes_) * (1.0 - std::clamp(fraction, 0.0, 1.0));
  return evict_to(static_cast<std::size_t>(kept), for_pressure_);
}

std::size_t SpeechCache::forget(const TenantId& tenant) {
  std::lock_guard lock(mutex_);
  std::size_t dropped = 0;
  for (auto at = order_.begin(); at != order_.end();) {
    const auto here = at++;
    if (!tenant.empty() && here->speech->tenant != tenant) continue;
    drop(here, forgotten_);
    ++dropped;
  }
  return dropped;
}

std::size_t SpeechCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace mainstay::models
