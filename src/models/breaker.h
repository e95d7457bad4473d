// Circuit breaker of one provider: stops calling what keeps failing, and finds out when it is back.
// Pure: time is passed in, nothing waits. Used by upstream.h under its mutex.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/settings.h"

namespace mainstay::models {

/// closed: calls pass and their ends are counted over a window. open: nothing passes until a
/// moment. half_open: one probe; when it succeeds three more calls; when all succeed, closed.
/// A failure in half_open opens again for twice as long, up to breaker_open_max, with jitter of a
/// quarter either way; closing resets the doubling. Not thread-safe.
class Breaker {
 public:
  enum class State : std::uint8_t { closed, open, half_open };

  /// The right to make one call; must be given back by exactly one of success(), failure(),
  /// ignored().
  struct Pass {
    bool allowed = false;
    std::uint32_t era = 0;   ///< results of an earlier era are not counted
    Duration retry_after{};  ///< when refused: how long it stays so
  };

  explicit Breaker(const ModelSettings& settings);
  Pass ask(TimePoint now);
  void success(const Pass& pass);
  /// A stream has begun. In half_open that is a success, and its end is not counted any more:
  /// others need not wait for it.
  void answers(Pass& pass);
  void failure(const Pass& pass, TimePoint now, Random& random);
  /// The call said nothing about the provider's health (cancelled, the caller's fault).
  void ignored(const Pass& pass);

  /// The state as a call now would find it.
  State state(TimePoint now) const;
  /// How long calls are refused from now on; zero when not open.
  Duration open_for(TimePoint now) const;

 private:
  void open(TimePoint now, Random& random);
  void close();
  void count(bool failed);
  const std::uint32_t calls_min_;
  const double failure_ratio_;
  const Duration open_first_;
  const Duration open_max_;
  State state_ = State::closed;
  std::uint32_t era_ = 0;
  std::vector<bool> window_;  ///< ring of the last calls; true: failed
  std::size_t next_ = 0;
  std::uint32_t calls_ = 0;
  std::uint32_t failures_ = 0;
  std::uint32_t openings_ = 0;  ///< in a row, for the doubling
  TimePoint until_{};
  std::uint32_t probes_ = 0;     ///< on their way in half_open
  std::uint32_t successes_ = 0;  ///< of half_open
};

std::string_view name(Breaker::State state) noexcept;

}  // namespace mainstay::models
