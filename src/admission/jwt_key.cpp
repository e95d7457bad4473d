// Keys and signatures of tokens, over OpenSSL. Every key is bound to one algorithm when it is read:
// what a token's header claims can only fail to match.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <array>
#include <optional>

#include "admission/base64url.h"
#include "admission/jwt.h"
#include "base/json.h"
#include "base/json_fields.h"

namespace mainstay::admission {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* it) const {
    Free(it);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;
using Source = std::unique_ptr<BIO, Freed<BIO_free>>;

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;  // a verification must stay cheap
constexpr std::size_t kHalf = 32;  // bytes of r, s and of a coordinate of P-256
constexpr std::size_t kKeysMax = 64;

/// What OpenSSL notes of a failure here must not be found by the TLS code of the same thread.
struct QuietErrors {
  ~QuietErrors() { ERR_clear_error(); }
};

Error bad_key(const char* why) {
  return Error::say(Errc::invalid, "invalid_jwt_key",
                    std::string("The key for tokens cannot be used: ") + why + ".", "auth.jwt");
}

Error bad_set(const char* why) {
  return Error::say(Errc::bad_upstream, "bad_key_set",
                    std::string("The issuer's key set cannot be used: ") + why + ".");
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

/// What algorithm a public key is for; empty when it is for none of ours.
std::optional<Algorithm> algorithm_of(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < kRsaBitsMin || bits > kRsaBitsMax) return std::nullopt;
    return Algorithm::rs256;
  }
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return Algorithm::eddsa;
  if (EVP_PKEY_is_a(key, "EC") != 1) return std::nullopt;
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return std::nullopt;
  if (std::string_view(group.data(), size) != "prime256v1") return std::nullopt;
  return Algorithm::es256;
}

Key key_from(const char* type, OSSL_PARAM* parameters) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* out = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &out, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return nullptr;
  }
  return Key(out);
}

/// A member of a key in base64url; empty when it is missing or malformed.
std::string member(const Json& jwk, const char* name) {
  std::string out;
  const std::string text = string_field(jwk, name);
  if (!from_base64url(text, out)) out.clear();
  return out;
}

Key rsa_key(const Json& jwk) {
  const std::string modulus = member(jwk, "n");
  const std::string exponent = member(jwk, "e");
  if (modulus.empty() || modulus.size() > kRsaBitsMax / 8 || exponent.empty() ||
      exponent.size() > 8) {
    return nullptr;
  }
  const Number n = number_of(modulus);
  const Number e = number_of(exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) != 0) return nullptr;
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  return key_from("RSA", parameters.get());
}

Key ec_key(const Json& jwk) {
  const std::string x = member(jwk, "x");
  const std::string y = member(jwk, "y");
  if (string_field(jwk, "crv") != "P-256" || x.size() != kHalf || y.size() != kHalf) return nullptr;
  const std::string point = '\x04' + x + y;  // uncompressed
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder) return nullptr;
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  Key key = key_from("EC", parameters.get());
  const KeyContext check(key ? EVP_PKEY_CTX_new(key.get(), nullptr) : nullptr);
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return nullptr;  // a point off the curve
  return key;
}

Key ed_key(const Json& jwk) {
  const std::string x = member(jwk, "x");
  if (string_field(jwk, "crv") != "Ed25519" || x.size() != kHalf) return nullptr;
  return Key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
}

/// The key of one entry of a set; null for what is not for us: other types, encryption keys.
Key public_key(const Json& jwk, Algorithm& algorithm) {
  const std::string type = string_field(jwk, "kty");
  const std::string use = string_field(jwk, "use", "sig");
  if (use != "sig") return nullptr;
  Key key;
  const char* name = "";
  if (type == "RSA") {
    key = rsa_key(jwk);
    name = "RS256";
  } else if (type == "EC") {
    key = ec_key(jwk);
    name = "ES256";
  } else if (type == "OKP") {
    key = ed_key(jwk);
    name = "EdDSA";
  }
  if (!key || string_field(jwk, "alg", name) != name) return nullptr;
  const auto found = algorithm_of(key.get());
  if (!found) return nullptr;
  algorithm = *found;
  return key;
}

