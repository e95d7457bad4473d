// The rule of additive increase and multiplicative decrease.
#include "models/aimd.h"

#include <algorithm>

namespace mainstay::models {

Aimd step(const Aimd& state, const Ended& call, std::uint32_t most, Duration window,
          TimePoint now) noexcept {
  constexpr double kBackOff = 0.9;
  constexpr int kCalm = 10;  // windows
  Aimd next = state;
  switch (call.load) {
    case Load::fine: {
      const Duration since = now - std::max(state.raised, state.lowered);
      const auto more = call.at_work < state.limit ? since / (kCalm * window)
                        : since < window           ? 0
                                                   : 1;
      if (more == 0) break;
      next.limit = state.limit + static_cast<std::uint32_t>(std::min<std::int64_t>(more, most));
      next.raised = now;
      break;
    }
    case Load::too_much:
      if (call.at_work < 2 || call.started < state.lowered) break;
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
