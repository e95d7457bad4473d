// What the preloaded disk writes down of each change to a file, in the order of the changes.
// Used by disk_shim.cpp and power_cut.h.
#pragma once

#include <cstdint>

namespace mainstay::faults {

enum class UndoKind : std::uint64_t {
  created = 1,  ///< the file was not there
  bytes,        ///< `length` old bytes of `offset` follow; the file was `size` long
  synced,       ///< everything before `offset` of this log is on the disk
  entered,      ///< the file's name is on the disk
};

struct UndoRecord {
  std::uint64_t kind;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint64_t size;
};

}  // namespace mainstay::faults
