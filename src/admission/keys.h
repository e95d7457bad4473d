// API keys as text and as digests: making one, recognising one, naming scopes.
// Used by admission (identity) and by app (`mainstay keys`, the admin key).
#pragma once

#include <boost/asio/ip/address.hpp>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admission/caller.h"
#include "base/clock.h"
#include "base/result.h"
#include "storage/access_keys.h"

namespace mainstay::admission {

/// What a request shows of its sender. Views live as long as the request's head.
struct Credentials {
  std::string_view authorization;  ///< value of Authorization
  std::string_view api_key;        ///< value of X-API-Key
  bool forwarded = false;          ///< a proxy sent it: see came_through_proxy()
  asio::ip::address peer{};        ///< whose failed attempts are counted
};

/// An address of this machine alone, also as IPv4 within IPv6.
bool is_loopback(const asio::ip::address& address);

/// The key or token in `Authorization: Bearer KEY` or `X-API-Key: KEY`, which count the same
/// everywhere; empty when there is none.
std::string_view presented_key(const Credentials& credentials);

/// SHA-256 of a key or token. Only digests are kept, and a lookup by digest leaks no key by its
/// time: nobody can choose a key by the first bytes of its digest.
using KeyDigest = std::array<unsigned char, 32>;
KeyDigest key_digest(std::string_view key);
/// A digest is uniform: its first bytes are as good a hash as any.
struct KeyDigestHash {
  std::size_t operator()(const KeyDigest& digest) const noexcept {
    std::size_t head = 0;
    std::memcpy(&head, digest.data(), sizeof head);
    return head;
  }
};
std::string digest_hex(const KeyDigest& digest);
/// False when `hex` is not 64 hex digits.
bool digest_from_hex(std::string_view hex, KeyDigest& digest);
/// "key_" and 16 hex digits: stable over restarts, and tells nothing of the key.
std::string key_id(const KeyDigest& digest);

/// "ms_" and 256 random bits in base64url (43 characters).
std::string make_key_text();
inline constexpr std::string_view kKeyStart = "ms_";
/// Characters of a key that are stored, so that its owner recognises it in a list.
inline constexpr std::size_t kKeyPrefix = 9;
/// Keys shorter than this might be guessed: their holder waits while others guess.
inline constexpr std::size_t kStrongKey = 32;

/// What the maker of a key decides.
struct KeyWishes {
  std::string name;
  Scopes scopes{Scope::chat, Scope::jobs, Scope::knowledge};
  std::string tenant = "default";
  std::string user;  ///< empty: the key's id, a user of its own
  Duration lasts{};  ///< zero: for ever
  Priority most_urgent = Priority::voice;
  OwnLimits limits;
};
/// A key just made; `text` is shown once and kept nowhere.
struct NewKey {
  std::string text;
  storage::AccessKey row;
};
/// Errors: invalid "invalid_name" (empty or longer than 128 bytes, control characters) with the
/// field, "invalid_scopes" (none).
Result<NewKey> make_key(KeyWishes wishes, const Clock& clock);

/// "chat" … to its bit; errors: invalid "invalid_scopes".
Result<Scopes> scopes_of(std::span<const std::string> names);
std::vector<std::string> names_of(Scopes scopes);
/// Adds the scope of that name; false when there is none.
bool add_scope(Scopes& scopes, std::string_view name);

}  // namespace mainstay::admission
