// A set of document numbers, asked once for each row of a scan.
// Used by storage's vectors (the filter) and by knowledge (builds it from what a caller may see).
#pragma once

#include <cstdint>
#include <vector>

namespace mainstay::storage {

struct DocumentRange {
  std::int64_t first = 0;
  std::int64_t last = 0;  ///< included
};

/// Immutable. Numbers of documents grow by one, so that a bitmap from the first to the last is
/// small; of numbers far apart it keeps the sorted list.
class DocumentSet {
 public:
  /// `sorted`: ascending, without repetition.
  explicit DocumentSet(std::vector<std::int64_t> sorted);
  bool contains(std::int64_t document) const noexcept;
  /// True only when all in the range are; false also for a long range, unlooked at.
  bool contains_all(DocumentRange range) const noexcept;
  std::size_t size() const noexcept { return size_; }
  std::uint64_t bytes() const noexcept { return bits_.size() * 8 + list_.size() * 8; }

 private:
  std::int64_t first_ = 0;
  std::int64_t last_ = -1;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> bits_;
  std::vector<std::int64_t> list_;  ///< instead of the bits
};

inline bool DocumentSet::contains(std::int64_t document) const noexcept {
  if (document < first_ || document > last_) return false;
  if (!list_.empty()) {
    std::size_t low = 0;
    std::size_t high = list_.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (list_[middle] < document) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < list_.size() && list_[low] == document;
  }
  const auto at = static_cast<std::uint64_t>(document - first_);
  return (bits_[at / 64] >> (at % 64) & 1) != 0;
}

}  // namespace mainstay::storage
