// Segments and views.
#include "storage/vector_index.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"

namespace mainstay::storage {
namespace {

constexpr std::size_t kHugePage = 2U << 20;
constexpr std::size_t kSegmentBytes = 8U << 20;
constexpr std::size_t kFirstRows = 64;
/// Dead rows that an index may hold before it is copied without them: this share, and this many.
constexpr std::uint64_t kDeadShare = 4;
constexpr std::uint64_t kDeadFree = 1024;

std::int8_t* allocate(std::size_t bytes) {
  const std::size_t align = bytes >= kHugePage ? kHugePage : kRowAlign;
  const std::size_t size = (bytes + align - 1) / align * align;
  void* at = std::aligned_alloc(align, size);
  if (at == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  // A scan walks through all of it; without large pages a tenth of its time is address lookups.
  if (align == kHugePage) ::madvise(at, size, MADV_HUGEPAGE);
#endif
  return static_cast<std::int8_t*>(at);
}

}  // namespace

Segment::Segment(std::size_t stride, std::size_t capacity)
    : scales(capacity),
      numbers(capacity),
      chunks(capacity),
      stride_(stride),
      capacity_(capacity),
      sketches_(capacity / kSketchRows * sketch_bytes(stride)),
      documents_(capacity / kSketchRows),
      dead_((capacity + 63) / 64) {
  codes_ = allocate(stride * capacity);
}

Segment::~Segment() {
  std::free(codes_);
}

std::uint64_t Segment::bytes() const noexcept {
  return capacity_ * (stride_ + sizeof(float) + 2 * sizeof(std::int64_t)) + sketches_.size() +
         documents_.size() * sizeof(DocumentRange) + dead_.size() * 8;
}

void Segment::write(std::size_t at, const IndexRow& row) noexcept {
  std::int8_t* to = codes_ + at * stride_;
  const std::size_t size = row.packed.size() - sizeof(float);
  std::memcpy(to, row.packed.data() + sizeof(float), size);
  std::memset(to + size, 0, stride_ - size);
  scales[at] = scale_of(row.packed);
  numbers[at] = row.number;
  chunks[at] = row.chunk;
  if (at % kSketchRows != kSketchRows - 1) return;
  const std::size_t first = at - (kSketchRows - 1);
  write_sketch(codes(first), stride_,
               sketches_.data() + first / kSketchRows * sketch_bytes(stride_));
  const auto [least, most] = std::minmax_element(&chunks[first], &chunks[first] + kSketchRows);
  documents_[first / kSketchRows] = {document_number(*least), document_number(*most)};
}

bool Segment::kill(std::size_t row) noexcept {
  const std::uint64_t bit = 1ULL << (row % 64);
  return (dead_[row / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
}

VectorIndex::VectorIndex(std::uint32_t dimension)
    : dimension_(dimension), stride_(stride_of(dimension)) {
  auto empty = std::make_shared<IndexView>();
  empty->stride = stride_;
  view_ = std::move(empty);
}

/// As many rows as there are already, so that a small index stays small.
std::size_t VectorIndex::next_capacity(std::size_t rows) const {
  const std::size_t most = std::max<std::size_t>(kSegmentBytes / stride_, kFirstRows);
  return std::clamp(rows, kFirstRows, most);
}

std::uint64_t VectorIndex::bytes_with(std::size_t more) const {
  const std::size_t rows = rows_.load(std::memory_order_relaxed);
  const std::size_t most = next_capacity(rows + more);
  const std::size_t row =
      stride_ + sizeof(float) + 2 * sizeof(std::int64_t) + sketch_bytes(stride_) / kSketchRows + 2;
  return bytes() + (more + most) * row;
}

void VectorIndex::append_to(IndexView& view, const IndexRow& row) const {
  if (view.parts.empty() || view.parts.back().rows == view.parts.back().segment->capacity()) {
    std::size_t rows = 0;
    for (const auto& part : view.parts) rows += part.rows;
    view.parts.push_back({std::make_shared<Segment>(stride_, next_capacity(rows)), 0});
  }
  auto& part = view.parts.back();
  part.segment->write(part.rows, row);
  ++part.rows;
}

/// Under the lock. An older view sees fewer rows of the last segment, and goes on doing so.
void VectorIndex::publish(std::shared_ptr<IndexView> next) {
  std::uint64_t bytes = 0;
  std::uint64_t rows = 0;
  for (const auto& part : next->parts) {
    bytes += part.segment->bytes();
    rows += part.rows;
  }
  bytes_.store(bytes, std::memory_order_relaxed);
  rows_.store(rows, std::memory_order_relaxed);
  view_ = std::move(next);
}

void VectorIndex::append(std::span<const IndexRow> rows) {
  if (rows.empty()) return;
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<IndexView>(*view_);
  for (const auto& row : rows) {
    CHECK(row.packed.size() == packed_code_size(dimension_));
    append_to(*next, row);
  }
  publish(std::move(next));
}

std::size_t VectorIndex::remove(std::span<const std::int64_t> numbers) {
  if (numbers.empty()) return 0;
  std::lock_guard lock(mutex_);
  std::size_t removed = 0;
  for (const auto& part : view_->parts) {
    Segment& segment = *part.segment;
    for (std::size_t row = 0; row < part.rows; ++row) {
      const std::int64_t number = segment.numbers[row];
      if (number < numbers.front() || number > numbers.back()) continue;
      if (!std::binary_search(numbers.begin(), numbers.end(), number)) continue;
      if (segment.kill(row)) ++removed;
    }
  }
  dead_.fetch_add(removed, std::memory_order_relaxed);
  if (dead() > kDeadFree && dead() * kDeadShare > rows()) compact();
  return removed;
}

/// Under the lock: the living rows in new segments. Views that are out keep the old ones.
void VectorIndex::compact() {
  auto next = std::make_shared<IndexView>();
  next->stride = stride_;
  std::string packed(packed_code_size(dimension_), '\0');
  for (const auto& part : view_->parts) {
    const Segment& from = *part.segment;
    for (std::size_t row = 0; row < part.rows; ++row) {
      if (from.dead(row)) continue;
      std::memcpy(packed.data(), &from.scales[row], sizeof(float));
      std::memcpy(packed.data() + sizeof(float), from.codes(row), dimension_);
      append_to(*next, {from.numbers[row], from.chunks[row], packed});
    }
  }
  dead_.store(0, std::memory_order_relaxed);
  publish(std::move(next));
}

std::shared_ptr<const IndexView> VectorIndex::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace mainstay::storage
