// GPUs: NVIDIA's by its management library, opened at run time, and the Jetson's by sysfs.
// Used by the governor and machine facts. No GPU is a value, never an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "resources/roots.h"

namespace mainstay::resources {

struct GpuFigures {
  std::uint32_t index = 0;
  bool shares_memory = false;      ///< its memory is the machine's (Jetson); sizes are 0 then
  std::uint64_t memory_total = 0;  ///< bytes
  std::uint64_t memory_used = 0;
  std::optional<double> load;         ///< 0 to 1
  std::optional<double> temperature;  ///< degrees Celsius
};

/// Holds the library open. One thread at a time.
class GpuSensor {
 public:
  explicit GpuSensor(const Roots& roots);
  ~GpuSensor();
  GpuSensor(const GpuSensor&) = delete;
  GpuSensor& operator=(const GpuSensor&) = delete;
  /// Blocks for a few milliseconds inside the driver. At most 64 GPUs.
  std::vector<GpuFigures> read();

 private:
  struct Library;
  Roots roots_;
  std::unique_ptr<Library> library_;  ///< null: not there, or it did not start
};

}  // namespace mainstay::resources
