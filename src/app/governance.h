// The governor in the engine: made over the program's paths, sampled in the pool, and its findings
// as JSON for the admin API. Used by engine.cpp and program.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/offload.h"
#include "resources/governor.h"

namespace mainstay::app {

/// Where the figures of the memory accounts come from; each is thread-safe and quick.
struct AccountReaders {
  using Read = resources::MemoryBook::Read;
  Read cache;        ///< bytes
  Read stores;       ///< bytes
  Read vectors;      ///< bytes
  Read log;          ///< bytes
  Read sessions;     ///< number
  Read limited;      ///< users, keys, addresses and models whose use is remembered
  Read waiting;      ///< messages that wait for a permit
  Read connections;  ///< of clients
  Read upstream_connections;
};
/// Opens the accounts cache, sessions, limits, queues, index, vectors, buffers and log, each with
/// what its part may hold at most by these settings. What is counted by number is an estimate of
/// what one holds.
void open_accounts(resources::MemoryBook& book, const Settings& settings, AccountReaders readers);

/// Has caches give this share of what they hold back, at once and each `period`: half of it while
/// memory is at its soft level, all of it while it is at its hard one. `shrink` runs on the
/// sampling thread.
void shrink_under_pressure(resources::Governor& governor, Duration period,
                           std::function<void(double share)> shrink);

/// The usual places of the machine's figures, below `root` unless that is empty.
resources::Roots roots_below(const std::string& root);

/// Over the real machine and the data folder, which must be there. References outlive it.
std::unique_ptr<resources::Governor> make_governor(const Settings& settings,
                                                   const std::string& data_dir, Clock& clock,
                                                   Log& log, Metrics& metrics);
/// What GET /admin/resources/stats shows of it.
Json resources_json(const resources::Snapshot& snapshot);
/// What GET /admin/alerts shows.
Json alerts_json(const std::vector<resources::Alert>& alerts);

}  // namespace mainstay::app
