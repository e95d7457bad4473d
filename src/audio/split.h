// Long sounds over several threads: windows of packets are decoded at the same time, each begun a
// little earlier than it is wanted, and joined in order. At each seam the samples of both sides are
// compared bit for bit; where they differ, the window is decoded again from where the last one
// ended. So the samples are those of one decoder. Codecs whose state does not show in their samples
// (AAC with its noise) are not cut: one thread decodes them ahead of the rest of the work. Used by
// audio/sound.cpp.
#pragma once

#include <functional>
#include <memory>

#include "audio/container.h"
#include "audio/decoder.h"

namespace mainstay::audio {

/// Whether it is worth it: several threads, a file, a long one, a codec that costs something.
bool worth_splitting(const media::SoundOrder& order, const Source& source, const Facts& facts,
                     AVCodecID codec);

struct SplitOutcome {
  std::optional<Refusal> refused;
  bool broken = false;       ///< the file ended in the middle
  std::uint32_t pieces = 0;  ///< windows that began with a decoder of their own
  std::uint32_t redone = 0;  ///< of which so many did not fit
  /// Of those, so many were not tried by a worker, because too many before them had not fitted.
  std::uint32_t undivided = 0;
};

/// Decodes all of `container`. `take` gets the samples in order, on the calling thread; false ends
/// it.
SplitOutcome decode_split(Container& container, const media::SoundOrder& order,
                          const std::function<bool(Block&)>& take);

}  // namespace mainstay::audio
