// Two ways to scan: all codes, or sketches first and the codes of the best.
#include "storage/vector_scan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

namespace mainstay::storage {
namespace {

/// Rows scored at once: their codes stay in the second-level cache for the next query.
constexpr std::size_t kBlock = 256;

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

/// Whether the document of a row is in the set. Rows of one document lie together, so that the last
/// answer is kept.
class Wanted {
 public:
  explicit Wanted(const DocumentSet& documents) : documents_(documents) {}
  bool operator()(std::int64_t chunk) noexcept {
    const std::int64_t document = document_number(chunk);
    if (document != last_) in_ = documents_.contains(document);
    last_ = document;
    return in_;
  }

 private:
  const DocumentSet& documents_;
  std::int64_t last_ = -1;
  bool in_ = false;
};

/// The rows of one block that a scan may score.
struct Picks {
  std::array<std::uint16_t, kBlock> rows;
  std::size_t count = 0;
};

void pick(const Segment& segment, std::size_t from, std::size_t count, const DocumentSet& documents,
          Picks& picks) noexcept {
  picks.count = 0;
  Wanted wanted(documents);
  for (std::size_t i = 0; i < count; ++i) {
    if (!wanted(segment.chunks[from + i]) || segment.dead(from + i)) continue;
    picks.rows[picks.count++] = static_cast<std::uint16_t>(i);
  }
}

float offer(const Segment& segment, std::size_t row, std::int32_t dot, Best& best) {
  const float score = static_cast<float>(dot) * segment.scales[row];
  if (score >= best.threshold()) best.offer({score, segment.numbers[row], segment.chunks[row]});
  return score;
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

/// A straight line through the sums and scores of the rows that were looked at: what a sum says of
/// a score, and how far the scores lie from that.
class SumLine {
 public:
  void add(std::uint16_t sum, float score) noexcept {
    const double x = sum;
    const double y = double{score};
    n_ += 1;
    x_ += x;
    y_ += y;
    xx_ += x * x;
    xy_ += x * y;
    yy_ += y * y;
  }
  /// Of smaller sums the line says that their scores are kFar standard deviations below `score`, or
  /// more. 0 when the sums say nothing.
  double least_for(float score) const noexcept {
    const double spread = xx_ - x_ * x_ / n_;
    const double slope = (xy_ - x_ * y_ / n_) / spread;
    if (n_ < kFew || !(spread > 0) || !(slope > 0)) return 0;
    const double rest = yy_ - y_ * y_ / n_ - slope * slope * spread;
    const double deviation = std::sqrt(std::max(rest, 0.0) / (n_ - 2));
    const double at_zero = (y_ - slope * x_) / n_;
    return (double{score} - kFar * deviation - at_zero) / slope;
  }

 private:
  static constexpr double kFew = 64;
  static constexpr double kFar = 4;
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0, yy_ = 0;
};

/// The scan of one query by sketches; kept between queries for its memory.
///
/// The best sixteenth of the rows by their sums may be looked at. Those with the largest sums are,
/// and every eighth of the others; of the rest only those whose sum leaves room for a score among
/// the best, which spares most fetches of codes from memory where vectors lie in clusters.
class SketchScan {
 public:
  SketchScan(const IndexView& view, const DocumentSet& documents) : view_(view) {
    std::size_t blocks = 0;
    for (const auto& part : view.parts) blocks += (part.rows + kSketchRows - 1) / kSketchRows;
    wanted_.reserve(blocks);
    sums_ = std::make_unique_for_overwrite<std::uint16_t[]>(blocks * kSketchRows);
    for (const auto& part : view.parts) mark(part, documents);
    counted_ = std::max<std::size_t>(1, rows_ / kCounted);
  }

  bool run(const ScanQuery& query, const Kernel& kernel, const Clock& clock, Deadline by,
           Best& best) {
    std::fill(counts_.begin(), counts_.end(), 0);
    std::size_t block = 0;
    for (const auto& part : view_.parts) {
      if (by.passed(clock.now())) return false;
      block = add_up(part, query, kernel, block);
    }
    choose(kernel);
    SumLine line;
    look_at(now_, query, kernel, best, &line);
    if (by.passed(clock.now())) return false;
    const double least = line.least_for(best.threshold());
    std::erase_if(later_, [least](const Chosen& each) { return each.sum < least; });
    look_at(later_, query, kernel, best, nullptr);
    return true;
  }

 private:
  struct Chosen {
    const Segment* segment;
    std::uint32_t row;
    std::uint16_t sum;
  };
  /// Sums whose last bits are left out, for counting how many rows reach one.
  static constexpr unsigned kCountShift = 4;
  static constexpr std::size_t kLookedAtShare = 16;
  static constexpr std::size_t kLookedAtLeast = 2048;
  static constexpr std::size_t kFirst = 512;
  static constexpr std::size_t kSampled = 8;
  /// Rows whose sums are counted to find the least: of more rows every n-th block.
  static constexpr std::size_t kCounted = 16'384;
  /// Rows that are fetched ahead of the one that is scored.
  static constexpr std::size_t kAhead = 8;

  void mark(const IndexView::Part& part, const DocumentSet& documents) {
    const Segment& segment = *part.segment;
    for (std::size_t from = 0; from < part.rows; from += kSketchRows) {
      const std::size_t count = std::min(kSketchRows, part.rows - from);
      std::uint32_t bits = count < kSketchRows ? (1U << count) - 1 : ~0U;
      if (count < kSketchRows || !documents.contains_all(segment.documents(from))) {
        bits &= marked(segment, from, count, documents);
      }
      bits &= ~segment.dead_of_block(from);
      wanted_.push_back(bits);
      rows_ += static_cast<std::size_t>(std::popcount(bits));
    }
  }

  /// Row by row.
  static std::uint32_t marked(const Segment& segment, std::size_t from, std::size_t count,
                              const DocumentSet& documents) {
    std::uint32_t bits = 0;
    Wanted wanted(documents);
    for (std::size_t i = 0; i < count; ++i) {
      bits |= (wanted(segment.chunks[from + i]) ? 1U : 0U) << i;
    }
    return bits;
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

  /// About what the `count`-th best row has.
  std::uint16_t sum_of_best(std::size_t count) const noexcept {
    std::size_t so_far = 0;
    for (std::size_t i = counts_.size(); i-- > 0;) {
      so_far += counts_[i];
      if (so_far >= count / counted_) return static_cast<std::uint16_t>(i << kCountShift);
    }
    return 0;
  }

  void choose(const Kernel& kernel) {
    const std::uint16_t least = sum_of_best(std::max(kLookedAtLeast, rows_ / kLookedAtShare));
    const std::uint16_t first = sum_of_best(kFirst);
    now_.clear();
    later_.clear();
    std::size_t block = 0;
    std::size_t seen = 0;
    for (const auto& part : view_.parts) {
      for (std::size_t from = 0; from < part.rows; from += kSketchRows, ++block) {
        if (wanted_[block] == 0) continue;
        const std::uint16_t* sums = &sums_[block * kSketchRows];
        for (std::uint32_t left = wanted_[block] & kernel.reach(sums, least); left != 0;
             left &= left - 1) {
          const auto row = static_cast<std::size_t>(std::countr_zero(left));
          const Chosen chosen{part.segment.get(), static_cast<std::uint32_t>(from + row),
                              sums[row]};
          (chosen.sum >= first || seen++ % kSampled == 0 ? now_ : later_).push_back(chosen);
        }
      }
    }
  }

  /// Puts their scores into `line` too, if there is one.
  void look_at(const std::vector<Chosen>& rows, const ScanQuery& query, const Kernel& kernel,
               Best& best, SumLine* line) const {
    const auto fetch = [&](const Chosen& soon) {
      const std::int8_t* codes = soon.segment->codes(soon.row);
      for (std::size_t at = 0; at < view_.stride; at += 64) __builtin_prefetch(codes + at);
      __builtin_prefetch(&soon.segment->scales[soon.row]);
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i + kAhead < rows.size()) fetch(rows[i + kAhead]);
      const Chosen& row = rows[i];
      std::int32_t dot = 0;
      kernel.dots(query.codes(), row.segment->codes(row.row), 1, view_.stride, &dot);
      const float score = offer(*row.segment, row.row, dot, best);
      if (line != nullptr && row.sum != 0xffff) line->add(row.sum, score);
    }
  }

  const IndexView& view_;
  std::vector<std::uint32_t> wanted_;  ///< for each block, which of its rows
  std::unique_ptr<std::uint16_t[]> sums_;
  std::array<std::uint32_t, (0xffffU >> kCountShift) + 1> counts_{};
  std::vector<Chosen> now_;
  std::vector<Chosen> later_;
  std::size_t rows_ = 0;
  std::size_t counted_ = 1;  ///< every so many-th block
};

}  // namespace

ScanQuery::ScanQuery(const std::vector<float>& unit) {
  const Code code = encode(unit);
  codes_.resize(std::max<std::size_t>(1, stride_of(unit.size()) / kRowAlign));
  if (!code.values.empty()) {
    std::memcpy(codes_.front().bytes.data(), code.values.data(), code.values.size());
  }
  scale_ = code.scale;
  tables_.emplace(codes(), stride_of(unit.size()));
}

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