/// r and s as tokens carry them, in the form OpenSSL wants; empty when they are not 64 bytes.
std::string der_of(std::string_view raw) {
  if (raw.size() != 2 * kHalf) return {};
  const Signature signature(ECDSA_SIG_new());
  Number r = number_of(raw.substr(0, kHalf));
  Number s = number_of(raw.substr(kHalf));
  if (!signature || !r || !s) return {};
  ECDSA_SIG_set0(signature.get(), r.release(), s.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool verify_mac(const std::string& secret, std::string_view text, std::string_view signature) {
  std::array<unsigned char, 32> mac{};
  unsigned int size = mac.size();
  if (signature.size() != mac.size()) return false;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text),
           text.size(), mac.data(), &size) == nullptr) {
    return false;
  }
  return CRYPTO_memcmp(mac.data(), signature.data(), mac.size()) == 0;
}

bool verify_public(EVP_PKEY* key, const EVP_MD* digest, std::string_view text,
                   std::string_view signature) {
  const DigestContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) != 1) {
    return false;
  }
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

}  // namespace

Result<VerifyKey> VerifyKey::from_secret(std::string secret) {
  if (secret.size() < 32) return bad_key("a secret needs at least 32 bytes");
  return VerifyKey(std::move(secret));
}

Result<VerifyKey> VerifyKey::from_pem(const std::string& pem) {
  const QuietErrors quiet;
  const Source source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(source ? PEM_read_bio_PUBKEY(source.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key) return bad_key("it is not a public key in PEM");
  const auto algorithm = algorithm_of(key.get());
  if (!algorithm) return bad_key("it must be RSA of 2048 to 8192 bits, P-256 or Ed25519");
  return VerifyKey(*algorithm, std::shared_ptr<EVP_PKEY>(std::move(key)));
}

bool VerifyKey::verifies(std::string_view signed_part, std::string_view signature) const {
  const QuietErrors quiet;
  switch (algorithm_) {
    case Algorithm::hs256:
      return verify_mac(secret_, signed_part, signature);
    case Algorithm::rs256:
      return verify_public(key_.get(), EVP_sha256(), signed_part, signature);
    case Algorithm::es256: {
      const std::string der = der_of(signature);
      return !der.empty() && verify_public(key_.get(), EVP_sha256(), signed_part, der);
    }
    case Algorithm::eddsa:
      return verify_public(key_.get(), nullptr, signed_part, signature);
  }
  return false;
}

KeySet::KeySet(VerifyKey only) : any_name_(true) {
  keys_.emplace(std::string(), std::move(only));
}

Result<KeySet> KeySet::parse(const std::string& json) {
  auto parsed = parse_json(json);
  if (!parsed.ok()) return bad_set("it is not JSON");
  const Json& keys = array_field(*parsed, "keys");
  if (keys.size() > kKeysMax) return bad_set("it holds more than 64 keys");
  const QuietErrors quiet;
  KeySet out;
  for (const Json& jwk : keys) {
    Algorithm algorithm{};
    Key key = jwk.is_object() ? public_key(jwk, algorithm) : nullptr;
    const std::string kid = string_field(jwk, "kid");
    // Of two keys with one name and algorithm the first counts; unnamed ones may be several.
    if (!key || (!kid.empty() && out.find(algorithm, kid) != nullptr)) continue;
    out.keys_.emplace(kid, VerifyKey(algorithm, std::shared_ptr<EVP_PKEY>(std::move(key))));
  }
  if (out.keys_.empty()) return bad_set("it holds no RSA, P-256 or Ed25519 key for signatures");
  return out;
}

const VerifyKey* KeySet::find(Algorithm algorithm, const std::string& kid) const {
  const VerifyKey* found = nullptr;
  if (!kid.empty() && !any_name_) {
    const auto [from, to] = keys_.equal_range(kid);
    for (auto at = from; at != to; ++at) {
      if (at->second.algorithm() == algorithm) found = &at->second;
    }
    return found;
  }
  for (const auto& [name, key] : keys_) {
    if (key.algorithm() != algorithm) continue;
    if (found != nullptr) return nullptr;  // which of them is not said
    found = &key;
  }
  return found;
}

bool KeySet::knows(const std::string& kid) const {
  return any_name_ || kid.empty() || keys_.contains(kid);
}

}  // namespace mainstay::admission
