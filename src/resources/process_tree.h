// A process with all that it started: how much memory they hold, and who outlives it.
// Used by models/hosts. Reads /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mainstay::resources {

/// A process that cannot be mistaken for a later one of the same number.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t began = 0;  ///< clock ticks after the machine's start
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

/// Bytes are resident pages; what several processes share counts for each.
struct TreeFigures {
  std::uint64_t resident = 0;
  std::vector<ProcessId> members;  ///< at most 4096
};

/// The processes of the group of `leader`, their descendants wherever those have gone, and those of
/// `known` that still run (one whose parent has ended is nobody's descendant). Some milliseconds.
TreeFigures read_tree(pid_t leader, const std::vector<ProcessId>& known,
                      const std::string& proc = "/proc");
/// Those that still run (a process that has ended and was not waited for does not).
TreeFigures still_there(const std::vector<ProcessId>& known, const std::string& proc = "/proc");
/// SIGKILL to one that still runs, and to no later process of its number.
void kill_one(const ProcessId& process) noexcept;

}  // namespace mainstay::resources
