// One function for each set of instructions, compiled for it alone and chosen when the program
// runs.
#include "storage/vector_kernels.h"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace mainstay::storage {
namespace {

void plain(const std::int8_t* query, const std::int8_t* rows, std::size_t count, std::size_t stride,
           std::int32_t* out) noexcept {
  for (std::size_t row = 0; row < count; ++row, rows += stride) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < stride; ++i) {
      sum += std::int32_t(query[i]) * std::int32_t(rows[i]);
    }
    out[row] = sum;
  }
}

#if defined(__x86_64__)

#define MAINSTAY_AVX2 __attribute__((target("avx2")))
#define MAINSTAY_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

const __m256i* as256(const std::int8_t* at) {
  return reinterpret_cast<const __m256i*>(at);
}

MAINSTAY_AVX2 std::int32_t sum_of(__m256i sums) noexcept {
  const __m128i half =
      _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  const __m128i quarter = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0xb1)));
}

/// maddubs multiplies unsigned by signed: the query's sign goes to the row. Two products of at most
/// 127 * 127 fit its sixteen bits.
MAINSTAY_AVX2 void avx2(const std::int8_t* query, const std::int8_t* rows, std::size_t count,
                        std::size_t stride, std::int32_t* out) noexcept {
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::size_t row = 0; row < count; ++row, rows += stride) {
    __m256i low = _mm256_setzero_si256();
    __m256i high = _mm256_setzero_si256();
    for (std::size_t i = 0; i < stride; i += kRowAlign) {
      const __m256i q0 = _mm256_load_si256(as256(query + i));
      const __m256i q1 = _mm256_load_si256(as256(query + i + 32));
      const __m256i r0 = _mm256_sign_epi8(_mm256_load_si256(as256(rows + i)), q0);
      const __m256i r1 = _mm256_sign_epi8(_mm256_load_si256(as256(rows + i + 32)), q1);
      const __m256i p0 = _mm256_maddubs_epi16(_mm256_abs_epi8(q0), r0);
      const __m256i p1 = _mm256_maddubs_epi16(_mm256_abs_epi8(q1), r1);
      low = _mm256_add_epi32(low, _mm256_madd_epi16(p0, ones));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(p1, ones));
    }
    out[row] = sum_of(_mm256_add_epi32(low, high));
  }
}

/// dpbusd multiplies unsigned by signed: rows are lifted by 128, and what that adds to each sum,
/// 128 times the query's, is taken off again.
MAINSTAY_VNNI void vnni(const std::int8_t* query, const std::int8_t* rows, std::size_t count,
                        std::size_t stride, std::int32_t* out) noexcept {
  const __m512i lift = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sums = _mm512_setzero_si512();
  for (std::size_t i = 0; i < stride; i += kRowAlign) {
    sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), _mm512_load_si512(query + i));
  }
  const std::int32_t lifted = 128 * _mm512_reduce_add_epi32(sums);
  std::size_t row = 0;
  for (; row + 4 <= count; row += 4, rows += 4 * stride) {
    __m512i s0 = _mm512_setzero_si512();
    __m512i s1 = s0;
    __m512i s2 = s0;
    __m512i s3 = s0;
    for (std::size_t i = 0; i < stride; i += kRowAlign) {
      const __m512i q = _mm512_load_si512(query + i);
      const std::int8_t* at = rows + i;
      s0 = _mm512_dpbusd_epi32(s0, _mm512_xor_si512(_mm512_load_si512(at), lift), q);
      at += stride;
      s1 = _mm512_dpbusd_epi32(s1, _mm512_xor_si512(_mm512_load_si512(at), lift), q);
      at += stride;
      s2 = _mm512_dpbusd_epi32(s2, _mm512_xor_si512(_mm512_load_si512(at), lift), q);
      at += stride;
      s3 = _mm512_dpbusd_epi32(s3, _mm512_xor_si512(_mm512_load_si512(at), lift), q);
    }
    out[row] = _mm512_reduce_add_epi32(s0) - lifted;
    out[row + 1] = _mm512_reduce_add_epi32(s1) - lifted;
    out[row + 2] = _mm512_reduce_add_epi32(s2) - lifted;
    out[row + 3] = _mm512_reduce_add_epi32(s3) - lifted;
  }
  for (; row < count; ++row, rows += stride) {
    __m512i s = _mm512_setzero_si512();
    for (std::size_t i = 0; i < stride; i += kRowAlign) {
      const __m512i r = _mm512_xor_si512(_mm512_load_si512(rows + i), lift);
      s = _mm512_dpbusd_epi32(s, r, _mm512_load_si512(query + i));
    }
    out[row] = _mm512_reduce_add_epi32(s) - lifted;
  }
}

#elif defined(__aarch64__)

void neon(const std::int8_t* query, const std::int8_t* rows, std::size_t count, std::size_t stride,
          std::int32_t* out) noexcept {
  for (std::size_t row = 0; row < count; ++row, rows += stride) {
    int32x4_t low = vdupq_n_s32(0);
    int32x4_t high = vdupq_n_s32(0);
    for (std::size_t i = 0; i < stride; i += 16) {
      const int8x16_t q = vld1q_s8(query + i);
      const int8x16_t r = vld1q_s8(rows + i);
      low = vpadalq_s16(low, vmull_s8(vget_low_s8(q), vget_low_s8(r)));
      high = vpadalq_s16(high, vmull_s8(vget_high_s8(q), vget_high_s8(r)));
    }
    out[row] = vaddvq_s32(vaddq_s32(low, high));
  }
}

__attribute__((target("dotprod"))) void neon_dot(const std::int8_t* query, const std::int8_t* rows,
                                                 std::size_t count, std::size_t stride,
                                                 std::int32_t* out) noexcept {
  for (std::size_t row = 0; row < count; ++row, rows += stride) {
    int32x4_t low = vdupq_n_s32(0);
    int32x4_t high = vdupq_n_s32(0);
    for (std::size_t i = 0; i < stride; i += 32) {
      low = vdotq_s32(low, vld1q_s8(query + i), vld1q_s8(rows + i));
      high = vdotq_s32(high, vld1q_s8(query + i + 16), vld1q_s8(rows + i + 16));
    }
    out[row] = vaddvq_s32(vaddq_s32(low, high));
  }
}

#endif

struct Known {
  std::array<Kernel, 3> all;
  std::size_t count = 0;
  void add(Kernel kernel) { all[count++] = kernel; }
};

Known look() {
  Known known;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")) {
    known.add({"avx512-vnni", vnni, avx2_sums, avx2_reach});
  }
  if (__builtin_cpu_supports("avx2")) known.add({"avx2", avx2, avx2_sums, avx2_reach});
#elif defined(__aarch64__)
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0)
    known.add({"neon-dot", neon_dot, neon_sums, plain_reach});
  known.add({"neon", neon, neon_sums, plain_reach});
#endif
  known.add({"plain", plain, plain_sums, plain_reach});
  return known;
}

}  // namespace

std::span<const Kernel> kernels() noexcept {
  static const Known known = look();
  return {known.all.data(), known.count};
}

}  // namespace mainstay::storage
