// When many are served at once, writes go out in bursts. Used by the listener and the client.
#pragma once

#include <boost/asio/post.hpp>

#include "base/co.h"

namespace mainstay::net {

/// From this many on at a loop, a write waits for its turn behind the handlers that are ready now:
/// `if (crowded) co_await asio::post(use_co);`. Sends that follow each other closely find the peer
/// awake; spread between the work of one request and the next, each wakes it anew, and waking cost
/// a third of a request's time (docs/performance.md). Fewer gain nothing and need not wait.
inline constexpr std::size_t kCrowd = 4;

}  // namespace mainstay::net
