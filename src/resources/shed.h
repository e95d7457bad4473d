// Shed points: the named places where work is refused or left out when the machine runs short.
// Pure. Used by the governor; the points are asked by admission, api, jobs, models and net.
#pragma once

#include <cstdint>
#include <string_view>

#include "resources/pressure.h"

namespace mainstay::resources {

/// In the order in which they go. The last group never goes: it is here so that every place may
/// ask.
enum class ShedPoint : std::uint8_t {
  batch_jobs,          ///< jobs, and requests of the classes batch and background
  anonymous_chat,      ///< new chats without credentials
  authenticated_chat,  ///< new chats with credentials
  voice_turns,         ///< new ones

  uploads,          ///< documents and files
  idle_keep_alive,  ///< keeping a connection between requests
  new_connections,  ///< answered 503 at once

  health,
  admin,
  cancel,
  remove,
  result_read,
};
inline constexpr std::size_t kShedPoints = 12;
/// Points of the first group, in the order in which they go.
inline constexpr std::size_t kShedOrder = 4;
/// Points before this one can go; this one and those after it never do.
inline constexpr ShedPoint kNeverShed = ShedPoint::health;
std::string_view name(ShedPoint point) noexcept;

struct Shedding {
  std::uint32_t points = 0;  ///< bit i: the point of value i sheds
  /// Share of the usual permits: 1, 0.5 or 0. At least one permit always stays.
  double permit_factor = 1;
  bool sheds(ShedPoint point) const noexcept {
    return ((points >> static_cast<unsigned>(point)) & 1U) != 0;
  }
};
/// What goes at these levels.
Shedding shedding_of(const Levels& levels) noexcept;

}  // namespace mainstay::resources
