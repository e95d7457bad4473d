// Upkeep: one coroutine that keeps the job store tidy while this process leads.
// Used by app.
#pragma once

#include "storage/jobs.h"
#include "storage/leader.h"
#include "telemetry/log.h"

namespace mainstay::jobs {

inline constexpr std::string_view kUpkeepRole = "upkeep";

/// Runs until it is cancelled; on any loop. Sleeps as long as the store says. References outlive
/// it.
Co<> keep_up(Clock& clock, Log& log, storage::JobStore& store, storage::Leader& leader);

}  // namespace mainstay::jobs
