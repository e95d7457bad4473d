// The governor in the engine: made over the program's paths, sampled in the pool, and its findings
// as JSON for the admin API. Used by engine.cpp and program.cpp.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "base/offload.h"
#include "resources/governor.h"

namespace mainstay::app {

/// Over the real machine and the data folder, which must be there. References outlive it.
std::unique_ptr<resources::Governor> make_governor(const Settings& settings,
                                                   const std::string& data_dir, Clock& clock,
                                                   Log& log, Metrics& metrics);
/// What GET /admin/resources/stats shows of it.
Json resources_json(const resources::Snapshot& snapshot);
/// What GET /admin/alerts shows.
Json alerts_json(const std::vector<resources::Alert>& alerts);

}  // namespace mainstay::app
