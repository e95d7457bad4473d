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

/// What may stop this server though nothing would be lost, as a sentence; empty: nothing.
std::string check_snapshots(const Reply& config);

/// Whether the append-only file was written anew since the server started (or INFO does not say).
/// A server that is killed while it writes a script's effects finds half a transaction at its next
/// start, leaves it out, but may keep its beginning in the file: at the start after that, what was
/// written meanwhile is taken for the rest of it, and half a script has happened (Redis 7.0.15). A
/// new file has no such halves.
bool rewritten(const Reply& info);
/// The reply to BGREWRITEAOF. Errors: invalid "redis_misconfigured": this user may not.
Status check_rewrite(const Reply& reply);

}  // namespace mainstay::storage::redis
