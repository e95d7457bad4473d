// What doctor says of model hosts: their programs, and the room for them.
#include <fmt/format.h>

#include "app/doctor.h"
#include "config/units.h"
#include "models/host_program.h"
#include "resources/gpu.h"
#include "resources/memory.h"

namespace mainstay::app {
namespace {

Finding host_finding(const HostSettings& host, std::uint64_t limit) {
  const std::string program = models::find_program(host.command);
  if (program.empty()) {
    return {Mark::bad, "host", host.name + ": there is no program " + host.command,
            "Install it, or give its path as command of [[hosts]]"};
  }
  if (limit > 0 && host.memory.value > limit) {
    return {Mark::bad, "host",
            fmt::format("{}: its memory ({}) is more than there is ({})", host.name,
                        config::print(host.memory), config::print(Bytes{limit})),
            "Choose a smaller model, or correct its memory in [[hosts]]"};
  }
  return {Mark::fine, "host", fmt::format("{}: {} on port {}", host.name, program, host.port), ""};
}

}  // namespace

Findings host_findings(const Settings& settings, const resources::Roots& roots) {
  Findings out;
  if (settings.hosts.empty()) return out;
  const resources::MemoryFigures memory = resources::read_memory(roots);
  std::uint64_t limit = memory.least_limit;
  const std::uint64_t most = settings.hosting.memory_max.value;
  if (most > 0 && (limit == 0 || most < limit)) limit = most;
  std::uint64_t on_gpu = 0;
  for (const auto& host : settings.hosts) {
    out.push_back(host_finding(host, limit));
    on_gpu += host.gpu_memory.value;
  }
  if (on_gpu == 0) return out;
  std::uint64_t total = 0;
  for (const auto& gpu : resources::GpuSensor(roots).read()) total += gpu.memory_total;
  if (total > 0) return out;
  out.push_back({Mark::warn, "host gpu",
                 "no GPU with memory of its own was found: hosts with gpu_memory run without "
                 "one, and it counts as memory",
                 "Install the GPU's driver and its management library, if there is a GPU"});
  return out;
}

}  // namespace mainstay::app
