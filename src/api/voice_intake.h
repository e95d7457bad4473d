// Sound of a microphone as it comes in: where a question begins and ends in it, by the buttons of
// the client or by listening. Used by voice_session.cpp. Pure: time is counted in samples.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "media/voice_activity.h"

namespace mainstay::api {

/// How somebody listens.
struct IntakeRule {
  std::uint32_t rate = 16'000;  ///< samples a second, of one channel, signed 16 bit little endian
  bool hands_free = false;      ///< the ends are heard; else the client says them
  std::uint32_t quiet_ms = 700;
  std::uint32_t longest_ms = 120'000;  ///< of one question; it ends then
};

/// One listening. Keeps no more than the longest question, and a moment of what came before it.
class VoiceIntake {
 public:
  /// `started`: somebody speaks (hands-free alone). `question`: it is whole; `sound` holds it.
  struct Heard {
    bool question = false;
    std::string sound;
  };
  explicit VoiceIntake(IntakeRule rule);
  /// Samples in pieces of any size; an odd byte waits for its other half.
  void feed(std::string_view bytes);
  /// What was heard since, in order.
  std::optional<Heard> next();
  /// The client says that the question is whole: what there is of it. Empty: nothing was said.
  std::string stop();
  /// Bytes kept.
  std::size_t held() const noexcept { return kept_.size(); }
  const IntakeRule& rule() const noexcept { return rule_; }
  /// The longest question was given out before the client said that it is whole.
  bool full() const noexcept { return full_; }

 private:
  void listen(std::string_view bytes);
  void look();
  void forget_before(std::uint64_t sample);
  std::string cut(std::uint64_t from, std::uint64_t to);
  std::uint64_t to_input(std::uint64_t voice_sample) const noexcept;
  std::uint64_t longest() const noexcept;

  const IntakeRule rule_;
  media::VoiceActivity activity_;
  std::string kept_;         ///< samples from first_ on
  std::uint64_t first_ = 0;  ///< place of kept_'s first sample
  std::uint64_t fed_ = 0;    ///< samples that came
  std::uint64_t given_ = 0;  ///< samples that activity_ got
  std::optional<char> half_;
  std::uint64_t from_ = 0;  ///< where the open question begins
  bool open_ = false;       ///< hands-free: somebody speaks
  bool full_ = false;       ///< push-to-talk: it was given out, the rest is not kept
  std::deque<Heard> heard_;
};

}  // namespace mainstay::api
