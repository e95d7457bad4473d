// Distances between words, and what stands in for a mistyped one.
#include "storage/spelling.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace mainstay::storage {
namespace {

std::size_t distance(const std::string& a, const std::string& b, std::size_t max = 9) {
  return spelling_distance(letters_of(a), letters_of(b), max);
}

TEST(Spelling, counts_the_slips_of_typing) {
  EXPECT_EQ(distance("pressure", "pressure"), 0u);
  EXPECT_EQ(distance("presure", "pressure"), 1u);
  EXPECT_EQ(distance("pressuree", "pressure"), 1u);
  EXPECT_EQ(distance("pressyre", "pressure"), 1u);
  EXPECT_EQ(distance("rpessure", "pressure"), 1u);
  EXPECT_EQ(distance("pressuer", "pressure"), 1u);
  EXPECT_EQ(distance("ca", "abc"), 3u) << "no letter is touched twice";
  EXPECT_EQ(distance("", "abc"), 3u);
  EXPECT_EQ(distance("kitten", "sitting"), 3u);
  EXPECT_EQ(distance("\xC3\xB6l", "ol"), 1u) << "a letter is one, whatever its bytes";
}

TEST(Spelling, stops_counting_beyond_what_is_asked) {
  EXPECT_EQ(distance("kitten", "sitting", 3), 3u);
  EXPECT_EQ(distance("kitten", "sitting", 2), 3u);
  EXPECT_EQ(distance("kitten", "sitting", 1), 2u);
  EXPECT_EQ(distance("aaaa", "bbbb", 1), 2u);
  EXPECT_EQ(distance(std::string(40, 'a'), std::string(40, 'b'), 2), 3u);
  EXPECT_EQ(distance(std::string(40, 'a'), std::string(40, 'a'), 2), 0u);
}

TEST(Spelling, a_limit_never_changes_a_count_within_it) {
  SeededRandom random(11);
  for (int round = 0; round < 3'000; ++round) {
    std::string a;
    std::string b;
    for (auto n = random.below(9); n > 0; --n) a += static_cast<char>('a' + random.below(3));
    for (auto n = random.below(9); n > 0; --n) b += static_cast<char>('a' + random.below(3));
    const auto full = distance(a, b, 20);
    EXPECT_EQ(full, distance(b, a, 20)) << a << " " << b;
    for (std::size_t max = 0; max < 4; ++max) {
      EXPECT_EQ(distance(a, b, max), std::min(full, max + 1)) << a << " " << b << " " << max;
    }
  }
}

TEST(Spelling, tolerates_one_slip_up_to_seven_letters_and_two_above) {
  EXPECT_EQ(spelling_tolerance(4), 1u);
  EXPECT_EQ(spelling_tolerance(7), 1u);
  EXPECT_EQ(spelling_tolerance(8), 2u);
}

TEST(Spelling, concerns_words_of_letters_alone) {
  EXPECT_FALSE(is_spelled("pum"));
  EXPECT_TRUE(is_spelled("pump"));
  EXPECT_FALSE(is_spelled("pump2"));
  EXPECT_TRUE(is_spelled(std::string(kSpelledBytesMax, 'a')));
  EXPECT_FALSE(is_spelled(std::string(kSpelledBytesMax + 1, 'a')));
  EXPECT_TRUE(is_spelled("\xD0\xB2\xD0\xBE\xD0\xB4\xD0\xB0"));
  EXPECT_FALSE(is_spelled("\xD0\xB2\xD0\xBE\xD0\xB4")) << "three letters";
  EXPECT_FALSE(is_spelled("\xE7\x86\x8A\xE7\x8C\xAB")) << "a pair of Chinese letters";
}

TEST(Spelling, trigrams_know_where_a_word_begins_and_ends) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(trigrams_of("abcd"), (Texts{"^ab", "abc", "bcd", "cd$"}));
  EXPECT_EQ(trigrams_of("aaaaa"), (Texts{"^aa", "aaa", "aa$"}));
  EXPECT_EQ(trigrams_of("\xC3\xB6"), (Texts{"^\xC3\xB6$"}));
  EXPECT_EQ(trigrams_of(""), Texts{});
}

TEST(Spelling, the_nearest_stand_in_and_of_those_the_most_held) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(stand_ins({{"far", 2, 900}, {"near", 1, 1}, {"nearer", 1, 5}}),
            (Texts{"nearer", "near"}));
  EXPECT_EQ(stand_ins({{"gone", 1, 0}, {"far", 2, 1}}), (Texts{"far"}));
  EXPECT_EQ(stand_ins({{"a1", 1, 5}, {"b1", 1, 4}, {"c1", 1, 3}, {"d1", 1, 2}}).size(),
            kInsteadMax);
  EXPECT_EQ(stand_ins({{"pumps", 1, 5}, {"pump", 1, 4}, {"bump", 1, 1}}), (Texts{"pumps", "bump"}))
      << "each stem once";
  EXPECT_EQ(stand_ins({{"what", 1, 5}, {"wheats", 2, 9}}), Texts{});
  EXPECT_EQ(stand_ins({}), Texts{});
}

}  // namespace
}  // namespace mainstay::storage
