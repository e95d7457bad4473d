// Segments, views, and the scan.
#include "storage/vector_index.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
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
/// Rows scored at once: their codes stay in the second-level cache for the next query.
constexpr std::size_t kBlock = 256;

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

bool better(const Candidate& a, const Candidate& b) noexcept {
  return a.score != b.score ? a.score > b.score : a.number < b.number;
}

/// The best of one query so far: a heap with the worst on top.
class Best {
 public:
  explicit Best(std::size_t keep) : keep_(keep) { all_.reserve(keep); }
  float threshold() const noexcept { return threshold_; }
  void offer(const Candidate& found) {
    if (all_.size() == keep_) {
      if (!better(found, all_.front())) return;
      std::pop_heap(all_.begin(), all_.end(), better);
      all_.back() = found;
    } else {
      all_.push_back(found);
    }
    std::push_heap(all_.begin(), all_.end(), better);
    if (all_.size() == keep_) threshold_ = all_.front().score;
  }
  std::vector<Candidate> sorted(float scale) && {
    std::sort_heap(all_.begin(), all_.end(), better);
    for (auto& each : all_) each.score *= scale;
    return std::move(all_);
  }

 private:
  std::size_t keep_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> all_;
};

/// The rows of one block that a scan may score.
struct Picks {
  std::array<std::uint16_t, kBlock> rows;
  std::size_t count = 0;
};

void pick(const Segment& segment, std::size_t from, std::size_t count, const DocumentSet& documents,
          Picks& picks) noexcept {
  picks.count = 0;
  std::int64_t last = -1;
  bool last_in = false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t document = document_number(segment.chunks[from + i]);
    if (document != last) {
      last = document;
      last_in = documents.contains(document);
    }
    if (!last_in || segment.dead(from + i)) continue;
    picks.rows[picks.count++] = static_cast<std::uint16_t>(i);
  }
}

void offer(const Segment& segment, std::size_t row, std::int32_t dot, Best& best) {
  const float score = static_cast<float>(dot) * segment.scales[row];
  if (score < best.threshold()) return;
  best.offer({score, segment.numbers[row], segment.chunks[row]});
}

/// Dot products of the picked rows at least, each at its place in `out`.
void dots_of(const Kernel& kernel, const std::int8_t* query, const std::int8_t* codes,
             std::size_t count, std::size_t stride, const Picks& picks,
             std::int32_t* out) noexcept {
  if (picks.count * 2 > count) {
    kernel.dots(query, codes, count, stride, out);
    return;
  }
  for (std::size_t i = 0; i < picks.count;) {
    const std::size_t first = picks.rows[i];
    std::size_t run = 1;
    while (i + run < picks.count && picks.rows[i + run] == first + run) ++run;
    kernel.dots(query, codes + first * stride, run, stride, out + first);
    i += run;
  }
}

}  // namespace

Segment::Segment(std::size_t stride, std::size_t capacity)
    : scales(capacity),
      numbers(capacity),
      chunks(capacity),
      stride_(stride),
      capacity_(capacity),
      sketches_(capacity / kSketchRows * sketch_bytes(stride)),
      dead_((capacity + 63) / 64) {
  codes_ = allocate(stride * capacity);
}

Segment::~Segment() {
  std::free(codes_);
}

