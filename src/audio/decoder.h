// Packets of one codec as one channel of floats. The only place that knows libavcodec's decoders.
// Used by audio/sound.cpp and audio/split.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "audio/ffmpeg.h"
#include "child/answers.h"
#include "media/sound_orders.h"

namespace mainstay::audio {

using child::Refusal;

/// Samples of one rate, one behind the other.
struct Run {
  std::uint32_t rate = 0;
  std::size_t count = 0;
};

/// What came out of some packets.
struct Block {
  std::vector<float> samples;
  std::vector<Run> runs;           ///< the rate may change within a stream
  std::uint64_t bad = 0;           ///< samples that were no numbers
  std::uint64_t packets = 0;       ///< that gave samples, or none without a complaint
  std::uint64_t damaged = 0;       ///< packets that could not be read
  std::uint32_t channels = 0;      ///< of the last frame
  std::optional<Refusal> refused;  ///< beyond a limit: nothing more is decoded

  /// Empty again; the room for samples stays.
  void clear() {
    samples.clear();
    runs.clear();
    bad = packets = damaged = 0;
  }
};

/// One stream, in order. Moves between threads, is used by one at a time.
class Decoder {
 public:
  /// Why not, or nothing.
  std::optional<Refusal> open(const AVCodecParameters& parameters, const media::SoundOrder& order);
  bool opened() const noexcept { return codec_ != nullptr; }
  /// Appends what comes out of the packet; null: what is left at the end.
  void feed(const AVPacket* packet, Block& out);

 private:
  void receive(Block& out);
  void append(Block& out);
  Codec codec_;
  FramePtr frame_;
  std::uint32_t channels_max_ = 0;
  std::uint32_t rate_max_ = 0;
};

}  // namespace mainstay::audio
