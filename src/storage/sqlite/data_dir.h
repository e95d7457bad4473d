// The data directory: made private, and held by one process at a time.
// Used by storage/sqlite/open.cpp.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace mainstay::storage::sqlite {

/// Holds the directory's lock until destroyed. The kernel drops the lock when the process ends
/// however it ends, so a lock file left by a killed process is no obstacle.
class DataDir {
 public:
  /// Makes the directory (0700) when it is missing and takes its lock.
  /// Errors: conflict "data_dir_in_use"; invalid "data_dir_unusable".
  static Result<std::unique_ptr<DataDir>> claim(std::string path);
  /// The same without the lock, for keys.db, which the command line changes beside a running
  /// server.
  static Result<std::unique_ptr<DataDir>> share(std::string path);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;
  const std::string& path() const noexcept { return path_; }
  /// Full path of a file in it, which is made empty and private (0600) when it is missing.
  Result<std::string> file(const std::string& name) const;

 private:
  DataDir(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

}  // namespace mainstay::storage::sqlite
