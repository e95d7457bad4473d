// What a provider quotes of a request does not reach the log.   proves security row 40
#include "models/quotes.h"

#include <gtest/gtest.h>

namespace mainstay::models {
namespace {

constexpr const char* kBody =
    R"({"model":"big-model-7","messages":[{"role":"user","content":"My pin is 42, caf\u00e9\nBergen"}]})";

TEST(Quotes, words_that_are_not_in_the_request_stay) {
  EXPECT_EQ(without_quotes("status 404: model \"big-model-7\" not found", kBody),
            "status 404: model \"big-model-7\" not found");
  EXPECT_EQ(without_quotes("", kBody), "");
}

TEST(Quotes, words_of_the_request_are_left_out_whatever_their_case_or_escape) {
  EXPECT_EQ(without_quotes("cannot parse 'MY PIN IS 42'", kBody), "cannot parse '... ... ... ...'");
  EXPECT_EQ(without_quotes("bad: caf\xC3\xA9\\nbergen!", kBody), "bad: ... ...!");
  EXPECT_EQ(without_quotes("cut: Berg", kBody), "cut: ...");
}

TEST(Quotes, nothing_is_said_where_nothing_can_be_compared) {
  EXPECT_EQ(without_quotes("secret", "no JSON").find("secret"), std::string::npos);
  const std::string large =
      R"({"messages":[{"content":")" + std::string(300 * 1024, 'x') + R"("}]})";
  EXPECT_EQ(without_quotes("secret", large).find("secret"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::models
