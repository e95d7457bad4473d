// The rule of additive increase and multiplicative decrease.
#include "models/aimd.h"

#include <algorithm>

namespace mainstay::models {

Aimd step(const Aimd& state, const Ended& call, std::uint32_t most, Duration window,
          TimePoint now) noexcept {
  constexpr double kBackOff = 0.9;
  Aimd next = state;
  switch (call.load) {
    case Load::fine:
      if (call.at_work < state.limit) break;
      if (now - std::max(state.raised, state.lowered) < window) break;
      next.limit = state.limit + 1;
      next.raised = now;
      break;
    case Load::too_much:
      if (call.started < state.lowered) break;
      next.limit = static_cast<std::uint32_t>(state.limit * kBackOff);  // below 10: one fewer
      next.lowered = now;
      break;
    case Load::unknown:
      break;
  }
  next.limit = std::clamp<std::uint32_t>(next.limit, 1, std::max<std::uint32_t>(1, most));
  return next;
}

}  // namespace mainstay::models
