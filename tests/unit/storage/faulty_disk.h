// A disk that fails when told: a layer over SQLite's own file calls.
// Used by sqlite_faults_test.cpp.
#pragma once

#include <string>

namespace mainstay::storage {

/// Installs itself as SQLite's default for new connections until destroyed. One at a time.
/// Applies to files whose name contains `only` (the log of mainstay.db by default).
class FaultyDisk {
 public:
  explicit FaultyDisk(std::string only = "mainstay.db-wal");
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// The nth sync from now on, and every later one, fails. 0: none.
  void fail_sync_from(int nth);
  /// The nth write from now on, and every later one, answers `code` (SQLITE_FULL,
  /// SQLITE_IOERR_WRITE).
  void fail_write_from(int nth, int code);
  void work_again();
  int syncs() const;
  int writes() const;
};

}  // namespace mainstay::storage
