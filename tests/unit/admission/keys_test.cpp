// Who a request's credentials stand for.
#include "admission/keys.h"

#include <gtest/gtest.h>

namespace mainstay::admission {
namespace {

constexpr const char* kFirst = "sk-first-3141592653589793";
constexpr const char* kSecond = "sk-second-2718281828459045";

AuthSettings two_keys() {
  AuthSettings settings;
  settings.keys = {Secret(kFirst), Secret(kSecond)};
  return settings;
}

Credentials bearer(std::string_view value, bool loopback = false) {
  return {value, {}, loopback};
}
Credentials api_key(std::string_view value) {
  return {{}, value, false};
}

std::string reason_of(const Keys& keys, Credentials credentials) {
  auto caller = keys.identify(credentials);
  if (caller.ok()) return "accepted as " + caller->owner.user.text();
  EXPECT_EQ(caller.error().code, Errc::denied);
  EXPECT_NE(caller.error().message, "");
  return caller.error().reason;
}

TEST(Keys, bearer_and_api_key_name_the_same_user) {
  const Keys keys(two_keys());
  const std::string value = std::string("Bearer ") + kSecond;
  auto by_bearer = keys.identify(bearer(value));
  auto by_header = keys.identify(api_key(kSecond));
  ASSERT_TRUE(by_bearer.ok());
  ASSERT_TRUE(by_header.ok());
  EXPECT_EQ(by_bearer->owner, by_header->owner);
  EXPECT_FALSE(by_bearer->local);
}

TEST(Keys, the_scheme_is_read_without_case_and_blanks_around_the_key_do_not_count) {
  const Keys keys(two_keys());
  const std::string value = std::string("bEaReR   ") + kFirst + "  ";
  EXPECT_TRUE(keys.identify(bearer(value)).ok());
  const std::string spaced = std::string(" ") + kFirst + "\t";
  EXPECT_TRUE(keys.identify(api_key(spaced)).ok());
}

TEST(Keys, two_keys_are_two_users_in_one_tenant) {
  const Keys keys(two_keys());
  auto first = keys.identify(api_key(kFirst));
  auto second = keys.identify(api_key(kSecond));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->owner.user, second->owner.user);
  EXPECT_EQ(first->owner.tenant, second->owner.tenant);
}

TEST(Keys, a_users_id_is_the_same_after_a_restart_and_tells_nothing_of_the_key) {
  AuthSettings reordered;
  reordered.keys = {Secret(kSecond), Secret(kFirst)};
  auto before = Keys(two_keys()).identify(api_key(kFirst));
  auto after = Keys(reordered).identify(api_key(kFirst));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(before->owner.user, after->owner.user);
  const std::string id = before->owner.user.text();
  const std::string key = kFirst;
  for (std::size_t i = 0; i + 6 <= key.size(); ++i) {
    EXPECT_EQ(id.find(key.substr(i, 6)), std::string::npos) << "part of the key in the id";
  }
}

TEST(Keys, a_missing_key_and_a_wrong_one_are_told_apart) {
  const Keys keys(two_keys());
  EXPECT_EQ(reason_of(keys, Credentials()), "missing_key");
  EXPECT_EQ(reason_of(keys, bearer("Bearer ")), "missing_key");
  EXPECT_EQ(reason_of(keys, bearer("Bearer    ")), "missing_key");
  EXPECT_EQ(reason_of(keys, bearer("Basic dXNlcjpwYXNz")), "missing_key");
  EXPECT_EQ(reason_of(keys, api_key("   ")), "missing_key");
  EXPECT_EQ(reason_of(keys, api_key("sk-unknown")), "wrong_key");
  EXPECT_EQ(reason_of(keys, bearer("Bearer sk-unknown")), "wrong_key");
}

TEST(Keys, a_key_cut_short_or_with_something_added_is_wrong) {
  const Keys keys(two_keys());
  const std::string key = kFirst;
  EXPECT_EQ(reason_of(keys, api_key(std::string_view(key).substr(0, key.size() - 1))), "wrong_key");
  EXPECT_EQ(reason_of(keys, api_key(key + "x")), "wrong_key");
  EXPECT_EQ(reason_of(keys, api_key("SK-FIRST-3141592653589793")), "wrong_key");
}

TEST(Keys, an_error_does_not_repeat_the_key) {
  const Keys keys(two_keys());
  auto refused = keys.identify(api_key("sk-mistyped-8675309"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message.find("8675309"), std::string::npos);
  EXPECT_EQ(refused.error().detail.find("8675309"), std::string::npos);
}

TEST(Keys, with_keys_configured_loopback_needs_one_too) {
  const Keys keys(two_keys());
  EXPECT_TRUE(keys.any());
  Credentials local;
  local.peer_is_loopback = true;
  EXPECT_EQ(reason_of(keys, local), "missing_key");
}

TEST(Keys, without_keys_only_this_machine_is_the_local_user) {
  const Keys keys{AuthSettings{}};
  EXPECT_FALSE(keys.any());
  auto local = keys.identify(bearer("", true));
  ASSERT_TRUE(local.ok());
  EXPECT_TRUE(local->local);
  EXPECT_EQ(local->owner.user.text(), "local");
  EXPECT_EQ(reason_of(keys, bearer("")), "missing_key");
}

TEST(Keys, without_keys_the_key_that_an_official_client_must_send_does_not_matter) {
  const Keys keys{AuthSettings{}};
  EXPECT_TRUE(keys.identify(bearer("Bearer sk-anything", true)).ok());
  EXPECT_EQ(reason_of(keys, bearer("Bearer sk-anything", false)), "missing_key");
}

}  // namespace
}  // namespace mainstay::admission
