// A file of sound taken apart: what it holds, then its packets, in order. The only place that knows
// libavformat's reading side.
// Used by audio/sound.cpp.
#pragma once

#include <optional>

#include "audio/ffmpeg.h"
#include "audio/sniff.h"
#include "audio/source.h"
#include "child/answers.h"
#include "media/sound_orders.h"

namespace mainstay::audio {

using child::Refusal;

/// What is known before the first sample.
struct Facts {
  std::string codec;
  std::string container;
  std::uint32_t channels = 0;
  std::uint32_t rate = 0;
  std::optional<double> seconds;  ///< as the file says; it may lie
  bool exact = false;             ///< `seconds` is counted, not guessed from the size
  bool cut_off = false;           ///< the head claims more than there is
};

class Container {
 public:
  explicit Container(Source& source) : source_(source) {}
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  /// Reads the head; finds the first sound. Nothing, or why not.
  std::optional<Refusal> open(const media::SoundOrder& order);
  const Facts& facts() const noexcept { return facts_; }
  const AVCodecParameters& parameters() const noexcept { return *stream_->codecpar; }

  /// Seconds of one unit of a packet's duration.
  double tick() const noexcept { return av_q2d(stream_->time_base); }

  enum class Read : unsigned char { packet, end, broken };
  /// The next packet of the sound into `packet`.
  Read next(AVPacket* packet);

 private:
  std::optional<Refusal> open_format(Kind kind);
  std::optional<Refusal> find_stream();
  std::optional<Refusal> check(const media::SoundOrder& order);
  Source& source_;
  Io io_;
  Input format_;
  AVStream* stream_ = nullptr;
  Facts facts_;
};

/// Whether the limits allow it. A limit of 0 is none.
std::optional<Refusal> within(const media::SoundOrder& order, std::uint32_t channels,
                              std::uint32_t rate);

/// What FFmpeg's libraries complained of last, for the log; installs the listener when called
/// first.
const std::string& complaints();
void forget_complaints();

}  // namespace mainstay::audio
