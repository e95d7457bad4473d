// How large a result becomes.
#include "decoder/frame_size.h"

#include <gtest/gtest.h>

#include <string>

namespace mainstay::decoder {
namespace {

std::string planned(media::Fit fit, std::uint32_t width, std::uint32_t height, Size shown,
                    bool enlarge = false) {
  media::Order order;
  order.fit = fit;
  order.width = width;
  order.height = height;
  order.enlarge = enlarge;
  const Plan plan = plan_of(order, shown);
  std::string out = std::to_string(plan.size.width) + "x" + std::to_string(plan.size.height);
  if (plan.crop.width != plan.size.width || plan.crop.height != plan.size.height) {
    out += " cut to " + std::to_string(plan.crop.width) + "x" + std::to_string(plan.crop.height);
  }
  return out;
}

TEST(FrameSize, inside_keeps_the_proportions) {
  EXPECT_EQ(planned(media::Fit::inside, 320, 320, {4000, 3000}), "320x240");
  EXPECT_EQ(planned(media::Fit::inside, 320, 0, {4000, 3000}), "320x240");
  EXPECT_EQ(planned(media::Fit::inside, 0, 240, {4000, 3000}), "320x240");
  EXPECT_EQ(planned(media::Fit::inside, 0, 0, {4000, 3000}), "4000x3000");
  EXPECT_EQ(planned(media::Fit::inside, 1, 1, {4000, 1}), "1x1") << "never less than a pixel";
}

TEST(FrameSize, cover_fills_and_cuts) {
  EXPECT_EQ(planned(media::Fit::cover, 200, 200, {4000, 2000}), "400x200 cut to 200x200");
  EXPECT_EQ(planned(media::Fit::cover, 200, 200, {2000, 4000}), "200x400 cut to 200x200");
  EXPECT_EQ(planned(media::Fit::cover, 200, 200, {100, 400}), "100x400 cut to 100x200");
}

TEST(FrameSize, fill_is_exact) {
  EXPECT_EQ(planned(media::Fit::fill, 300, 200, {4000, 4000}), "300x200");
}

TEST(FrameSize, nothing_grows_unless_it_may) {
  EXPECT_EQ(planned(media::Fit::inside, 800, 800, {400, 300}), "400x300");
  EXPECT_EQ(planned(media::Fit::inside, 800, 800, {400, 300}, true), "800x600");
  EXPECT_EQ(planned(media::Fit::fill, 800, 100, {400, 300}), "400x100");
  EXPECT_EQ(planned(media::Fit::cover, 800, 800, {400, 200}, true), "1600x800 cut to 800x800");
}

TEST(FrameSize, less_is_decoded_where_less_is_wanted) {
  EXPECT_DOUBLE_EQ(shrink_of({4000, 3000}, {320, 240}), 12.5);
  EXPECT_DOUBLE_EQ(shrink_of({4000, 3000}, {320, 3000}), 1);
  EXPECT_DOUBLE_EQ(shrink_of({100, 100}, {200, 200}), 1);
}

}  // namespace
}  // namespace mainstay::decoder
