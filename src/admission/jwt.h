// Signed tokens (JWT, RFC 7519) of an issuer: taking one apart, its signature, its claims.
// Used by identity and jwks. Pure: no clock, no file, no network.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "admission/caller.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/settings.h"

struct evp_pkey_st;

namespace mainstay::admission {

/// The algorithms that are accepted; a key is bound to one of them.
enum class Algorithm : std::uint8_t { hs256, rs256, es256, eddsa };

inline constexpr std::size_t kTokenMax = 8192;  ///< bytes of a token's text

/// A token taken apart. Nothing in it is verified yet.
struct OpenToken {
  Algorithm algorithm = Algorithm::hs256;
  std::string kid;               ///< name of the key; empty: not given
  std::string_view signed_part;  ///< lives as long as the text given
  std::string signature;         ///< bytes
  std::string claims;            ///< JSON text
};

/// Three parts of strict base64url, a header that is an object with a known `alg`, without `crit`,
/// without a name given twice. Keys offered inside the header (jwk, jku, x5u, x5c) are not looked
/// at. Errors: denied "wrong_token", whose detail says why.
Result<OpenToken> take_apart(std::string_view token);
/// True for what could be a token: three parts of base64url letters, the first an object. The last
/// may be empty: so is the signature of a token that claims to need none.
bool looks_like_token(std::string_view key) noexcept;

/// A key that verifies signatures of one algorithm. Copies share the key; thread-safe.
class VerifyKey {
 public:
  /// At least 32 bytes. Errors: invalid "invalid_jwt_key".
  static Result<VerifyKey> from_secret(std::string secret);
  /// PEM: RSA of 2048 to 8192 bits, P-256 or Ed25519. Errors: invalid "invalid_jwt_key".
  static Result<VerifyKey> from_pem(const std::string& pem);
  Algorithm algorithm() const noexcept { return algorithm_; }
  bool verifies(std::string_view signed_part, std::string_view signature) const;

 private:
  friend class KeySet;
  VerifyKey(Algorithm algorithm, std::shared_ptr<evp_pkey_st> key)
      : algorithm_(algorithm), key_(std::move(key)) {}
  explicit VerifyKey(std::string secret)
      : algorithm_(Algorithm::hs256), secret_(std::move(secret)) {}
  Algorithm algorithm_;
  std::shared_ptr<evp_pkey_st> key_;
  std::string secret_;
};

/// The keys of an issuer by name.
class KeySet {
 public:
  /// One key whose name does not matter.
  explicit KeySet(VerifyKey only);
  /// A JSON Web Key Set (RFC 7517): RSA, P-256 and Ed25519 keys for signatures; others are left
  /// out. Errors: bad_upstream "bad_key_set" (not a key set, none that can be used, more than 64
  /// keys).
  static Result<KeySet> parse(const std::string& json);
  /// The key of that name for that algorithm; a token without a name means the only key of its
  /// algorithm. Null when there is none.
  const VerifyKey* find(Algorithm algorithm, const std::string& kid) const;
  /// A key of that name is there, for whatever algorithm.
  bool knows(const std::string& kid) const;
  std::size_t size() const noexcept { return keys_.size(); }

 private:
  KeySet() = default;
  bool any_name_ = false;
  std::multimap<std::string, VerifyKey, std::less<>> keys_;
};

/// What a verified token says.
struct Claims {
  std::string issuer;
  std::string user;
  std::string tenant;
  std::string token_id;  ///< `jti`; empty: none
  Scopes scopes;
  WallTime good_until{};  ///< `exp` and the leeway
};
/// Checks iss, aud, exp (required), nbf against `now`, and takes the user, tenant and scopes.
/// Errors: denied "expired_token" (exp), "wrong_token" (everything else).
Result<Claims> check_claims(const std::string& json, const JwtSettings& settings, WallTime now);

}  // namespace mainstay::admission
