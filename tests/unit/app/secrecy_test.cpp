// Which variables are secrets, and that they are gone afterwards.   proves security row 41
#include "app/secrecy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace mainstay::app {
namespace {

TEST(Secrecy, names_that_hold_secrets) {
  for (const char* name :
       {"OPENAI_API_KEY", "MAINSTAY_AUTH__KEYS", "MAINSTAY_AUTH__JWT__SECRET", "MAINSTAY_API_KEY",
        "MAINSTAY_PROVIDERS__LOCAL__API_KEY", "MAINSTAY_STORAGE__POSTGRES_URL", "GITHUB_TOKEN"}) {
    EXPECT_TRUE(holds_secret(name)) << name;
  }
  for (const char* name : {"PATH", "HOME", "MAINSTAY_AUTH__KEYS_FILE", "MAINSTAY_AUTH__KEYS_MAX",
                           "MAINSTAY_SERVER__TLS_KEY", "MAINSTAY_LIMITS__USER__TOKENS_PER_DAY",
                           "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"}) {
    EXPECT_FALSE(holds_secret(name)) << name;
  }
}

TEST(Secrecy, a_secret_variable_is_overwritten_in_place_and_unset) {
  ::setenv("SOME_TEST_API_KEY", "a-secret-value", 1);
  ::setenv("SOME_TEST_PLACE", "kept", 1);
  const char* place = std::getenv("SOME_TEST_API_KEY");
  ASSERT_NE(place, nullptr);
  hide_secrets();
  EXPECT_EQ(std::getenv("SOME_TEST_API_KEY"), nullptr);
  EXPECT_STREQ(place, "**************");
  EXPECT_STREQ(std::getenv("SOME_TEST_PLACE"), "kept");
}

}  // namespace
}  // namespace mainstay::app
