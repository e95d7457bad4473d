// Making the governor and showing what it saw.
#include "app/governance.h"

#include <algorithm>
#include <thread>

#include "api/admin.h"

namespace mainstay::app {
namespace {

/// Bytes that one of each holds, as a heap profile of many showed; bodies under way are not in
/// them.
constexpr std::uint64_t kLogLine = 512;
constexpr std::uint64_t kSession = 128;
constexpr std::uint64_t kLimited = 256;  ///< an entry, its name and its place in the map
constexpr std::uint64_t kWaiting = 12'288;
constexpr std::uint64_t kClientConnection = 4'096;
constexpr std::uint64_t kUpstreamConnection = 2'560;
/// Statements and scratch of a database connection, beside its page cache.
constexpr std::uint64_t kDatabaseConnection = std::uint64_t(512) << 10U;
/// One for each database: conversations, documents with their index, keys.
constexpr std::uint64_t kWriters = 3;

/// `each` bytes for every one that `count` tells.
resources::MemoryBook::Read bytes_of(resources::MemoryBook::Read count, std::uint64_t each) {
  return [count = std::move(count), each] { return count() * each; };
}

double milliseconds(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

Json process_json(const resources::Readings& readings) {
  Json out = {{"cpu_share", readings.cpu_share},
              {"connections", readings.connections},
              {"loop_lag_ms", milliseconds(readings.loop_lag)},
              {"heap_bytes", readings.heap.in_use},
              {"heap_kept_bytes", readings.heap.kept},
              {"heap_allocator", name(resources::allocator())}};
  if (readings.process) {
    out["resident_bytes"] = readings.process->resident.value;
    out["cpu_seconds"] = readings.process->cpu_seconds;
    out["open_files"] = readings.process->descriptors;
    out["open_files_max"] = readings.process->descriptors_max;
    out["threads"] = readings.process->threads;
  }
  return out;
}

Json memory_json(const resources::MemoryFigures& memory) {
  return {{"source", name(memory.source)},
          {"used_bytes", memory.used},
          {"limit_bytes", memory.limit},
          {"share", memory.share},
          {"machine_total_bytes", memory.machine_total},
          {"machine_available_bytes", memory.machine_available},
          {"oom_kills", memory.events.oom_kill}};
}

Json stall_json(const resources::StallReadings& stall) {
  const auto one = [](const resources::StallShares& shares) {
    return Json{{"some", shares.some}, {"full", shares.full}};
  };
  return {{"known", stall.known},
          {"memory", one(stall.memory)},
          {"io", one(stall.io)},
          {"cpu", one(stall.cpu)}};
}

Json disks_json(const std::vector<resources::DiskReading>& disks) {
  Json out = Json::array();
  for (const auto& disk : disks) {
    Json one = {{"name", disk.name}, {"readable", disk.figures.has_value()}};
    if (disk.figures) {
      one["total_bytes"] = disk.figures->total;
      one["free_bytes"] = disk.figures->free;
      one["inodes_total"] = disk.figures->inodes_total;
      one["inodes_free"] = disk.figures->inodes_free;
      one["read_only"] = disk.figures->read_only;
    }
    out.push_back(std::move(one));
  }
  return out;
}

Json heat_json(const std::vector<resources::HeatZone>& zones) {
  Json out = Json::array();
  for (const auto& zone : zones) {
    out.push_back({{"zone", zone.zone},
                   {"type", zone.type},
                   {"celsius", zone.temperature},
                   {"trip_celsius", zone.trip ? Json(*zone.trip) : Json(nullptr)}});
  }
  return out;
}

Json gpus_json(const std::vector<resources::GpuFigures>& gpus) {
  Json out = Json::array();
  for (const auto& gpu : gpus) {
    out.push_back({{"index", gpu.index},
                   {"memory_total_bytes", gpu.memory_total},
                   {"memory_used_bytes", gpu.memory_used},
                   {"load", gpu.load ? Json(*gpu.load) : Json(nullptr)},
                   {"celsius", gpu.temperature ? Json(*gpu.temperature) : Json(nullptr)}});
  }
  return out;
}

Json pressure_json(const resources::Snapshot& snapshot) {
  Json out = Json::object();
  for (std::size_t i = 0; i < resources::kResources; ++i) {
    const auto resource = static_cast<resources::Resource>(i);
    out[std::string(name(resource))] = {{"pressure", snapshot.pressures[i]},
                                        {"level", name(snapshot.levels[i])}};
  }
  return out;
}

Json shedding_json(const resources::Shedding& shedding) {
  Json points = Json::array();
  for (std::size_t i = 0; i < resources::kShedPoints; ++i) {
    const auto point = static_cast<resources::ShedPoint>(i);
    if (shedding.sheds(point)) points.push_back(name(point));
  }
  return {{"points", std::move(points)}, {"permit_factor", shedding.permit_factor}};
}

Json accounts_json(const resources::Accounts& accounts) {
  Json parts = Json::object();
  for (const auto& part : accounts.parts) {
    parts[part.name] = {{"bytes", part.bytes}, {"cap_bytes", part.cap}};
  }
  return {{"parts", std::move(parts)},
          {"sum_bytes", accounts.sum},
          {"cap_bytes", accounts.cap},
          {"growth_percent_an_hour", accounts.growth ? Json(*accounts.growth) : Json(nullptr)}};
}

}  // namespace

resources::Roots roots_below(const std::string& root) {
  resources::Roots out;
  if (root.empty()) return out;
  for (std::string* place : {&out.proc, &out.sys, &out.cgroup}) place->insert(0, root);
  return out;
}

void open_accounts(resources::MemoryBook& book, const Settings& settings, AccountReaders readers) {
  const StorageSettings& storage = settings.storage;
  const std::uint64_t databases = 2ULL * storage.readers + kWriters;
  book.add("cache", std::move(readers.cache),
           (settings.cache.enabled ? settings.cache.size_max.value : 0) +
               settings.embeddings.cache_memory.value);
  book.add("index", std::move(readers.stores),
           databases * (storage.reader_cache.value + kDatabaseConnection));
  if (readers.vectors) {
    book.add("vectors", std::move(readers.vectors), settings.knowledge.vector_memory.value);
  }
  book.add("log", std::move(readers.log), settings.log.queue_max * kLogLine);
  book.add("sessions", bytes_of(std::move(readers.sessions), kSession),
           settings.sessions.sessions_max * kSession);
  book.add("limits", bytes_of(std::move(readers.limited), kLimited),
           settings.limits.users_max * kLimited);
  book.add("queues", bytes_of(std::move(readers.waiting), kWaiting),
           settings.limits.queued_max * kWaiting);
  book.add(
      "buffers",
      [clients = bytes_of(std::move(readers.connections), kClientConnection),
       upstream = bytes_of(std::move(readers.upstream_connections), kUpstreamConnection)] {
        return clients() + upstream();
      },
      settings.server.connections_max * kClientConnection +
          settings.upstream.connections_max * kUpstreamConnection);
}

void shrink_under_pressure(resources::Governor& governor, Duration period,
                           std::function<void(double share)> shrink) {
  using resources::Level;
  governor.while_at(resources::Resource::memory, Level::soft, period, [shrink] { shrink(0.5); });
  governor.while_at(resources::Resource::memory, Level::hard, period,
                    [shrink = std::move(shrink)] { shrink(1.0); });
}

std::unique_ptr<resources::Governor> make_governor(const Settings& settings,
                                                   const std::string& data_dir, Clock& clock,
                                                   Log& log, Metrics& metrics) {
  resources::GovernorParts parts;
  parts.settings = settings.resources;
  parts.roots = roots_below(settings.resources.machine_root);
  parts.disks.push_back({"data", data_dir});
  const auto& sink = settings.log.sink;
  if (const auto slash = sink.rfind('/'); slash != std::string::npos && slash > 0) {
    parts.disks.push_back({"log", sink.substr(0, slash)});
  }
  resources::tune_heap();
  parts.cores = std::max(1U, std::thread::hardware_concurrency());
  return std::make_unique<resources::Governor>(std::move(parts), clock, log, metrics);
}

Json resources_json(const resources::Snapshot& snapshot) {
  const auto& readings = snapshot.readings;
  Json pools = Json::object();
  for (const auto& pool : readings.pools) {
    pools[pool.name] = {{"used", pool.used}, {"max", pool.max}};
  }
  return {{"at", api::timestamp(readings.at)},
          {"process", process_json(readings)},
          {"memory", memory_json(readings.memory)},
          {"stall", stall_json(readings.stall)},
          {"disks", disks_json(readings.disks)},
          {"heat", heat_json(readings.heat)},
          {"gpus", gpus_json(readings.gpus)},
          {"pools", std::move(pools)},
          {"pressures", pressure_json(snapshot)},
          {"shedding", shedding_json(snapshot.shedding)},
          {"accounts", accounts_json(snapshot.accounts)},
          {"writes_stopped", name(snapshot.reserve.stop)},
          {"samples", snapshot.samples},
          {"level_changes", snapshot.switches}};
}

Json alerts_json(const std::vector<resources::Alert>& alerts) {
  Json out = Json::array();
  for (const auto& alert : alerts) {
    out.push_back(
        {{"name", alert.name},
         {"severity", name(alert.severity)},
         {"sentence", alert.sentence},
         {"raised_at", api::timestamp(alert.raised)},
         {"cleared_at", alert.cleared ? Json(api::timestamp(*alert.cleared)) : Json(nullptr)}});
  }
  return out;
}

}  // namespace mainstay::app
