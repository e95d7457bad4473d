// How many calls a provider gets at once, found by trying: one more while all goes well, a tenth
// fewer when it says that it is too much.
// Pure. Used by permits.h's owner, one for each provider.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace mainstay::models {

/// What a call said about the provider's capacity.
enum class Load : std::uint8_t {
  fine,      ///< answered
  too_much,  ///< 429, overloaded, or out of time
  unknown,   ///< cancelled, our mistake, or a failure that has nothing to do with load
};

/// Additive increase, multiplicative decrease. State is a value; step() is its only rule.
struct Aimd {
  std::uint32_t limit = 1;  ///< calls at once; starts at the provider's concurrent_max
  TimePoint raised{};       ///< when it last went up
  TimePoint lowered{};      ///< when it last went down
};

/// The call that ended.
struct Ended {
  Load load = Load::unknown;
  std::uint32_t at_work = 0;  ///< calls at once when it ended, itself counted
  TimePoint started{};
};

/// The next state. `most`: never above it; never below 1. Up by one a `window` when the limit is
/// reached, and by one for each ten that passed when it is not: what was learned long ago fades.
/// Down to nine tenths, at least by one, once for all calls that were under way when it last went
/// down: they were sent under the old limit. A call that was alone says nothing about how many are
/// too many.
Aimd step(const Aimd& state, const Ended& call, std::uint32_t most, Duration window,
          TimePoint now) noexcept;

}  // namespace mainstay::models
