// Where somebody speaks in a stream of samples: loudness over a noise floor that follows the room,
// zero crossings for what is voiceless. Pure: time is counted in samples.
// Used by src/audio (to cut silence), by voice turns over a WebSocket, and by tests.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>

namespace mainstay::media {

/// All samples of this face: signed, 16 bit, one channel.
inline constexpr std::uint32_t kVoiceRate = 16'000;  ///< per second

/// What counts as speech. Times in milliseconds, in steps of 10.
struct VoiceRules {
  std::uint32_t onset_ms = 60;     ///< voice of so long begins a span
  std::uint32_t quiet_ms = 500;    ///< quiet of so long ends it
  std::uint32_t before_ms = 200;   ///< kept before the first voice
  std::uint32_t after_ms = 200;    ///< kept after the last one; not more than quiet_ms
  std::uint32_t span_ms = 30'000;  ///< a longer span is cut; 0: never
  double over_floor_db = 9.0;      ///< above the noise
  double least_db = -55.0;         ///< full scale is 0; below it is silence, whatever the floor
};

/// Samples from the stream's start; `end` is the first one after it.
struct VoiceSpan {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

struct VoiceEvent {
  enum class What : std::uint8_t {
    started,  ///< span.start is known; span.end is where the stream is
    ended     ///< the whole span
  };
  What what = What::started;
  VoiceSpan span;
};

/// One stream. Not thread-safe; holds a few hundred bytes and the events that were not taken, at
/// most two for each onset_ms that was fed.
class VoiceActivity {
 public:
  explicit VoiceActivity(VoiceRules rules = {});

  /// Samples as they come, in pieces of any size; the same events whatever the pieces.
  void feed(std::span<const std::int16_t> samples);
  /// The stream is over: an open span ends. Nothing may be fed afterwards.
  void finish();
  /// The next event, in order; nullopt: none yet. Spans do not overlap.
  std::optional<VoiceEvent> next();

  /// A span is open.
  bool speaking() const noexcept { return open_; }
  /// Samples that were fed.
  std::uint64_t position() const noexcept { return position_; }
  /// Samples since the last voice; position() when there was none. Up to 10 ms late.
  std::uint64_t quiet_for() const noexcept { return position_ - last_voice_; }
  /// The noise floor now, in dB of full scale.
  double floor_db() const noexcept { return floor_db_; }

 private:
  static constexpr std::size_t kFrame = kVoiceRate / 100;  ///< 10 ms
  void take_frame();
  bool is_voice(double db, std::uint32_t crossings) const noexcept;
  void follow_floor(double db) noexcept;
  void begin();
  void end(std::uint64_t at);

  const VoiceRules rules_;
  std::array<std::int16_t, kFrame> frame_{};
  std::size_t held_ = 0;  ///< samples in frame_
  std::uint64_t position_ = 0;
  std::uint64_t last_voice_ = 0;  ///< end of the last frame with voice
  std::uint64_t run_start_ = 0;   ///< of the frames with voice that are not yet a span
  std::uint32_t run_ = 0;         ///< how much of them, in frames
  std::uint64_t start_ = 0;       ///< of the open span
  std::uint64_t last_end_ = 0;
  std::uint32_t frames_ = 0;  ///< counted while the floor is being found
  double floor_db_ = 0;
  bool open_ = false;
  std::deque<VoiceEvent> events_;
};

}  // namespace mainstay::media
