// The layout: for each group of four numbers sixteen bytes; byte r holds the nibble of row r below
// and that of row r + 16 above.
#include "storage/vector_sketch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace mainstay::storage {
namespace {

constexpr std::size_t kAlign = 32;
constexpr std::size_t kHalf = kSketchRows / 2;
/// Of one lookup: two still fit a byte, so that sums are widened for every second one.
constexpr double kMostOfGroup = 127;

unsigned nibble(const std::int8_t* four) noexcept {
  unsigned out = 0;
  for (unsigned bit = 0; bit < 4; ++bit) out |= (four[bit] >= 0 ? 1U : 0U) << bit;
  return out;
}

}  // namespace

void write_sketch(const std::int8_t* codes, std::size_t stride, std::uint8_t* to) noexcept {
  for (std::size_t group = 0; group < stride / 4; ++group) {
    for (std::size_t row = 0; row < kHalf; ++row) {
      const std::int8_t* at = codes + row * stride + group * 4;
      *to++ = static_cast<std::uint8_t>(nibble(at) | nibble(at + kHalf * stride) << 4);
    }
  }
}

SketchTables::SketchTables(const std::int8_t* codes, std::size_t stride)
    : values_(stride / 4 * 16 + kAlign) {
  const auto at = reinterpret_cast<std::uintptr_t>(values_.data());
  lead_ = (kAlign - at % kAlign) % kAlign;
  const std::size_t groups = stride / 4;
  int widest = 1;
  std::int64_t all = 1;
  for (std::size_t group = 0; group < groups; ++group) {
    int width = 0;
    for (std::size_t i = 0; i < 4; ++i) width += 2 * std::abs(int{codes[group * 4 + i]});
    widest = std::max(widest, width);
    all += width;
  }
  const double step = std::min(kMostOfGroup / widest, 65'535.0 / static_cast<double>(all));
  for (std::size_t group = 0; group < groups; ++group) {
    const std::int8_t* four = codes + group * 4;
    for (unsigned signs = 0; signs < 16; ++signs) {
      int above = 0;  // the sum less the least that any choice gives
      for (unsigned bit = 0; bit < 4; ++bit) {
        const bool same = ((signs >> bit & 1U) != 0) == (four[bit] >= 0);
        if (same) above += 2 * std::abs(int{four[bit]});
      }
      values_[lead_ + group * 16 + signs] = static_cast<std::uint8_t>(std::floor(above * step));
    }
  }
}

void plain_sums(const std::uint8_t* tables, const std::uint8_t* sketches, std::size_t blocks,
                std::size_t stride, std::uint16_t* out) noexcept {
  for (std::size_t block = 0; block < blocks; ++block, out += kSketchRows) {
    std::array<unsigned, kSketchRows> sums{};
    for (std::size_t group = 0; group < stride / 4; ++group, sketches += kHalf) {
      const std::uint8_t* table = tables + group * 16;
      for (std::size_t row = 0; row < kHalf; ++row) {
        sums[row] += table[sketches[row] & 15U];
        sums[row + kHalf] += table[sketches[row] >> 4];
      }
    }
    for (std::size_t row = 0; row < kSketchRows; ++row) {
      out[row] = static_cast<std::uint16_t>(sums[row]);
    }
  }
}

std::uint32_t plain_reach(const std::uint16_t* sums, std::uint16_t least) noexcept {
  std::uint32_t out = 0;
  for (std::size_t row = 0; row < kSketchRows; ++row) {
    out |= (sums[row] >= least ? 1U : 0U) << row;
  }
  return out;
}

#if defined(__x86_64__)

#define MAINSTAY_AVX2 __attribute__((target("avx2")))

namespace {

/// Sums of bytes in sixteen-bit places: `both` holds even + 256 * odd, `odd` the odd ones, so that
/// adding up needs no widening. Modulo 65,536, which the whole sum stays below.
struct Lookups {
  __m256i both;
  __m256i odd;
};

/// Of the lower and the upper nibbles of 32 bytes.
struct Found {
  __m256i below;
  __m256i above;
};

MAINSTAY_AVX2 Found look_up(const std::uint8_t* tables, const std::uint8_t* sketches) noexcept {
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i table = _mm256_load_si256(reinterpret_cast<const __m256i*>(tables));
  const __m256i rows = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sketches));
  const __m256i above = _mm256_and_si256(_mm256_srli_epi16(rows, 4), low);
  return {_mm256_shuffle_epi8(table, _mm256_and_si256(rows, low)),
          _mm256_shuffle_epi8(table, above)};
}

