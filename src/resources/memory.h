// Memory that this process may still take: its control group's (v2, then v1), else the machine's.
// Used by the governor and by machine facts. Never throws; what is not there is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "resources/roots.h"

namespace mainstay::resources {

enum class MemorySource : std::uint8_t { none, machine, cgroup_v1, cgroup_v2 };
std::string_view name(MemorySource source) noexcept;

/// Times that the kernel stepped in, counted by the control group since it was made.
struct MemoryEvents {
  std::uint64_t high = 0;  ///< slowed down above memory.high
  std::uint64_t max = 0;   ///< had to reclaim at memory.max
  std::uint64_t oom_kill = 0;
};

/// All sizes in bytes.
struct MemoryFigures {
  MemorySource source = MemorySource::none;  ///< whose limit is the nearest
  std::uint64_t used = 0;                    ///< without the page cache that the kernel can drop
  std::uint64_t limit = 0;                   ///< 0: unknown
  std::uint64_t least_limit = 0;  ///< smallest of all limits, the machine's size among them
  std::uint64_t high = 0;         ///< memory.high; 0: none
  std::uint64_t machine_total = 0;
  std::uint64_t machine_available = 0;
  MemoryEvents events;  ///< of the own group
  /// used / limit of what is nearest to its end, 0 to 1; memory.high counts as a limit.
  double share = 0;
};

/// Reads files; well under a millisecond.
MemoryFigures read_memory(const Roots& roots);

/// The folder of the own control group, v2 or the named v1 controller ("" when there is none).
std::string own_group_v2(const Roots& roots);
std::string own_group_v1(const Roots& roots, std::string_view controller);

}  // namespace mainstay::resources
