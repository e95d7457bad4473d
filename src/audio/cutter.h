// Spans of voice out of a stream of samples, given on while they are spoken. Pure; holds what may
// still turn out to be the beginning of a span, or its end.
// Used by audio/orders.cpp, audio/hear.cpp and tests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/voice_activity.h"

namespace mainstay::audio {

/// Samples of one span, in order.
struct CutPiece {
  std::uint64_t first = 0;            ///< place in the stream
  std::vector<std::int16_t> samples;  ///< empty only at an end
  bool begins = false;                ///< the span's first
  bool ends = false;                  ///< and its last
};

class Cutter {
 public:
  explicit Cutter(media::VoiceRules rules) : rules_(rules), voice_(rules) {}
  void feed(std::span<const std::int16_t> samples);
  void finish();
  std::optional<CutPiece> next();
  /// Samples held: bounded by what rules look back and ahead, and what was fed at once.
  std::size_t held() const noexcept { return history_.size(); }

 private:
  void follow();
  void give(std::uint64_t until, bool ends);
  const media::VoiceRules rules_;
  media::VoiceActivity voice_;
  std::vector<std::int16_t> history_;
  std::uint64_t base_ = 0;  ///< place of history_'s first sample
  std::uint64_t fed_ = 0;
  bool open_ = false;
  bool begun_ = false;  ///< something of the open span was given
  std::uint64_t given_ = 0;
  std::vector<CutPiece> pieces_;
  std::size_t taken_ = 0;
};

}  // namespace mainstay::audio
