// The plain transport: HTTP/1.1 over Asio, on the caller's loop.
// Used by client.cpp alone.
#pragma once

#include <memory>

#include "net/client.h"
#include "net/client_pool.h"

namespace mainstay::net {

/// Sends a call on `loop`, which must be the loop of the calling coroutine. As Client::send.
Co<Result<std::unique_ptr<Reply>>> send_plain(std::shared_ptr<LoopPool> loop, Call call,
                                              CallTimers timers, Deadline by);

}  // namespace mainstay::net
