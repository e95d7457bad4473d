// libavformat over a Source, with the one demuxer that the first bytes ask for.
#include "audio/container.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace mainstay::audio {
namespace {

constexpr int kBuffer = 64 * 1024;
constexpr std::uint32_t kRateMin = 4'000;
constexpr std::int64_t kProbe = 1 << 20;  ///< bytes looked at for what the head leaves open
constexpr std::int64_t kAnalyze = 2 * AV_TIME_BASE;
/// Fewer bytes for each second that a head claims are no sound: the claim is not believed.
constexpr double kLeastBytes = 50;

std::string& words() {
  thread_local std::string out;
  return out;
}

void listen(void*, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  char line[200];
  std::vsnprintf(line, sizeof line, format, arguments);
  std::string& out = words();
  out = line;
  while (!out.empty() && out.back() == '\n') out.pop_back();
}

int read_packet(void* opaque, std::uint8_t* into, int most) {
  const auto got = static_cast<Source*>(opaque)->read(reinterpret_cast<char*>(into),
                                                      static_cast<std::size_t>(most));
  if (got < 0) return AVERROR(EIO);
  return got == 0 ? AVERROR_EOF : static_cast<int>(got);
}

std::int64_t seek(void* opaque, std::int64_t offset, int whence) {
  auto& source = *static_cast<Source*>(opaque);
  const auto size = static_cast<std::int64_t>(source.size());
  whence &= ~AVSEEK_FORCE;
  if (whence == AVSEEK_SIZE) return size;
  if (whence == SEEK_CUR) offset += static_cast<std::int64_t>(source.at());
  if (whence == SEEK_END) offset += size;
  if (offset < 0) return AVERROR(EINVAL);
  source.seek(static_cast<std::uint64_t>(offset));
  return offset;
}

int open_nothing(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

bool encrypted(const AVStream& stream) {
  const auto tag = stream.codecpar->codec_tag;
  return tag == MKTAG('e', 'n', 'c', 'a') || tag == MKTAG('d', 'r', 'm', 's') ||
         av_stream_get_side_data(&stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO, nullptr) != nullptr;
}

}  // namespace

const std::string& complaints() {
  return words();
}

void forget_complaints() {
  words().clear();
  av_log_set_callback(&listen);
}

std::optional<Refusal> within(const media::SoundOrder& order, std::uint32_t channels,
                              std::uint32_t rate) {
  if (channels == 0 || (order.channels_max > 0 && channels > order.channels_max)) {
    return Refusal{"audio_channels", std::to_string(channels)};
  }
  if (rate < kRateMin || (order.rate_max > 0 && rate > order.rate_max)) {
    return Refusal{"audio_rate", std::to_string(rate)};
  }
  return std::nullopt;
}

std::optional<Refusal> Container::open(const media::SoundOrder& order) {
  forget_complaints();
  const auto head = source_.peek(kSniff);
  if (head.empty()) return Refusal{"file_empty", ""};
  const Kind kind = sniff(head);
  if (kind == Kind::unknown) return Refusal{"audio_format", ""};
  facts_.container = container_of(kind);
  facts_.cut_off = source_.seekable() && wav_claims_more(head, source_.size());
  auto refused = open_format(kind);
  if (!refused) refused = find_stream();
  if (!refused) refused = check(order);
  return refused;
}

std::optional<Refusal> Container::open_format(Kind kind) {
  const AVInputFormat* const demuxer = av_find_input_format(demuxer_of(kind));
  if (demuxer == nullptr) return Refusal{"audio_format", "FFmpeg was built without it"};
  auto* const buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  io_.reset(avio_alloc_context(buffer, kBuffer, 0, &source_, &read_packet, nullptr,
                               source_.seekable() ? &seek : nullptr));
  AVFormatContext* format = avformat_alloc_context();
  if (!io_ || format == nullptr) return Refusal{"audio_memory", ""};
  io_->seekable = source_.seekable() ? AVIO_SEEKABLE_NORMAL : 0;
  format->pb = io_.get();
  format->io_open = &open_nothing;
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->probesize = kProbe;
  format->max_analyze_duration = kAnalyze;
  format->codec_whitelist = av_strdup(kDecoders);
  const int failed = avformat_open_input(&format, nullptr, demuxer, nullptr);
  if (failed < 0) return Refusal{"audio_damaged", said(failed) + " " + complaints()};
  format_.reset(format);
  return std::nullopt;
}

std::optional<Refusal> Container::find_stream() {
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream* const stream = format_->streams[i];
    const bool sound = stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    if (sound && stream_ == nullptr) stream_ = stream;
    if (stream != stream_) stream->discard = AVDISCARD_ALL;
  }
  // Those that have no head of their own say what they are in their packets.
  const bool open = stream_ == nullptr || stream_->codecpar->sample_rate == 0 ||
                    stream_->codecpar->ch_layout.nb_channels == 0;
  if (open && (stream_ == nullptr || !encrypted(*stream_))) {
    avformat_find_stream_info(format_.get(), nullptr);
    for (unsigned i = 0; i < format_->nb_streams && stream_ == nullptr; ++i) {
      AVStream* const stream = format_->streams[i];
      if (stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) stream_ = stream;
    }
  }
  if (stream_ == nullptr) return Refusal{"audio_no_sound", complaints()};
  if (encrypted(*stream_)) return Refusal{"audio_encrypted", ""};
  return std::nullopt;
}

std::optional<Refusal> Container::check(const media::SoundOrder& order) {
  const AVCodecParameters& codec = *stream_->codecpar;
  facts_.codec = avcodec_get_name(codec.codec_id);
  facts_.channels = static_cast<std::uint32_t>(std::max(codec.ch_layout.nb_channels, 0));
  facts_.rate = static_cast<std::uint32_t>(std::max(codec.sample_rate, 0));
  // What an MP3 or ADTS head leaves open is seen with the first frame.
  if (facts_.channels != 0 || facts_.rate != 0) {
    auto refused = within(order, facts_.channels, facts_.rate);
    if (refused) return refused;
  }
  if (stream_->duration != AV_NOPTS_VALUE) {
    facts_.seconds = static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
  } else if (format_->duration != AV_NOPTS_VALUE) {
    facts_.seconds = static_cast<double>(format_->duration) / AV_TIME_BASE;
  }
  if (!facts_.seconds || *facts_.seconds <= 0) {
    facts_.seconds.reset();
    return std::nullopt;
  }
  facts_.exact = format_->duration_estimation_method != AVFMT_DURATION_FROM_BITRATE;
  const double seconds = *facts_.seconds;
  const bool believed =
      !source_.seekable() || static_cast<double>(source_.size()) >= seconds * kLeastBytes;
  if (order.seconds_max > 0 && seconds > order.seconds_max && believed) {
    return Refusal{"audio_too_long", std::to_string(seconds)};
  }
  return std::nullopt;
}

Container::Read Container::next(AVPacket* packet) {
  for (;;) {
    av_packet_unref(packet);
    const int got = av_read_frame(format_.get(), packet);
    if (got == AVERROR_EOF) return Read::end;
    if (got < 0) return Read::broken;
    if (packet->stream_index == stream_->index) return Read::packet;
  }
}

}  // namespace mainstay::audio
