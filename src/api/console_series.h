// Which figures the history keeps, and from what: names of metrics and of the machine's readings.
// Used by app, which samples them once a second; docs/console.md lists the columns.
#pragma once

#include <string_view>
#include <vector>

#include "api/console_desk.h"
#include "models/hosts.h"
#include "models/models.h"
#include "resources/governor.h"
#include "telemetry/history_sampler.h"

namespace mainstay::api {

/// From the metrics. The counted routes are those of the API: no health, metrics, console, admin.
std::vector<SeriesRule> console_series();
/// Whether a series of a route's metric belongs to the API's routes.
bool is_api_route(std::string_view labels);
/// From the machine and the process.
void add_machine(const resources::Snapshot& seen, SampleRow& row);
/// Breakers, which have no metric.
void add_providers(const std::vector<models::ProviderState>& providers, SampleRow& row);
void add_hosts(const std::vector<models::HostFigures>& hosts, SampleRow& row);

}  // namespace mainstay::api
