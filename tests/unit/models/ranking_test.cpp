// Who leaves first when not all can stay.
#include "models/ranking.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mainstay::models {
namespace {

using Node = Ranking::Node;

class ranking : public ::testing::Test {
 protected:
  /// Positions in `kept`, in the order in which they leave; -1 ends it when a stranger left.
  std::vector<int> leave(std::size_t most = 100) {
    std::vector<int> out;
    for (Node* least = nullptr; out.size() < most && (least = it.take_least()) != nullptr;) {
      const auto at = least - kept.data();
      out.push_back(at >= 0 && at < std::ptrdiff_t(kept.size()) ? static_cast<int>(at) : -1);
    }
    return out;
  }
  std::vector<Node> kept = std::vector<Node>(8);
  Ranking it;
};

TEST_F(ranking, an_empty_one_has_nobody_to_give) {
  EXPECT_EQ(it.take_least(), nullptr);
  it.add(kept[0], 1);
  it.remove(kept[0]);
  EXPECT_EQ(it.take_least(), nullptr);
}

TEST_F(ranking, what_is_worth_least_leaves_first) {
  it.add(kept[0], 64);
  it.add(kept[1], 1);
  it.add(kept[2], 8);
  it.add(kept[3], 0.001);
  EXPECT_EQ(leave(), (std::vector<int>{3, 1, 2, 0}));
}

TEST_F(ranking, of_equal_worth_the_one_used_longest_ago_leaves_first) {
  for (Node& node : kept) it.add(node, 4);
  it.remove(kept[0]);  // used again
  it.add(kept[0], 4);
  it.remove(kept[3]);
  it.add(kept[3], 4);
  EXPECT_EQ(leave(), (std::vector<int>{1, 2, 4, 5, 6, 7, 0, 3}));
}

TEST_F(ranking, worth_counts_by_its_power_of_two) {
  it.add(kept[0], 7.9);  // of 4 to 8, like the others but the last two
  it.add(kept[1], 4);
  it.add(kept[2], 5);
  it.add(kept[3], 8);
  it.add(kept[4], 3.999);
  EXPECT_EQ(leave(), (std::vector<int>{4, 0, 1, 2, 3}));
}

TEST_F(ranking, what_is_never_used_ages_against_what_comes_later) {
  it.add(kept[0], 16);
  // Cheap ones come and go; each that leaves raises what those that come later start from.
  int rounds = 0;
  for (bool stays = true; stays && rounds < 100; ++rounds) {
    it.add(kept[1], 2);
    it.add(kept[2], 2);
    const auto left = leave(1);
    stays = left != std::vector<int>{0};
    if (!stays) break;
    EXPECT_EQ(leave(1).size(), 1u);
  }
  EXPECT_GE(rounds, 4) << "it was worth eight of them";
  EXPECT_LE(rounds, 8);
}

TEST_F(ranking, using_it_again_makes_it_young) {
  it.add(kept[0], 16);
  for (int round = 0; round < 50; ++round) {
    it.remove(kept[0]);
    it.add(kept[0], 16);
    it.add(kept[1], 2);
    EXPECT_EQ(leave(1), std::vector<int>{1}) << round;
  }
}

TEST_F(ranking, those_in_the_middle_and_at_both_ends_can_be_removed) {
  for (Node& node : kept) it.add(node, 4);
  it.remove(kept[3]);
  it.remove(kept[0]);
  it.remove(kept[7]);
  EXPECT_EQ(leave(), (std::vector<int>{1, 2, 4, 5, 6}));
}

TEST_F(ranking, worths_beyond_the_levels_are_the_outermost) {
  it.add(kept[0], 1e300);
  it.add(kept[1], 1e15);
  it.add(kept[2], 1e-300);
  it.add(kept[3], 1e-12);
  it.add(kept[4], 1);
  EXPECT_EQ(leave(), (std::vector<int>{2, 3, 4, 0, 1}));
}

TEST_F(ranking, after_very_many_have_left_the_order_still_holds) {
  for (int i = 0; i < 1'000'000; ++i) {
    it.add(kept[0], 1e13);
    ASSERT_EQ(it.take_least(), &kept[0]);
  }
  it.add(kept[1], 1e13);
  it.add(kept[2], 1e12);
  it.add(kept[3], 1e13);
  EXPECT_EQ(leave(), (std::vector<int>{2, 1, 3}));
}

}  // namespace
}  // namespace mainstay::models
