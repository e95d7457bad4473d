// When the issuer's key set is read, and for how long the last one may be used.
// Used by identity, which does the reading. Pure: time is given.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "config/settings.h"

namespace mainstay::admission {

/// The state of following one jwks_url.
struct IssuerState {
  bool loaded = false;  ///< a set was read at least once
  bool tried = false;
  bool wanted = false;         ///< a token named a key that the set lacks
  std::uint32_t failures = 0;  ///< in a row
  TimePoint loaded_at{};
  TimePoint tried_at{};
};

/// When to read next: at once at first; every `refresh`; after a failure, or for an unknown key,
/// `refresh_min` after the last try (sooner, doubling from a second, while there is no set at all).
TimePoint next_reading(const IssuerState& state, const JwtSettings& settings);
/// The last set may be used: it was read less than `stale_max` ago.
bool usable(const IssuerState& state, const JwtSettings& settings, TimePoint now);
IssuerState reading_began(IssuerState state, TimePoint now);
IssuerState reading_done(IssuerState state, TimePoint began);
IssuerState reading_failed(IssuerState state);

/// Names of keys that were asked for and are not there, so that one token with a made-up name does
/// not cause a reading each minute. Fixed size; a new name takes an old one's place.
class UnknownNames {
 public:
  /// True when the name is new, or was last noted more than `for_how_long` ago; notes it.
  bool is_news(std::string_view name, TimePoint now, Duration for_how_long);

 private:
  struct Noted {
    std::uint64_t name = 0;
    TimePoint at{};
  };
  std::array<Noted, 256> noted_{};
};

}  // namespace mainstay::admission
