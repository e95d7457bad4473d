// ULID-shaped ids.
#include "base/ids.h"

#include <cstdint>

namespace mainstay {

std::string make_id(const char* prefix, const Clock& clock, Random& random) {
  static constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string out(prefix);
  const auto ms = static_cast<std::uint64_t>(micros(clock.wall()) / 1000);
  for (int shift = 45; shift >= 0; shift -= 5) out += kAlphabet[(ms >> shift) & 31];
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random.next();
    for (int i = 0; i < 8; ++i, bits >>= 5) out += kAlphabet[bits & 31];
  }
  return out;
}

}  // namespace mainstay
