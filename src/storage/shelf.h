// The contents of files: one file of the disk for each, in one folder, under generated names.
// Used by api (uploads, downloads), jobs (batches) and app, which opens it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/offload.h"
#include "base/result.h"

namespace mainstay::storage {

/// A content that is open for reading; closed with its owner.
class OpenContent {
 public:
  explicit OpenContent(int fd) noexcept : fd_(fd) {}
  OpenContent(OpenContent&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenContent& operator=(OpenContent&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenContent();
  int get() const noexcept { return fd_; }
  /// Given away: the caller closes it.
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Thread-safe; the work is done on the pool. Names have 1 to 128 characters A-Z a-z 0-9 _ - and
/// are opened beneath the folder alone, never through a link. Errors of every verb: invalid (name),
/// unavailable, deadline, disk_full.
class Shelf {
 public:
  /// Makes the folder (0700) when it is missing. `pool` and `clock` outlive the shelf. Errors:
  /// invalid "data_dir_unusable".
  static Result<std::unique_ptr<Shelf>> open(const std::string& folder, OffloadPool& pool,
                                             Clock& clock);
  ~Shelf();
  Shelf(const Shelf&) = delete;
  Shelf& operator=(const Shelf&) = delete;

  /// Cuts the content to `at` bytes and adds `bytes` behind them. After `synced` all of it survives
  /// a power cut. Repeating a call is harmless.
  Co<Status> put(std::string name, std::uint64_t at, std::string bytes, bool synced, Deadline by);
  /// Up to `most` bytes from `at` on; empty at the end. Errors: not_found "unknown_file".
  Co<Result<std::string>> read(std::string name, std::uint64_t at, std::size_t most, Deadline by);
  /// For whoever reads it by itself (a decoder). Errors: not_found "unknown_file".
  Co<Result<OpenContent>> open_content(std::string name, Deadline by);
  /// Copies up to `most` bytes of `from`, from its byte `from_at` on, to byte `at` of `to`, where
  /// the file system can without writing them anew; gives how many there were, 0 at the end of
  /// `from`. What `to` has beside them stays. Repeating a call is harmless. Errors: not_found
  /// "unknown_file" (`from`).
  struct Piece {
    std::string from;
    std::uint64_t from_at = 0;
    std::string to;
    std::uint64_t at = 0;
    std::size_t most = 0;
    bool synced = false;
  };
  Co<Result<std::uint64_t>> copy(Piece piece, Deadline by);
  /// Gives a content another name, synced. Errors: not_found "unknown_file".
  Co<Status> rename(std::string from, std::string to, Deadline by);
  /// Errors: not_found "unknown_file".
  Co<Result<std::uint64_t>> size(std::string name, Deadline by);
  /// Bytes that are free on the disk for this program.
  Co<Result<std::uint64_t>> room(Deadline by);
  /// Nothing happens when there is no such content.
  Co<Status> remove(std::string name, Deadline by);
  /// The same without waiting, for work that was cancelled.
  void drop(const std::string& name) noexcept;
  /// Names of contents last written before `age` ago.
  Co<Result<std::vector<std::string>>> older_than(Duration age, Deadline by);

 private:
  struct Folder;
  Shelf(std::shared_ptr<Folder> folder, OffloadPool& pool, Clock& clock);
  const std::shared_ptr<Folder> folder_;
  OffloadPool& pool_;
  Clock& clock_;
};

}  // namespace mainstay::storage
