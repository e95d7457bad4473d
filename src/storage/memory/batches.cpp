// The rules of batches, written as plainly as possible.
#include "storage/memory/batches.h"

#include <algorithm>
#include <map>

#include "storage/file_says.h"

namespace mainstay::storage::memory {

BatchRow* MemoryBatches::find(const BatchId& id) {
  const auto found =
      std::find_if(all_.begin(), all_.end(), [&](const BatchRow& one) { return one.id == id; });
  return found == all_.end() ? nullptr : &*found;
}

Co<Status> MemoryBatches::add(BatchRow row, std::uint32_t open_max, Deadline) {
  std::lock_guard lock(mutex_);
  if (find(row.id) != nullptr) co_return done();
  const auto open = std::count_if(all_.begin(), all_.end(), [&](const BatchRow& one) {
    return one.open && one.owner == row.owner;
  });
  if (static_cast<std::uint64_t>(open) >= open_max) co_return too_many_batches();
  all_.push_back(std::move(row));
  co_return done();
}

Co<Status> MemoryBatches::save(BatchRow row, Deadline) {
  std::lock_guard lock(mutex_);
  BatchRow* found = find(row.id);
  if (found == nullptr) co_return unknown_batch();
  if (found->version != row.version) co_return batch_changed();
  found->record = std::move(row.record);
  found->open = row.open;
  ++found->version;
  co_return done();
}

Co<Result<BatchRow>> MemoryBatches::get(Owner owner, BatchId id, Deadline) {
  std::lock_guard lock(mutex_);
  const BatchRow* found = find(id);
  if (found == nullptr || found->owner != owner) co_return unknown_batch();
  co_return *found;
}

Result<PageOfBatches> MemoryBatches::page(const Owner& owner, const BatchId& after,
                                          std::uint32_t limit) {
  bool passed = after.empty();
  if (!passed) {
    const BatchRow* place = find(after);
    if (place == nullptr || place->owner != owner) return unknown_batch();
  }
  PageOfBatches out;
  for (auto it = all_.rbegin(); it != all_.rend(); ++it) {
    const bool theirs = it->owner == owner;
    if (passed && theirs && out.items.size() == limit) {
      out.more = true;
      break;
    }
    if (passed && theirs) out.items.push_back(*it);
    passed = passed || it->id == after;
  }
  return out;
}

Co<Result<PageOfBatches>> MemoryBatches::list(Owner owner, BatchId after, std::uint32_t limit,
                                              Deadline) {
  std::lock_guard lock(mutex_);
  co_return page(owner, after, limit);
}

Co<Result<std::vector<BatchRow>>> MemoryBatches::open(std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  std::map<Owner, std::size_t> of_owner;
  std::multimap<std::size_t, const BatchRow*> by_turn;  // equal ones stay in order
  for (const auto& one : all_) {
    if (one.open) by_turn.emplace(++of_owner[one.owner], &one);
  }
  std::vector<BatchRow> out;
  for (const auto& [turn, one] : by_turn) {
    if (out.size() < limit) out.push_back(*one);
  }
  co_return out;
}

Co<Result<std::vector<BatchRow>>> MemoryBatches::open_of(Owner owner, std::uint32_t limit,
                                                         Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<BatchRow> out;
  for (const auto& one : all_) {
    if (one.open && one.owner == owner && out.size() < limit) out.push_back(one);
  }
  co_return out;
}

Co<Result<std::uint32_t>> MemoryBatches::sweep(WallTime before, Deadline) {
  std::lock_guard lock(mutex_);
  std::uint32_t removed = 0;
  std::erase_if(all_, [&](const BatchRow& one) {
    const bool gone = !one.open && one.created < before && removed < kBatchSlice;
    removed += gone ? 1 : 0;
    return gone;
  });
  co_return removed;
}

}  // namespace mainstay::storage::memory
