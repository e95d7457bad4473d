// Model hosts as JSON: for /health/ready (what anybody may know) and /admin/hosts.
// Used by health.cpp and hosts.cpp.
#pragma once

#include "base/json.h"
#include "models/hosts.h"

namespace mainstay::api {

/// Names, states and progress; never what a program printed.
Json hosts_progress(const models::Hosts& hosts);
/// All of one host.
Json host_json(const models::HostFigures& host);

}  // namespace mainstay::api
