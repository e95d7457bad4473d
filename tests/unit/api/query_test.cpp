// Queries, limits and names that clients choose.
#include "api/query.h"

#include <gtest/gtest.h>

namespace mainstay::api {
namespace {

TEST(Query, pairs_are_decoded) {
  auto query = parse_query("after=conv_1&limit=20&name=a%20b+c%2Bd&empty=&bare&%C3%BC=%C3%A4");
  ASSERT_TRUE(query.ok());
  const Query wanted = {{"after", "conv_1"}, {"limit", "20"}, {"name", "a b c+d"},
                        {"empty", ""},       {"bare", ""},    {"ü", "ä"}};
  EXPECT_EQ(*query, wanted);
  EXPECT_TRUE(parse_query("")->empty());
  EXPECT_EQ(parse_query("&&a=1&&")->size(), 1u);
  EXPECT_EQ((*parse_query("a=b=c"))["a"], "b=c");
  EXPECT_EQ((*parse_query("a=%4a%4A"))["a"], "JJ");
}

TEST(Query, broken_escapes_wrong_utf8_and_repeats_are_refused) {
  for (const char* text :
       {"a=%", "a=%4", "a=%4g", "a=%g4", "%=1", "a=%ff", "a=%C3", "a=1&a=2", "a=1&%61=2"}) {
    auto query = parse_query(text);
    ASSERT_FALSE(query.ok()) << text;
    EXPECT_EQ(query.error().code, Errc::invalid) << text;
    EXPECT_EQ(query.error().reason, "invalid_query") << text;
  }
}

TEST(Query, a_segment_of_a_path_is_decoded_and_its_plus_stays) {
  EXPECT_EQ(*decode_segment("mainstay%2Fextractive"), "mainstay/extractive");
  EXPECT_EQ(*decode_segment("a+b%20c%3a"), "a+b c:");
  EXPECT_EQ(*decode_segment(""), "");
  for (const char* text : {"%", "%4", "%zz", "%ff"}) {
    auto refused = decode_segment(text);
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().reason, "invalid_path") << text;
  }
}

TEST(Query, a_limit_is_a_whole_number_from_one_to_its_maximum) {
  const auto limit = [](const char* text) { return limit_of({{"limit", text}}, 20, 100); };
  EXPECT_EQ(*limit("1"), 1u);
  EXPECT_EQ(*limit("99"), 99u);
  EXPECT_EQ(*limit("100"), 100u);
  for (const char* text :
       {"0", "101", "-1", "", "x", "5x", " 5", "+5", "1.5", "4294967297", "99999999999999999999"}) {
    auto refused = limit(text);
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().reason, "out_of_range") << text;
    EXPECT_EQ(refused.error().field, "limit") << text;
  }
}

TEST(Query, without_a_limit_the_usual_one_counts_within_the_maximum) {
  EXPECT_EQ(*limit_of({}, 20, 100), 20u);
  EXPECT_EQ(*limit_of({}, 20, 10), 10u);
}

TEST(SafeName, one_to_128_plain_characters) {
  EXPECT_FALSE(is_safe_name(""));
  EXPECT_TRUE(is_safe_name("a"));
  EXPECT_TRUE(is_safe_name("AZaz09._:-"));
  EXPECT_TRUE(is_safe_name(std::string(127, 'n')));
  EXPECT_TRUE(is_safe_name(std::string(128, 'n')));
  EXPECT_FALSE(is_safe_name(std::string(129, 'n')));
  for (int c = 0; c < 256; ++c) {
    const std::string name = std::string("a") + static_cast<char>(c) + "b";
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '.' || c == '_' || c == ':' || c == '-';
    EXPECT_EQ(is_safe_name(name), plain) << c;
  }
}

}  // namespace
}  // namespace mainstay::api
