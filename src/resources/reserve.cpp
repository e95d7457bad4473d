// The limits of a disk and the reserve's steps.
#include "resources/reserve.h"

#include <algorithm>

namespace mainstay::resources {
namespace {

/// After a failed write or ballast, writes stay off this long: figures that look well did not help.
constexpr Duration kAfterFailure = std::chrono::seconds(5);

std::uint64_t share_of(std::uint64_t whole, double share) {
  return static_cast<std::uint64_t>(static_cast<double>(whole) * share);
}

WriteStop reason(const DiskFigures& disk, const DiskLimits& limits) {
  if (disk.read_only) return WriteStop::read_only;
  if (disk.free < limits.hard) return WriteStop::no_room;
  if (disk.inodes_total > 0 && disk.inodes_free < limits.inodes_hard) return WriteStop::no_inodes;
  return WriteStop::none;
}

/// Room for the ballast and a tenth above the limit, so that making it does not stop writes again.
bool roomy(const DiskFigures& disk, const DiskLimits& limits, Ballast ballast) {
  const std::uint64_t wanted =
      limits.hard + limits.hard / 10 + (ballast == Ballast::missing ? limits.ballast : 0);
  const bool inodes =
      disk.inodes_total == 0 || disk.inodes_free >= limits.inodes_hard + limits.inodes_hard / 10;
  return disk.free >= wanted && inodes && !disk.read_only;
}

ReserveStep looked(ReserveState state, const DiskFigures& disk, const DiskLimits& limits,
                   TimePoint now) {
  if (limits.ballast == 0 && state.ballast == Ballast::missing) state.ballast = Ballast::unwanted;
  const WriteStop why = reason(disk, limits);
  if (why != WriteStop::none) {
    state.stop = why;
    if (state.ballast == Ballast::held && why != WriteStop::read_only) {
      state.ballast = Ballast::missing;
      return {state, ReserveAction::release};
    }
    return {state, ReserveAction::none};
  }
  const bool waits = state.failed_at && now - *state.failed_at < kAfterFailure;
  if (waits || !roomy(disk, limits, state.ballast)) return {state, ReserveAction::none};
  // Making the ballast is the proof that there is room: writes come back with it.
  if (state.ballast == Ballast::missing) return {state, ReserveAction::make};
  state.stop = WriteStop::none;
  return {state, ReserveAction::none};
}

}  // namespace

DiskLimits disk_limits(const DiskFigures& disk, const ResourceSettings& s) noexcept {
  DiskLimits out;
  out.soft = std::max(share_of(disk.total, s.disk_soft_share),
                      std::min(s.disk_soft.value, disk.total / 4));
  out.hard = std::max(share_of(disk.total, s.disk_hard_share),
                      std::min(s.disk_hard.value, disk.total / 16));
  out.hard = std::min(out.hard, out.soft);
  out.inodes_soft = share_of(disk.inodes_total, s.disk_soft_share);
  out.inodes_hard = share_of(disk.inodes_total, s.disk_hard_share);
  // A file system that counts inodes needs some to make the next journal.
  if (disk.inodes_total > 0 && s.disk_hard_share > 0) {
    out.inodes_hard = std::max<std::uint64_t>(out.inodes_hard, 1);
    out.inodes_soft = std::max(out.inodes_soft, out.inodes_hard);
  }
  out.ballast = std::min(s.disk_ballast.value, disk.total / 16);
  return out;
}

std::string_view name(WriteStop why) noexcept {
  switch (why) {
    case WriteStop::none:
      return "none";
    case WriteStop::no_room:
      return "no_room";
    case WriteStop::no_inodes:
      return "no_inodes";
    case WriteStop::read_only:
      return "read_only";
    case WriteStop::write_failed:
      return "write_failed";
  }
  return "none";
}

ReserveStep step(ReserveState state, ReserveEvent event, const DiskFigures& disk,
                 const DiskLimits& limits, TimePoint now) noexcept {
  switch (event) {
    case ReserveEvent::looked:
      return looked(state, disk, limits, now);
    case ReserveEvent::write_failed: {
      state.stop = WriteStop::write_failed;
      state.failed_at = now;
      if (state.ballast != Ballast::held) return {state, ReserveAction::none};
      state.ballast = Ballast::missing;
      return {state, ReserveAction::release};
    }
    case ReserveEvent::made:
      state.ballast = Ballast::held;
      state.stop = WriteStop::none;
      return {state, ReserveAction::none};
    case ReserveEvent::make_failed:
      state.ballast = Ballast::missing;
      if (state.stop == WriteStop::none) state.stop = WriteStop::write_failed;
      state.failed_at = now;
      return {state, ReserveAction::none};
    case ReserveEvent::make_refused:
      state.ballast = Ballast::unwanted;
      state.stop = WriteStop::none;
      return {state, ReserveAction::none};
  }
  return {state, ReserveAction::none};
}

}  // namespace mainstay::resources
