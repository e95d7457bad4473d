// Bytes, tokens, percent: numbers that say what they count.
#pragma once

#include <compare>
#include <cstdint>

namespace mainstay {

/// A size in bytes.
struct Bytes {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Bytes, Bytes) = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.value + b.value}; }
};
constexpr Bytes operator""_B(unsigned long long n) {
  return {n};
}
constexpr Bytes operator""_KiB(unsigned long long n) {
  return {n << 10};
}
constexpr Bytes operator""_MiB(unsigned long long n) {
  return {n << 20};
}
constexpr Bytes operator""_GiB(unsigned long long n) {
  return {n << 30};
}

/// A count of model tokens.
struct Tokens {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Tokens, Tokens) = default;
};

}  // namespace mainstay
