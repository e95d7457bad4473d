// Opens the PostgreSQL back end: conversations, keys, documents and vectors over
// one client. Named by app/wire.cpp and tests alone.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "config/settings.h"
#include "storage/stores.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage::postgres {

/// Connects, checks the server, brings its schema up to date, and keeps what PostgreSQL does not
/// hold (files, jobs) in `embedded`, which it owns from then on. Turns of that store's
/// jobs go to PostgreSQL. Blocks, at most postgres.start_timeout. Errors: those of Client::open().
Result<std::unique_ptr<Stores>> open(const StorageSettings& storage,
                                     const PostgresSettings& settings, Clock& clock, Random& random,
                                     Log& log, Metrics& metrics, std::unique_ptr<Stores> embedded,
                                     const DocumentLimits& documents = {},
                                     const VectorLimits& vectors = {});

/// Keys alone, for `mainstay keys`. Otherwise as open().
Result<std::unique_ptr<AccessKeys>> open_access_keys(const StorageSettings& storage,
                                                     const PostgresSettings& settings, Clock& clock,
                                                     Random& random, Log& log, Metrics& metrics);

/// Looks whether the server and its schema can be used, and changes nothing; gives what was found,
/// as a sentence without a password. Blocks. Errors: those of Client::open().
Result<std::string> inspect(const StorageSettings& storage, const PostgresSettings& settings,
                            Clock& clock, Random& random, Log& log, Metrics& metrics);

}  // namespace mainstay::storage::postgres
