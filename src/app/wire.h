// The only place that names inner rooms: which store and which providers the settings mean.
// Used by app/engine.cpp.
#pragma once

#include <memory>
#include <string>

#include "config/settings.h"
#include "models/models.h"
#include "models/passages.h"
#include "net/client.h"
#include "storage/stores.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::app {

/// The models room, with all providers behind it.
class WiredModels {
 public:
  virtual ~WiredModels() = default;
  virtual models::Models& models() = 0;
  /// Looks once which providers are up and what they serve; for start-up.
  virtual Co<> probe(Deadline by) = 0;
  /// Looks after providers (probes, model lists) until cancelled; runs on one loop.
  virtual Co<> watch() = 0;
};

Result<std::unique_ptr<storage::Stores>> open_stores(const StorageSettings& settings,
                                                     const std::string& data_dir, Clock& clock,
                                                     Random& random, Log& log, Metrics& metrics);

/// References outlive the result.
Result<std::unique_ptr<WiredModels>> wire_models(const Settings& settings, Clock& clock,
                                                 Random& random, Log& log, Metrics& metrics,
                                                 net::Client& client,
                                                 models::PassageSource& passages);

}  // namespace mainstay::app
