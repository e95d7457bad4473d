// Short texts put together on the stack.
#include "base/short_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace mainstay {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

std::string millis_text(Duration d) {
  ShortText<32> text;
  return std::string(text.add_millis(d).view());
}

TEST(short_text, holds_its_pieces_in_order) {
  ShortText<64> text;
  text.add("a").add(':').add(-7).add(std::uint64_t{8}).add("").add("z");
  EXPECT_EQ(text.view(), "a:-78z");
  EXPECT_EQ(text.room(), 58U);
}

TEST(short_text, milliseconds_have_three_decimals) {
  EXPECT_EQ(millis_text(nanoseconds(0)), "0.000");
  EXPECT_EQ(millis_text(nanoseconds(999)), "0.000");
  EXPECT_EQ(millis_text(microseconds(12'345)), "12.345");
  EXPECT_EQ(millis_text(microseconds(-1'002)), "-1.002");
  EXPECT_EQ(millis_text(Duration::max()).size(), 17U);
}

TEST(short_text, takes_what_fits_exactly_and_stops_the_process_at_one_byte_more) {
  ShortText<4> text;
  text.add("abc").add('d');
  EXPECT_EQ(text.view(), "abcd");
  EXPECT_DEATH(text.add('e'), "short_text");
  EXPECT_DEATH(text.add("e"), "short_text");
  EXPECT_DEATH(text.add(1), "short_text");
  ShortText<4> exact;
  EXPECT_EQ(exact.add(1234).view(), "1234");
  ShortText<4> small;
  EXPECT_DEATH(small.add(12345), "short_text");
}

}  // namespace
}  // namespace mainstay
