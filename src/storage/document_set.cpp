// Bitmap or list, by how far apart the numbers are.
#include "storage/document_set.h"

#include <utility>

namespace mainstay::storage {
namespace {

/// A bitmap may be this many times larger than the list, or this large at least.
constexpr std::uint64_t kSparse = 8;
constexpr std::uint64_t kBitmapFree = 128ULL << 10;
/// Numbers that are looked up one by one.
constexpr std::int64_t kLongRange = 64;

}  // namespace

DocumentSet::DocumentSet(std::vector<std::int64_t> sorted) : size_(sorted.size()) {
  if (sorted.empty()) return;
  first_ = sorted.front();
  last_ = sorted.back();
  const auto span = static_cast<std::uint64_t>(last_) - static_cast<std::uint64_t>(first_);
  const std::uint64_t bytes = span / 8 + 8;
  if (bytes > kBitmapFree && bytes > kSparse * size_ * sizeof(std::int64_t)) {
    list_ = std::move(sorted);
    return;
  }
  bits_.resize(span / 64 + 1);
  for (const auto each : sorted) {
    const auto at = static_cast<std::uint64_t>(each - first_);
    bits_[at / 64] |= 1ULL << (at % 64);
  }
}

bool DocumentSet::contains_all(DocumentRange range) const noexcept {
  if (range.last - range.first >= kLongRange) return false;
  for (std::int64_t each = range.first; each <= range.last; ++each) {
    if (!contains(each)) return false;
  }
  return true;
}

}  // namespace mainstay::storage
