// The index of one vector space in memory, read from its rows: whoever searches first reads what
// was put since the last search, by whichever process.
// Used by vectors.cpp alone. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/event.h"
#include "storage/vector_index.h"

namespace mainstay::storage::postgres {

/// Bytes that all indexes hold together. Outlives them.
struct IndexMemory {
  std::uint64_t most = 0;
  std::atomic<std::uint64_t> used{0};
};

class SpaceIndex {
 public:
  SpaceIndex(Clock& clock, std::uint32_t dimension, IndexMemory& memory);
  ~SpaceIndex();
  SpaceIndex(const SpaceIndex&) = delete;
  SpaceIndex& operator=(const SpaceIndex&) = delete;

  /// The right to read rows: one has it at a time, until it gives it back.
  class Turn {
   public:
    explicit Turn(SpaceIndex* index) : index_(index) {}
    Turn(Turn&& other) noexcept : index_(std::exchange(other.index_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();
    explicit operator bool() const noexcept { return index_ != nullptr; }

   private:
    SpaceIndex* index_;
  };
  /// False while another one has it: wait for `changed`.
  Turn turn();
  /// Whether it did not fit a short while ago.
  bool full() const;
  std::int64_t loaded_to() const;
  /// Rows with the numbers after loaded_to(). False: they do not fit; the index is empty then.
  bool add(const std::vector<IndexRow>& rows);
  /// Everything is read again from the first row on.
  void start_over();
  void remove(const std::vector<std::int64_t>& sorted_numbers);
  void remove(const DocumentSet& documents);

  std::shared_ptr<const IndexView> view() const;
  struct Figures {
    std::uint64_t rows = 0;
    std::uint64_t dead = 0;
  };
  Figures figures() const;
  const std::uint32_t dimension;
  Event changed;

 private:
  void charge();
  void empty();
  Clock& clock_;
  IndexMemory& memory_;
  mutable std::mutex mutex_;
  bool taken_ = false;
  std::optional<TimePoint> full_since_;
  std::unique_ptr<VectorIndex> index_;
  std::uint64_t charged_ = 0;
  std::int64_t loaded_to_ = 0;
};

}  // namespace mainstay::storage::postgres
