// What event streams share: their head, their end, their place.
// Used by admin_live.cpp, admin_logs.cpp and job_events.cpp.
#pragma once

#include <optional>
#include <string>

#include "api/admin.h"
#include "api/context.h"

namespace mainstay::api {

/// The head of a stream of server-sent events, with `begun` as its first piece. Marks the request
/// as one that lasts.
net::Response watch_head(Context& context, std::string begun);
/// When such a stream ends by itself: before server.request_timeout would cut it. The client comes
/// back.
Deadline watch_end(const Context& context);
/// False when such a stream is to end: the server stops, its time is over, or the caller's key is
/// not valid any more.
bool goes_on(const Rooms& rooms, Context& context);
/// Errors: over_limit "too_many_watchers".
Result<WatchSeats::Seat> take_seat(const Rooms& rooms);
/// A figure as JSON; null where nothing was measured.
void append_figure(std::string& out, float value);
/// A whole number of the query or of Last-Event-ID, which wins; nullopt when neither is there.
/// Errors: invalid "invalid_value".
Result<std::optional<std::uint64_t>> place_asked(const Context& context, const char* member);

}  // namespace mainstay::api
