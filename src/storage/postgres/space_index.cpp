// The lock is held while rows are added, never while they are scanned.
#include "storage/postgres/space_index.h"

namespace mainstay::storage::postgres {
namespace {

/// An index that did not fit is tried again after this: documents may have gone since.
constexpr Duration kFullFor = std::chrono::seconds(30);

}  // namespace

SpaceIndex::SpaceIndex(Clock& clock, std::uint32_t dimension_of, IndexMemory& memory)
    : dimension(dimension_of),
      changed(clock),
      clock_(clock),
      memory_(memory),
      index_(std::make_unique<VectorIndex>(dimension_of)) {}

SpaceIndex::~SpaceIndex() {
  memory_.used.fetch_sub(charged_);
}

SpaceIndex::Turn::~Turn() {
  if (index_ == nullptr) return;
  {
    std::lock_guard lock(index_->mutex_);
    index_->taken_ = false;
  }
  index_->changed.notify();
}

SpaceIndex::Turn SpaceIndex::turn() {
  std::lock_guard lock(mutex_);
  return Turn(std::exchange(taken_, true) ? nullptr : this);
}

bool SpaceIndex::full() const {
  std::lock_guard lock(mutex_);
  return full_since_ && clock_.now() - *full_since_ < kFullFor;
}

std::int64_t SpaceIndex::loaded_to() const {
  std::lock_guard lock(mutex_);
  return loaded_to_;
}

bool SpaceIndex::add(const std::vector<IndexRow>& rows) {
  std::lock_guard lock(mutex_);
  full_since_.reset();
  if (rows.empty()) return true;
  const std::uint64_t others = memory_.used.load() - charged_;
  if (others + index_->bytes_with(rows.size()) > memory_.most) {
    empty();
    full_since_ = clock_.now();
    return false;
  }
  index_->append(rows);
  loaded_to_ = rows.back().number;
  charge();
  return true;
}

void SpaceIndex::start_over() {
  std::lock_guard lock(mutex_);
  empty();
}

void SpaceIndex::remove(const std::vector<std::int64_t>& sorted_numbers) {
  std::lock_guard lock(mutex_);
  index_->remove(sorted_numbers);
  charge();
}

void SpaceIndex::remove(const DocumentSet& documents) {
  std::lock_guard lock(mutex_);
  index_->remove(documents);
  charge();
}

std::shared_ptr<const IndexView> SpaceIndex::view() const {
  std::lock_guard lock(mutex_);
  return index_->view();
}

SpaceIndex::Figures SpaceIndex::figures() const {
  std::lock_guard lock(mutex_);
  return {index_->rows(), index_->dead()};
}

void SpaceIndex::charge() {
  const std::uint64_t now = index_->bytes();
  memory_.used.fetch_add(now - charged_);  // unsigned: a negative difference wraps round rightly
  charged_ = now;
}

void SpaceIndex::empty() {
  index_ = std::make_unique<VectorIndex>(dimension);
  loaded_to_ = 0;
  charge();
}

}  // namespace mainstay::storage::postgres
