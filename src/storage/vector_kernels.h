// Dot products of eight-bit vectors and sums over sketches, one query against many rows, with the
// widest instructions that this machine has. Used by vector_index and vector_scan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "storage/vector_sketch.h"

namespace mainstay::storage {

/// Rows begin at multiples of this many bytes and are filled up with zeros.
inline constexpr std::size_t kRowAlign = 64;
inline constexpr std::size_t stride_of(std::size_t dimension) noexcept {
  return (dimension + kRowAlign - 1) / kRowAlign * kRowAlign;
}

/// out[i] = sum of query[j] * rows[i * stride + j]. Query and rows are aligned to kRowAlign,
/// `stride` is a multiple of it, and no byte is -128. Every kernel gives the same numbers.
using DotsOf = void (*)(const std::int8_t* query, const std::int8_t* rows, std::size_t count,
                        std::size_t stride, std::int32_t* out) noexcept;

struct Kernel {
  std::string_view name;  ///< avx512-vnni avx2 neon-dot neon plain
  DotsOf dots = nullptr;
  SumsOf sums = nullptr;
  ReachOf reach = nullptr;
};

/// Those that this machine can run, the quickest first, plain last. Looked for once.
std::span<const Kernel> kernels() noexcept;
inline const Kernel& best_kernel() noexcept {
  return kernels().front();
}

}  // namespace mainstay::storage
