// The special ranges of IANA's registries for IPv4 and IPv6.
#include "base/public_address.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mainstay {
namespace {

using V4 = boost::asio::ip::address_v4;
using V6 = boost::asio::ip::address_v6;

struct Block {
  std::uint32_t start;
  unsigned bits;
};

constexpr std::array kSpecial = {
    Block{0x00000000, 8},   // this network
    Block{0x0A000000, 8},   // private
    Block{0x64400000, 10},  // shared by providers
    Block{0x7F000000, 8},   // loopback
    Block{0xA9FE0000, 16},  // link-local
    Block{0xAC100000, 12},  // private
    Block{0xC0000000, 24},  // protocol assignments
    Block{0xC0000200, 24},  // documentation
    Block{0xC0586300, 24},  // 6to4 relays
    Block{0xC0A80000, 16},  // private
    Block{0xC6120000, 15},  // benchmarks
    Block{0xC6336400, 24},  // documentation
    Block{0xCB007100, 24},  // documentation
    Block{0xE0000000, 3},   // multicast, reserved, broadcast
};

bool is_public_v4(V4 address) noexcept {
  const std::uint32_t bits = address.to_uint();
  for (const auto& block : kSpecial) {
    if ((bits ^ block.start) >> (32 - block.bits) == 0) return false;
  }
  return true;
}

bool is_public_v6(const V6& address) noexcept {
  const auto b = address.to_bytes();
  // 64:ff9b::/96 leads to the IPv4 address in its last four bytes.
  constexpr std::array<unsigned char, 12> kTranslated = {0, 0x64, 0xFF, 0x9B};
  if (std::equal(kTranslated.begin(), kTranslated.end(), b.begin())) {
    return is_public_v4(V4(V4::bytes_type{b[12], b[13], b[14], b[15]}));
  }
  if ((b[0] & 0xE0) != 0x20) return false;  // 2000::/3 alone is global unicast
  const unsigned head = (unsigned{b[0]} << 8) | b[1];
  const unsigned next = (unsigned{b[2]} << 8) | b[3];
  if (head == 0x2002) return false;                    // 6to4: any IPv4 address
  if (head == 0x2001 && next < 0x0200) return false;   // Teredo, benchmarks, protocols
  if (head == 0x2001 && next == 0x0DB8) return false;  // documentation
  return (head & 0xFFF0) != 0x3FF0;                    // documentation
}

}  // namespace

bool is_public(const boost::asio::ip::address& address) noexcept {
  if (address.is_v4()) return is_public_v4(address.to_v4());
  const V6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    const auto b = v6.to_bytes();
    return is_public_v4(V4(V4::bytes_type{b[12], b[13], b[14], b[15]}));
  }
  return is_public_v6(v6);
}

}  // namespace mainstay