std::uint64_t Segment::bytes() const noexcept {
  return capacity_ * (stride_ + sizeof(float) + 2 * sizeof(std::int64_t)) + sketches_.size() +
         dead_.size() * 8;
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
      stride_ + sizeof(float) + 2 * sizeof(std::int64_t) + sketch_bytes(stride_) / kSketchRows + 1;
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

void ScanQuery::Free::operator()(std::int8_t* at) const noexcept {
  std::free(at);
}

ScanQuery::ScanQuery(const std::vector<float>& unit) {
  const Code code = encode(unit);
  const std::size_t stride = stride_of(unit.size());
  codes_.reset(allocate(stride));
  std::memset(codes_.get(), 0, stride);
  if (!code.values.empty()) std::memcpy(codes_.get(), code.values.data(), code.values.size());
  scale_ = code.scale;
  tables_.emplace(codes_.get(), stride);
}

namespace {

/// All rows by their codes, all queries in one pass. False: out of time.
bool scan_codes(const IndexView& view, const std::vector<ScanQuery>& queries,
                const DocumentSet& documents, const Kernel& kernel, const Clock& clock, Deadline by,
                std::vector<Best>& best) {
  std::array<std::int32_t, kBlock> dots;
  Picks picks;
  for (const auto& part : view.parts) {
    const Segment& segment = *part.segment;
    if (by.passed(clock.now())) return false;
    for (std::size_t from = 0; from < part.rows; from += kBlock) {
      const std::size_t count = std::min(kBlock, part.rows - from);
      pick(segment, from, count, documents, picks);
      if (picks.count == 0) continue;
      for (std::size_t q = 0; q < queries.size(); ++q) {
        dots_of(kernel, queries[q].codes(), segment.codes(from), count, view.stride, picks,
                dots.data());
        for (std::size_t i = 0; i < picks.count; ++i) {
          offer(segment, from + picks.rows[i], dots[picks.rows[i]], best[q]);
        }
      }
    }
  }
  return true;
}

/// The scan of one query by sketches; kept between queries for its memory.
class SketchScan {
 public:
  SketchScan(const IndexView& view, const DocumentSet& documents) : view_(view) {
    std::size_t blocks = 0;
    for (const auto& part : view.parts) blocks += (part.rows + kSketchRows - 1) / kSketchRows;
    wanted_.reserve(blocks);
    sums_.resize(blocks * kSketchRows);
    for (const auto& part : view.parts) mark(part, documents);
  }

  bool run(const ScanQuery& query, const Kernel& kernel, const Clock& clock, Deadline by,
           Best& best) {
    std::fill(counts_.begin(), counts_.end(), 0);
    std::size_t block = 0;
    for (const auto& part : view_.parts) {
      if (by.passed(clock.now())) return false;
      block = add_up(part, query, kernel, block);
    }
    const std::uint16_t least = least_sum();
    block = 0;
    for (const auto& part : view_.parts) {
      if (by.passed(clock.now())) return false;
      block = look_at(part, query, kernel, block, least, best);
    }
    return true;
  }

 private:
  /// Sums whose last bits are left out, for counting how many rows reach one.
  static constexpr unsigned kCountShift = 4;
  static constexpr std::size_t kLookedAtShare = 16;
  static constexpr std::size_t kLookedAtLeast = 2048;
  /// Rows whose sums are counted to find the least: of more rows every n-th block.
  static constexpr std::size_t kCounted = 16'384;
  /// Rows that are fetched ahead of the one that is scored.
  static constexpr std::size_t kAhead = 8;

  void mark(const IndexView::Part& part, const DocumentSet& documents) {
    const Segment& segment = *part.segment;
    for (std::size_t from = 0; from < part.rows; from += kSketchRows) {
      const std::size_t count = std::min(kSketchRows, part.rows - from);
      std::uint32_t bits = count < kSketchRows ? (1U << count) - 1 : ~0U;
      const std::int64_t first = document_number(segment.chunks[from]);
      std::int64_t others = 0;  // nothing, when all rows are of one document
      for (std::size_t i = 0; i < count; ++i) {
        others |= document_number(segment.chunks[from + i]) ^ first;
      }
      if (others == 0) {
        if (!documents.contains(first)) bits = 0;
      } else {
        for (std::size_t i = 0; i < count; ++i) {
          if (!documents.contains(document_number(segment.chunks[from + i]))) bits &= ~(1U << i);
        }
      }
      bits &= ~segment.dead_of_block(from);
      wanted_.push_back(bits);
      rows_ += static_cast<std::size_t>(std::popcount(bits));
    }
    counted_ = std::max<std::size_t>(1, rows_ / kCounted);
  }

  std::size_t add_up(const IndexView::Part& part, const ScanQuery& query, const Kernel& kernel,
                     std::size_t block) {
    for (std::size_t from = 0; from < part.rows; from += kSketchRows, ++block) {
      std::uint16_t* sums = &sums_[block * kSketchRows];
      if (wanted_[block] == 0) continue;
      if (from + kSketchRows > part.rows) {  // not whole yet, so without a sketch: all are wanted
        std::fill_n(sums, kSketchRows, std::uint16_t{0xffff});
      } else {
        kernel.sums(query.tables(), part.segment->sketch(from), 1, view_.stride, sums);
      }
      if (block % counted_ != 0) continue;
      for (std::uint32_t left = wanted_[block]; left != 0; left &= left - 1) {
        ++counts_[sums[std::countr_zero(left)] >> kCountShift];
      }
    }
    return block;
  }

  std::uint16_t least_sum() const noexcept {
    const std::size_t enough = std::max(kLookedAtLeast, rows_ / kLookedAtShare) / counted_;
    std::size_t so_far = 0;
    for (std::size_t i = counts_.size(); i-- > 0;) {
      so_far += counts_[i];
      if (so_far >= enough) return static_cast<std::uint16_t>(i << kCountShift);
    }
    return 0;
  }

  std::size_t look_at(const IndexView::Part& part, const ScanQuery& query, const Kernel& kernel,
                      std::size_t block, std::uint16_t least, Best& best) {
    const Segment& segment = *part.segment;
    chosen_.clear();
    for (std::size_t from = 0; from < part.rows; from += kSketchRows, ++block) {
      const std::uint16_t* sums = &sums_[block * kSketchRows];
      if (wanted_[block] == 0) continue;
      for (std::uint32_t left = wanted_[block] & kernel.reach(sums, least); left != 0;
           left &= left - 1) {
        const auto row = static_cast<std::size_t>(std::countr_zero(left));
        chosen_.push_back(static_cast<std::uint32_t>(from + row));
      }
    }
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (i + kAhead < chosen_.size()) {
        const std::int8_t* soon = segment.codes(chosen_[i + kAhead]);
        for (std::size_t at = 0; at < view_.stride; at += 64) __builtin_prefetch(soon + at);
      }
      std::int32_t dot = 0;
      kernel.dots(query.codes(), segment.codes(chosen_[i]), 1, view_.stride, &dot);
      offer(segment, chosen_[i], dot, best);
    }
    return block;
  }

  const IndexView& view_;
  std::vector<std::uint32_t> wanted_;  ///< for each block, which of its rows
  std::vector<std::uint16_t> sums_;
  std::array<std::uint32_t, (0xffffU >> kCountShift) + 1> counts_{};
  std::vector<std::uint32_t> chosen_;  ///< rows of one segment
  std::size_t rows_ = 0;
  std::size_t counted_ = 1;  ///< every so many-th block
};

}  // namespace

std::optional<std::vector<std::vector<Candidate>>> scan(const IndexView& view,
                                                        const std::vector<ScanQuery>& queries,
                                                        const DocumentSet& documents,
                                                        std::size_t keep, const Kernel& kernel,
                                                        const Clock& clock, Deadline by) {
  std::vector<std::vector<Candidate>> out(queries.size());
  if (keep == 0 || documents.size() == 0) return out;
  std::vector<Best> best(queries.size(), Best(keep));
  std::size_t rows = 0;
  for (const auto& part : view.parts) rows += part.rows;
  bool whole = true;
  if (rows < kSketchFrom) {
    whole = scan_codes(view, queries, documents, kernel, clock, by, best);
  } else {
    SketchScan sketches(view, documents);
    for (std::size_t q = 0; whole && q < queries.size(); ++q) {
      whole = sketches.run(queries[q], kernel, clock, by, best[q]);
    }
  }
  if (!whole) return std::nullopt;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    out[q] = std::move(best[q]).sorted(queries[q].scale());
  }
  return out;
}

}  // namespace mainstay::storage
