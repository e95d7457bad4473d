// Rules of refreshing; no I/O.
#include "admission/jwks.h"

#include <algorithm>
#include <functional>

namespace mainstay::admission {

TimePoint next_reading(const IssuerState& state, const JwtSettings& settings) {
  if (!state.tried) return TimePoint{};
  if (!state.loaded) {
    const Duration wait =
        Duration(std::chrono::milliseconds(500)) * (1LL << std::min(state.failures, 20U));
    return state.tried_at + std::min<Duration>(wait, settings.refresh_min);
  }
  if (state.wanted || state.failures > 0) return state.tried_at + settings.refresh_min;
  return state.loaded_at + settings.refresh;
}

bool usable(const IssuerState& state, const JwtSettings& settings, TimePoint now) {
  return state.loaded && now - state.loaded_at < settings.stale_max;
}

IssuerState reading_began(IssuerState state, TimePoint now) {
  state.tried = true;
  state.tried_at = now;
  state.wanted = false;
  return state;
}

IssuerState reading_done(IssuerState state, TimePoint began) {
  state.loaded = true;
  state.loaded_at = began;
  state.failures = 0;
  return state;
}

IssuerState reading_failed(IssuerState state) {
  ++state.failures;
  return state;
}

bool UnknownNames::is_news(std::string_view name, TimePoint now, Duration for_how_long) {
  const std::uint64_t hash = std::hash<std::string_view>()(name) | 1;  // zero marks a free place
  Noted& noted = noted_[(hash >> 8) % noted_.size()];
  if (noted.name == hash && now - noted.at < for_how_long) return false;
  noted = {hash, now};
  return true;
}

}  // namespace mainstay::admission
