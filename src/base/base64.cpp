// Written by OpenSSL; read here, because its reader passes over blanks, and with a look for them
// takes twice as long.
#include "base/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace mainstay {
namespace {
constexpr std::size_t kMost = std::numeric_limits<int>::max() / 2;

/// Of each letter its six bits; what is no letter has the bit above them.
constexpr std::uint8_t kNoLetter = 0x40;
constexpr std::array<std::uint8_t, 256> kSixBits = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(kNoLetter);
  std::uint8_t next = 0;
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
    out[static_cast<unsigned char>(c)] = next++;
  }
  return out;
}();

struct Four {
  std::uint32_t bits = 0;  ///< 24
  std::uint32_t seen = 0;  ///< of all four together, for kNoLetter
};

Four four_of(const char* at) noexcept {
  const auto six = [at](std::size_t i) {
    return std::uint32_t{kSixBits[static_cast<unsigned char>(at[i])]};
  };
  const std::uint32_t a = six(0), b = six(1), c = six(2), d = six(3);
  return {a << 18 | b << 12 | c << 6 | d, a | b | c | d};
}

void write(std::uint32_t bits, char* to) noexcept {
  to[0] = static_cast<char>(bits >> 16);
  to[1] = static_cast<char>(bits >> 8);
  to[2] = static_cast<char>(bits);
}

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
  std::string out(text.size() / 4 * 3, '\0');
  const std::size_t whole = text.size() - (padding > 0 ? 4 : 0);
  const char* from = text.data();
  char* to = out.data();
  std::uint32_t seen = 0;
  for (const char* end = from + whole; from != end; from += 4, to += 3) {
    const Four four = four_of(from);
    seen |= four.seen;
    write(four.bits, to);
  }
  if (padding > 0) {
    std::array<char, 4> last{'A', 'A', 'A', 'A'};
    std::copy_n(from, 4 - padding, last.begin());
    const Four four = four_of(last.data());
    seen |= four.seen;
    write(four.bits, to);
  }
  if ((seen & kNoLetter) != 0) return std::nullopt;
  out.resize(out.size() - padding);
  return out;
}

}  // namespace mainstay
