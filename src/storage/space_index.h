// The vector indexes of a process, one for each space, read from the stored rows: what the back
// ends with rows share. Used by storage/sqlite/vectors.h and storage/postgres/vectors.h.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/event.h"
#include "storage/vector_scan.h"
#include "storage/vectors.h"

namespace mainstay::storage {

/// Bytes that all indexes hold together. Outlives them.
struct IndexMemory {
  std::uint64_t most = 0;
  std::atomic<std::uint64_t> used{0};
};

/// The index of one space and how far it has been read. Whoever searches first reads what was put
/// since the last search, by whichever process; a row that is gone meanwhile is noticed when its
/// floats are asked for. Thread-safe; the lock is held while rows are added, never while they are
/// scanned.
class SpaceIndex {
 public:
  SpaceIndex(Clock& clock, VectorSpace space, IndexMemory& memory);
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

   private:
    SpaceIndex* index_;
  };
  /// Waits for it. Errors: deadline "read_timeout".
  Co<Result<Turn>> turn(Deadline by);
  /// Whether it did not fit a short while ago.
  bool full() const;
  std::int64_t loaded_to() const;
  /// All rows with the numbers after loaded_to() up to `upto`. False: they do not fit; the index is
  /// empty then.
  bool add(const std::vector<IndexRow>& rows, std::int64_t upto);
  /// For rows that this process alone puts: some were put and committed.
  void was_put() noexcept { puts_.fetch_add(1); }
  std::uint64_t puts() const noexcept { return puts_.load(); }
  /// Everything that was put when puts() gave this is read.
  void has_read(std::uint64_t puts);
  /// Nothing was put since, and it was read within the last second: what is gone is looked for now
  /// and then.
  bool fresh() const;
  /// Whether so much of it is gone, when `stored` rows exist, that it is to be read anew.
  bool stale(std::uint64_t stored) const;
  /// Everything is read again from the first row on.
  void start_over();
  void remove(const std::vector<std::int64_t>& sorted_numbers);

  std::shared_ptr<const IndexView> view() const;
  struct Figures {
    std::uint64_t rows = 0;
    std::uint64_t dead = 0;
  };
  Figures figures() const;
  const VectorSpace space;  ///< as it was when the index was made; number, model, dimension last
  const std::uint32_t dimension = space.dimension;

 private:
  bool take();
  void charge();
  void empty();
  Clock& clock_;
  IndexMemory& memory_;
  Event changed_;
  mutable std::mutex mutex_;
  bool taken_ = false;
  std::optional<TimePoint> full_since_;
  std::unique_ptr<VectorIndex> index_;
  std::uint64_t charged_ = 0;
  std::int64_t loaded_to_ = 0;
  std::atomic<std::uint64_t> puts_{0};
  std::uint64_t puts_read_ = 0;
  std::optional<TimePoint> read_at_;
};

/// All of them, by the space's number. Thread-safe.
class SpaceIndexes {
 public:
  using Index = std::shared_ptr<SpaceIndex>;
  SpaceIndexes(Clock& clock, const VectorLimits& limits);
  /// The one there is, or a new and empty one. `store` is asked for its spaces when nobody wanted
  /// this one yet. Errors: those of Vectors::spaces(); not_found "unknown_vector_space".
  Co<Result<Index>> of(Vectors& store, std::int64_t space, Deadline by);
  /// The one that a search names. Errors: also those of choose_space().
  Co<Result<Index>> of(Vectors& store, const VectorSearch& search, Deadline by);
  void unload(std::int64_t space);
  VectorFigures figures() const;
  std::atomic<std::uint64_t> searches{0};
  std::atomic<std::uint64_t> loads{0};

 private:
  Index find(std::int64_t space) const;
  Index find(const std::string& model, std::size_t dimension) const;
  Index make(const VectorSpace& space);
  Clock& clock_;
  IndexMemory memory_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, Index> indexes_;
};

/// A search that meets rows which went meanwhile begins again, so often.
inline constexpr int kSearchTries = 3;
/// Rows of one read of a load.
std::size_t rows_of_load(std::uint32_t dimension);
/// Candidates of each query that are scored again by their floats.
std::size_t candidates_of(std::uint32_t nearest);
/// Those of each query; the queries are of unit length. nullopt: `by` passed before the end.
std::optional<std::vector<std::vector<Candidate>>> find_candidates(const IndexView& view,
                                                                   const VectorSearch& search,
                                                                   const Clock& clock, Deadline by);
/// Leaves the `nearest` best, in order.
void keep_best(std::vector<VectorHit>& hits, std::uint32_t nearest);
Error vectors_do_not_fit();
Error vectors_too_late();

}  // namespace mainstay::storage
