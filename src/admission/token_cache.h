// Verified tokens by the digest of their whole text, so that a signature is checked once.
// Used by identity alone.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "admission/keys.h"

namespace mainstay::admission {

/// Thread-safe; sixteen parts, each with its own lock, in sets of four places. A full set forgets
/// the token whose end is nearest. An entry counts only for the generation it was put in: keys that
/// rotate and tokens that are revoked make all entries be looked at anew.
class TokenCache {
 public:
  explicit TokenCache(std::uint32_t tokens_max);
  /// Null when it is not there, has ended by `now`, or is of another generation.
  std::shared_ptr<const Caller> find(const KeyDigest& token, std::uint64_t generation,
                                     WallTime now) const;
  void put(const KeyDigest& token, std::uint64_t generation, WallTime good_until,
           std::shared_ptr<const Caller> caller);
  std::size_t size() const;

 private:
  static constexpr std::size_t kParts = 16;
  static constexpr std::size_t kWays = 4;
  struct Place {
    KeyDigest token{};
    std::uint64_t generation = 0;
    WallTime good_until{};
    std::shared_ptr<const Caller> caller;
  };
  struct Part {
    mutable std::mutex mutex;
    std::vector<std::array<Place, kWays>> sets;
  };
  std::size_t set_of(const KeyDigest& token) const;
  std::array<Part, kParts> parts_;
  std::size_t sets_;
};

}  // namespace mainstay::admission
