// An issuer for tests: makes keys, key sets and tokens, right ones and forged ones.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <memory>
#include <string>

#include "admission/base64url.h"
#include "base/json.h"

namespace mainstay::admission {

/// One signing key.
class TestKey {
 public:
  static TestKey rsa(std::size_t bits = 2048) {
    return TestKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits), "RS256");
  }
  static TestKey ec(const char* curve = "P-256") {
    return TestKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve), "ES256");
  }
  static TestKey ed() { return TestKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), "EdDSA"); }
  /// RSA keys are slow to make: one for the whole program.
  static const TestKey& shared_rsa() {
    static const TestKey key = rsa();
    return key;
  }

  const char* algorithm() const { return algorithm_; }

  std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(out, key_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
  }

  Json jwk(const std::string& kid) const {
    Json out = {{"kid", kid}, {"use", "sig"}, {"alg", algorithm_}};
    const std::string name = algorithm_;
    if (name == "RS256") {
      out["kty"] = "RSA";
      out["n"] = to_base64url(number(OSSL_PKEY_PARAM_RSA_N, 0));
      out["e"] = to_base64url(number(OSSL_PKEY_PARAM_RSA_E, 0));
    } else if (name == "ES256") {
      out["kty"] = "EC";
      out["crv"] = "P-256";
      out["x"] = to_base64url(number(OSSL_PKEY_PARAM_EC_PUB_X, 32));
      out["y"] = to_base64url(number(OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    } else {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
      out["kty"] = "OKP";
      out["crv"] = "Ed25519";
      out["x"] = to_base64url(raw);
    }
    return out;
  }

  /// Raw signature as tokens carry it.
  std::string sign(const std::string& text) const {
    const bool ed = std::string(algorithm_) == "EdDSA";
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, ed ? nullptr : EVP_sha256(), nullptr, key_.get());
    std::size_t size = 1024;
    std::string out(size, '\0');
    const int signed_well = EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()),
                                           &size, bytes(text), text.size());
    EXPECT_EQ(signed_well, 1);
    EVP_MD_CTX_free(context);
    out.resize(size);
    return std::string(algorithm_) == "ES256" ? raw_of(out) : out;
  }

  static const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }

 private:
  TestKey(EVP_PKEY* key, const char* algorithm) : key_(key, EVP_PKEY_free), algorithm_(algorithm) {
    EXPECT_NE(key, nullptr);
  }
  std::string number(const char* name, std::size_t width) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    std::string out(width > 0 ? width : static_cast<std::size_t>(BN_num_bytes(value)), '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
    BN_free(value);
    return out;
  }
  static std::string raw_of(const std::string& der) {
    const unsigned char* at = bytes(der);
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string out(64, '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), to, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), to + 32, 32);
    ECDSA_SIG_free(signature);
    return out;
  }
  std::shared_ptr<EVP_PKEY> key_;
  const char* algorithm_;
};

inline std::string unsigned_token(const std::string& header, const std::string& claims) {
  return to_base64url(header) + "." + to_base64url(claims);
}
/// A token with any header and claims, signed by `key`.
inline std::string token_of(const TestKey& key, const std::string& header,
                            const std::string& claims) {
  const std::string text = unsigned_token(header, claims);
  return text + "." + to_base64url(key.sign(text));
}
inline std::string hmac_token(const std::string& secret, const std::string& header,
                              const std::string& claims) {
  const std::string text = unsigned_token(header, claims);
  std::string mac(32, '\0');
  unsigned int size = 32;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), TestKey::bytes(text),
       text.size(), reinterpret_cast<unsigned char*>(mac.data()), &size);
  return text + "." + to_base64url(mac);
}
inline std::string header_of(const char* algorithm, const std::string& kid = {}) {
  Json out = {{"alg", algorithm}, {"typ", "JWT"}};
  if (!kid.empty()) out["kid"] = kid;
  return out.dump();
}
inline std::string set_of(std::initializer_list<Json> keys) {
  Json out = {{"keys", Json::array()}};
  for (const Json& key : keys) out["keys"].push_back(key);
  return out.dump();
}

}  // namespace mainstay::admission
