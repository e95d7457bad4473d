// What makes two questions the same: tenant, model as asked, and everything in the body that can
// change the answer. Used by the caches of answers and of speech, and by coalescing.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "models/chat.h"

namespace mainstay::models {

/// SHA-256; so no client can make two different questions meet.
struct CacheKey {
  std::array<unsigned char, 32> bytes{};
  friend bool operator==(const CacheKey&, const CacheKey&) = default;
};

struct CacheKeyHash {
  std::size_t operator()(const CacheKey& key) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, key.bytes.data(), sizeof out);
    return out;
  }
};

/// Appends a field with its length first, so that no two lists of fields read the same.
void put_field(std::string& out, std::string_view field);
/// The key of a list of fields.
CacheKey key_of_fields(std::string_view fields);

/// Blanks between tokens do not count, the order of members does. `user` is left out; a stream and
/// a whole reply have different keys.
CacheKey cache_key(const ChatRequest& request);

}  // namespace mainstay::models
