// OpenSSL's digest in pieces.
#include "base/md5.h"

#include <openssl/evp.h>

#include <array>
#include <new>

#include "base/sha256.h"

namespace mainstay {

struct Md5::State {
  State() : context(EVP_MD_CTX_new()) {
    if (context == nullptr) throw std::bad_alloc();
    if (EVP_DigestInit_ex(context, EVP_md5(), nullptr) == 1) return;
    EVP_MD_CTX_free(context);
    throw std::bad_alloc();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  EVP_MD_CTX* context;
};

Md5::Md5() : state_(std::make_unique<State>()) {}
Md5::~Md5() = default;

void Md5::update(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Md5::hex() {
  std::array<char, 16> digest{};
  EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  return hex_digits({digest.data(), digest.size()});
}

}  // namespace mainstay
