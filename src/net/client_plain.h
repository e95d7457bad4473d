// The plain transport: HTTP/1.1 over Asio, on the caller's loop.
// Used by client.cpp alone.
#pragma once

#include <memory>
#include <vector>

#include "net/client.h"
#include "net/client_pool.h"

namespace mainstay::net {

/// Sends a call on the loop of the calling coroutine, which must be one of `loops` (the client's
/// own, which outlive its calls). As Client::send.
Co<Result<std::unique_ptr<Reply>>> send_plain(const std::vector<std::shared_ptr<LoopPool>>& loops,
                                              Call call, CallTimers timers, Deadline by);

}  // namespace mainstay::net
