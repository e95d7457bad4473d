// Opens the SQLite back end. Named by app/wire.cpp and tests alone.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "storage/stores.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage::sqlite {

/// Opens or makes mainstay.db (conversations, jobs), knowledge.db (documents) and keys.db (API
/// keys) in `data_dir`, holds the directory's lock, starts the threads. Blocks; milliseconds,
/// longer after an unclean end. The references outlive the stores; so do the io_contexts of
/// coroutines that wait in a call. Errors: conflict "data_dir_in_use"; invalid "data_dir_unusable",
/// "database_newer", "database_foreign"; corrupt "database_corrupt"; disk_full; unavailable. A
/// refused file is not changed.
Result<std::unique_ptr<Stores>> open(const StorageSettings& settings, std::string data_dir,
                                     Clock& clock, Random& random, Log& log, Metrics& metrics,
                                     const JobLimits& jobs = {}, const SignalLimits& signal = {},
                                     const VectorLimits& vectors = {},
                                     const DocumentLimits& documents = {});

/// Opens keys.db alone, without the directory's lock: for `mainstay keys` beside a running server.
/// Otherwise as open(). The destructor closes it.
Result<std::unique_ptr<AccessKeys>> open_access_keys(const StorageSettings& settings,
                                                     std::string data_dir, Clock& clock, Log& log,
                                                     Metrics& metrics);

}  // namespace mainstay::storage::sqlite
