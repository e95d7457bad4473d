// The back end that keeps everything in memory: for tests, and the oracle of the SQLite one.
// Named by app/wire.cpp and tests alone.
#pragma once

#include <memory>

#include "base/clock.h"
#include "storage/jobs.h"
#include "storage/signal.h"
#include "storage/stores.h"

namespace mainstay::storage::memory {

/// Nothing survives close(). `clock` outlives the stores.
std::unique_ptr<Stores> open(Clock& clock, const JobLimits& jobs = {},
                             const SignalLimits& signal = {}, const VectorLimits& vectors = {});

}  // namespace mainstay::storage::memory
