// What this process uses of the machine: memory, processor time, descriptors, threads.
// Used by api (metrics) and app. Reads /proc; the root is injected so that tests bring their own.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/units.h"

namespace mainstay::resources {

struct ProcessFigures {
  Bytes resident;
  double cpu_seconds = 0;  ///< user and system
  std::uint64_t descriptors = 0;
  std::uint64_t descriptors_max = 0;
  std::uint64_t threads = 0;
};

/// Reads the figures; milliseconds of work, no lock. Errors: unavailable when /proc cannot be read.
Result<ProcessFigures> read_process(const std::string& proc_root = "/proc/self");

}  // namespace mainstay::resources
