// Walks from the own control group up to the root: any ancestor's limit can be the one that kills.
#include "resources/memory.h"

#include <algorithm>

#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

std::uint64_t whole(std::optional<double> value) {
  return value && *value > 0 ? static_cast<std::uint64_t>(std::min(*value, 9e18)) : 0;
}

/// The path of the line of <proc>/self/cgroup that `matches` ("0::" or ":memory:").
std::string group_path(const Roots& roots, std::string_view controller) {
  const auto text = read_small(roots.proc + "/self/cgroup");
  if (!text) return {};
  for (std::size_t from = 0; from < text->size();) {
    const auto end = std::min(text->find('\n', from), text->size());
    const std::string line = text->substr(from, end - from);
    from = end + 1;
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool wanted = controller.empty()
                            ? names == ",,"
                            : names.find("," + std::string(controller) + ",") != std::string::npos;
    if (wanted) return line.substr(second + 1);
  }
  return {};
}

/// The nearest folder of `path` below `base` that exists: inside a container /proc names the
/// host's path while the mount shows only the container's part of the tree.
std::string folder_of(const std::string& base, std::string path) {
  while (!path.empty() && path != "/") {
    if (is_there(base + path)) return base + path;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return is_there(base) ? base : std::string();
}

/// One limit in force; the nearest to its end is kept.
struct Nearest {
  MemoryFigures& out;
  void look(MemorySource source, std::uint64_t used, std::uint64_t limit) {
    if (limit == 0) return;
    out.least_limit = out.least_limit == 0 ? limit : std::min(out.least_limit, limit);
    const double share = std::min(1.0, static_cast<double>(used) / static_cast<double>(limit));
    if (out.source != MemorySource::none && share < out.share) return;
    out.source = source;
    out.share = share;
    out.used = used;
    out.limit = limit;
  }
};

struct GroupFiles {
  MemorySource source;
  const char* current;
  const char* max;
  const char* high;       ///< nullptr: there is none
  const char* droppable;  ///< word of memory.stat
};
constexpr GroupFiles kV2{MemorySource::cgroup_v2, "/memory.current", "/memory.max", "/memory.high",
                         "inactive_file"};
constexpr GroupFiles kV1{MemorySource::cgroup_v1, "/memory.usage_in_bytes",
                         "/memory.limit_in_bytes", nullptr, "total_inactive_file"};

void look_at_groups(const GroupFiles& files, const std::string& base, std::string folder,
                    MemoryFigures& out) {
  Nearest nearest{out};
  while (folder.size() >= base.size() && folder.starts_with(base)) {
    const auto current = read_number(folder + files.current);
    if (current) {
      const auto stat = read_small(folder + "/memory.stat");
      const std::uint64_t cache = stat ? whole(number_of(*stat, files.droppable)) : 0;
      const std::uint64_t all = whole(current);
      const std::uint64_t used = all - std::min(all, cache);
      std::uint64_t limit = whole(read_number(folder + files.max));
      // v1 writes "no limit" as a huge number.
      if (out.machine_total != 0 && limit > out.machine_total) limit = 0;
      nearest.look(files.source, used, limit);
      if (files.high != nullptr) {
        const std::uint64_t high = whole(read_number(folder + files.high));
        if (out.high == 0) out.high = high;
        nearest.look(files.source, used, high);
      }
    }
    if (folder == base) break;
    folder.resize(folder.rfind('/'));
  }
}

void read_events(const std::string& folder, MemoryEvents& events) {
  const auto text = read_small(folder + "/memory.events");
  if (!text) return;
  events.high = whole(number_of(*text, "high"));
  events.max = whole(number_of(*text, "max"));
  events.oom_kill = whole(number_of(*text, "oom_kill"));
}

}  // namespace

std::string_view name(MemorySource source) noexcept {
  switch (source) {
    case MemorySource::none:
      return "none";
    case MemorySource::machine:
      return "machine";
    case MemorySource::cgroup_v1:
      return "cgroup_v1";
    case MemorySource::cgroup_v2:
      return "cgroup_v2";
  }
  return "none";
}

std::string own_group_v2(const Roots& roots) {
  if (!is_there(roots.cgroup + "/cgroup.controllers")) return {};
  return folder_of(roots.cgroup, group_path(roots, ""));
}

std::string own_group_v1(const Roots& roots, std::string_view controller) {
  const std::string base = roots.cgroup + "/" + std::string(controller);
  return folder_of(base, group_path(roots, controller));
}

MemoryFigures read_memory(const Roots& roots) {
  MemoryFigures out;
  if (const auto text = read_small(roots.proc + "/meminfo")) {
    out.machine_total = whole(number_of(*text, "MemTotal:")) * 1024;
    auto available = number_of(*text, "MemAvailable:");
    if (!available) available = number_of(*text, "MemFree:");
    out.machine_available = std::min(whole(available) * 1024, out.machine_total);
  }
  Nearest{out}.look(MemorySource::machine, out.machine_total - out.machine_available,
                    out.machine_total);
  const std::string v2 = own_group_v2(roots);
  if (!v2.empty() && is_there(v2 + kV2.current)) {
    look_at_groups(kV2, roots.cgroup, v2, out);
    read_events(v2, out.events);
    return out;
  }
  const std::string v1 = own_group_v1(roots, "memory");
  if (v1.empty()) return out;
  look_at_groups(kV1, roots.cgroup + "/memory", v1, out);
  if (const auto text = read_small(v1 + "/memory.oom_control")) {
    out.events.oom_kill = whole(number_of(*text, "oom_kill"));
  }
  return out;
}

}  // namespace mainstay::resources
