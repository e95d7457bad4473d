// Standard base64: what comes back, and what is no base64.
#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace mainstay {
namespace {

TEST(Base64, the_examples_of_the_standard) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : examples) {
    EXPECT_EQ(to_base64(plain), coded);
    EXPECT_EQ(from_base64(coded), std::string(plain));
  }
}

TEST(Base64, any_bytes_come_back) {
  SeededRandom random(3);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (auto& c : bytes) c = static_cast<char>(random.below(256));
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
}

TEST(Base64, what_is_no_base64_is_nothing) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z===", "====", "Zm9v\n", " Zm9v",
                           "Zm 9", "Zm9-", "Zm9_", "Zm9v=", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace mainstay
