// Entropy from the kernel, and SplitMix64 (Steele, Lea, Flood 2014) for repeatable tests.
#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace mainstay {
namespace {

std::uint64_t split_mix(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// Numbers fetched from the kernel at once: 256 bytes, which a signal cannot interrupt.
struct Stock {
  std::array<std::uint64_t, 32> numbers;
  std::size_t used = 32;
};

}  // namespace

std::uint64_t RealRandom::next() noexcept {
  // Ids are made of these and must not be guessed from earlier ids, so no small generator here.
  thread_local Stock stock;
  if (stock.used == stock.numbers.size()) {
    secret_bytes(stock.numbers.data(), sizeof stock.numbers);
    stock.used = 0;
  }
  return std::exchange(stock.numbers[stock.used++], 0);
}

std::uint64_t SeededRandom::next() noexcept {
  return split_mix(state_);
}

void secret_bytes(void* out, std::size_t size) noexcept {
  auto* at = static_cast<unsigned char*>(out);
  while (size > 0) {
    const ssize_t got = ::getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace mainstay
