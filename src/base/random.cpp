// Entropy from the kernel, and SplitMix64 (Steele, Lea, Flood 2014) for everything not secret.
#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace mainstay {
namespace {

std::uint64_t split_mix(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::uint64_t seed_from_kernel() noexcept {
  std::uint64_t seed = 0;
  secret_bytes(&seed, sizeof seed);
  return seed;
}

}  // namespace

std::uint64_t RealRandom::next() noexcept {
  thread_local std::uint64_t state = seed_from_kernel();
  return split_mix(state);
}

std::uint64_t SeededRandom::next() noexcept { return split_mix(state_); }

void secret_bytes(void* out, std::size_t size) noexcept {
  auto* at = static_cast<unsigned char*>(out);
  while (size > 0) {
    const ssize_t got = ::getrandom(at, size, 0);
    CHECK(got > 0);
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace mainstay
