// The disk reserve: when writes stop, when the ballast goes, and when both come back.
// Pure: DiskReserve (disk_reserve.h) does the I/O. Used by the governor.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "config/settings.h"
#include "resources/disk.h"

namespace mainstay::resources {

/// Free bytes and inodes at which a disk of this size is soft and hard, and its ballast.
struct DiskLimits {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  std::uint64_t inodes_soft = 0;
  std::uint64_t inodes_hard = 0;
  std::uint64_t ballast = 0;
};
/// The larger of share and size; sizes count as a quarter (soft) and a sixteenth (hard, ballast)
/// of the disk at most, so that a small disk is not full from the start.
DiskLimits disk_limits(const DiskFigures& disk, const ResourceSettings& settings) noexcept;

enum class Ballast : std::uint8_t {
  missing,  ///< not made yet, or given back
  held,
  unwanted,  ///< none configured, or this file system cannot hold one
};
/// Why writes are off.
enum class WriteStop : std::uint8_t { none, no_room, no_inodes, read_only, write_failed };
std::string_view name(WriteStop why) noexcept;

struct ReserveState {
  Ballast ballast = Ballast::missing;
  WriteStop stop = WriteStop::none;
  std::optional<TimePoint> failed_at;  ///< last time that a write or the ballast's making failed
};
/// What happened.
enum class ReserveEvent : std::uint8_t {
  looked,        ///< `disk` is fresh
  write_failed,  ///< a write ended with "no space left"
  made,          ///< the ballast is there
  make_failed,   ///< no room for it
  make_refused,  ///< the file system cannot hold one
};
enum class ReserveAction : std::uint8_t { none, make, release };
struct ReserveStep {
  ReserveState state;
  ReserveAction action = ReserveAction::none;
};
/// One step. `disk` counts for `looked` alone; a disk that cannot be looked at is not in it: the
/// driver then leaves the state as it is.
ReserveStep step(ReserveState state, ReserveEvent event, const DiskFigures& disk,
                 const DiskLimits& limits, TimePoint now) noexcept;

}  // namespace mainstay::resources
