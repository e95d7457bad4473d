// One bit for each number of a vector, its sign: an eighth of the codes' memory. A scan of many
// rows looks at these first and at the codes of the best alone. Used by vector_index and
// vector_scan.
//
// Rows lie in blocks of 32. Four bits of a row are a nibble, and the nibble chooses one of sixteen
// sums of the query's numbers, so that one shuffle instruction looks up 32 rows at once (the
// layout of "Quicker ADC", Andre et al. 2019, with one bit for each number).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mainstay::storage {

inline constexpr std::size_t kSketchRows = 32;
/// Of one block; `stride` is a multiple of 64, as stride_of() gives it.
inline constexpr std::size_t sketch_bytes(std::size_t stride) noexcept {
  return stride / 4 * (kSketchRows / 2);
}

/// Writes the block of the 32 rows whose codes begin at `codes`.
void write_sketch(const std::int8_t* codes, std::size_t stride, std::uint8_t* to) noexcept;

/// For each group of four numbers, the sums of the query's with every choice of signs, in steps
/// that let the sum over all groups fit sixteen bits. Aligned for the widest loads.
class SketchTables {
 public:
  /// `codes`: the query's, `stride` of them.
  SketchTables(const std::int8_t* codes, std::size_t stride);
  const std::uint8_t* data() const noexcept { return values_.data() + lead_; }

 private:
  std::vector<std::uint8_t> values_;
  std::size_t lead_ = 0;
};

/// out[i], 32 for each block: about the dot product, on a scale of the query's own; larger is
/// nearer. Every kernel gives the same numbers.
using SumsOf = void (*)(const std::uint8_t* tables, const std::uint8_t* sketches,
                        std::size_t blocks, std::size_t stride, std::uint16_t* out) noexcept;

/// A bit for each of 32 sums that is `least` or more.
using ReachOf = std::uint32_t (*)(const std::uint16_t* sums, std::uint16_t least) noexcept;

std::uint32_t plain_reach(const std::uint16_t* sums, std::uint16_t least) noexcept;
void plain_sums(const std::uint8_t* tables, const std::uint8_t* sketches, std::size_t blocks,
                std::size_t stride, std::uint16_t* out) noexcept;
/// With the instructions named; to be called where the machine has them.
#if defined(__x86_64__)
void avx2_sums(const std::uint8_t* tables, const std::uint8_t* sketches, std::size_t blocks,
               std::size_t stride, std::uint16_t* out) noexcept;
std::uint32_t avx2_reach(const std::uint16_t* sums, std::uint16_t least) noexcept;
#elif defined(__aarch64__)
void neon_sums(const std::uint8_t* tables, const std::uint8_t* sketches, std::size_t blocks,
               std::size_t stride, std::uint16_t* out) noexcept;
#endif

}  // namespace mainstay::storage
