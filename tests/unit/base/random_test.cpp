// Random numbers and ids.
#include "base/random.h"

#include <set>

#include "base/ids.h"
#include "unit/base/support.h"

namespace mainstay {
namespace {

TEST(random, the_same_seed_gives_the_same_numbers) {
  SeededRandom a(42);
  SeededRandom b(42);
  SeededRandom c(43);
  for (int i = 0; i < 100; ++i) {
    const auto n = a.next();
    EXPECT_EQ(n, b.next());
    EXPECT_NE(n, c.next());
  }
}

TEST(random, real_numbers_do_not_repeat) {
  RealRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(seen.insert(random.next()).second);
}

TEST(random, below_stays_below_and_reaches_every_value) {
  SeededRandom random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(7));
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(random.below(1), 0u);
}

TEST_F(SimTest, ids_sort_by_time_and_carry_their_prefix) {
  SeededRandom random(5);
  std::string last;
  for (int i = 0; i < 50; ++i) {
    const std::string id = make_id("conv_", clock, random);
    EXPECT_EQ(id.size(), 5u + 26u);
    EXPECT_TRUE(id.starts_with("conv_"));
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 5), std::string::npos);
    EXPECT_GT(id, last);
    last = id;
    clock.advance(std::chrono::milliseconds(1));
  }
}

TEST_F(SimTest, ids_of_one_millisecond_differ) {
  RealRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(make_id("", clock, random)).second);
}

}  // namespace
}  // namespace mainstay
