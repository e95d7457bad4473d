// What every leader promises: one holder of a role at a time, and a term that fences earlier ones.
#include "conformance/jobs_rig.h"
#include "storage/local_leader.h"

namespace mainstay::storage {
namespace {

/// Several candidates for the roles of one back end. Local ones share a table; another back end
/// makes its own in `candidate`.
class Leaders : public testing::TestWithParam<const char*> {
 protected:
  Leaders() { ground_.clock.stand_still(); }
  Leader& candidate(std::size_t n) {
    while (candidates_.size() <= n) {
      candidates_.push_back(std::make_unique<LocalLeader>(ground_.clock, roles_));
    }
    return *candidates_[n];
  }
  /// The term; zero: held by another.
  std::uint64_t hold(std::size_t n, const std::string& role = "upkeep", Duration d = seconds(10)) {
    auto out = ground_.run(candidate(n).hold(role, d, ground_.soon()));
    EXPECT_TRUE(out.ok());
    return out.ok() ? out->value_or(0) : 0;
  }
  void release(std::size_t n, const std::string& role = "upkeep") {
    EXPECT_TRUE(ground_.run(candidate(n).release(role, ground_.soon())).ok());
  }
  Ground ground_;
  LocalRoles roles_;
  std::vector<std::unique_ptr<Leader>> candidates_;
};

INSTANTIATE_TEST_SUITE_P(BackEnds, Leaders, testing::Values("local"), back_end_name);

TEST_P(Leaders, one_holds_a_role_at_a_time_and_keeps_it_by_asking) {
  const auto term = hold(0);
  EXPECT_GT(term, 0U);
  EXPECT_EQ(hold(1), 0U);
  for (int i = 0; i < 5; ++i) {
    ground_.clock.move(seconds(9));
    EXPECT_EQ(hold(0), term);
    EXPECT_EQ(hold(1), 0U);
  }
}

TEST_P(Leaders, roles_are_held_apart) {
  EXPECT_GT(hold(0, "upkeep"), 0U);
  EXPECT_GT(hold(1, "batches"), 0U);
  EXPECT_EQ(hold(1, "upkeep"), 0U);
  EXPECT_EQ(hold(0, "batches"), 0U);
}

TEST_P(Leaders, a_role_is_free_at_the_very_end_of_its_time) {
  const auto term = hold(0);
  ground_.clock.move(seconds(10) - Duration(1));
  EXPECT_EQ(hold(1), 0U);
  ground_.clock.move(Duration(1));
  const auto next = hold(1);
  EXPECT_GT(next, term);
  EXPECT_EQ(hold(0), 0U);
}

TEST_P(Leaders, a_role_given_up_is_free_at_once_and_only_its_holder_can_give_it_up) {
  const auto term = hold(0);
  release(1);
  EXPECT_EQ(hold(1), 0U);
  release(0);
  EXPECT_GT(hold(1), term);
  EXPECT_EQ(hold(0), 0U);
  release(0, "never held");
}

TEST_P(Leaders, a_holder_that_lapsed_comes_back_with_a_new_term) {
  const auto term = hold(0);
  ground_.clock.move(seconds(11));
  EXPECT_GT(hold(0), term);
}

TEST_P(Leaders, a_candidate_that_is_gone_holds_nothing) {
  hold(0);
  candidates_.erase(candidates_.begin());
  EXPECT_GT(hold(0), 1U);  // another one, now the first
}

TEST_P(Leaders, roles_are_bounded) {
  for (std::size_t i = 0; i < LocalRoles::kRolesMax; ++i) {
    EXPECT_GT(hold(0, "role " + std::to_string(i)), 0U);
  }
  auto more = ground_.run(candidate(0).hold("one more", seconds(1), ground_.soon()));
  EXPECT_EQ(more.error().code, Errc::unavailable);
  EXPECT_GT(hold(0, "role 5"), 0U);
}

}  // namespace
}  // namespace mainstay::storage
