// Randomness, injected. Only base/random.cpp asks the machine for entropy.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainstay {

/// Source of random numbers. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() noexcept = 0;
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
};

/// Numbers of the kernel's generator, fetched in blocks by each thread; for keys and tokens use
/// secret_bytes(), which leaves no copy.
class RealRandom final : public Random {
 public:
  std::uint64_t next() noexcept override;
};

/// The same numbers for the same seed; for tests. Single-threaded.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept override;

 private:
  std::uint64_t state_;
};

/// Fills `out` from the kernel's generator; for keys and tokens. Stops the process on failure.
void secret_bytes(void* out, std::size_t size) noexcept;

}  // namespace mainstay
