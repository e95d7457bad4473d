// The machine: memory, stalls, heat, GPU, disk, limits, clock.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/timex.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "app/doctor.h"
#include "resources/gpu.h"
#include "resources/heat.h"
#include "resources/memory.h"
#include "resources/stall.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1ULL << 20;

std::string in_mib(std::uint64_t bytes) {
  return std::to_string(bytes / kMiB) + " MiB";
}

Finding memory(const resources::Roots& roots, const ResourceSettings& limits) {
  const auto found = resources::read_memory(roots);
  if (found.limit == 0) return {Mark::warn, "memory", "could not be measured", ""};
  const std::string says = fmt::format("{} of {} in use (limit of the {})", in_mib(found.used),
                                       in_mib(found.limit), resources::name(found.source));
  const std::string fix = "Stop other programs, raise the limit, or choose --profile sbc";
  if (found.share >= limits.memory_hard) return {Mark::bad, "memory", says, fix};
  if (found.share >= limits.memory_soft) return {Mark::warn, "memory", says, fix};
  if (found.events.oom_kill > 0) {
    return {Mark::warn, "memory",
            says + fmt::format("; the kernel killed {} programs here", found.events.oom_kill), fix};
  }
  return {Mark::fine, "memory", says, ""};
}

Finding stalls(const resources::Roots& roots, const ResourceSettings& limits) {
  const auto found = resources::read_stalls(roots);
  if (!found.cpu || !found.memory || !found.io) {
    return {Mark::fine, "stalls", "the kernel does not tell (no /proc/pressure)", ""};
  }
  const std::string says =
      fmt::format("waiting in the last 10 s: cpu {:.0f} %, memory {:.0f} %, disk {:.0f} %",
                  found.cpu->some_avg10, found.memory->some_avg10, found.io->full_avg10);
  if (found.memory->some_avg10 >= limits.stall_memory_some * 100) {
    return {Mark::warn, "stalls", says, "The machine is short of memory: stop other programs"};
  }
  if (found.io->full_avg10 >= limits.stall_io * 100) {
    return {Mark::warn, "stalls", says, "The disk is busy: see who writes with iotop"};
  }
  return {Mark::fine, "stalls", says, ""};
}

Finding heat(const resources::Roots& roots, const ResourceSettings& limits) {
  const auto zones = resources::read_heat(roots);
  if (zones.empty()) return {Mark::fine, "heat", "no sensors", ""};
  const auto left = [&](const resources::HeatZone& z) {
    return z.trip.value_or(limits.heat_trip) - z.temperature;
  };
  const auto& zone = *std::min_element(
      zones.begin(), zones.end(),
      [&](const auto& one, const auto& other) { return left(one) < left(other); });
  const std::string says = fmt::format("{} at {:.0f} °C, slows down at {:.0f} °C", zone.type,
                                       zone.temperature, zone.trip.value_or(limits.heat_trip));
  const std::string fix = "Cool the machine: fan, heat sink, less load";
  if (left(zone) <= limits.heat_hard_margin) return {Mark::bad, "heat", says, fix};
  if (left(zone) <= limits.heat_soft_margin) return {Mark::warn, "heat", says, fix};
  return {Mark::fine, "heat", says, ""};
}

Finding gpu(const resources::Roots& roots) {
  const auto found = resources::GpuSensor(roots).read();
  if (found.empty()) return {Mark::fine, "gpu", "none found", ""};
  std::string says;
  for (const auto& one : found) {
    says += fmt::format(
        "{}number {}{}", says.empty() ? "" : ", ", one.index,
        one.shares_memory
            ? ", sharing the machine's memory"
            : fmt::format(": {} of {} in use", in_mib(one.memory_used), in_mib(one.memory_total)));
  }
  return {Mark::fine, "gpu", says, ""};
}

/// The nearest folder that exists: where a missing data directory would be made.
std::string existing(std::string dir) {
  std::error_code failed;
  fs::path path = fs::absolute(dir, failed);
  while (!fs::exists(path, failed) && path.has_parent_path() && path != path.parent_path()) {
    path = path.parent_path();
  }
  return path.string();
}

Finding file_system(const std::string& dir) {
  struct statfs about{};
  if (::statfs(dir.c_str(), &about) != 0) return {Mark::warn, "filesystem", "cannot be read", ""};
  const std::string move = "Put the data on a local disk: --data DIR or storage.data_dir";
  switch (static_cast<std::uint64_t>(about.f_type)) {
    case 0x01021994:  // tmpfs
    case 0x858458f6:  // ramfs
      return {Mark::warn, "filesystem", "held in memory: gone when the machine restarts", move};
    case 0x6969:      // nfs
    case 0xff534d42:  // cifs
    case 0xfe534d42:  // smb2
      return {Mark::bad, "filesystem", "a network disk, where the database's locks do not hold",
              move};
    default:
      return {Mark::fine, "filesystem", "a disk of this machine", ""};
  }
}

