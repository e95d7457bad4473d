// The profiles' data and the look at the machine.
#include "config/profile.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "base/text.h"
#include "config/units.h"

namespace mainstay::config {
namespace {

constexpr std::array kValues = std::to_array<ProfileValue>({
    {"sbc", "server.connections_max", "4000"},
    {"sbc", "storage.readers", "2"},
    {"sbc", "storage.reader_cache", "1MiB"},
    {"sbc", "storage.read_queue_max", "512"},
    {"sbc", "log.queue_max", "2048"},
    {"sbc", "limits.users_max", "10000"},
    {"sbc", "limits.concurrent_max", "500"},
    {"sbc", "limits.queued_max", "250"},
    {"sbc", "upstream.connections_max", "50"},
    {"sbc", "upstream.keepalive_max", "10"},
    {"sbc", "upstream.waiting_max", "250"},
    {"sbc", "upstream.response_max", "16MiB"},
    {"sbc", "cache.size_max", "4MiB"},
    {"sbc", "cache.entry_max", "256KiB"},
    {"sbc", "cache.stream_buffer_max", "1MiB"},
    {"sbc", "knowledge.passages", "5"},
    {"sbc", "knowledge.context_tokens", "1500"},
    {"sbc", "offload.threads", "1"},
    {"nas", "server.connections_max", "4000"},
    {"nas", "storage.readers", "2"},
    {"nas", "limits.users_max", "20000"},
    {"nas", "limits.concurrent_max", "500"},
    {"nas", "cache.size_max", "8MiB"},
    {"nas", "offload.threads", "1"},
    {"desktop", "limits.users_max", "10000"},
    {"server", "storage.readers", "8"},
    {"server", "storage.reader_cache", "8MiB"},
    {"server", "cache.size_max", "128MiB"},
    {"server", "offload.threads", "4"},
    {"cluster", "storage.readers", "8"},
    {"cluster", "storage.reader_cache", "8MiB"},
    {"cluster", "cache.size_max", "128MiB"},
    {"cluster", "offload.threads", "4"},
    {"cluster", "models.discover", "false"},
});

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// Everything of a small file of /proc or /sys; empty when it is not there.
std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  if (in) out << in.rdbuf();
  return out.str();
}

std::optional<std::uint64_t> first_number(std::string_view text) {
  text = trim(text);
  const auto value = parse_integer(text.substr(0, text.find_first_of(" \n\t")));
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::uint64_t total_memory(const std::string& root) {
  std::istringstream lines(read_text(root + "/proc/meminfo"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("MemTotal:")) return first_number(line.substr(9)).value_or(0) * 1024;
  }
  return 0;
}

/// Folders of this process's control group (version 2), from its own up to the root's.
std::vector<std::string> group_folders(const std::string& root) {
  std::vector<std::string> out;
  std::istringstream lines(read_text(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) continue;
    std::string path = line.substr(3);
    while (!path.empty() && path != "/") {
      out.push_back(root + "/sys/fs/cgroup" + path);
      path.resize(path.rfind('/'));
    }
  }
  out.push_back(root + "/sys/fs/cgroup");
  return out;
}

std::uint64_t group_memory(const std::string& root) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const auto& folder : group_folders(root)) {
    least = std::min(least, first_number(read_text(folder + "/memory.max")).value_or(least));
  }
  const auto old = first_number(read_text(root + "/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  return std::min(least, old.value_or(least));
}

/// Cores that the control group's CPU quota amounts to, rounded up.
std::uint64_t group_cores(const std::string& root) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const auto& folder : group_folders(root)) {
    const std::string text = read_text(folder + "/cpu.max");
    const auto quota = first_number(text);
    const auto blank = text.find(' ');
    if (!quota || blank == std::string::npos) continue;
    const auto period = first_number(text.substr(blank));
    if (period && *period > 0) least = std::min(least, (*quota + *period - 1) / *period);
  }
  return least;
}

std::uint64_t machine_cores(const std::string& root) {
  if (root.empty()) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
      return static_cast<std::uint64_t>(CPU_COUNT(&allowed));
    }
  }
  std::uint64_t cores = 0;
  std::istringstream lines(read_text(root + "/proc/cpuinfo"));
  for (std::string line; std::getline(lines, line);) cores += line.starts_with("processor");
  return cores;
}

}  // namespace

std::span<const ProfileValue> profile_values() {
  return kValues;
}

Machine read_machine(const std::string& root) {
  Machine out;
  const std::uint64_t total = total_memory(root);
  const std::uint64_t group = group_memory(root);
  out.memory = total == 0 && group == std::numeric_limits<std::uint64_t>::max()
                   ? 0
                   : std::min(total == 0 ? group : total, group);
  const std::uint64_t cores = std::min(machine_cores(root), group_cores(root));
  out.cores = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(cores, 1, 4096));
#if defined(__aarch64__)
  out.arm64 = true;
#endif
  return out;
}

std::string_view profile_for(const Machine& machine) noexcept {
  const bool small = machine.memory != 0 && machine.memory <= 4 * kGiB;
  if (small || (machine.arm64 && machine.cores <= 4)) return "sbc";
  if (machine.cores < 8 || machine.memory < 16 * kGiB) return "desktop";
  return "server";
}

}  // namespace mainstay::config
