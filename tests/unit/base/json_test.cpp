// The JSON edge: strict, bounded, and never quadratic.
#include "base/json.h"

#include <gtest/gtest.h>

namespace mainstay {
namespace {

std::string nested(std::size_t depth, char open, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

TEST(json, depth_is_accepted_up_to_the_limit_and_refused_beyond) {
  EXPECT_TRUE(parse_json(nested(kJsonDepthMax - 1, '[', ']')).ok());
  EXPECT_TRUE(parse_json(nested(kJsonDepthMax, '[', ']')).ok());
  auto deep = parse_json(nested(kJsonDepthMax + 1, '[', ']'));
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().code, Errc::invalid);
  EXPECT_EQ(deep.error().reason, "invalid_json");
  EXPECT_NE(deep.error().message.find("64 levels"), std::string::npos) << deep.error().message;
}

TEST(json, objects_count_for_the_depth_like_arrays) {
  for (const std::size_t depth : {kJsonDepthMax - 1, kJsonDepthMax, kJsonDepthMax + 1}) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += i + 1 < depth ? "{\"a\":" : "{";
    text += std::string(depth, '}');
    EXPECT_EQ(parse_json(text).ok(), depth <= kJsonDepthMax) << depth;
  }
}

TEST(json, a_hundred_thousand_brackets_are_refused_quietly) {
  EXPECT_FALSE(parse_json(std::string(100'000, '[')).ok());
  EXPECT_FALSE(parse_json(nested(100'000, '[', ']')).ok());
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(parse_json(objects).ok());
}

TEST(json, what_json_can_say_and_cannot_be_held_is_refused_in_words) {
  const auto told = [](const char* text) { return parse_json(text).error().message; };
  for (const char* text :
       {"[123456789012345678901234567890]", "[18446744073709551616]", "[1e999]"}) {
    EXPECT_NE(told(text).find("a number is malformed, or too large for 64 bits"), std::string::npos)
        << told(text);
  }
  EXPECT_NE(told(R"(["\ud83d"])").find("half of a surrogate pair"), std::string::npos);
  EXPECT_TRUE(told("[\"a").ends_with("never closed.")) << told("[\"a");
  EXPECT_FALSE(told("[\"a").ends_with("..")) << told("[\"a");
}

TEST(json, what_is_not_json_is_refused) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "nul",
                           "'a'",
                           "{a:1}",
                           "[1] 2",
                           "01",
                           "+1",
                           ".5",
                           "1.",
                           "NaN",
                           "Infinity",
                           "-",
                           "\"\t\"",
                           "\"\\x\"",
                           "\"\\ud800\"",
                           "// x\n1",
                           "1e999",
                           "-1e999",
                           "99999999999999999999999999",
                           "\"\xff\"",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"",
                           "\xef\xbb\xbf{"}) {
    EXPECT_FALSE(parse_json(text).ok()) << text;
  }
}

TEST(json, values_of_every_kind_come_through) {
  auto value = parse_json(R"({"z":[1,-2,18446744073709551615,0.5,true,null],"a":"ü\n\u0000"})");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(dump(*value), R"({"z":[1,-2,18446744073709551615,0.5,true,null],"a":"ü\n\u0000"})");
}

TEST(json, of_a_repeated_key_the_last_counts_and_the_first_place_stays) {
  EXPECT_EQ(dump(*parse_json(R"({"a":1,"b":2,"a":3})")), R"({"a":3,"b":2})");
  std::string many = "{\"a\":1";
  for (int i = 0; i < 40; ++i) many += ",\"k" + std::to_string(i) + "\":" + std::to_string(i);
  auto value = parse_json(many + ",\"a\":2,\"k7\":\"seven\"}");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->size(), 41u);
  EXPECT_EQ((*value)["a"], 2);
  EXPECT_EQ((*value)["k7"], "seven");
  EXPECT_EQ(value->begin().key(), "a");
}

TEST(json, an_object_of_two_hundred_thousand_keys_is_no_quadratic_work) {
  // Quadratic work would be 2 * 10^10 comparisons: the test's time limit.
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"key" + std::to_string(i) + "\":1,";
  text.back() = '}';
  auto value = parse_json(text);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->size(), 200'000u);
}

TEST(json, texts_with_and_without_room_behind_them_read_the_same) {
  std::string roomy = R"({"a":[1,2,3]})";
  std::string exact(roomy);
  roomy.reserve(4096);
  exact.shrink_to_fit();
  for (const std::string& text : {roomy, exact}) {
    auto element = read_json(text, text.capacity());
    ASSERT_TRUE(element.ok());
    EXPECT_EQ(dump(to_json(*element)), R"({"a":[1,2,3]})");
  }
}

TEST(json, large_and_small_texts_alternate_on_one_thread) {
  std::string large = "[";
  for (int i = 0; i < 100'000; ++i) large += "12345,";
  large.back() = ']';
  for (int i = 0; i < 3; ++i) {
    auto big = parse_json(large);
    ASSERT_TRUE(big.ok());
    EXPECT_EQ(big->size(), 100'000u);
    EXPECT_EQ(*parse_json("[1]"), Json({1}));
  }
}

TEST(json, bad_utf8_is_replaced_when_written) {
  EXPECT_EQ(dump(Json("a\xff")), "\"a\xEF\xBF\xBD\"");
}

TEST(json, appended_strings_are_read_back) {
  const std::string text = std::string("q\"b\\n\nt\t\x01\x7f\0é", 13);
  std::string out;
  append_json_string(out, text);
  auto read = parse_json(out);
  ASSERT_TRUE(read.ok()) << out;
  EXPECT_EQ(read->get<std::string>(), text);
}

}  // namespace
}  // namespace mainstay
