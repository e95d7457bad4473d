// Sending a body that comes from a file over a plain connection.
// Used by client_plain.cpp alone.
#pragma once

#include "net/client_pool.h"

namespace mainstay::net {

/// Writes call.source and call.tail behind what was written already. done() also when the peer
/// stopped reading: it may have said why (conn.wrote_all tells). Errors: deadline
/// "upstream_stalled", "upstream_timeout"; cancelled; those of the source.
Co<Status> upload(Conn& conn, const Call& call, CallTimers timers, Deadline by);

}  // namespace mainstay::net
