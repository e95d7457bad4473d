// Opens the Redis back end: jobs, signal and leader over one client. Named by app/wire.cpp and
// tests alone.
#pragma once

#include <memory>

#include "config/settings.h"
#include "storage/redis/jobs.h"
#include "storage/stores.h"

namespace mainstay::storage::redis {

struct Limits {
  JobLimits jobs;
  SignalLimits signal;
};

/// Connects, checks the server and keeps what Redis does not hold (conversations, documents, keys)
/// in `embedded`, which it owns from then on, and whose conversations take the turns of completed
/// jobs. Blocks, at most redis.start_timeout. Errors: those of Client::open(); invalid
/// "redis_misconfigured" for a redis.reply_max that has no room for a job.
Result<std::unique_ptr<Stores>> open(const StorageSettings& storage, const RedisSettings& settings,
                                     const Limits& limits, Clock& clock, Random& random, Log& log,
                                     Metrics& metrics, std::unique_ptr<Stores> embedded,
                                     TimeOf time = TimeOf::server);

}  // namespace mainstay::storage::redis
