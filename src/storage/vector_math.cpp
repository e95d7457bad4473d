// Plain arithmetic. The loops run in lanes, so that a compiler may use wide registers without
// changing the order of additions.
#include "storage/vector_math.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace mainstay::storage {

static_assert(std::endian::native == std::endian::little, "the stored form is little-endian");

namespace {
constexpr std::size_t kLanes = 16;
constexpr float kCodeMax = 127;
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
  double sum = 0;
  for (const float value : values) sum += double(value) * double(value);
  if (sum <= 0) return;
  const double factor = 1 / std::sqrt(sum);
  for (float& value : values) value = static_cast<float>(double(value) * factor);
}

bool all_finite(const std::vector<float>& values) noexcept {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

Code encode(const std::vector<float>& values) {
  Code out;
  out.values.resize(values.size());
  float most = 0;
  for (const float value : values) most = std::max(most, std::fabs(value));
  if (most <= 0) return out;
  out.scale = most / kCodeMax;
  const float factor = kCodeMax / most;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float scaled = values[i] * factor;
    const float rounded = scaled < 0 ? scaled - 0.5F : scaled + 0.5F;
    out.values[i] = static_cast<std::int8_t>(std::clamp(rounded, -kCodeMax, kCodeMax));
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

std::string pack(const std::vector<float>& values) {
  std::string out(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
  return out;
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
