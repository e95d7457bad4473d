// A client's order of a job, as JSON: read in one place for every way in.
// Used by api's WebSocket and its job endpoints. Pure.
#pragma once

#include <array>
#include <string_view>

#include "base/json.h"
#include "jobs/desk.h"

namespace mainstay::api {

/// What an order may hold. Times are seconds: run_at and expires since 1970, the others from now.
/// `key` is the idempotency key; over HTTP it comes as a header.
inline constexpr auto kOrderMembers = std::to_array<std::string_view>(
    {"kind", "input", "priority", "client", "key", "run_at", "delay", "expires", "expires_in",
     "repeat_every", "attempts_max", "webhook"});

/// `object` was looked at for unknown members. Whether kind, input and figures make sense is the
/// desk's to say. Errors: invalid, with the field.
Result<jobs::Order> order_of(const Json& object);

/// What an idempotency key stands for: all that was asked, not only the work. Another class, time
/// or webhook is another request; the same over HTTP and over a socket, and of another client of
/// the same user, is the same.
std::string order_digest(Json object);

}  // namespace mainstay::api
