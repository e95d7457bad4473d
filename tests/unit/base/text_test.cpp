// Questions about text.
#include "base/text.h"

#include <gtest/gtest.h>

namespace mainstay {
namespace {

TEST(text, utf8_is_told_from_what_is_not) {
  for (const char* good : {"", "abc", "ü", "漢", "😀"}) EXPECT_TRUE(is_utf8(good));
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(text, bad_bytes_become_replacement_characters_and_good_ones_stay) {
  EXPECT_EQ(to_utf8("aüb"), "aüb");
  EXPECT_EQ(to_utf8("a\xff"
                    "ü\xe6\xbc"),
            "a\xEF\xBF\xBDü\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_TRUE(is_utf8(to_utf8("\xf0\x9f\x98 \xc3\x28 \xa0\xa1")));
}

TEST(text, cutting_never_splits_a_character) {
  const std::string text = "aü漢😀";  // 1 + 2 + 3 + 4 bytes
  const std::size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (std::size_t max = 0; max < std::size(kept); ++max) {
    EXPECT_EQ(cut_utf8(text, max).size(), kept[max]) << max;
  }
}

TEST(text, control_characters_are_found) {
  EXPECT_FALSE(has_control_characters("a\tb\nc\rdü"));
  for (const char* bad : {"\x01", "a\x1b[0m", "\x7f", "\x0b"})
    EXPECT_TRUE(has_control_characters(bad));
  EXPECT_TRUE(has_control_characters(std::string_view("\0", 1)));
}

TEST(text, ascii_case_is_ignored_and_other_letters_are_not) {
  EXPECT_EQ(lower_ascii("AbZ[Ü"), "abz[Ü");
  EXPECT_TRUE(equal_ascii_nocase("Content-Type", "content-tYPE"));
  EXPECT_FALSE(equal_ascii_nocase("a", "ab"));
  EXPECT_FALSE(equal_ascii_nocase("[", "{"));
}

TEST(text, trim_takes_blanks_from_both_ends_only) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(text, the_nearest_name_is_offered_only_when_it_is_near) {
  const std::vector<std::string> names{"server.listen", "server.threads", "log.level"};
  EXPECT_EQ(nearest("server.lisen", names), "server.listen");
  EXPECT_EQ(nearest("SERVER.LISTEN", names), "server.listen");
  EXPECT_EQ(nearest("log.levle", names), "log.level");
  EXPECT_EQ(nearest("completely different", names), "");
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(text, a_word_of_megabytes_is_not_compared_letter_by_letter) {
  const std::vector<std::string> names(200, std::string(100, 'a'));
  EXPECT_EQ(nearest(std::string(4'000'000, 'a'), names), "");  // 8 * 10^10 steps otherwise
}

TEST(text, tokens_are_a_quarter_of_the_bytes_rounded_up) {
  EXPECT_EQ(estimate_tokens(""), 0u);
  EXPECT_EQ(estimate_tokens("a"), 1u);
  EXPECT_EQ(estimate_tokens("abcd"), 1u);
  EXPECT_EQ(estimate_tokens("abcde"), 2u);
}

TEST(text, digests_are_those_of_the_standard) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(text, constant_time_comparison_agrees_with_the_ordinary_one) {
  EXPECT_TRUE(equal_constant_time("key", "key"));
  EXPECT_FALSE(equal_constant_time("key", "kez"));
  EXPECT_FALSE(equal_constant_time("key", "keyy"));
  EXPECT_TRUE(equal_constant_time("", ""));
}

}  // namespace
}  // namespace mainstay