Finding descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return {Mark::fine, "descriptors", "no limit", ""};
  const std::string says = std::to_string(limit.rlim_max) + " descriptors allowed";
  const std::string fix = "Raise the limit: ulimit -Hn 65536, or LimitNOFILE= of the service";
  if (limit.rlim_max < 256) return {Mark::bad, "descriptors", says, fix};
  if (limit.rlim_max < 4096) return {Mark::warn, "descriptors", says, fix};
  return {Mark::fine, "descriptors", says, ""};
}

Finding threads() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NPROC, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return {Mark::fine, "threads", "no limit", ""};
  const std::string says = std::to_string(limit.rlim_cur) + " threads allowed for this user";
  if (limit.rlim_cur < 128) {
    return {Mark::warn, "threads", says, "Raise the limit: ulimit -u 4096, or TasksMax="};
  }
  return {Mark::fine, "threads", says, ""};
}

Finding time_of_day(const Clock& clock) {
  constexpr std::int64_t kTooEarly = 1'704'067'200;  // 2024-01-01: before this program was written
  if (unix_seconds(clock.wall()) < kTooEarly) {
    return {Mark::bad, "clock", "shows a time before 2024: certificates and tokens will fail",
            "Set the clock: timedatectl set-ntp true"};
  }
  timex state{};
  const int kept = ::adjtimex(&state);
  if (kept == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
    return {Mark::warn, "clock", "not known to be synchronised",
            "Let it follow a time server: timedatectl set-ntp true"};
  }
  return {Mark::fine, "clock", "synchronised", ""};
}

}  // namespace

const char* word(Mark mark) {
  switch (mark) {
    case Mark::fine:
      return "ok";
    case Mark::warn:
      return "warning";
    case Mark::bad:
      return "bad";
  }
  return "bad";
}

std::optional<DiskRoom> disk_room(const std::string& path) {
  return resources::read_disk(existing(path));
}

Finding disk_finding(const DiskRoom& room, const std::string& dir, const ResourceSettings& limits) {
  if (room.read_only) {
    return {Mark::bad, "disk", "the file system of " + dir + " is read-only",
            "Mount it writable: mount -o remount,rw; then look at the kernel's log for why"};
  }
  const std::string says = in_mib(room.free) + " of " + in_mib(room.total) + " free";
  const std::string fix = "Free space on the disk of " + dir;
  // The limits at which a running server stops writing; a disk smaller than they are counts by
  // half.
  const auto least = [&](double share, Bytes size) {
    const auto part = static_cast<std::uint64_t>(static_cast<double>(room.total) * share);
    return std::min(std::max(part, size.value), room.total / 2);
  };
  if (room.free < least(limits.disk_hard_share, limits.disk_hard)) {
    return {Mark::bad, "disk", says, fix};
  }
  if (room.free < least(limits.disk_soft_share, limits.disk_soft)) {
    return {Mark::warn, "disk", says, fix};
  }
  return {Mark::fine, "disk", says, ""};
}

Finding inode_finding(const DiskRoom& room, const std::string& dir) {
  if (room.inodes_total == 0) return {Mark::fine, "inodes", "not counted here", ""};
  const std::string says =
      std::to_string(room.inodes_free) + " of " + std::to_string(room.inodes_total) + " free";
  const std::string fix = "Delete small files on the disk of " + dir + " (df -i)";
  if (room.inodes_free < std::max<std::uint64_t>(room.inodes_total / 100, 16)) {
    return {Mark::bad, "inodes", says, fix};
  }
  if (room.inodes_free < room.inodes_total / 20) return {Mark::warn, "inodes", says, fix};
  return {Mark::fine, "inodes", says, ""};
}

Findings machine_findings(const config::Machine& machine, const resources::Roots& roots,
                          const ResourceSettings& limits) {
  return {{Mark::fine, "cores",
           std::to_string(machine.cores) + (machine.arm64 ? " (64-bit ARM)" : ""), ""},
          memory(roots, limits),
          stalls(roots, limits),
          heat(roots, limits),
          gpu(roots)};
}

Findings disk_findings(const std::string& data_dir, const ResourceSettings& limits) {
  const std::string dir = existing(data_dir);
  const auto room = disk_room(dir);
  if (!room) return {{Mark::warn, "disk", "cannot be measured", ""}};
  return {disk_finding(*room, dir, limits), inode_finding(*room, dir), file_system(dir)};
}

Findings process_findings(const Clock& clock) {
  return {descriptors(), threads(), time_of_day(clock)};
}

}  // namespace mainstay::app