MAINSTAY_AVX2 void add(Lookups& sums, __m256i found) noexcept {
  sums.both = _mm256_add_epi16(sums.both, found);
  sums.odd = _mm256_add_epi16(sums.odd, _mm256_srli_epi16(found, 8));
}

/// The two lanes are two groups of the same sixteen rows.
MAINSTAY_AVX2 void write(const Lookups& sums, std::uint16_t* out) noexcept {
  const __m256i even = _mm256_sub_epi16(sums.both, _mm256_slli_epi16(sums.odd, 8));
  const __m128i evens =
      _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
  const __m128i odds =
      _mm_add_epi16(_mm256_castsi256_si128(sums.odd), _mm256_extracti128_si256(sums.odd, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi16(evens, odds));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 8), _mm_unpackhi_epi16(evens, odds));
}

}  // namespace

MAINSTAY_AVX2 void avx2_sums(const std::uint8_t* tables, const std::uint8_t* sketches,
                             std::size_t blocks, std::size_t stride, std::uint16_t* out) noexcept {
  const std::size_t bytes = sketch_bytes(stride);  // a multiple of 64: two groups in each load
  for (std::size_t block = 0; block < blocks; ++block, sketches += bytes, out += kSketchRows) {
    Lookups first{_mm256_setzero_si256(), _mm256_setzero_si256()};
    Lookups second = first;
    for (std::size_t at = 0; at < bytes; at += 64) {
      const Found one = look_up(tables + at, sketches + at);
      const Found two = look_up(tables + at + 32, sketches + at + 32);
      add(first, _mm256_add_epi8(one.below, two.below));
      add(second, _mm256_add_epi8(one.above, two.above));
    }
    write(first, out);
    write(second, out + kHalf);
  }
}

MAINSTAY_AVX2 std::uint32_t avx2_reach(const std::uint16_t* sums, std::uint16_t least) noexcept {
  const __m256i bound = _mm256_set1_epi16(static_cast<std::int16_t>(least));
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
  const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + kHalf));
  const __m256i a = _mm256_cmpeq_epi16(_mm256_max_epu16(first, bound), first);
  const __m256i b = _mm256_cmpeq_epi16(_mm256_max_epu16(second, bound), second);
  // Packing goes lane by lane; the permutation puts the quarters in order again.
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(packed));
}

#elif defined(__aarch64__)

void neon_sums(const std::uint8_t* tables, const std::uint8_t* sketches, std::size_t blocks,
               std::size_t stride, std::uint16_t* out) noexcept {
  const std::size_t bytes = sketch_bytes(stride);
  for (std::size_t block = 0; block < blocks; ++block, out += kSketchRows) {
    std::array<uint16x8_t, 4> sums;
    sums.fill(vdupq_n_u16(0));
    for (std::size_t at = 0; at < bytes; at += 2 * kHalf, sketches += 2 * kHalf) {
      const uint8x16_t one_table = vld1q_u8(tables + at);
      const uint8x16_t two_table = vld1q_u8(tables + at + kHalf);
      const uint8x16_t one = vld1q_u8(sketches);
      const uint8x16_t two = vld1q_u8(sketches + kHalf);
      const uint8x16_t below = vaddq_u8(vqtbl1q_u8(one_table, vandq_u8(one, vdupq_n_u8(15))),
                                        vqtbl1q_u8(two_table, vandq_u8(two, vdupq_n_u8(15))));
      const uint8x16_t above = vaddq_u8(vqtbl1q_u8(one_table, vshrq_n_u8(one, 4)),
                                        vqtbl1q_u8(two_table, vshrq_n_u8(two, 4)));
      sums[0] = vaddw_u8(sums[0], vget_low_u8(below));
      sums[1] = vaddw_high_u8(sums[1], below);
      sums[2] = vaddw_u8(sums[2], vget_low_u8(above));
      sums[3] = vaddw_high_u8(sums[3], above);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) vst1q_u16(out + 8 * i, sums[i]);
  }
}

#endif

}  // namespace mainstay::storage
