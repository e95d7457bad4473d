// Which of many kept things is worth least: GreedyDual-Size (Cao and Irani, 1997) over classes.
// Used by the response cache, one for each shard, under the shard's mutex. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mainstay::models {

/// Worth is rounded down to a power of two. Things of one such class leave in the order of their
/// last use, so each class is a list and no tree is needed: the least is one of the lists' ends.
/// Owns nothing; a Node must be removed before it dies.
class Ranking {
 public:
  struct Node {
    Node* older = nullptr;
    Node* newer = nullptr;
    double rank = 0;
    std::uint8_t level = 0;  ///< of its worth
  };

  /// As used just now. `worth`: cost for each byte, any unit, above zero.
  void add(Node& node, double worth) noexcept;
  void remove(Node& node) noexcept;
  /// The one to leave first; null when empty. Those that stay age against it.
  Node* take_least() noexcept;

 private:
  static constexpr std::size_t kLevels = 64;
  struct Ends {
    Node* oldest = nullptr;
    Node* newest = nullptr;
  };
  std::array<Ends, kLevels> levels_;
  std::uint64_t used_ = 0;  ///< bit n: level n has nodes
  double floor_ = 0;        ///< rank of the last taken
};

}  // namespace mainstay::models
