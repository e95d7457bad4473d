// Sound of a microphone that is made up: somebody speaks, or nobody does.
// Used by the tests of listening.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

namespace mainstay::api::test {

/// Bytes of so many milliseconds: a voice-like hum, or next to nothing.
inline std::string hum(std::uint32_t ms, std::uint32_t rate) {
  std::string out;
  for (std::uint32_t i = 0; i < ms * rate / 1000; ++i) {
    const double t = static_cast<double>(i) / rate;
    const double wave = std::sin(2 * M_PI * 140 * t) + 0.5 * std::sin(2 * M_PI * 700 * t);
    const auto sample = static_cast<std::int16_t>(8000 * wave * (1 + 0.5 * std::sin(20 * t)));
    out += static_cast<char>(sample & 0xff);
    out += static_cast<char>(sample >> 8 & 0xff);
  }
  return out;
}
inline std::string quiet(std::uint32_t ms, std::uint32_t rate) {
  return std::string(std::size_t{ms} * rate / 1000 * 2, '\0');
}

}  // namespace mainstay::api::test
