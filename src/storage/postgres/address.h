// The address of a PostgreSQL server out of storage.postgres_url.
// Used by client.cpp, connection.cpp and tests.
#pragma once

#include <string>

#include "base/result.h"

namespace mainstay::storage::postgres {

/// What connecting needs of the URL beside the URL itself.
struct Address {
  std::string url;   ///< as given: holds the password, never logged
  std::string host;  ///< the one name that must be resolved; empty: none, or libpq does it
  std::string port;
  std::string shown;  ///< host, port and database, for logs and sentences
};

/// postgres://user:password@host:5432/database?sslmode=verify-full, with libpq's other options; a
/// socket's folder as ?host=/PATH. Errors: invalid "postgres_url_invalid", which never repeats it.
Result<Address> parse_address(const std::string& url);

}  // namespace mainstay::storage::postgres
