// What answers may send to a terminal.
#include "app/terminal.h"

#include <gtest/gtest.h>

namespace mainstay::app {
namespace {

TEST(Terminal, letters_of_every_script_pass) {
  const std::string text = "Zürich, 東京, \xF0\x9F\x98\x80 \xC2\xA0 \xE2\x80\x94\n\ttab";
  EXPECT_EQ(printable(text), text);
}

TEST(Terminal, nothing_that_a_terminal_could_take_for_an_order_passes) {
  EXPECT_EQ(printable("a\x1b[31mb\x07\x7f\r"), "a[31mb");
  EXPECT_EQ(printable("a\xC2\x9B"
                      "31mb"),
            "a31mb")
      << "CSI as one character";
  EXPECT_EQ(printable("a\xC2\x85"
                      "b\xC2\x80"
                      "c"),
            "abc");
  EXPECT_EQ(printable("a\xE2\x80\xAE"
                      "b\xE2\x81\xA6"
                      "c"),
            "abc")
      << "the order of letters";
  EXPECT_EQ(printable("a\xC2"), "a\xEF\xBF\xBD") << "a cut character";
}

}  // namespace
}  // namespace mainstay::app
