// Who is calling: API keys against their digests, and the local user.
// Used by admission alone.
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "config/settings.h"
#include "storage/conversations.h"

namespace mainstay::admission {

/// What a request shows of its sender. Views live as long as the request's head.
struct Credentials {
  std::string_view authorization;  ///< value of Authorization
  std::string_view api_key;        ///< value of X-API-Key
  bool peer_is_loopback = false;
};

/// A known caller.
struct Caller {
  storage::Owner owner;
  bool local = false;  ///< no credentials, from this machine
};

/// Accepted keys, kept as SHA-256 digests. Immutable, so any thread may ask.
class Keys {
 public:
  explicit Keys(const AuthSettings& settings);
  bool any() const noexcept { return !keys_.empty(); }
  /// Errors: denied "missing_key" or "wrong_key".
  Result<Caller> identify(const Credentials& credentials) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  /// A digest is uniform: its first bytes are as good a hash as any.
  struct DigestHash {
    std::size_t operator()(const Digest& digest) const noexcept {
      std::size_t head = 0;
      std::memcpy(&head, digest.data(), sizeof head);
      return head;
    }
  };
  std::unordered_map<Digest, Caller, DigestHash> keys_;
  Caller local_;
};

}  // namespace mainstay::admission
