// What model servers say beyond what can be held: it is mended, and nothing else is touched.
#include "base/json_mend.h"

#include <gtest/gtest.h>

namespace mainstay {
namespace {

std::string mended(const std::string& text) {
  EXPECT_FALSE(parse_json(text).ok()) << text << " needs no mending";
  auto parsed = parse_mended(text);
  return parsed.ok() ? dump(*parsed) : "not JSON";
}

TEST(json_mend, numbers_too_large_become_the_nearest_that_can_be_held) {
  EXPECT_EQ(mended("[123456789012345678901234567890]"), "[1.2345678901234568e+29]");
  EXPECT_EQ(mended("{\"n\":-18446744073709551616}"), "{\"n\":-1.8446744073709552e+19}");
  EXPECT_EQ(mended("[1e999,-1e999]"), "[1.7976931348623157e+308,-1.7976931348623157e+308]");
  EXPECT_EQ(mended("[" + std::string(400, '9') + "]"), "[1.7976931348623157e+308]");
}

TEST(json_mend, halves_of_surrogate_pairs_become_the_replacement_character) {
  EXPECT_EQ(mended(R"(["a\ud83db"])"),
            "[\"a\xef\xbf\xbd"
            "b\"]");
  EXPECT_EQ(mended(R"(["\ude00"])"), "[\"\xef\xbf\xbd\"]");
  EXPECT_EQ(mended(R"(["\ud83d\ud83d\ude00"])"), "[\"\xef\xbf\xbd\xf0\x9f\x98\x80\"]");
  EXPECT_EQ(mended(R"(["\ud83d"])"), "[\"\xef\xbf\xbd\"]");
  EXPECT_EQ(mended(R"({"\udc00":1})"), "{\"\xef\xbf\xbd\":1}");
}

TEST(json_mend, what_can_be_held_stays_as_it_is_beside_what_cannot) {
  const std::string kept =
      R"({"s":"1e999 \\ud83d \" \\\" \u00e9 \ud83d\ude00","n":[0,-0.5,1e5,1E-7,18446744073709551615,)"
      R"(-9223372036854775808],"t":[true,false,null]})";
  EXPECT_TRUE(parse_json(kept).ok());
  EXPECT_EQ(mended_json(kept), kept);
  EXPECT_EQ(mended_json("[" + kept + ",1e999]"), "[" + kept + ",1.7976931348623157e+308]");
}

TEST(json_mend, any_bytes_are_survived) {
  for (const char* text :
       {"", "\"", "\"\\", "\"\\u", "\"\\ud8", "\"\\ud83d", "\"\\ud83d\\", "-", "[-", "\"\\ud83d\\u",
        "1e", "[1e+-2]", "eE+", "\xff", "{\"a\":nul}", "[--1]"}) {
    EXPECT_FALSE(parse_mended(text).ok()) << text;
  }
}

TEST(json_mend, the_text_is_left_as_it_came_where_it_can_be_read) {
  std::string good = "[1.50, \"x\"]";
  EXPECT_TRUE(read_mended(good).ok());
  EXPECT_EQ(good, "[1.50, \"x\"]");
  std::string large = "[1.50, 1e999]";
  EXPECT_TRUE(read_mended(large).ok());
  EXPECT_EQ(large, "[1.50, 1.7976931348623157e+308]");
}

}  // namespace
}  // namespace mainstay
