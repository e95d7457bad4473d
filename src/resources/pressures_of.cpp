// From readings to one pressure for each resource: thresholds of the settings, worst of several.
#include <algorithm>

#include "resources/governor.h"
#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

double share(std::uint64_t used, std::uint64_t max) {
  return max == 0 ? 0 : static_cast<double>(used) / static_cast<double>(max);
}

double of_memory(const Readings& r, const ResourceSettings& s) {
  double used = r.memory.share;
  if (r.process) used = std::max(used, share(r.process->resident.value, s.memory_max.value));
  return pressure_of(used, {0, s.memory_soft, s.memory_hard, 1});
}

/// The smaller threshold leads to soft, and only the worse kind of stall to hard.
double of_stall(const Readings& r, const ResourceSettings& s) {
  const double some = pressure_of(r.stall.memory.some, {0, s.stall_memory_some, 2, 3});
  const double full =
      pressure_of(r.stall.memory.full, {0, s.stall_memory_full / 2, s.stall_memory_full, 1});
  return std::max(some, full);
}

/// Any program's want of a core leads to soft at most: what only waits for a model elsewhere loses
/// nothing by it. Hard is for our own loops, which then answer everybody late.
double of_cpu(const Readings& r, const ResourceSettings& s) {
  const double waiting = pressure_of(r.stall.cpu.some, {0, s.stall_cpu, 2, 3});
  const double late_hard = static_cast<double>(s.loop_late_hard.count());
  const double late = static_cast<double>(millis(r.loop_lag_kept));
  return std::max(waiting, pressure_of(late, {0, late_hard / 2, late_hard, 4 * late_hard}));
}

double of_disks(const Readings& r, const ResourceSettings& s) {
  double worst = 0;
  for (const DiskReading& disk : r.disks) {
    if (!disk.figures || disk.figures->total == 0) continue;
    const DiskFigures& f = *disk.figures;
    const DiskLimits limits = disk_limits(f, s);
    const auto scale = [](std::uint64_t all, std::uint64_t soft, std::uint64_t hard) {
      return Scale{static_cast<double>(all), static_cast<double>(soft), static_cast<double>(hard),
                   0};
    };
    worst = std::max(
        worst, pressure_of(static_cast<double>(f.free), scale(f.total, limits.soft, limits.hard)));
    if (f.inodes_total == 0) continue;
    worst =
        std::max(worst, pressure_of(static_cast<double>(f.inodes_free),
                                    scale(f.inodes_total, limits.inodes_soft, limits.inodes_hard)));
  }
  return worst;
}

double of_heat(const Readings& r, const ResourceSettings& s) {
  constexpr double kCalm = 40;  // degrees below the soft threshold that count as no pressure
  double worst = 0;
  const auto one = [&](double temperature, double trip) {
    const double soft = trip - s.heat_soft_margin;
    worst = std::max(
        worst, pressure_of(temperature, {soft - kCalm, soft, trip - s.heat_hard_margin, trip}));
  };
  for (const HeatZone& zone : r.heat) one(zone.temperature, zone.trip.value_or(s.heat_trip));
  for (const GpuFigures& gpu : r.gpus) {
    if (gpu.temperature) one(*gpu.temperature, s.heat_trip);
  }
  return worst;
}

/// The GPU with the most room counts: a model is placed there.
double of_gpus(const Readings& r, const ResourceSettings& s) {
  double least = 1;
  bool any = false;
  for (const GpuFigures& gpu : r.gpus) {
    if (gpu.memory_total == 0) continue;
    any = true;
    least = std::min(least, pressure_of(share(gpu.memory_used, gpu.memory_total),
                                        {0, s.gpu_soft, s.gpu_hard, 1}));
  }
  return any ? least : 0;
}

}  // namespace

Pressures pressures_of(const Readings& r, const ResourceSettings& s) {
  Pressures out{};
  const auto put = [&out](Resource resource, double value) {
    out[static_cast<std::size_t>(resource)] = value;
  };
  put(Resource::memory, of_memory(r, s));
  put(Resource::stall, of_stall(r, s));
  put(Resource::io,
      pressure_of(r.stall.io.full, {0, s.stall_io, std::min(2 * s.stall_io, 1.0), 1}));
  put(Resource::cpu, of_cpu(r, s));
  put(Resource::disk, of_disks(r, s));
  if (r.process) {
    put(Resource::descriptors,
        pressure_of(share(r.process->descriptors, r.process->descriptors_max),
                    {0, s.descriptors_soft, s.descriptors_hard, 1}));
  }
  put(Resource::tasks, pressure_of(share(r.tasks.used, r.tasks.max),
                                   {0, s.descriptors_soft, s.descriptors_hard, 1}));
  put(Resource::heat, of_heat(r, s));
  put(Resource::gpu, of_gpus(r, s));
  return out;
}

LadderRules rules_of(Resource resource, const ResourceSettings& s) noexcept {
  switch (resource) {
    case Resource::disk:
    case Resource::descriptors: {
      // Room that was made is there at once: waiting would only keep clients away.
      constexpr Duration kSoon = std::chrono::seconds(2);
      LadderRules rules{std::min<Duration>(s.hold, kSoon), Rise::at_once};
      rules.falls_freely = true;
      return rules;
    }
    case Resource::memory:
    case Resource::tasks:
      return {s.hold, Rise::at_once};
    // Waiting ends in a moment when less is done, so it must be well below before more is done:
    // half the threshold is 0.425.
    case Resource::stall:
    case Resource::io:
    case Resource::cpu:
      return {s.stall_hold, Rise::twice_a_minute, kSoft / 2};
    case Resource::heat:
      return {s.heat_hold, Rise::twice_a_minute};
    case Resource::gpu:
      return {s.hold, Rise::twice_a_minute};
  }
  return {};
}

TaskReading read_tasks(const Roots& roots) {
  TaskReading out;
  std::string folder = own_group_v2(roots);
  if (folder.empty() || !is_there(folder + "/pids.current")) folder = own_group_v1(roots, "pids");
  if (folder.empty()) return out;
  const auto used = read_number(folder + "/pids.current");
  const auto max = read_number(folder + "/pids.max");
  if (used && *used > 0) out.used = static_cast<std::uint64_t>(*used);
  if (max && *max > 0) out.max = static_cast<std::uint64_t>(*max);
  return out;
}

}  // namespace mainstay::resources
