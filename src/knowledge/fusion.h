// One ranking out of several.
// Used by library.cpp. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace mainstay::knowledge {

struct Ranking {
  std::vector<std::int64_t> items;  ///< best first
  double weight = 1;
};

struct Fused {
  std::int64_t item = 0;
  double score = 0;
};

/// Reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009): an item's score is the sum of
/// weight / (60 + rank) over the rankings that hold it, ranks from 1. Best first; of equal ones the
/// one that the first ranking has earlier.
std::vector<Fused> fuse(const std::vector<Ranking>& rankings);

}  // namespace mainstay::knowledge
