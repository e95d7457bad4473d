// libswresample, one channel, floats on both sides.
#include "audio/resample.h"

#include <new>

#include "audio/mix.h"

namespace mainstay::audio {
namespace {

constexpr std::size_t kPiece = 16 * 1024;

Swr make(std::uint32_t target, std::uint32_t rate) {
  AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  SwrContext* out = nullptr;
  const int failed =
      swr_alloc_set_opts2(&out, &mono, AV_SAMPLE_FMT_FLT, static_cast<int>(target), &mono,
                          AV_SAMPLE_FMT_FLT, static_cast<int>(rate), 0, nullptr);
  Swr owned(out);
  if (failed < 0 || swr_init(out) < 0) throw std::bad_alloc();
  return owned;
}

}  // namespace

void Resampler::feed(std::span<const float> samples, std::uint32_t rate) {
  if (rate != rate_) {
    finish();
    rate_ = rate;
    if (rate != target_) swr_ = make(target_, rate);
  }
  while (!samples.empty()) {
    const auto piece = samples.first(std::min(samples.size(), kPiece));
    samples = samples.subspan(piece.size());
    if (swr_) {
      convert(piece.data(), piece.size());
    } else {
      give(piece);
    }
  }
}

void Resampler::finish() {
  if (swr_) convert(nullptr, 0);
  swr_.reset();
  rate_ = 0;
}

void Resampler::convert(const float* samples, std::size_t count) {
  const int most = swr_get_out_samples(swr_.get(), static_cast<int>(count));
  if (most <= 0) return;
  out_.resize(static_cast<std::size_t>(most));
  auto* const to = reinterpret_cast<std::uint8_t*>(out_.data());
  const auto* from = reinterpret_cast<const std::uint8_t*>(samples);
  std::uint8_t* outs[] = {to};
  const std::uint8_t* ins[] = {from};
  const int made = swr_convert(swr_.get(), outs, most, samples != nullptr ? ins : nullptr,
                               static_cast<int>(count));
  if (made > 0) give({out_.data(), static_cast<std::size_t>(made)});
}

void Resampler::give(std::span<const float> samples) {
  words_.resize(samples.size());
  clipped_ += to_16_bits(samples, words_.data());
  given_ += samples.size();
  take_(words_);
}

}  // namespace mainstay::audio
