// Keys are looked up by their SHA-256: what a comparison's time tells of a digest says nothing of
// the key, because nobody can choose a key by its digest's first bytes.
#include "admission/keys.h"

#include <openssl/sha.h>

#include "base/text.h"

namespace mainstay::admission {
namespace {

std::array<unsigned char, 32> digest_of(std::string_view key) {
  std::array<unsigned char, 32> out{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), out.data());
  return out;
}

/// The key in `Authorization: Bearer KEY` or `X-API-Key: KEY`; both count the same everywhere.
std::string_view presented(const Credentials& credentials) {
  constexpr std::string_view kBearer = "bearer ";
  const auto value = credentials.authorization;
  if (value.size() > kBearer.size() &&
      equal_ascii_nocase(value.substr(0, kBearer.size()), kBearer)) {
    return trim(value.substr(kBearer.size()));
  }
  return trim(credentials.api_key);
}

}  // namespace

Keys::Keys(const AuthSettings& settings) {
  local_.owner = {TenantId("default"), UserId("local")};
  local_.local = true;
  for (const auto& key : settings.keys) {
    Caller caller;
    // The user is named by the digest's head: stable over restarts, and tells nothing of the key.
    caller.owner = {TenantId("default"), UserId("key_" + sha256_hex(key.reveal()).substr(0, 16))};
    keys_.emplace(digest_of(key.reveal()), std::move(caller));
  }
}

Result<Caller> Keys::identify(const Credentials& credentials) const {
  // Without configured keys only loopback can be listened on, and what a client sends as a key
  // (official clients must send one) does not matter.
  if (keys_.empty()) {
    if (credentials.peer_is_loopback) return local_;
    return Error::say(
        Errc::denied, "missing_key",
        "This server has no API keys configured, so only its own machine may call it.");
  }
  const auto key = presented(credentials);
  if (key.empty()) {
    return Error::say(Errc::denied, "missing_key",
                      "Send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.");
  }
  const auto found = keys_.find(digest_of(key));
  if (found == keys_.end()) {
    return Error::say(Errc::denied, "wrong_key",
                      "The API key is not known. Check it or ask for a new one.");
  }
  return found->second;
}

}  // namespace mainstay::admission
