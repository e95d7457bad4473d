// Room on the disks that hold the data, the log and temporary files.
// Used by the governor, the disk reserve and machine facts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mainstay::resources {

/// Sizes in bytes; what is free is what this user may take.
struct DiskFigures {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  std::uint64_t inodes_total = 0;  ///< 0: the file system does not count them
  std::uint64_t inodes_free = 0;
  bool read_only = false;
  bool in_memory = false;  ///< tmpfs or ramfs
};

/// Empty when the path cannot be looked at. Blocks while a network disk does.
std::optional<DiskFigures> read_disk(const std::string& path);
using ReadDisk = std::function<std::optional<DiskFigures>(const std::string& path)>;

}  // namespace mainstay::resources
