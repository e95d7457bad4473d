// The scan of an index for the rows nearest to a query, by their codes. Used by space_index.h.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "storage/document_set.h"
#include "storage/vector_index.h"

namespace mainstay::storage {

/// A row that scored well by its codes.
struct Candidate {
  float score = 0;  ///< about the cosine
  std::int64_t number = 0;
  std::int64_t chunk = 0;
};

/// A query ready for the scan: its code, aligned and filled up, and what its sketches are compared
/// with.
class ScanQuery {
 public:
  explicit ScanQuery(const std::vector<float>& unit);
  const std::int8_t* codes() const noexcept { return codes_.front().bytes.data(); }
  float scale() const noexcept { return scale_; }
  const std::uint8_t* tables() const noexcept { return tables_->data(); }

 private:
  struct alignas(kRowAlign) Line {
    std::array<std::int8_t, kRowAlign> bytes{};
  };
  std::vector<Line> codes_;
  float scale_ = 0;
  std::optional<SketchTables> tables_;
};

/// From so many rows on, sketches choose the rows whose codes are looked at.
inline constexpr std::size_t kSketchFrom = 16'384;

/// The `keep` best rows of `documents` for each query, best first, equal ones by number. In a view
/// below kSketchFrom rows all queries share one pass over the codes. Above, each query adds up the
/// sketches, and the codes of at most the best sixteenth are looked at: the ten nearest are among
/// them (recall measured: docs/embeddings.md). nullopt: `by` passed before the end.
std::optional<std::vector<std::vector<Candidate>>> scan(const IndexView& view,
                                                        const std::vector<ScanQuery>& queries,
                                                        const DocumentSet& documents,
                                                        std::size_t keep, const Kernel& kernel,
                                                        const Clock& clock, Deadline by);

}  // namespace mainstay::storage
