// A recording that is to be heard: an open file, on the disk or in memory, that is read in blocks.
// Used by api and assistant (who make one), the faces of transcribers, and media's decoder, which
// is given the descriptor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/co.h"
#include "base/deadline.h"
#include "base/offload.h"
#include "base/result.h"
#include "storage/shelf.h"

namespace mainstay::models {

/// Immutable; any thread may read. The file is closed with its last owner.
class Recording {
 public:
  /// An open file of `bytes` bytes that nobody changes any more. Reading is done on `pool`, which
  /// outlives it; null: reading does not block (memory).
  Recording(storage::OpenContent file, std::uint64_t bytes, OffloadPool* pool, Clock& clock)
      : file_(std::move(file)), bytes_(bytes), pool_(pool), clock_(clock) {}
  /// Bytes kept in memory, in a file without a name (memfd), so that a decoder can be given it.
  /// Errors: unavailable "no_memory_file".
  static Result<std::shared_ptr<const Recording>> in_memory(const std::string& bytes, Clock& clock);

  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Stays this object's; position and flags are shared: use pread, or duplicate it.
  int descriptor() const noexcept { return file_.get(); }
  /// Up to `most` bytes from `at` on; empty at the end. Errors: unavailable, deadline.
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) const;
  /// The same at once, blocking as a disk does: how many bytes were read; -1: it failed.
  std::int64_t read_now(std::uint64_t at, char* into, std::size_t most) const noexcept;
  /// Where reading is done; null: it does not block.
  OffloadPool* pool() const noexcept { return pool_; }

 private:
  const storage::OpenContent file_;
  const std::uint64_t bytes_;
  OffloadPool* const pool_;
  Clock& clock_;
};

}  // namespace mainstay::models
