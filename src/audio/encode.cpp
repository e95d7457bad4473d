// Encoders of libavcodec into libavformat's muxers; WAV and bare samples need neither.
#include "audio/encode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "media/sound_orders.h"

namespace mainstay::audio {
namespace {

constexpr int kRate = static_cast<int>(media::kSpokenRate);
constexpr int kBuffer = 8 * 1024;

void append(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

/// A head whose lengths say "until the end", as for every WAV that is sent while it is made.
std::string wav_head() {
  constexpr std::uint32_t kOpen = 0xffffffff;
  std::string out = "RIFF";
  append(out, kOpen, 4);
  out += "WAVEfmt ";
  append(out, 16, 4);
  append(out, 1, 2);  // PCM
  append(out, 1, 2);  // channels
  append(out, media::kSpokenRate, 4);
  append(out, media::kSpokenRate * 2, 4);
  append(out, 2, 2);   // bytes of a sample
  append(out, 16, 2);  // bits
  out += "data";
  append(out, kOpen, 4);
  return out;
}

class Bare final : public Encoder {
 public:
  Bare(std::string head, TakeBytes take) : head_(std::move(head)), take_(std::move(take)) {}
  bool feed(std::span<const std::int16_t> samples) override {
    if (!head_.empty()) take_(std::exchange(head_, ""));
    bytes_.assign(reinterpret_cast<const char*>(samples.data()), samples.size() * 2);
    take_(bytes_);
    return true;
  }
  bool finish() override {
    if (!head_.empty()) take_(std::exchange(head_, ""));
    return true;
  }

 private:
  std::string head_;
  const TakeBytes take_;
  std::string bytes_;
};

struct Plan {
  const char* format;
  const char* encoder;
  const char* muxer;
  AVSampleFormat samples;
  int bits;  ///< a second
};
constexpr std::array kPlans = {Plan{"mp3", "libmp3lame", "mp3", AV_SAMPLE_FMT_S16P, 64'000},
                               Plan{"opus", "libopus", "ogg", AV_SAMPLE_FMT_S16, 32'000},
                               Plan{"flac", "flac", "flac", AV_SAMPLE_FMT_S16, 0},
                               Plan{"aac", "aac", "adts", AV_SAMPLE_FMT_FLTP, 64'000}};

int write_bytes(void* opaque, std::uint8_t* bytes, int count) {
  (*static_cast<TakeBytes*>(opaque))(
      {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)});
  return count;
}

class Muxed final : public Encoder {
 public:
  explicit Muxed(TakeBytes take) : take_(std::move(take)) {}
  bool open(const Plan& plan);
  bool feed(std::span<const std::int16_t> samples) override;
  bool finish() override;

 private:
  bool open_codec(const Plan& plan);
  bool open_muxer(const Plan& plan);
  bool encode(std::span<const std::int16_t> samples);
  bool drain();
  TakeBytes take_;
  Io io_;
  Codec codec_;
  Output format_;
  FramePtr frame_;
  Packet packet_;
  std::vector<std::int16_t> held_;  ///< less than a frame
  std::int64_t position_ = 0;
};

bool Muxed::open(const Plan& plan) {
  frame_.reset(av_frame_alloc());
  packet_.reset(av_packet_alloc());
  return frame_ && packet_ && open_codec(plan) && open_muxer(plan);
}

bool Muxed::open_codec(const Plan& plan) {
  const AVCodec* const encoder = avcodec_find_encoder_by_name(plan.encoder);
  if (encoder == nullptr) return false;
  codec_.reset(avcodec_alloc_context3(encoder));
  if (!codec_) return false;
  codec_->sample_fmt = plan.samples;
  codec_->sample_rate = kRate;
  codec_->time_base = {1, kRate};
  codec_->thread_count = 1;
  codec_->flags |= AV_CODEC_FLAG_BITEXACT;  // no name of a version in the file
  if (plan.bits > 0) codec_->bit_rate = plan.bits;
  const AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  codec_->ch_layout = mono;
  if (std::strcmp(plan.muxer, "adts") != 0 && std::strcmp(plan.muxer, "mp3") != 0) {
    codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  return avcodec_open2(codec_.get(), encoder, nullptr) >= 0;
}

bool Muxed::open_muxer(const Plan& plan) {
  AVFormatContext* format = nullptr;
  if (avformat_alloc_output_context2(&format, nullptr, plan.muxer, nullptr) < 0) return false;
  format_.reset(format);
  auto* const buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  io_.reset(avio_alloc_context(buffer, kBuffer, 1, &take_, nullptr, &write_bytes, nullptr));
  AVStream* const stream = avformat_new_stream(format, nullptr);
  if (!io_ || stream == nullptr) return false;
  io_->seekable = 0;
  format->pb = io_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT | AVFMT_FLAG_FLUSH_PACKETS;
  stream->time_base = codec_->time_base;
  if (avcodec_parameters_from_context(stream->codecpar, codec_.get()) < 0) return false;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "id3v2_version", "0", 0);
  av_dict_set(&options, "write_xing", "0", 0);
  av_dict_set(&options, "page_duration", "200000", 0);  // microseconds: a page is sent so often
  const int begun = avformat_write_header(format, &options);
  av_dict_free(&options);
  return begun >= 0;
}

bool Muxed::feed(std::span<const std::int16_t> samples) {
  const auto frame = static_cast<std::size_t>(codec_->frame_size);
  if (frame == 0) return samples.empty() || encode(samples);
  held_.insert(held_.end(), samples.begin(), samples.end());
  std::size_t used = 0;
  bool fine = true;
  for (; fine && held_.size() - used >= frame; used += frame) {
    fine = encode({held_.data() + used, frame});
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(used));
  return fine;
}

bool Muxed::encode(std::span<const std::int16_t> samples) {
  av_frame_unref(frame_.get());
  frame_->nb_samples = static_cast<int>(samples.size());
  frame_->format = codec_->sample_fmt;
  frame_->sample_rate = kRate;
  frame_->pts = position_;
  const AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  frame_->ch_layout = mono;
  if (av_frame_get_buffer(frame_.get(), 0) < 0) return false;
  if (codec_->sample_fmt == AV_SAMPLE_FMT_FLTP) {
    auto* const out = reinterpret_cast<float*>(frame_->data[0]);
    for (std::size_t i = 0; i < samples.size(); ++i) out[i] = samples[i] / 32768.0F;
  } else {
    std::memcpy(frame_->data[0], samples.data(), samples.size() * 2);
  }
  position_ += static_cast<std::int64_t>(samples.size());
  return avcodec_send_frame(codec_.get(), frame_.get()) >= 0 && drain();
}

bool Muxed::drain() {
  for (;;) {
    const int got = avcodec_receive_packet(codec_.get(), packet_.get());
    if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return true;
    if (got < 0) return false;
    const AVStream& stream = *format_->streams[0];
    packet_->stream_index = 0;
    av_packet_rescale_ts(packet_.get(), codec_->time_base, stream.time_base);
    if (av_write_frame(format_.get(), packet_.get()) < 0) return false;
    av_packet_unref(packet_.get());
  }
}

bool Muxed::finish() {
  if (!held_.empty() && !encode(held_)) return false;
  held_.clear();
  if (avcodec_send_frame(codec_.get(), nullptr) < 0 || !drain()) return false;
  return av_write_trailer(format_.get()) >= 0;
}

}  // namespace

std::unique_ptr<Encoder> make_encoder(std::string_view format, TakeBytes take) {
  if (format == "pcm") return std::make_unique<Bare>("", std::move(take));
  if (format == "wav") return std::make_unique<Bare>(wav_head(), std::move(take));
  const auto plan = std::find_if(kPlans.begin(), kPlans.end(),
                                 [format](const Plan& p) { return format == p.format; });
  if (plan == kPlans.end()) return nullptr;
  auto out = std::make_unique<Muxed>(std::move(take));
  if (!out->open(*plan)) return nullptr;
  return out;
}

}  // namespace mainstay::audio
