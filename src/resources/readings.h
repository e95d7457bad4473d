// What one look at the machine and at this process found: plain figures, no judgement.
// Made by the governor; shown by api, doctor and metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "resources/disk.h"
#include "resources/gpu.h"
#include "resources/heap.h"
#include "resources/heat.h"
#include "resources/memory.h"
#include "resources/process.h"
#include "resources/stall.h"

namespace mainstay::resources {

/// One data path.
struct DiskReading {
  std::string name;  ///< "data", "log", "tmp"
  std::string path;
  std::optional<DiskFigures> figures;  ///< empty: cannot be looked at
};
/// One pool or queue of the program.
struct PoolReading {
  std::string name;
  std::uint64_t used = 0;
  std::uint64_t max = 0;
};
struct StallReadings {
  StallShares memory;  ///< of the last two seconds or so
  StallShares io;
  StallShares cpu;
  bool known = false;  ///< the kernel gives them
};
/// Threads and processes of the control group.
struct TaskReading {
  std::uint64_t used = 0;
  std::uint64_t max = 0;  ///< 0: no limit
};

struct Readings {
  WallTime at{};
  std::optional<ProcessFigures> process;
  HeapFigures heap;
  double cpu_share = 0;  ///< of all cores, since the reading before
  std::uint64_t connections = 0;
  Duration loop_lag{};
  Duration loop_lag_kept{};  ///< the smaller of the last two: one slow handler is no pressure
  MemoryFigures memory;
  StallReadings stall;
  std::vector<DiskReading> disks;
  TaskReading tasks;
  std::vector<HeatZone> heat;
  std::vector<GpuFigures> gpus;
  std::vector<PoolReading> pools;
};

TaskReading read_tasks(const Roots& roots);

}  // namespace mainstay::resources
