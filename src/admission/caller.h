// A known caller: whose data, which rights. What identification hands to every later step.
// Used by admission and api.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/conversations.h"

namespace mainstay::admission {

/// What a caller may do. `admin` does not include the others but `admin_read` ("admin:read"), which
/// looks at everything below /admin and changes nothing.
enum class Scope : std::uint8_t { chat = 1, jobs = 2, knowledge = 4, admin = 8, admin_read = 16 };

/// A set of scopes.
struct Scopes {
  std::uint8_t bits = 0;
  constexpr Scopes() = default;
  constexpr Scopes(std::initializer_list<Scope> scopes) {
    for (const Scope s : scopes) bits = static_cast<std::uint8_t>(bits | std::uint8_t(s));
  }
  constexpr bool has(Scope scope) const noexcept { return (bits & std::uint8_t(scope)) != 0; }
  friend constexpr bool operator==(Scopes, Scopes) = default;
};

/// Classes of work, the most urgent first; a request asks for one with X-Priority, its caller's
/// `most_urgent` caps it.
enum class Priority : std::uint8_t { voice, interactive, batch, background };

/// Limits of this caller alone; 0: the settings' own.
struct OwnLimits {
  std::uint32_t requests_per_minute = 0;
  std::uint32_t burst = 0;
  std::uint32_t concurrent = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t tokens_per_day = 0;
  std::uint32_t queued = 0;  ///< messages, and jobs, that wait
};

/// A known caller.
struct Caller {
  storage::Owner owner;
  std::string
      key;  ///< id of the API key, or of the token's issuer, tenant and subject; empty: local user
  Scopes scopes;
  Priority most_urgent = Priority::voice;
  OwnLimits limits;
  bool local = false;  ///< no credentials, from this machine
};

}  // namespace mainstay::admission
