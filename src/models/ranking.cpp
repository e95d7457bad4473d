// Doubly linked lists, one for each level of worth.
#include "models/ranking.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mainstay::models {
namespace {

constexpr int kLowest = -20;  // level 0: a millionth of a unit for each byte, and less

int exponent_of(double worth) noexcept {
  int exponent = 0;
  std::frexp(worth, &exponent);  // worth = m * 2^exponent, m in [0.5, 1)
  return exponent - 1;
}

}  // namespace

void Ranking::add(Node& node, double worth) noexcept {
  const int exponent = std::clamp(exponent_of(worth), kLowest, kLowest + int(kLevels) - 1);
  node.level = static_cast<std::uint8_t>(exponent - kLowest);
  node.rank = floor_ + std::ldexp(1.0, exponent);
  Ends& ends = levels_[node.level];
  node.older = ends.newest;
  node.newer = nullptr;
  (ends.newest != nullptr ? ends.newest->newer : ends.oldest) = &node;
  ends.newest = &node;
  used_ |= std::uint64_t(1) << node.level;
}

void Ranking::remove(Node& node) noexcept {
  Ends& ends = levels_[node.level];
  (node.older != nullptr ? node.older->newer : ends.oldest) = node.newer;
  (node.newer != nullptr ? node.newer->older : ends.newest) = node.older;
  if (ends.oldest == nullptr) used_ &= ~(std::uint64_t(1) << node.level);
}

Ranking::Node* Ranking::take_least() noexcept {
  Node* least = nullptr;
  for (std::uint64_t rest = used_; rest != 0; rest &= rest - 1) {
    Node* const oldest = levels_[static_cast<std::size_t>(std::countr_zero(rest))].oldest;
    if (least == nullptr || oldest->rank < least->rank) least = oldest;
  }
  if (least == nullptr) return nullptr;
  floor_ = std::max(floor_, least->rank);
  remove(*least);
  return least;
}

}  // namespace mainstay::models
