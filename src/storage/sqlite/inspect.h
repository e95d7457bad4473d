// A thorough look at the database files of a data directory that no server uses.
// Named by app/wire.cpp, for `mainstay doctor`, and by tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::storage::sqlite {

struct FileState {
  std::string file;         ///< name in the data directory
  std::uint64_t bytes = 0;  ///< with its write-ahead log
  std::string problem;      ///< a sentence; empty when the file is sound
  bool whole = true;        ///< false: time was over before all of it had been read
};

/// Reads every page of each file that exists and checks its structure. Blocks; changes nothing that
/// was stored. Files that are missing are left out.
/// Errors: conflict "data_dir_in_use" (a server runs); invalid "data_dir_unusable".
Result<std::vector<FileState>> inspect(const std::string& data_dir, const Clock& clock,
                                       Deadline by);

}  // namespace mainstay::storage::sqlite
