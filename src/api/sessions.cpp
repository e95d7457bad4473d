// Sessions in order of their last touch.
#include "api/sessions.h"

#include <algorithm>
#include <functional>

namespace mainstay::api {
namespace {

/// Two callers whose 64 bits agree count as one session: nothing but a figure depends on it.
std::uint64_t key_of(std::string_view tenant, std::string_view user) noexcept {
  const std::hash<std::string_view> hash;
  return hash(user) * 0x9E3779B97F4A7C15ULL ^ hash(tenant);
}

}  // namespace

Sessions::Sessions(std::size_t sessions_max)
    : shard_max_(std::max<std::size_t>(1, (sessions_max + kShards - 1) / kShards)) {}

void Sessions::touch(std::string_view tenant, std::string_view user, TimePoint now) {
  const std::uint64_t key = key_of(tenant, user);
  Shard& shard = shards_[key % kShards];
  std::lock_guard lock(shard.mutex);
  const auto known = shard.by_key.find(key);
  if (known != shard.by_key.end()) {
    known->second->last = now;
    shard.by_age.splice(shard.by_age.begin(), shard.by_age, known->second);
    return;
  }
  if (shard.by_age.size() >= shard_max_) {
    shard.by_key.erase(shard.by_age.back().key);
    shard.by_age.pop_back();
    evicted_.fetch_add(1, std::memory_order_relaxed);
  }
  shard.by_age.push_front({key, now});
  shard.by_key.emplace(key, shard.by_age.begin());
  started_.fetch_add(1, std::memory_order_relaxed);
}

std::size_t Sessions::expire(TimePoint now, Duration idle_timeout, std::size_t most) {
  std::size_t removed = 0;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    std::size_t here = 0;
    while (here < most && !shard.by_age.empty() && now - shard.by_age.back().last >= idle_timeout) {
      shard.by_key.erase(shard.by_age.back().key);
      shard.by_age.pop_back();
      ++here;
    }
    removed += here;
  }
  expired_.fetch_add(removed, std::memory_order_relaxed);
  return removed;
}

SessionFigures Sessions::figures() const {
  SessionFigures out;
  out.started = started_.load(std::memory_order_relaxed);
  out.expired = expired_.load(std::memory_order_relaxed);
  out.evicted = evicted_.load(std::memory_order_relaxed);
  const auto gone = out.expired + out.evicted;
  out.active = out.started > gone ? out.started - gone : 0;
  return out;
}

}  // namespace mainstay::api
