// Tables, indexes and functions in PostgreSQL, and how they come to be.
// Used by client.cpp and tests.
#pragma once

#include <string>

#include "storage/postgres/connection.h"

namespace mainstay::storage::postgres {

/// Brings the schema `mainstay` up to date, one process at a time (an advisory lock), all or
/// nothing. `server`: for sentences. Errors: invalid "database_newer", "database_foreign",
/// "postgres_misconfigured" (rights are missing); those of Connection.
Co<Status> migrate(Connection& connection, std::string server, Deadline by);
/// Whether the schema is one that this program could use or make. Errors: as of migrate().
Co<Status> look_at(Connection& connection, std::string server, Deadline by);
/// The version that this program writes.
std::int64_t schema_version();

}  // namespace mainstay::storage::postgres
