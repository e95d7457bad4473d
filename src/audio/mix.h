// Samples of any kind and number of channels as one channel of floats, full scale 1; and floats as
// 16 bits. What is no number becomes silence. Pure.
// Used by audio/decoder.cpp, audio/sound.cpp and tests.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace mainstay::audio {

/// Above this (36 dB over full scale) a number is none.
inline constexpr float kLoudest = 64.0F;

/// How a sample becomes a float of full scale 1.
template <class T>
constexpr float kScale = std::is_floating_point_v<T> ? 1.0F
                                                     : 1.0F / (sizeof(T) == 1   ? 128.0F
                                                               : sizeof(T) == 2 ? 32768.0F
                                                                                : 2147483648.0F);
template <class T>
constexpr float value_of(T sample) noexcept {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    return (static_cast<float>(sample) - 128.0F) * kScale<T>;
  } else {
    return static_cast<float>(sample) * kScale<T>;
  }
}

/// The mean of all channels. `step`: samples from one of a channel to its next; planes[c] is the
/// first of channel c.
template <class T>
void mix(const T* const* planes, std::size_t channels, std::size_t step, std::size_t count,
         float* out) noexcept {
  if (channels == 1 && step == 1) {
    for (std::size_t i = 0; i < count; ++i) out[i] = value_of(planes[0][i]);
    return;
  }
  if (channels == 2) {
    const T* const left = planes[0];
    const T* const right = planes[1];
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = (value_of(left[i * step]) + value_of(right[i * step])) * 0.5F;
    }
    return;
  }
  const float share = 1.0F / static_cast<float>(channels);
  for (std::size_t i = 0; i < count; ++i) {
    float sum = 0;
    for (std::size_t c = 0; c < channels; ++c) sum += value_of(planes[c][i * step]);
    out[i] = sum * share;
  }
}

/// How many were no numbers, or far too loud; they are 0 now.
inline std::uint64_t clean(std::span<float> samples) noexcept {
  std::uint32_t bad = 0;
  for (float& sample : samples) {
    const bool fine = std::fabs(sample) <= kLoudest;  // false for what is no number
    bad += fine ? 0 : 1;
    sample = fine ? sample : 0.0F;
  }
  return bad;
}

/// Added to a small float, its last bits are the nearest whole number (ties to even); the compiler
/// makes vectors of that, and not of a call for each sample.
inline constexpr float kRound = 12'582'912.0F;  // 1.5 * 2^23

/// Rounded; what is beyond full scale is cut to it. How many were at full scale or beyond.
inline std::uint64_t to_16_bits(std::span<const float> samples, std::int16_t* out) noexcept {
  std::uint32_t clipped = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const float scaled = samples[i] * 32768.0F;
    clipped += scaled >= 32767.0F || scaled <= -32768.0F ? 1 : 0;
    const float within = std::min(std::max(scaled, -32768.0F), 32767.0F);
    out[i] = static_cast<std::int16_t>(std::bit_cast<std::int32_t>(within + kRound) -
                                       std::bit_cast<std::int32_t>(kRound));
  }
  return clipped;
}

}  // namespace mainstay::audio
