// Whether a Redis server may hold jobs: its version and what it does for durability.
// Used by pipe.cpp on each new connection. Pure.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "storage/redis/reply.h"

namespace mainstay::storage::redis {

/// The `field:value` lines of an INFO reply.
std::map<std::string, std::string> info_fields(const Reply& reply);

/// `config`: reply of CONFIG GET for the settings that matter. `durability`: what the operator
/// asks for, "always" or "everysec". Errors: invalid "redis_misconfigured": a sentence with the
/// command that mends it; unavailable while it loads or follows another server.
Status check_server(const Reply& info, const Reply& config, const std::string& durability);

}  // namespace mainstay::storage::redis
