// What a client may wish of a picture, each bound at its edge.
#include <gtest/gtest.h>

#include "media/image.h"

namespace mainstay::media {
namespace {

std::string refused(const char* text) {
  auto object = parse_json(text);
  auto wish = image_wish(*object);
  return wish.ok() ? "" : wish.error().reason + " " + wish.error().field;
}

TEST(ImageWish, takes_every_member) {
  auto object = parse_json(R"({"width":320,"height":240,"fit":"cover","enlarge":true,
    "format":"jpg","quality":1,"strip":false})");
  auto wish = image_wish(*object);
  ASSERT_TRUE(wish.ok());
  EXPECT_EQ(wish->width, 320u);
  EXPECT_EQ(wish->height, 240u);
  EXPECT_EQ(wish->fit, Fit::cover);
  EXPECT_TRUE(wish->enlarge);
  EXPECT_EQ(wish->format, "jpeg");
  EXPECT_EQ(wish->quality, 1u);
  EXPECT_FALSE(wish->strip);
  EXPECT_EQ(refused("{}"), "");
}

TEST(ImageWish, names_what_is_wrong) {
  EXPECT_EQ(refused(R"({"width":0})"), "out_of_range width");
  EXPECT_EQ(refused(R"({"width":1})"), "");
  EXPECT_EQ(refused(R"({"height":65534})"), "");
  EXPECT_EQ(refused(R"({"height":65535})"), "");
  EXPECT_EQ(refused(R"({"height":65536})"), "out_of_range height");
  EXPECT_EQ(refused(R"({"height":-1})"), "out_of_range height");
  EXPECT_EQ(refused(R"({"height":1e3})"), "invalid_type height");
  EXPECT_EQ(refused(R"({"quality":0})"), "out_of_range quality");
  EXPECT_EQ(refused(R"({"quality":100})"), "");
  EXPECT_EQ(refused(R"({"quality":101})"), "out_of_range quality");
  EXPECT_EQ(refused(R"({"strip":"yes"})"), "invalid_type strip");
  EXPECT_EQ(refused(R"({"format":"svg"})"), "invalid_value format");
  EXPECT_EQ(refused(R"({"format":7})"), "invalid_value format");
  EXPECT_EQ(refused(R"({"fit":"stretch"})"), "invalid_value fit");
  EXPECT_EQ(refused(R"({"fit":"cover","width":3})"), "invalid_value fit");
  EXPECT_EQ(refused(R"({"shell":"rm"})"), "unknown_field operations");
  EXPECT_EQ(refused("[]"), "invalid_type operations");
}

}  // namespace
}  // namespace mainstay::media
