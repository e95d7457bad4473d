// A sum for each item, then one sort.
#include "knowledge/fusion.h"

#include <algorithm>
#include <unordered_map>

namespace mainstay::knowledge {

std::vector<Fused> fuse(const std::vector<Ranking>& rankings) {
  constexpr double kDamping = 60;
  struct Scored {
    Fused fused;
    std::size_t place;  ///< at which it was met first
  };
  std::vector<Scored> all;
  std::unordered_map<std::int64_t, std::size_t> places;
  for (const auto& ranking : rankings) {
    double rank = 0;
    for (const auto item : ranking.items) {
      rank += 1;
      const auto [place, added] = places.emplace(item, all.size());
      if (added) all.push_back({{item, 0}, all.size()});
      all[place->second].fused.score += ranking.weight / (kDamping + rank);
    }
  }
  std::sort(all.begin(), all.end(), [](const Scored& a, const Scored& b) {
    if (a.fused.score != b.fused.score) return a.fused.score > b.fused.score;
    return a.place < b.place;
  });
  std::vector<Fused> out;
  for (const auto& one : all) out.push_back(one.fused);
  return out;
}

}  // namespace mainstay::knowledge
