// Plain arithmetic. The loops run in lanes, so that a compiler may use wide registers without
// changing the order of additions.
#include "storage/vector_math.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

namespace mainstay::storage {

static_assert(std::endian::native == std::endian::little, "the stored form is little-endian");

namespace {
constexpr std::size_t kLanes = 16;
constexpr std::int32_t kMostCode = 127;
constexpr float kCodeMax = kMostCode;

float largest(const std::vector<float>& values) noexcept {
  std::array<float, kLanes> most{};
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = std::fabs(values[i + lane]);
      most[lane] = most[lane] < value ? value : most[lane];
    }
  }
  for (; i < values.size(); ++i) most[0] = std::max(most[0], std::fabs(values[i]));
  return *std::max_element(most.begin(), most.end());
}

}  // namespace

float dot(const float* a, const float* b, std::size_t count) noexcept {
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (std::size_t lane = 0; i < count; ++i, ++lane) sums[lane] += a[i] * b[i];
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

void to_unit_length(std::vector<float>& values) noexcept {
  // In double: squares of large floats must not overflow, nor those of small ones vanish.
  std::array<double, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += double(values[i + lane]) * double(values[i + lane]);
    }
  }
  for (; i < values.size(); ++i) sums[0] += double(values[i]) * double(values[i]);
  const double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  if (sum <= 0) return;
  const double factor = 1 / std::sqrt(sum);
  for (float& value : values) value = static_cast<float>(double(value) * factor);
}

bool all_finite(const std::vector<float>& values) noexcept {
  // All bits of the exponent are set in what is not finite. Without a way out of the loop, and in
  // integers, so that many are looked at together.
  constexpr std::uint32_t kExponent = 0x7f80'0000;
  std::uint32_t found = 0;
  for (const float value : values) {
    found |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  }
  return found == 0;
}

Code encode(const std::vector<float>& values) {
  Code out;
  out.values.resize(values.size());
  const float most = largest(values);
  if (most <= 0) return out;
  out.scale = most / kCodeMax;
  const float factor = kCodeMax / most;
  for (std::size_t i = 0; i < values.size(); ++i) {
    // To the nearest; rounding may carry the largest a little beyond.
    const float scaled = values[i] * factor;
    const auto rounded = static_cast<std::int32_t>(scaled + std::copysign(0.5F, scaled));
    out.values[i] = static_cast<std::int8_t>(std::min(std::max(rounded, -kMostCode), kMostCode));
  }
  return out;
}

std::string pack(const Code& code) {
  std::string out(packed_code_size(code.values.size()), '\0');
  std::memcpy(out.data(), &code.scale, sizeof(float));
  if (!code.values.empty()) {
    std::memcpy(out.data() + sizeof(float), code.values.data(), code.values.size());
  }
  return out;
}

std::string_view bytes_of(const std::vector<float>& values) noexcept {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

bool unpack_floats(std::string_view bytes, std::size_t dimension, std::vector<float>& into) {
  if (bytes.size() != dimension * sizeof(float)) return false;
  into.resize(dimension);
  if (dimension > 0) std::memcpy(into.data(), bytes.data(), bytes.size());
  return true;
}

float scale_of(std::string_view packed) noexcept {
  float out = 0;
  if (packed.size() >= sizeof(float)) std::memcpy(&out, packed.data(), sizeof(float));
  return out;
}

}  // namespace mainstay::storage
