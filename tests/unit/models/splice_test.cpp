// Top-level spans and edits of JSON text.
#include "models/splice.h"

#include <gtest/gtest.h>

namespace mainstay::models {
namespace {

std::string edited(const std::string& text, const std::vector<Edit>& edits) {
  return splice(text, top_level(text), edits);
}

TEST(splice, finds_every_member_with_its_value) {
  const std::string text =
      R"( { "a" : 1 , "b":"x\"},{" ,"c":[1,{"d":"]"}], "e" : {"f":[]},"g":null,"h":-1.5e3 } )";
  const auto members = top_level(text);
  ASSERT_EQ(members.size(), 6U);
  EXPECT_EQ(members[0].key, "a");
  EXPECT_EQ(members[0].value(text), "1");
  EXPECT_EQ(members[1].value(text), R"("x\"},{")");
  EXPECT_EQ(members[2].value(text), R"([1,{"d":"]"}])");
  EXPECT_EQ(members[3].value(text), R"({"f":[]})");
  EXPECT_EQ(members[4].value(text), "null");
  EXPECT_EQ(members[5].value(text), "-1.5e3");
}

TEST(splice, a_string_that_ends_in_backslashes_is_not_run_over) {
  const std::string text = R"({"a":"x\\","b":"\\\"","c":2})";
  const auto members = top_level(text);
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].value(text), R"("x\\")");
  EXPECT_EQ(members[1].value(text), R"("\\\"")");
  EXPECT_EQ(members[2].value(text), "2");
}

TEST(splice, what_is_no_object_has_no_members) {
  for (const char* text : {"", " ", "[]", "1", "null", "\"{\"", "{}", "{ }"}) {
    EXPECT_TRUE(top_level(text).empty()) << text;
  }
}

TEST(splice, broken_text_stays_inside_its_bounds) {
  for (const char* text : {"{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"", "{\"a\":[",
                           "{\"a\":1,", "{\"a\\", "{\"a\":\"\\", "{,}", "{\"a\":}", "{]"}) {
    const std::string whole = text;
    for (const auto& member : top_level(whole)) EXPECT_LE(member.end, whole.size());
    const auto out = edited(whole, {{"z", "1"}});
    EXPECT_FALSE(out.empty());
  }
}

TEST(splice, replaces_one_value_and_keeps_every_other_byte) {
  EXPECT_EQ(edited("{ \"a\" : 1 ,\n\"b\":[ 2 ] }", {{"a", "\"n\""}}),
            "{ \"a\" : \"n\" ,\n\"b\":[ 2 ] }");
}

TEST(splice, removes_the_first_a_middle_the_last_and_all) {
  const std::string text = R"({"a":1, "b":2, "c":3})";
  EXPECT_EQ(edited(text, {{"a", ""}}), R"({"b":2, "c":3})");
  EXPECT_EQ(edited(text, {{"b", ""}}), R"({"a":1, "c":3})");
  EXPECT_EQ(edited(text, {{"c", ""}}), R"({"a":1, "b":2})");
  EXPECT_EQ(edited(text, {{"a", ""}, {"b", ""}, {"c", ""}}), "{}");
  EXPECT_EQ(edited(text, {{"a", ""}, {"c", ""}}), R"({"b":2})");
}

TEST(splice, adds_what_is_missing) {
  EXPECT_EQ(edited("{}", {{"m", "7"}}), R"({"m":7})");
  EXPECT_EQ(edited(R"({"a":1})", {{"m", "7"}, {"k", "8"}}), R"({"a":1,"m":7,"k":8})");
  EXPECT_EQ(edited(R"({"a":1})", {{"a", ""}, {"m", "7"}}), R"({"m":7})");
  EXPECT_EQ(edited(R"({"a":1})", {{"m", ""}}), R"({"a":1})");
}

TEST(splice, an_escaped_key_is_the_member_it_decodes_to) {
  const std::string text = R"({"mod\u0065l":"x","n\ud83d\ude00":1})";
  const auto members = top_level(text);
  EXPECT_TRUE(key_is(members[0], "model"));
  EXPECT_FALSE(key_is(members[0], "mode"));
  EXPECT_EQ(find_member(members, "n\xF0\x9F\x98\x80"), &members[1]);
  EXPECT_EQ(splice(text, members, {{"model", "\"y\""}}), R"({"mod\u0065l":"y","n\ud83d\ude00":1})");
}

TEST(splice, of_a_repeated_member_one_is_left) {
  EXPECT_EQ(edited(R"({"a":1,"b":2,"a":3})", {{"a", "9"}}), R"({"a":9,"b":2})");
  EXPECT_EQ(edited(R"({"a":1,"b":2,"a":3})", {{"a", ""}}), R"({"b":2})");
}

TEST(splice, leaves_room_for_the_parser) {
  const auto out = edited(R"({"a":1})", {{"b", "2"}});
  EXPECT_GE(out.capacity(), out.size() + 32);
}

TEST(splice, decodes_every_escape) {
  EXPECT_EQ(decode_escapes(R"(\"\\\/\b\f\n\r\t\u00e9\u20ac)"),
            "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC");
  EXPECT_EQ(decode_escapes(R"(\u12)"), R"(\u12)");
  EXPECT_EQ(decode_escapes("\\"), "\\");
}

}  // namespace
}  // namespace mainstay::models
