// Where a listener listens, as settings say it. Used by the servers here, api/wyoming and app.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "base/co.h"
#include "base/result.h"

namespace mainstay::net {

/// "HOST:PORT": an address, an IPv6 one in brackets, "localhost", "*" for every IPv4 address, or a
/// name, which is looked up while the caller waits. `key` is the setting, for the sentence.
/// Errors: invalid "bad_address".
Result<asio::ip::tcp::endpoint> listen_endpoint(const std::string& key, const std::string& text);

/// The other way round.
std::string text_of(const asio::ip::tcp::endpoint& endpoint);

}  // namespace mainstay::net
