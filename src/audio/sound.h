// A sound from its first byte to its last sample: container, decoder, one channel, one rate.
// Used by audio/orders.cpp.
#pragma once

#include <optional>
#include <span>

#include "audio/container.h"
#include "media/sound_orders.h"

namespace mainstay::audio {

/// Who gets a sound.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Once, before the first sample. Whatever is wrong with the head was refused before.
  virtual void begin(const Facts& facts) = 0;
  /// Samples of the rate that was asked for.
  virtual void take(std::span<const std::int16_t> samples) = 0;
};

/// As media::AudioSummary, which says what they mean.
struct Totals {
  std::uint64_t samples = 0;
  double seconds = 0;
  std::uint64_t bad = 0;
  std::uint64_t clipped = 0;
  bool cut_off = false;
  std::uint32_t pieces = 1;
  std::uint32_t redone = 0;     ///< pieces that did not fit and were decoded again
  std::uint32_t undivided = 0;  ///< of these, see SplitOutcome
};

/// Reads all of `file` at `rate` samples a second. Nothing, or why not; in that case begin() may
/// not have been called.
std::optional<Refusal> read_sound(const media::SoundOrder& order, int file, std::uint32_t rate,
                                  Listener& listener, Totals& totals);

/// The file is fed while it is read: what is made of it should go out at once.
bool is_live(int file);

}  // namespace mainstay::audio
