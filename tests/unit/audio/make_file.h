// Files of sound for tests, made by FFmpeg's libraries: any encoder into any container, in memory.
// Used by the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "audio/ffmpeg.h"

namespace mainstay::audio::test {

struct Recipe {
  std::string muxer;
  std::string encoder;
  int rate = 44'100;
  int channels = 2;
  int bits = 0;                                ///< a second; 0: the encoder's own
  std::map<std::string, std::string> options;  ///< of the muxer
};

/// Something like speech over noise: tones that move, bursts, pauses. The same for the same seed.
inline std::vector<float> signal_of(double seconds, int rate, unsigned seed = 1) {
  std::vector<float> out(static_cast<std::size_t>(seconds * rate));
  std::uint32_t state = seed * 2654435761U + 1;
  double phase = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    state = state * 1664525U + 1013904223U;
    const double t = static_cast<double>(i) / rate;
    const double noise = static_cast<double>(state >> 8) / (1 << 24) - 0.5;
    phase += 2 * std::numbers::pi * (180 + 90 * std::sin(t * 1.7) + 25 * std::sin(t * 9)) / rate;
    const double loud = std::fmod(t, 3.1) < 2.2 ? 0.3 + 0.2 * std::sin(t * 11) : 0.0;
    const double voice = std::sin(phase) + 0.5 * std::sin(2.01 * phase) + 0.3 * std::sin(7 * phase);
    out[i] = static_cast<float>(loud * (0.5 * voice + 0.15 * noise) + 0.003 * noise);
  }
  return out;
}

inline std::vector<float> silence_of(double seconds, int rate) {
  return std::vector<float>(static_cast<std::size_t>(seconds * rate));
}

class FileMaker {
 public:
  explicit FileMaker(Recipe recipe) : recipe_(std::move(recipe)) {}
  std::string make(const std::vector<float>& mono) {
    std::string out;
    if (!open()) {
      ADD_FAILURE() << recipe_.encoder << " in " << recipe_.muxer << " cannot be made";
      return out;
    }
    const std::size_t frame =
        codec_->frame_size > 0 ? static_cast<std::size_t>(codec_->frame_size) : std::size_t{1024};
    for (std::size_t at = 0; at < mono.size(); at += frame) {
      write(mono.data() + at, std::min(frame, mono.size() - at));
    }
    avcodec_send_frame(codec_.get(), nullptr);
    drain();
    av_write_trailer(format_.get());
    std::uint8_t* bytes = nullptr;
    const int size = avio_close_dyn_buf(format_->pb, &bytes);
    format_->pb = nullptr;
    out.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    av_free(bytes);
    return out;
  }

 private:
  bool open() {
    const AVCodec* const encoder = avcodec_find_encoder_by_name(recipe_.encoder.c_str());
    if (encoder == nullptr) return false;
    codec_.reset(avcodec_alloc_context3(encoder));
    codec_->sample_fmt = encoder->sample_fmts[0];
    codec_->sample_rate = recipe_.rate;
    codec_->time_base = {1, recipe_.rate};
    if (recipe_.bits > 0) codec_->bit_rate = recipe_.bits;
    av_channel_layout_default(&codec_->ch_layout, recipe_.channels);
    AVFormatContext* format = nullptr;
    avformat_alloc_output_context2(&format, nullptr, recipe_.muxer.c_str(), nullptr);
    if (format == nullptr) return false;
    format_.reset(format);
    if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    if (avcodec_open2(codec_.get(), encoder, nullptr) < 0) return false;
    AVStream* const stream = avformat_new_stream(format, nullptr);
    stream->time_base = codec_->time_base;
    avcodec_parameters_from_context(stream->codecpar, codec_.get());
    avio_open_dyn_buf(&format->pb);
    AVDictionary* options = nullptr;
    for (const auto& [key, value] : recipe_.options) {
      av_dict_set(&options, key.c_str(), value.c_str(), 0);
    }
    const int begun = avformat_write_header(format, &options);
    av_dict_free(&options);
    return begun >= 0;
  }
  void put(AVFrame& frame, std::size_t at, int channel, float value) {
    const bool planar = av_sample_fmt_is_planar(codec_->sample_fmt) != 0;
    const auto count = static_cast<std::size_t>(recipe_.channels);
    std::uint8_t* const plane = frame.extended_data[planar ? channel : 0];
    const std::size_t place = planar ? at : at * count + static_cast<std::size_t>(channel);
    const double within = std::clamp(static_cast<double>(value), -1.0, 1.0);
    switch (av_get_packed_sample_fmt(codec_->sample_fmt)) {
      case AV_SAMPLE_FMT_FLT:
        reinterpret_cast<float*>(plane)[place] = value;
        break;
      case AV_SAMPLE_FMT_S16:
        reinterpret_cast<std::int16_t*>(plane)[place] =
            static_cast<std::int16_t>(std::lround(within * 32767));
        break;
      case AV_SAMPLE_FMT_S32:
        reinterpret_cast<std::int32_t*>(plane)[place] =
            static_cast<std::int32_t>(std::llround(within * 2147483647.0));
        break;
      default:
        reinterpret_cast<std::uint8_t*>(plane)[place] =
            static_cast<std::uint8_t>(std::lround(within * 127) + 128);
        break;
    }
  }
  void write(const float* samples, std::size_t count) {
    const FramePtr frame(av_frame_alloc());
    frame->nb_samples = static_cast<int>(count);
    frame->format = codec_->sample_fmt;
    frame->sample_rate = recipe_.rate;
    av_channel_layout_default(&frame->ch_layout, recipe_.channels);
    frame->pts = position_;
    av_frame_get_buffer(frame.get(), 0);
    for (std::size_t i = 0; i < count; ++i) {
      // Channels differ, so that one that is forgotten is missed.
      for (int c = 0; c < recipe_.channels; ++c) {
        put(*frame, i, c, samples[i] * (c % 2 == 0 ? 1.0F : 0.8F));
      }
    }
    position_ += static_cast<std::int64_t>(count);
    avcodec_send_frame(codec_.get(), frame.get());
    drain();
  }
  void drain() {
    const Packet packet(av_packet_alloc());
    while (avcodec_receive_packet(codec_.get(), packet.get()) >= 0) {
      packet->stream_index = 0;
      av_packet_rescale_ts(packet.get(), codec_->time_base, format_->streams[0]->time_base);
      av_write_frame(format_.get(), packet.get());
      av_packet_unref(packet.get());
    }
  }
  const Recipe recipe_;
  Codec codec_;
  Output format_;
  std::int64_t position_ = 0;
};

inline std::string make_file(const Recipe& recipe, const std::vector<float>& mono) {
  return FileMaker(recipe).make(mono);
}

/// A WAV by hand, for what no encoder writes. `kind` 1: whole numbers, 3: floats.
inline std::string wav_of(const std::string& data, std::uint16_t kind, std::uint16_t channels,
                          std::uint32_t rate, std::uint16_t bits, std::uint32_t says = 0xfffffff0) {
  std::string out;
  const auto number = [&out](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  };
  const auto size = says == 0xfffffff0 ? static_cast<std::uint32_t>(data.size()) : says;
  out += "RIFF";
  number(size + 36, 4);
  out += "WAVEfmt ";
  number(16, 4);
  number(kind, 2);
  number(channels, 2);
  number(rate, 4);
  number(rate * channels * bits / 8, 4);
  number(std::uint32_t{channels} * bits / 8, 2);
  number(bits, 2);
  out += "data";
  number(size, 4);
  return out + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string out(values.size() * sizeof(T), '\0');
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

}  // namespace mainstay::audio::test
