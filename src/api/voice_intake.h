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
/// Whoever goes on after the longest question is not heard again before they were quiet once.
class VoiceIntake {
 public:
  /// `started`: somebody speaks (hands-free alone). `question`: it is whole; `sound` holds it.
  struct Heard {
    bool question = false;
    std::string sound;
  };
  /// `half`: what an earlier listening to the same stream left.
  explicit VoiceIntake(IntakeRule rule, std::optional<char> half = std::nullopt);
  /// Samples in pieces of any size; an odd byte waits for its other half. Returns how many bytes
  /// were taken: not all when something was heard, so that what follows may be passed over from
  /// there on, whatever the pieces. Nothing is taken before next() gave what was heard.
  std::size_t feed(std::string_view bytes);
  /// Sound that is not for us.
  void pass_over(std::string_view bytes);
  /// What was heard since, in order.
  std::optional<Heard> next();
  /// The client says that the question is whole: what there is of it. Empty: nothing was said.
  std::string stop();
  /// Bytes kept.
  std::size_t held() const noexcept { return kept_.size(); }
  /// The byte that waits for its other half.
  std::optional<char> half() const noexcept { return half_; }
  const IntakeRule& rule() const noexcept { return rule_; }
  /// The longest question was given out before the client said that it is whole.
  bool full() const noexcept { return full_; }

 private:
  std::size_t take_step(std::string_view bytes);
  void take_samples(std::string_view bytes);
  void drop(std::string_view bytes);
  std::uint64_t step_end() const noexcept;
  void listen(std::string_view bytes);
  void look();
  void heard_end(media::VoiceSpan span);
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
  std::uint64_t from_ = 0;               ///< where the open question begins
  bool open_ = false;                    ///< hands-free: somebody speaks
  bool goes_on_ = false;                 ///< hands-free: whoever was cut speaks still
  std::optional<std::uint64_t> cut_at_;  ///< hands-free: end of the last span, when it was cut
  bool full_ = false;                    ///< push-to-talk: it was given out, the rest is not kept
  std::deque<Heard> heard_;
};

}  // namespace mainstay::api
