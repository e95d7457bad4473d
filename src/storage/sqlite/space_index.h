// The index of one space and how far it has been read from the rows.
// Used by vectors.cpp alone. Thread-safe.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "base/event.h"
#include "storage/sqlite/vector_rows.h"
#include "storage/vector_index.h"

namespace mainstay::storage::sqlite {

/// Bytes that all indexes hold together. Outlives them.
struct IndexMemory {
  std::uint64_t most = 0;
  std::atomic<std::uint64_t> used{0};
};

/// Cold until a search asks for it; then one caller reads the rows, slice by slice, and the others
/// wait. What is put meanwhile is added in the end. An index that does not fit goes, as a whole.
class SpaceIndex {
 public:
  SpaceIndex(Clock& clock, std::uint32_t dimension, IndexMemory& memory);
  ~SpaceIndex();
  SpaceIndex(const SpaceIndex&) = delete;
  SpaceIndex& operator=(const SpaceIndex&) = delete;

  enum class Turn {
    ready,  ///< search it
    load,   ///< the caller reads rows after loaded_to() now, and says loaded() or given_up()
    wait,   ///< another caller does: wait for `changed`
    full,   ///< it does not fit; looked at again after kFullFor
  };
  Turn turn();
  std::int64_t loaded_to() const;
  /// Takes a slice over; false when it does not fit, which ends the turn. The last slice ends it
  /// too.
  bool loaded(const LoadedRows& slice);
  void given_up();

  /// What a commit changed; rows[i].number 0 is passed over.
  void apply(std::vector<LoadedRows::Row> rows, std::vector<std::int64_t> removed);
  void remove(std::vector<std::int64_t> numbers);
  void remove(const DocumentSet& documents);

  std::shared_ptr<const IndexView> view() const;
  /// Zeros while it is not loaded.
  struct Figures {
    std::uint64_t rows = 0;
    std::uint64_t dead = 0;
  };
  Figures figures() const;
  const std::uint32_t dimension;
  Event changed;

 private:
  enum class State { cold, loading, ready, full };
  bool add(const std::vector<LoadedRows::Row>& rows);
  void charge();
  void empty(State next);
  Clock& clock_;
  IndexMemory& memory_;
  mutable std::mutex mutex_;
  State state_ = State::cold;
  TimePoint full_since_{};
  std::unique_ptr<VectorIndex> index_;
  std::uint64_t charged_ = 0;
  std::int64_t loaded_to_ = 0;
  std::vector<LoadedRows::Row> late_;       ///< committed while the rows were being read
  std::vector<std::int64_t> late_removed_;  ///< the same for those that went
};

}  // namespace mainstay::storage::sqlite
