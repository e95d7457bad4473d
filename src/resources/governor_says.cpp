// What the governor says: log lines, metrics and alerts.
#include <fmt/format.h>

#include <algorithm>

#include "resources/governor_inside.h"

namespace mainstay::resources {
namespace {
constexpr Duration kLagAlarm = std::chrono::milliseconds(50);
}

Governor::Gauges::Gauges(Metrics& m, const std::vector<DataPath>& paths) {
  for (std::size_t i = 0; i < kResources; ++i) {
    const Labels labels{{"resource", std::string(name(static_cast<Resource>(i)))}};
    m.gauge_from("mainstay_resource_pressure",
                 "Pressure of a resource: 0.85 is soft, 0.95 hard, 1 the end.", labels,
                 [shared = pressure, i] { return (*shared)[i].load(std::memory_order_relaxed); });
    level[i] = &m.gauge("mainstay_resource_level", "0 normal, 1 soft, 2 hard.", labels);
    switches[i] =
        &m.counter("mainstay_resource_switches_total", "Changes of a resource's level.", labels);
  }
  for (const DataPath& path : paths) {
    disk_free.push_back(
        &m.gauge("mainstay_disk_free_bytes", "Free room of a data path.", {{"path", path.name}}));
  }
  memory_used = &m.gauge("mainstay_memory_used_bytes",
                         "Memory in use where the nearest limit is, without droppable cache.");
  memory_limit = &m.gauge("mainstay_memory_limit_bytes", "The nearest limit of memory.");
  m.gauge_from("mainstay_memory_growth_percent_per_hour",
               "Growth of resident memory; 0 until enough was seen.", {},
               [shared = growth] { return shared->load(std::memory_order_relaxed); });
  heap = &m.gauge("mainstay_heap_bytes", "Heap in use by the program.");
  heap_kept = &m.gauge("mainstay_heap_kept_bytes", "Heap beyond that which the allocator keeps.");
  alerts = &m.gauge("mainstay_alerts_active", "Alerts that hold now.");
  writes = &m.gauge("mainstay_writes_allowed", "1: new data is stored; 0: the disk is full.");
  permits = &m.gauge("mainstay_permits_percent", "Share of the usual permits that is given.");
  samples = &m.counter("mainstay_resource_samples_total", "Looks at the machine.");
  trims = &m.counter("mainstay_memory_trims_total", "Times that free memory was given back.");
}

void Governor::switched(Resource resource, Level from, Level to, double pressure,
                        const Readings& r) {
  gauges_->switches[static_cast<std::size_t>(resource)]->add();
  log_.write(to > from ? mainstay::Level::warn : mainstay::Level::info, "pressure.switch",
             {{"resource", name(resource)},
              {"from", name(from)},
              {"to", name(to)},
              {"pressure", pressure},
              {"memory_used", r.memory.used},
              {"memory_limit", r.memory.limit}});
}

void Governor::show(const Snapshot& now) {
  gauges_->growth->store(now.accounts.growth.value_or(0), std::memory_order_relaxed);
  for (std::size_t i = 0; i < kResources; ++i) {
    (*gauges_->pressure)[i].store(now.pressures[i], std::memory_order_relaxed);
    gauges_->level[i]->set(static_cast<std::int64_t>(now.levels[i]));
  }
  const Readings& r = now.readings;
  for (std::size_t i = 0; i < r.disks.size(); ++i) {
    if (r.disks[i].figures) {
      gauges_->disk_free[i]->set(static_cast<std::int64_t>(r.disks[i].figures->free));
    }
  }
  gauges_->memory_used->set(static_cast<std::int64_t>(r.memory.used));
  gauges_->memory_limit->set(static_cast<std::int64_t>(r.memory.limit));
  gauges_->heap->set(static_cast<std::int64_t>(r.heap.in_use));
  gauges_->heap_kept->set(static_cast<std::int64_t>(r.heap.kept));
  gauges_->writes->set(writes_allowed() ? 1 : 0);
  gauges_->permits->set(static_cast<std::int64_t>(now.shedding.permit_factor * 100));
  gauges_->samples->add();
  if (!told_stop_ || *told_stop_ != now.reserve.stop) {
    if (told_stop_ || now.reserve.stop != WriteStop::none) {
      log_.warn("disk.writes", {{"allowed", now.reserve.stop == WriteStop::none},
                                {"why", name(now.reserve.stop)}});
    }
    told_stop_ = now.reserve.stop;
  }
}

void Governor::tell(Alerts::Change change, const char* alert) {
  if (change == Alerts::Change::raised) log_.warn("alert.raise", {{"alert", alert}});
  if (change == Alerts::Change::cleared) log_.info("alert.clear", {{"alert", alert}});
}

void Governor::judge(const Snapshot& now) {
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto resource = static_cast<Resource>(i);
    const std::string alert = fmt::format("pressure_{}", name(resource));
    tell(alerts_.tell(alert, Severity::critical, now.levels[i] == Level::hard,
                      fmt::format("Pressure of {} is at its hard level; work is refused until it "
                                  "falls. See docs/resources.md.",
                                  name(resource))),
         alert.c_str());
  }
  const WriteStop stop = now.reserve.stop;
  tell(alerts_.tell("disk_full", Severity::critical, stop != WriteStop::none,
                    fmt::format("Nothing new is stored ({}): free some room on the disk of the "
                                "data folder.",
                                name(stop))),
       "disk_full");
  judge_process(now);
  gauges_->alerts->set(static_cast<std::int64_t>(alerts_.active()));
}

void Governor::judge_process(const Snapshot& now) {
  const ResourceSettings& s = parts_.settings;
  const Readings& r = now.readings;
  const auto judge = [this](const char* alert, bool holds, std::string sentence) {
    tell(alerts_.judge(alert, Severity::warning, holds, std::move(sentence)), alert);
  };
  judge("cpu", r.cpu_share > s.cpu_alarm,
        fmt::format("The program uses {:.0f} % of all cores.", r.cpu_share * 100));
  judge("memory_growth", now.accounts.growth && *now.accounts.growth > s.growth_alarm,
        fmt::format("Memory grows by {:.1f} % an hour.", now.accounts.growth.value_or(0)));
  judge("loop_lag", r.loop_lag > kLagAlarm,
        fmt::format("An event loop is {} ms late.", millis(r.loop_lag)));
  bool over = false;
  std::string part;
  for (const Account& account : now.accounts.parts) {
    if (account.cap == 0 || account.bytes <= account.cap) continue;
    over = true;
    part = account.name;
  }
  over = over || (now.accounts.cap > 0 && now.accounts.sum > now.accounts.cap);
  judge("memory_account", over,
        part.empty() ? "The parts of the program hold more memory than there is."
                     : fmt::format("The part {} holds more memory than it may.", part));
  for (const PoolReading& pool : r.pools) {
    const bool full = pool.max > 0 &&
                      static_cast<double>(pool.used) > s.pool_alarm * static_cast<double>(pool.max);
    judge(fmt::format("pool_{}", pool.name).c_str(), full,
          fmt::format("{} of {} in use in pool {}.", pool.used, pool.max, pool.name));
  }
  if (!r.process) return;
  judge("memory", r.process->resident > s.memory_alarm,
        fmt::format("The program holds {} MiB of memory.", r.process->resident.value >> 20U));
  const std::uint64_t open = r.process->descriptors;
  const std::uint64_t handles = open - std::min(open, r.connections);
  judge("handles", handles > s.handles_alarm,
        fmt::format("{} descriptors are open beside client connections.", handles));
}

}  // namespace mainstay::resources
