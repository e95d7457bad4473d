// Whether an address belongs to the public internet: what strangers may make us call.
// Used by net (calls to addresses that clients chose) and jobs (webhooks). Pure.
#pragma once

#include <boost/asio/ip/address.hpp>

namespace mainstay {

/// False for loopback, private, shared, link-local, multicast, documentation, benchmark and
/// reserved addresses, and for IPv6 forms that carry such an IPv4 address inside.
bool is_public(const boost::asio::ip::address& address) noexcept;

}  // namespace mainstay
