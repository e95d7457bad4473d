// Digest comparison in constant time: every known key is compared, whatever matched before.
#include "admission/keys.h"

#include <openssl/crypto.h>
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
  if (value.size() > kBearer.size() && equal_ascii_nocase(value.substr(0, kBearer.size()), kBearer)) {
    return trim(value.substr(kBearer.size()));
  }
  return trim(credentials.api_key);
}

}  // namespace

Keys::Keys(const AuthSettings& settings) {
  local_.owner = {TenantId("default"), UserId("local")};
  local_.local = true;
  for (const auto& key : settings.keys) {
    Known known;
    known.digest = digest_of(key.reveal());
    // The user is named by the digest's head: stable over restarts, and tells nothing of the key.
    known.caller.owner = {TenantId("default"), UserId("key_" + sha256_hex(key.reveal()).substr(0, 16))};
    keys_.push_back(std::move(known));
  }
}

Result<Caller> Keys::identify(const Credentials& credentials) const {
  // Without configured keys only loopback can be listened on, and what a client sends as a key
  // (official clients must send one) does not matter.
  if (keys_.empty()) {
    if (credentials.peer_is_loopback) return local_;
    return Error::say(Errc::denied, "missing_key",
                      "This server has no API keys configured, so only its own machine may call it.");
  }
  const auto key = presented(credentials);
  if (key.empty()) {
    return Error::say(Errc::denied, "missing_key",
                      "Send an API key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.");
  }
  const auto digest = digest_of(key);
  const Caller* found = nullptr;
  for (const auto& known : keys_) {
    if (CRYPTO_memcmp(known.digest.data(), digest.data(), digest.size()) == 0) found = &known.caller;
  }
  if (found == nullptr) {
    return Error::say(Errc::denied, "wrong_key", "The API key is not known. Check it or ask for a new one.");
  }
  return *found;
}

}  // namespace mainstay::admission
