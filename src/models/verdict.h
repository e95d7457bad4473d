// What a provider's failure means: try it again, try another, or tell the caller.
// Pure. Used by the router.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace mainstay::models {

/// When the same provider is worth another call.
enum class Again : std::uint8_t {
  never,
  if_last,  ///< only when no other candidate is left
  yes,
};

/// Whose breaker a failure counts for.
enum class Blame : std::uint8_t {
  nobody,
  model,   ///< the server was there and failed with this model
  server,  ///< it could not be reached
};

struct Verdict {
  Again again = Again::never;
  bool next = false;  ///< another candidate may do better; false: the failure is the caller's
  Blame blame = Blame::nobody;
};

/// Said by bounds of our own, not by a provider: nobody was asked.
bool refused_by_us(const Error& error) noexcept;

/// By the reasons listed at ChatProvider.
Verdict verdict(const Error& error) noexcept;

}  // namespace mainstay::models
