// OpenSSL does the letters; length and padding are looked at here.
#include "base/base64.h"

#include <openssl/evp.h>

#include <array>
#include <limits>

namespace mainstay {
namespace {
constexpr std::size_t kMost = std::numeric_limits<int>::max() / 2;

constexpr std::array<bool, 256> kLetters = [] {
  std::array<bool, 256> out{};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
    out[static_cast<unsigned char>(c)] = true;
  }
  return out;
}();
}  // namespace

std::string to_base64(std::string_view bytes) {
  if (bytes.size() > kMost) return {};
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > kMost) return std::nullopt;
  if (text.empty()) return std::string();
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  // OpenSSL would pass over blanks at either end.
  const std::string_view letters = text.substr(0, text.size() - padding);
  bool all = true;
  for (const char c : letters) all &= kLetters[static_cast<unsigned char>(c)];
  if (!all) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

}  // namespace mainstay
