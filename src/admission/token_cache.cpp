// A set-associative table: bounded, and nothing to tidy up.
#include "admission/token_cache.h"

#include <algorithm>

namespace mainstay::admission {

TokenCache::TokenCache(std::uint32_t tokens_max)
    : sets_(std::max<std::size_t>(1, tokens_max / (kParts * kWays))) {
  for (Part& part : parts_) part.sets.resize(sets_);
}

std::size_t TokenCache::set_of(const KeyDigest& token) const {
  std::uint64_t head = 0;
  std::memcpy(&head, token.data() + 1, sizeof head);
  return head % sets_;
}

std::shared_ptr<const Caller> TokenCache::find(const KeyDigest& token, std::uint64_t generation,
                                               WallTime now) const {
  const Part& part = parts_[token[0] % kParts];
  std::lock_guard lock(part.mutex);
  for (const Place& place : part.sets[set_of(token)]) {
    if (place.caller == nullptr || place.token != token) continue;
    const bool current = place.generation == generation && now < place.good_until;
    return current ? place.caller : nullptr;
  }
  return nullptr;
}

void TokenCache::put(const KeyDigest& token, std::uint64_t generation, WallTime good_until,
                     std::shared_ptr<const Caller> caller) {
  Part& part = parts_[token[0] % kParts];
  std::lock_guard lock(part.mutex);
  auto& set = part.sets[set_of(token)];
  auto at = std::find_if(set.begin(), set.end(),
                         [&](const Place& place) { return place.token == token; });
  if (at == set.end()) {
    // A free place has the earliest end of all.
    at = std::min_element(set.begin(), set.end(), [](const Place& a, const Place& b) {
      return a.good_until < b.good_until;
    });
  }
  *at = Place{token, generation, good_until, std::move(caller)};
}

std::size_t TokenCache::size() const {
  std::size_t out = 0;
  for (const Part& part : parts_) {
    std::lock_guard lock(part.mutex);
    for (const auto& set : part.sets) {
      for (const Place& place : set) out += place.caller != nullptr ? 1 : 0;
    }
  }
  return out;
}

}  // namespace mainstay::admission
