// Face: batches, each a record that jobs/batches reads and writes. Back ends: memory, sqlite.
// Used by jobs (batches).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/conversations.h"

namespace mainstay::storage {

using BatchId = Id<struct BatchTag>;

struct BatchRow {
  BatchId id;
  Owner owner;
  bool open = true;           ///< it is still worked at
  std::uint64_t version = 1;  ///< grows with each save
  WallTime created{};
  std::string record;  ///< JSON
};

struct PageOfBatches {
  std::vector<BatchRow> items;  ///< newest first
  bool more = false;
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable, deadline (it may still
/// happen), disk_full, corrupt, and those named.
class Batches {
 public:
  virtual ~Batches() = default;
  /// Errors: over_limit "too_many_batches" (open ones of this owner).
  virtual Co<Status> add(BatchRow row, std::uint32_t open_max, Deadline by) = 0;
  /// Keeps `record` and `open` if the stored version is still `row`'s; the stored one is one more
  /// then. Errors: conflict "batch_changed"; not_found "unknown_batch".
  virtual Co<Status> save(BatchRow row, Deadline by) = 0;
  /// Errors: not_found "unknown_batch".
  virtual Co<Result<BatchRow>> get(Owner owner, BatchId id, Deadline by) = 0;
  /// `after`: id of the last one seen; empty: from the newest. Errors: not_found "unknown_batch".
  virtual Co<Result<PageOfBatches>> list(Owner owner, BatchId after, std::uint32_t limit,
                                         Deadline by) = 0;
  /// Open batches of all owners in turn: each one's oldest, then each one's second, and so on.
  virtual Co<Result<std::vector<BatchRow>>> open(std::uint32_t limit, Deadline by) = 0;
  /// Those of one owner, oldest first.
  virtual Co<Result<std::vector<BatchRow>>> open_of(Owner owner, std::uint32_t limit,
                                                    Deadline by) = 0;
  /// Removes a slice of the closed batches that were created before; gives how many.
  virtual Co<Result<std::uint32_t>> sweep(WallTime before, Deadline by) = 0;
};

/// Batches removed in one step.
inline constexpr std::uint32_t kBatchSlice = 64;

}  // namespace mainstay::storage
