// Pressure and its ladder: one number from 0 to 1 for each resource, three levels, hysteresis.
// Pure: no clock, no file. Used by the governor.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace mainstay::resources {

/// What can run out.
enum class Resource : std::uint8_t {
  memory,
  stall,  ///< time spent waiting for memory
  io,     ///< time spent waiting for disks
  cpu,    ///< time spent waiting for a core (soft); how late our own loops are (hard)
  disk,   ///< room and inodes of the data paths
  descriptors,
  tasks,  ///< threads and children, against the control group's limit
  heat,
  gpu,  ///< its memory
};
inline constexpr std::size_t kResources = 9;
std::string_view name(Resource resource) noexcept;

enum class Level : std::uint8_t { normal, soft, hard };
std::string_view name(Level level) noexcept;
using Levels = std::array<Level, kResources>;
using Pressures = std::array<double, kResources>;

/// Every resource's pressure is 0.85 at its soft threshold and 0.95 at its hard one, so that they
/// compare; these four figures in the resource's own unit give the scale. They rise, or all fall
/// (free space).
struct Scale {
  double calm = 0;  ///< pressure 0
  double soft = 0;
  double hard = 0;
  double end = 0;  ///< pressure 1
};
inline constexpr double kSoft = 0.85;
inline constexpr double kHard = 0.95;
/// Piecewise linear between the four; a figure that is not a number counts as calm.
double pressure_of(double figure, const Scale& scale) noexcept;

/// Whether a rise may wait when the level has changed twice within the last minute. Memory, disks,
/// descriptors and tasks end the program when they run out: there a rise never waits.
enum class Rise : std::uint8_t { at_once, twice_a_minute };

struct LadderRules {
  Duration hold{};  ///< time below the leaving threshold before a level is left
  Rise rise = Rise::at_once;
  double leave_gap = 0.05;  ///< a level is left this far below where it is entered
  Level worst = Level::hard;
  /// The figure is exact and moves slowly: a fall does not wait for the minute's other changes.
  bool falls_freely = false;
};

/// State of one resource's ladder.
struct Ladder {
  Level level = Level::normal;
  std::optional<TimePoint> calm_since;
  std::array<std::optional<TimePoint>, 2> switched{};  ///< the last two, newest first
};
/// The ladder after one sample. A level falls one step at a time, and at most one other change may
/// lie within the minute before a fall, unless it falls freely.
Ladder step(Ladder ladder, double pressure, TimePoint now, const LadderRules& rules) noexcept;

}  // namespace mainstay::resources
