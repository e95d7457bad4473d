// Digests, ids and new keys.
#include "admission/keys.h"

#include <openssl/evp.h>

#include <boost/asio/ip/address_v4.hpp>
#include <memory>
#include <new>

#include "admission/base64url.h"
#include "base/check.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/text.h"

namespace mainstay::admission {
namespace {

constexpr std::array<std::pair<std::string_view, Scope>, 5> kScopes = {
    {{"chat", Scope::chat},
     {"jobs", Scope::jobs},
     {"knowledge", Scope::knowledge},
     {"admin", Scope::admin},
     {"admin:read", Scope::admin_read}}};
constexpr std::size_t kNameMax = 128;

/// One thread's hashing state: looking the algorithm up anew costs more than the hash itself.
struct Hasher {
  Hasher() : algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context(EVP_MD_CTX_new()) {
    if (algorithm != nullptr && context != nullptr) return;
    free();
    throw std::bad_alloc();  // the next call of this thread tries again
  }
  ~Hasher() { free(); }
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  EVP_MD* algorithm;
  EVP_MD_CTX* context;

 private:
  void free() noexcept {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }
};

Error bad_name(const char* field) {
  return Error::say(
      Errc::invalid, "invalid_name",
      std::string("'") + field + "' must be 1 to 128 bytes of UTF-8 without control characters.",
      field);
}

bool good_name(std::string_view text) {
  if (text.empty() || text.size() > kNameMax || !is_utf8(text)) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

std::string_view presented_key(const Credentials& credentials) {
  constexpr std::string_view kBearer = "bearer ";
  const auto value = credentials.authorization;
  if (value.size() > kBearer.size() &&
      equal_ascii_nocase(value.substr(0, kBearer.size()), kBearer)) {
    return trim(value.substr(kBearer.size()));
  }
  return trim(credentials.api_key);
}

KeyDigest key_digest(std::string_view key) {
  thread_local const Hasher mine;
  KeyDigest out{};
  const bool hashed = EVP_DigestInit_ex2(mine.context, mine.algorithm, nullptr) == 1 &&
                      EVP_DigestUpdate(mine.context, key.data(), key.size()) == 1 &&
                      EVP_DigestFinal_ex(mine.context, out.data(), nullptr) == 1;
  if (!hashed) throw std::bad_alloc();  // hashing fails for nothing else
  return out;
}

std::string digest_hex(const KeyDigest& digest) {
  return hex_digits({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool digest_from_hex(std::string_view hex, KeyDigest& digest) {
  if (hex.size() != 2 * digest.size()) return false;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return true;
}

std::string key_id(const KeyDigest& digest) {
  return "key_" + digest_hex(digest).substr(0, 16);
}

std::string make_key_text() {
  std::array<char, 32> bytes{};
  secret_bytes(bytes.data(), bytes.size());
  return std::string(kKeyStart) + to_base64url({bytes.data(), bytes.size()});
}

Result<NewKey> make_key(KeyWishes wishes, const Clock& clock) {
  if (!good_name(wishes.name)) return bad_name("name");
  if (!good_name(wishes.tenant)) return bad_name("tenant");
  if (!wishes.user.empty() && !good_name(wishes.user)) return bad_name("user");
  if (wishes.scopes.bits == 0) {
    return Error::say(Errc::invalid, "invalid_scopes",
                      "A key needs at least one of the scopes chat, jobs, knowledge, admin, "
                      "admin:read.",
                      "scopes");
  }
  NewKey made;
  made.text = make_key_text();
  const KeyDigest digest = key_digest(made.text);
  storage::AccessKey& row = made.row;
  row.id = key_id(digest);
  row.digest = digest_hex(digest);
  row.prefix = made.text.substr(0, kKeyPrefix);
  row.name = std::move(wishes.name);
  row.owner.tenant = TenantId(std::move(wishes.tenant));
  row.owner.user = UserId(wishes.user.empty() ? row.id : std::move(wishes.user));
  row.scopes = wishes.scopes.bits;
  row.priority = static_cast<std::uint8_t>(wishes.most_urgent);
  row.requests_per_minute = wishes.limits.requests_per_minute;
  row.burst = wishes.limits.burst;
  row.concurrent = wishes.limits.concurrent;
  row.tokens_per_minute = wishes.limits.tokens_per_minute;
  row.tokens_per_day = wishes.limits.tokens_per_day;
  row.queued = wishes.limits.queued;
  row.created = clock.wall();
  if (wishes.lasts > Duration::zero()) {
    row.expires = row.created + std::chrono::duration_cast<std::chrono::microseconds>(wishes.lasts);
  }
  return made;
}

bool add_scope(Scopes& scopes, std::string_view name) {
  for (const auto& [text, scope] : kScopes) {
    if (text != name) continue;
    scopes.bits = static_cast<std::uint8_t>(scopes.bits | std::uint8_t(scope));
    return true;
  }
  return false;
}

Result<Scopes> scopes_of(std::span<const std::string> names) {
  Scopes out;
  for (const auto& name : names) {
    if (add_scope(out, name)) continue;
    return Error::say(Errc::invalid, "invalid_scopes",
                      "Scopes are chat, jobs, knowledge, admin and admin:read.", "scopes");
  }
  return out;
}

std::vector<std::string> names_of(Scopes scopes) {
  std::vector<std::string> out;
  for (const auto& [text, scope] : kScopes) {
    if (scopes.has(scope)) out.emplace_back(text);
  }
  return out;
}

}  // namespace mainstay::admission
