// The figures of jobs in /metrics.
// Used by app, once for each store and for each group of workers.
#pragma once

#include "jobs/workers.h"
#include "storage/jobs.h"
#include "telemetry/metrics.h"

namespace mainstay::jobs {

/// Registers depth, ages, states and counts of the store. The store must live as long as the
/// registry; it is asked once for each look at the series.
void show_store(Metrics& metrics, const storage::JobStore& store);
/// Registers what one group of workers did, labelled with its name. It must live as long as the
/// registry.
void show_workers(Metrics& metrics, const Workers& workers);

}  // namespace mainstay::jobs
