// One channel of floats from any rate to one: libswresample's filter, fed in large pieces.
// Used by audio/sound.cpp and audio/speak.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "audio/ffmpeg.h"

namespace mainstay::audio {

/// Takes samples of the target rate, 16 bits.
using TakeSamples = std::function<void(std::span<const std::int16_t>)>;

class Resampler {
 public:
  Resampler(std::uint32_t target, TakeSamples take) : target_(target), take_(std::move(take)) {}

  /// Of a rate from 4,000 on. Another rate than before ends what came before.
  void feed(std::span<const float> samples, std::uint32_t rate);
  /// What the filter still holds. Others may follow.
  void finish();
  /// Samples given out, and how many of them at full scale.
  std::uint64_t given() const noexcept { return given_; }
  std::uint64_t clipped() const noexcept { return clipped_; }

 private:
  void convert(const float* samples, std::size_t count);
  void give(std::span<const float> samples);
  const std::uint32_t target_;
  const TakeSamples take_;
  Swr swr_;
  std::uint32_t rate_ = 0;
  std::vector<float> out_;
  std::vector<std::int16_t> words_;
  std::uint64_t given_ = 0;
  std::uint64_t clipped_ = 0;
};

}  // namespace mainstay::audio
