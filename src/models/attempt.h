// One try at one provider: what it may take, and what it took.
// Used by the faces of providers (provider.h, embed.h) and the router.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/deadline.h"

namespace mainstay::models {

/// Filled by the router, timings by the provider.
struct Attempt {
  std::string model;  ///< the provider's own name for the model
  Duration connect{};
  Duration first_token{};  ///< sent -> first event (stream), or head of the whole, finished reply
  Duration between_tokens{};
  Deadline by = Deadline::never();  ///< of the whole attempt
};

/// What an attempt took, for Server-Timing and metrics.
struct AttemptTimings {
  Duration queue{};
  Duration connect{};
  Duration first_byte{};
};

}  // namespace mainstay::models
