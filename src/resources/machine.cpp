// Looks around once. The control group comes before the machine: it is what we really have.
#include "resources/machine.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

constexpr std::uint64_t kAudioRoom = 64ULL << 20;  // least room that makes a tmpfs worth using

std::uint32_t online(const Roots& roots) {
  if (roots.proc == "/proc") {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
      return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&allowed)));
    }
  }
  const auto text = read_small(roots.proc + "/cpuinfo").value_or("");
  std::uint32_t cores = text.starts_with("processor") ? 1 : 0;
  for (auto at = text.find("\nprocessor"); at != std::string::npos;
       at = text.find("\nprocessor", at + 1)) {
    ++cores;
  }
  return std::max(1U, cores);
}

/// Cores of the smallest quota from `folder` up to `base`; 0: none.
double quota(const std::string& base, std::string folder, const char* one, const char* other) {
  double least = 0;
  while (!folder.empty() && folder.starts_with(base)) {
    const std::string text = read_word(folder + one);
    auto allowed = leading_number(text);
    std::optional<double> period;
    if (other != nullptr) {
      period = read_number(folder + other);
    } else if (const auto blank = text.find(' '); blank != std::string::npos) {
      period = leading_number(text.substr(blank));
    }
    if (allowed && period && *allowed > 0 && *period > 0) {
      const double cores = *allowed / *period;
      least = least == 0 ? cores : std::min(least, cores);
    }
    if (folder == base) break;
    folder.resize(folder.rfind('/'));
  }
  return least;
}

std::uint32_t cores_left(const Roots& roots, std::uint32_t all) {
  double least = quota(roots.cgroup, own_group_v2(roots), "/cpu.max", nullptr);
  if (least == 0) {
    least = quota(roots.cgroup + "/cpu", own_group_v1(roots, "cpu"), "/cpu.cfs_quota_us",
                  "/cpu.cfs_period_us");
  }
  if (least == 0) return all;
  return std::clamp(static_cast<std::uint32_t>(std::ceil(std::min(least, 4096.0))), 1U, all);
}

std::string existing(std::string path) {
  while (path.size() > 1 && !is_there(path)) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    path.resize(std::max<std::size_t>(slash, 1));
  }
  return path.empty() ? "." : path;
}

/// A partition has no queue folder of its own; its disk, one level up, has.
DiskKind kind_of(const Roots& roots, const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return DiskKind::unknown;
  const std::string device = roots.sys + "/dev/block/" + std::to_string(major(facts.st_dev)) + ":" +
                             std::to_string(minor(facts.st_dev));
  for (const char* place : {"/queue/rotational", "/../queue/rotational"}) {
    const auto rotates = read_number(device + place);
    if (rotates) return *rotates > 0 ? DiskKind::rotating : DiskKind::solid;
  }
  return DiskKind::unknown;
}

bool in_container(const Roots& roots) {
  if (roots.proc == "/proc") {
    for (const char* mark : {"/.dockerenv", "/run/.containerenv"}) {
      if (is_there(mark)) return true;
    }
  }
  const auto environment = read_small(roots.proc + "/1/environ").value_or("");
  if (environment.find("container=") != std::string::npos) return true;
  const auto group = read_small(roots.proc + "/1/cgroup").value_or("");
  for (const char* word : {"docker", "kubepods", "libpod", "lxc"}) {
    if (group.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string audio_folder() {
  for (const char* folder : {"/dev/shm", "/run/mainstay", "/tmp"}) {
    const auto disk = read_disk(folder);
    if (!disk || !disk->in_memory || disk->read_only || disk->free < kAudioRoom) continue;
    if (::access(folder, W_OK | X_OK) == 0) return folder;
  }
  return {};
}

}  // namespace

std::string_view name(DiskKind kind) noexcept {
  switch (kind) {
    case DiskKind::unknown:
      return "unknown";
    case DiskKind::memory:
      return "memory";
    case DiskKind::solid:
      return "solid";
    case DiskKind::rotating:
      return "rotating";
  }
  return "unknown";
}

std::string_view name(AudioPlace place) noexcept {
  switch (place) {
    case AudioPlace::memory:
      return "memory";
    case AudioPlace::disk:
      return "disk";
    case AudioPlace::inline_only:
      return "inline";
  }
  return "inline";
}

Machine read_machine(const Roots& roots, const std::string& data_dir) {
  Machine out;
  out.cores_online = online(roots);
  out.cores = cores_left(roots, out.cores_online);
  out.memory = read_memory(roots);
  out.memory_total = out.memory.least_limit;
  const std::string folder = existing(data_dir);
  out.data_disk = read_disk(folder);
  out.data_kind =
      out.data_disk && out.data_disk->in_memory ? DiskKind::memory : kind_of(roots, folder);
  out.audio_folder = audio_folder();
  out.gpus = GpuSensor(roots).read();
  out.heat = read_heat(roots);
  out.container = in_container(roots);
  out.model = read_word(roots.proc + "/device-tree/model");
  return out;
}

AudioPlace audio_place(const Machine& machine) noexcept {
  if (!machine.audio_folder.empty()) return AudioPlace::memory;
  const bool writable = machine.data_disk && !machine.data_disk->read_only;
  return writable ? AudioPlace::disk : AudioPlace::inline_only;
}

}  // namespace mainstay::resources
