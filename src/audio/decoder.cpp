// Frames of every sample format that the allowed decoders give.
#include "audio/decoder.h"

#include <array>

#include "audio/container.h"
#include "audio/mix.h"

namespace mainstay::audio {
namespace {

constexpr std::size_t kChannelsMost = 64;

template <class T>
void mix_frame(const AVFrame& frame, float* out) {
  const auto channels = static_cast<std::size_t>(frame.ch_layout.nb_channels);
  const auto count = static_cast<std::size_t>(frame.nb_samples);
  const bool planar = av_sample_fmt_is_planar(static_cast<AVSampleFormat>(frame.format)) != 0;
  std::array<const T*, kChannelsMost> planes{};
  for (std::size_t c = 0; c < channels; ++c) {
    planes[c] = planar ? reinterpret_cast<const T*>(frame.extended_data[c])
                       : reinterpret_cast<const T*>(frame.extended_data[0]) + c;
  }
  mix(planes.data(), channels, planar ? 1 : channels, count, out);
}

/// False: a format that no allowed decoder gives.
bool mix_any(const AVFrame& frame, float* out) {
  switch (av_get_packed_sample_fmt(static_cast<AVSampleFormat>(frame.format))) {
    case AV_SAMPLE_FMT_U8:
      mix_frame<std::uint8_t>(frame, out);
      return true;
    case AV_SAMPLE_FMT_S16:
      mix_frame<std::int16_t>(frame, out);
      return true;
    case AV_SAMPLE_FMT_S32:
      mix_frame<std::int32_t>(frame, out);
      return true;
    case AV_SAMPLE_FMT_FLT:
      mix_frame<float>(frame, out);
      return true;
    case AV_SAMPLE_FMT_DBL:
      mix_frame<double>(frame, out);
      return true;
    default:
      return false;
  }
}

bool allowed(std::string_view name) {
  const std::string all = std::string(",") + kDecoders + ",";
  return all.find("," + std::string(name) + ",") != std::string::npos;
}

}  // namespace

std::optional<Refusal> Decoder::open(const AVCodecParameters& parameters,
                                     const media::SoundOrder& order) {
  const AVCodec* const codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr || !allowed(codec->name)) {
    return Refusal{"audio_codec", avcodec_get_name(parameters.codec_id)};
  }
  codec_.reset(avcodec_alloc_context3(codec));
  frame_.reset(av_frame_alloc());
  if (!codec_ || !frame_ || avcodec_parameters_to_context(codec_.get(), &parameters) < 0) {
    return Refusal{"audio_memory", ""};
  }
  codec_->thread_count = 1;
  const int failed = avcodec_open2(codec_.get(), codec, nullptr);
  if (failed < 0) return Refusal{"audio_damaged", said(failed) + " " + complaints()};
  channels_max_ = order.channels_max;
  rate_max_ = order.rate_max;
  return std::nullopt;
}

void Decoder::feed(const AVPacket* packet, Block& out) {
  if (out.refused) return;
  if (packet != nullptr &&
      av_packet_get_side_data(packet, AV_PKT_DATA_ENCRYPTION_INFO, nullptr) != nullptr) {
    out.refused = Refusal{"audio_encrypted", ""};
    return;
  }
  const int sent = avcodec_send_packet(codec_.get(), packet);
  if (packet != nullptr && sent < 0) {
    ++out.damaged;
    return;
  }
  if (packet != nullptr) ++out.packets;
  receive(out);
}

void Decoder::receive(Block& out) {
  while (!out.refused) {
    const int got = avcodec_receive_frame(codec_.get(), frame_.get());
    if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return;
    if (got < 0) {
      ++out.damaged;
      return;
    }
    append(out);
    av_frame_unref(frame_.get());
  }
}

void Decoder::append(Block& out) {
  const auto channels = static_cast<std::uint32_t>(std::max(frame_->ch_layout.nb_channels, 0));
  const auto rate = static_cast<std::uint32_t>(std::max(frame_->sample_rate, 0));
  media::SoundOrder limits;
  limits.channels_max = channels_max_;
  limits.rate_max = rate_max_;
  out.refused = within(limits, channels, rate);
  if (!out.refused && channels > kChannelsMost) out.refused = Refusal{"audio_channels", ""};
  if (out.refused || frame_->nb_samples <= 0) return;
  const auto count = static_cast<std::size_t>(frame_->nb_samples);
  const std::size_t at = out.samples.size();
  out.samples.resize(at + count);
  if (!mix_any(*frame_, out.samples.data() + at)) {
    out.refused = Refusal{"audio_codec", "its samples"};
    return;
  }
  const bool floats =
      av_get_packed_sample_fmt(static_cast<AVSampleFormat>(frame_->format)) >= AV_SAMPLE_FMT_FLT;
  if (floats) out.bad += clean({out.samples.data() + at, count});
  if (out.runs.empty() || out.runs.back().rate != rate) out.runs.push_back({rate, 0});
  out.runs.back().count += count;
  out.channels = channels;
}

}  // namespace mainstay::audio
