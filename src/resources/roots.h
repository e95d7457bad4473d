// Where the sensors look. Tests put trees of files there; the real ones are the defaults.
// Used by every reader of this room, by app and by doctor.
#pragma once

#include <string>

namespace mainstay::resources {

struct Roots {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string cgroup = "/sys/fs/cgroup";
  std::string nvml = "libnvidia-ml.so.1";  ///< opened with dlopen; empty: not looked for
};

}  // namespace mainstay::resources
