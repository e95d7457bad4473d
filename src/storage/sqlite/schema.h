// The tables of the files, as steps from each version to the next, and the checks a file must pass
// before it is opened for writing. Used by storage/sqlite/open.cpp and tests.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "storage/sqlite/connection.h"

namespace mainstay::storage::sqlite {

/// One database file: its name, mark and history. steps[n] takes version n to n + 1 and, once
/// released, is never changed.
struct Schema {
  std::string name;             ///< for logs and metrics, e.g. "mainstay"
  std::string file;             ///< in the data directory
  std::int64_t application_id;  ///< of the file's header; tells our files from others'
  std::vector<std::string> steps;
  std::int64_t page_size = 0;  ///< bytes; of a new file
  bool shared = false;  ///< several processes may open it: a rollback journal instead of a WAL
  /// Does what SQL cannot after the step that led to `version`, in its transaction.
  void (*after_step)(Connection& db, std::size_t version) = nullptr;
};

const Schema& conversations_schema();
const Schema& documents_schema();
const Schema& access_keys_schema();

/// Looks at an existing file without changing it. A missing or empty file is fine.
/// Errors: invalid "database_newer", "database_foreign"; corrupt "database_corrupt"; each with a
/// sentence that says what to do.
Status check_file(const Schema& schema, const std::string& path);

/// Brings the file to the newest version, each step in a transaction. Throws Failure.
void migrate(const Schema& schema, Connection& db);

}  // namespace mainstay::storage::sqlite
