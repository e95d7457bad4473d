// The engine's part in model hosts: the machine they are placed on, pressure, start and stop.
#include "app/engine.h"
#include "app/governance.h"
#include "models/hosts.h"
#include "resources/gpu.h"
#include "resources/memory.h"

namespace mainstay::app {
namespace {

/// Beyond the longest stop of one host.
constexpr auto kAfterHosts = std::chrono::seconds(3);

models::HostRoom look(const resources::Roots& roots, resources::GpuSensor& gpus) {
  models::HostRoom out;
  const resources::MemoryFigures memory = resources::read_memory(roots);
  if (memory.limit > 0) {
    out.free = memory.limit > memory.used ? memory.limit - memory.used : 0;
    out.limit = memory.least_limit;
  }
  out.used = memory.used;
  for (const auto& gpu : gpus.read()) {
    if (gpu.shares_memory) continue;  // its memory is the machine's
    const std::uint64_t used = std::min(gpu.memory_used, gpu.memory_total);
    out.gpus.push_back({gpu.index, gpu.memory_total, gpu.memory_total - used});
  }
  return out;
}

/// For each of them to go by itself.
Duration longest_stop(const std::vector<HostSettings>& hosts) {
  Duration out = std::chrono::seconds(1);
  for (const auto& host : hosts) out = std::max<Duration>(out, host.stop_timeout);
  return out;
}

}  // namespace

/// Stopped after the listener and what works at jobs, so that calls under way keep their hosts.
Status Engine::start_hosts() {
  if (settings_.hosts.empty() || !options_.hosts) return done();
  const Duration patience = longest_stop(settings_.hosts) + std::chrono::seconds(1);
  Part part{"hosts",
            [this] {
              models::HostMachine machine;
              const resources::Roots roots = roots_below(settings_.resources.machine_root);
              auto gpus = std::make_shared<resources::GpuSensor>(roots);
              machine.room = [roots, gpus] { return look(roots, *gpus); };
              hosts_ = std::make_unique<models::Hosts>(settings_.hosts, settings_.hosting,
                                                       std::move(machine), clock_, random_, *log_,
                                                       metrics_);
              hosts_->run();
              return done();
            },
            [this, patience]() -> Status {
              if (hosts_->stop(patience)) return done();
              return Error::log(Errc::deadline, "a model host had to be killed");
            },
            patience + kAfterHosts};
  return lifecycle_.start(std::move(part));
}

/// Before the first look at the machine.
void Engine::watch_hosts_pressure() {
  if (!hosts_) return;
  using resources::Level;
  using resources::Resource;
  auto levels = std::make_shared<std::pair<Level, Level>>(Level::normal, Level::normal);
  // Both run on the sampling thread.
  governor_->on_level(Resource::memory, [this, levels](Level, Level to) {
    levels->first = to;
    hosts_->pressure(levels->first, levels->second);
  });
  governor_->on_level(Resource::gpu, [this, levels](Level, Level to) {
    levels->second = to;
    hosts_->pressure(levels->first, levels->second);
  });
}

}  // namespace mainstay::app
