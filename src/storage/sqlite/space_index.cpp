// States of one index. The lock is held while rows are added, never while they are scanned.
#include "storage/sqlite/space_index.h"

#include <algorithm>

namespace mainstay::storage::sqlite {
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

SpaceIndex::Turn SpaceIndex::turn() {
  std::lock_guard lock(mutex_);
  switch (state_) {
    case State::ready:
      return Turn::ready;
    case State::loading:
      return Turn::wait;
    case State::full:
      if (clock_.now() - full_since_ < kFullFor) return Turn::full;
      break;
    case State::cold:
      break;
  }
  state_ = State::loading;
  return Turn::load;
}

std::int64_t SpaceIndex::loaded_to() const {
  std::lock_guard lock(mutex_);
  return loaded_to_;
}

bool SpaceIndex::loaded(const LoadedRows& slice) {
  {
    std::lock_guard lock(mutex_);
    if (!add(slice.rows)) {
      empty(State::full);
    } else {
      loaded_to_ = slice.upto;
      if (!slice.last) return true;
      // Numbers up to `upto` were handed out before the slice was read, so they are in it.
      std::erase_if(late_, [&](const auto& row) { return row.number <= loaded_to_; });
      if (add(late_)) {
        state_ = State::ready;
        std::sort(late_removed_.begin(), late_removed_.end());
        index_->remove(late_removed_);
      } else {
        empty(State::full);
      }
    }
    late_ = {};
    late_removed_ = {};
  }
  changed.notify();
  std::lock_guard lock(mutex_);
  return state_ != State::full;
}

void SpaceIndex::given_up() {
  {
    std::lock_guard lock(mutex_);
    if (state_ != State::loading) return;
    // What was read so far stays, and the next one goes on there: late rows are found by it.
    state_ = State::cold;
    std::sort(late_removed_.begin(), late_removed_.end());
    index_->remove(late_removed_);
    late_ = {};
    late_removed_ = {};
  }
  changed.notify();
}

void SpaceIndex::apply(std::vector<LoadedRows::Row> rows, std::vector<std::int64_t> removed) {
  std::lock_guard lock(mutex_);
  std::sort(removed.begin(), removed.end());
  index_->remove(removed);
  if (state_ == State::loading) {
    late_removed_.insert(late_removed_.end(), removed.begin(), removed.end());
    std::move(rows.begin(), rows.end(), std::back_inserter(late_));
    return;
  }
  if (state_ != State::ready) return;
  std::erase_if(rows, [&](const auto& row) { return row.number <= loaded_to_; });
  if (!add(rows)) {
    empty(State::full);
    return;
  }
  index_->remove(removed);  // of a chunk that was put twice in one call
}

void SpaceIndex::remove(std::vector<std::int64_t> numbers) {
  apply({}, std::move(numbers));
}

void SpaceIndex::remove(const DocumentSet& documents) {
  std::lock_guard lock(mutex_);
  index_->remove(documents);
}

std::shared_ptr<const IndexView> SpaceIndex::view() const {
  std::lock_guard lock(mutex_);
  return index_->view();
}

SpaceIndex::Figures SpaceIndex::figures() const {
  std::lock_guard lock(mutex_);
  return {index_->rows(), index_->dead()};
}

/// Under the lock. False: there is no room.
bool SpaceIndex::add(const std::vector<LoadedRows::Row>& rows) {
  const std::uint64_t others = memory_.used.load() - charged_;
  if (!rows.empty() && others + index_->bytes_with(rows.size()) > memory_.most) return false;
  std::vector<IndexRow> into;
  into.reserve(rows.size());
  for (const auto& row : rows) {
    if (row.number == 0 || row.code.size() != packed_code_size(dimension)) continue;
    into.push_back({row.number, row.chunk, row.code});
  }
  index_->append(into);
  charge();
  return true;
}

void SpaceIndex::charge() {
  const std::uint64_t now = index_->bytes();
  memory_.used.fetch_add(now - charged_);  // unsigned: a negative difference wraps round rightly
  charged_ = now;
}

void SpaceIndex::empty(State next) {
  state_ = next;
  full_since_ = clock_.now();
  index_ = std::make_unique<VectorIndex>(dimension);
  loaded_to_ = 0;
  charge();
}

}  // namespace mainstay::storage::sqlite
