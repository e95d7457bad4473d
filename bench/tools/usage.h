// CPU time and resident memory of other processes, from /proc. Used by load.cpp to bracket exactly
// the window in which it counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mainstay::bench {

/// User and system time of all threads of `pids` together, in seconds (in steps of 10 ms).
double cpu_seconds(const std::vector<std::string>& pids);
/// Time that the busiest thread of each of `pids` was ready to run while its core ran something
/// else, in seconds.
double waited_seconds(const std::vector<std::string>& pids);
/// Resident memory of `pids` together, in KiB.
std::uint64_t resident_kib(const std::vector<std::string>& pids);

}  // namespace mainstay::bench
