// One ranking out of several.
#include "knowledge/fusion.h"

#include <gtest/gtest.h>

namespace mainstay::knowledge {
namespace {

std::vector<std::int64_t> order(const std::vector<Ranking>& rankings) {
  std::vector<std::int64_t> out;
  for (const auto& one : fuse(rankings)) out.push_back(one.item);
  return out;
}

using Items = std::vector<std::int64_t>;

TEST(Fusion, what_both_rank_well_comes_first) {
  EXPECT_EQ(order({{{1, 2, 3}, 1}, {{4, 3, 5}, 1}}), (Items{3, 1, 4, 2, 5}));
}

TEST(Fusion, one_ranking_alone_stays_as_it_is) {
  EXPECT_EQ(order({{{9, 7, 8}, 1}}), (Items{9, 7, 8}));
  EXPECT_EQ(order({{{9, 7, 8}, 1}, {{}, 1}}), (Items{9, 7, 8}));
  EXPECT_TRUE(order({}).empty());
}

TEST(Fusion, of_equals_the_first_ranking_decides) {
  EXPECT_EQ(order({{{1}, 1}, {{2}, 1}}), (Items{1, 2}));
}

TEST(Fusion, a_weight_of_nothing_takes_part_no_more) {
  EXPECT_EQ(order({{{1, 2}, 1}, {{2, 1}, 0}}), (Items{1, 2}));
  const auto fused = fuse({{{5}, 2}});
  EXPECT_DOUBLE_EQ(fused.front().score, 2.0 / 61);
}

}  // namespace
}  // namespace mainstay::knowledge
