// Batches in plain containers. Used by storage/memory/open.cpp.
#pragma once

#include <mutex>

#include "storage/batches.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits.
class MemoryBatches final : public Batches {
 public:
  Co<Status> add(BatchRow row, std::uint32_t open_max, Deadline by) override;
  Co<Status> save(BatchRow row, Deadline by) override;
  Co<Result<BatchRow>> get(Owner owner, BatchId id, Deadline by) override;
  Co<Result<PageOfBatches>> list(Owner owner, BatchId after, std::uint32_t limit,
                                 Deadline by) override;
  Co<Result<std::vector<BatchRow>>> open(std::uint32_t limit, Deadline by) override;
  Co<Result<std::vector<BatchRow>>> open_of(Owner owner, std::uint32_t limit, Deadline by) override;
  Co<Result<std::uint32_t>> sweep(WallTime before, Deadline by) override;

 private:
  BatchRow* find(const BatchId& id);
  Result<PageOfBatches> page(const Owner& owner, const BatchId& after, std::uint32_t limit);

  std::mutex mutex_;
  std::vector<BatchRow> all_;  ///< oldest first
};

}  // namespace mainstay::storage::memory
