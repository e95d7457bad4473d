// The secret of webhooks: what is taken, and that the start refuses all else.
#include "config/webhook_secret.h"

#include "base/base64.h"
#include "unit/config/support.h"

namespace mainstay::config {
namespace {

std::string secret_of(const std::string& bytes, bool padded = true) {
  std::string out = "whsec_" + to_base64(bytes);
  while (!padded && out.ends_with('=')) out.pop_back();
  return out;
}

TEST(WebhookSecret, is_24_to_64_bytes_in_base64_whether_padded_or_not) {
  for (const std::size_t size : {24u, 25u, 26u, 31u, 32u, 63u, 64u}) {
    const std::string bytes(size, '\xFB');
    EXPECT_EQ(webhook_key(secret_of(bytes)), bytes) << size;
    EXPECT_EQ(webhook_key(secret_of(bytes, false)), bytes) << size;
  }
  for (const std::size_t size : {0u, 1u, 23u, 65u, 900u}) {
    EXPECT_FALSE(webhook_key(secret_of(std::string(size, 'x')))) << size;
  }
}

// What cannot sign must not pass the start, and what signs with known bytes even less.
struct WebhookSecretSetup : Setup {};
TEST_F(WebhookSecretSetup, anything_else_is_refused_at_the_start) {
  const std::string good = to_base64(std::string(32, 'k'));
  const std::string bad[] = {
      good,
      "WHSEC_" + good,
      "whsec_",
      "whsec_" + std::string(40, '!'),
      "whsec_" + std::string(40, '='),
      "whsec_" + std::string(44, '='),
      "whsec_" + good + "=",
      "whsec_" + good + "====",
      "whsec_" + to_base64(std::string(25, 'k')).substr(0, 35),  // one of two '='
      "whsec_AAAA=" + std::string(33, 'A'),
      "whsec_" + std::string(41, 'A'),  // no whole bytes
      "whsec_" + std::string(31, 'A') + "-",
      "whsec_" + std::string(31, 'A') + "_",
      "whsec_ " + good + "   ",
      "whsec_" + good.substr(0, 20) + " " + good.substr(20),
  };
  for (const std::string& one : bad) {
    toml("[jobs.webhooks]\nsecret = \"" + one + "\"\n");
    const Problem told = problem();
    EXPECT_EQ(told.key, "jobs.webhooks.secret") << one;
    EXPECT_NE(told.says.find("24 to 64 random bytes"), std::string::npos) << told.says;
  }
  for (const std::string& fine : {"whsec_" + good, "whsec_" + good.substr(0, 43)}) {
    toml("[jobs.webhooks]\nsecret = \"" + fine + "\"\n");
    EXPECT_TRUE(problems().empty()) << fine;
  }
}

}  // namespace
}  // namespace mainstay::config
