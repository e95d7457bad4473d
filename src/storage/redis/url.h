// The address of a Redis server out of storage.redis_url.
// Used by open.cpp and the tests of this room.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace mainstay::storage::redis {

/// redis://[[user]:password@]host[:port][/database], or unix:///path/of/socket[?db=N] (also with
/// the password before the path).
struct Address {
  std::string host = "127.0.0.1";
  std::string port = "6379";
  std::string socket;  ///< path; empty: host and port
  std::string user;
  std::string password;
  std::uint32_t database = 0;
  /// Without user and password, for logs.
  std::string shown() const;
};

/// Errors: invalid "redis_url_invalid", which says what is wrong and never repeats the URL.
Result<Address> parse_address(const std::string& url);

}  // namespace mainstay::storage::redis
