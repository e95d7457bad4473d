// The vectors of one space in memory, as eight-bit codes: appended to by one, scanned by many
// (vector_scan.h). Used by space_index.h (stored rows are the truth; this is a cache of them).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "storage/document_set.h"
#include "storage/documents.h"
#include "storage/vector_kernels.h"
#include "storage/vector_math.h"

namespace mainstay::storage {

/// One row as it comes in; `packed` as vector_math's pack(Code).
struct IndexRow {
  std::int64_t number = 0;  ///< of the stored row; never used twice while the index lives
  std::int64_t chunk = 0;
  std::string_view packed;
};

/// Rows of one allocation. Filled from the front; rows that a view has are never written again, but
/// for the mark of a dead one.
class Segment {
 public:
  Segment(std::size_t stride, std::size_t capacity);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  void write(std::size_t at, const IndexRow& row) noexcept;
  const std::int8_t* codes(std::size_t row) const noexcept { return codes_ + row * stride_; }
  /// Of the block of 32 rows that begins there; there is one when all 32 were written.
  const std::uint8_t* sketch(std::size_t row) const noexcept {
    return sketches_.data() + row / kSketchRows * sketch_bytes(stride_);
  }
  /// Of the same block: those of its rows lie in this range.
  DocumentRange documents(std::size_t row) const noexcept { return documents_[row / kSketchRows]; }
  bool dead(std::size_t row) const noexcept {
    return (dead_[row / 64].load(std::memory_order_relaxed) >> (row % 64) & 1) != 0;
  }
  /// Of the block of 32 rows that begins there, a bit for each.
  std::uint32_t dead_of_block(std::size_t row) const noexcept {
    const auto bits = dead_[row / 64].load(std::memory_order_relaxed);
    return static_cast<std::uint32_t>(bits >> (row % 64));
  }
  /// False when it was dead already.
  bool kill(std::size_t row) noexcept;
  std::size_t capacity() const noexcept { return capacity_; }
  std::uint64_t bytes() const noexcept;

  std::vector<float> scales;
  std::vector<std::int64_t> numbers;
  std::vector<std::int64_t> chunks;

 private:
  const std::size_t stride_;
  const std::size_t capacity_;
  std::int8_t* codes_ = nullptr;
  std::vector<std::uint8_t> sketches_;
  std::vector<DocumentRange> documents_;
  std::vector<std::atomic<std::uint64_t>> dead_;
};

/// What a scan looks at: rows that were whole when it began.
struct IndexView {
  struct Part {
    std::shared_ptr<Segment> segment;
    std::size_t rows = 0;
  };
  std::vector<Part> parts;
  std::size_t stride = 0;
};

/// Thread-safe. Readers take a view and scan it without a lock.
class VectorIndex {
 public:
  explicit VectorIndex(std::uint32_t dimension);
  /// Bytes that the index would hold with so many rows more.
  std::uint64_t bytes_with(std::size_t more) const;
  void append(std::span<const IndexRow> rows);
  /// Marks the rows with these numbers (sorted) as dead; gives how many were not.
  std::size_t remove(std::span<const std::int64_t> numbers);
  std::shared_ptr<const IndexView> view() const;
  std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t rows() const noexcept { return rows_.load(std::memory_order_relaxed); }
  std::uint64_t dead() const noexcept { return dead_.load(std::memory_order_relaxed); }

 private:
  std::size_t next_capacity(std::size_t rows) const;
  void append_to(IndexView& view, const IndexRow& row) const;
  void compact();
  void publish(std::shared_ptr<IndexView> next);
  const std::size_t dimension_;
  const std::size_t stride_;
  mutable std::mutex mutex_;  ///< of what appends and removes, and for taking a view
  std::shared_ptr<const IndexView> view_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> dead_{0};
};

}  // namespace mainstay::storage
