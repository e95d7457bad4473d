// What every back end of API keys must do.
#include "conformance/back_ends.h"

namespace mainstay::storage {
namespace {

WallTime at(std::int64_t second) {
  return wall_from_micros(1'700'000'000'000'000 + second * 1'000'003);
}

/// A key in which every field has a value of its own, from `n`.
AccessKey key_of(int n) {
  const std::string tag = std::to_string(n);
  AccessKey key;
  key.id = "key_" + tag;
  key.digest = std::string(60, 'd') + std::to_string(1000 + n);
  key.prefix = "ms_" + tag;
  key.name = "name " + tag;
  key.owner = owner_of("tenant " + tag, "user " + tag);
  key.scopes = static_cast<std::uint8_t>(n % 15 + 1);
  key.priority = static_cast<std::uint8_t>(n % 4);
  key.requests_per_minute = static_cast<std::uint32_t>(n + 10);
  key.burst = static_cast<std::uint32_t>(n + 20);
  key.concurrent = static_cast<std::uint32_t>(n + 30);
  key.queued = static_cast<std::uint32_t>(n + 60);
  key.tokens_per_minute = static_cast<std::uint64_t>(n) + 5'000'000'000;
  key.tokens_per_day = static_cast<std::uint64_t>(n) + 6'000'000'000;
  key.created = at(n);
  key.expires = at(n + 1000);
  return key;
}

class AccessKeysFace : public testing::TestWithParam<const char*> {
 protected:
  AccessKeys& face() { return back_end_->stores().access_keys(); }
  Status add(AccessKey key, std::uint32_t most = 100) {
    return ground_.run(face().add(std::move(key), most, ground_.soon()));
  }
  AccessList list() {
    auto got = ground_.run(face().list(ground_.soon()));
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : AccessList();
  }
  std::uint64_t generation() {
    auto got = ground_.run(face().generation(ground_.soon()));
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : 0;
  }
  Status revoke(const std::string& id, WallTime when) {
    return ground_.run(face().revoke(id, when, ground_.soon()));
  }
  Status used(std::vector<KeyUse> uses) {
    return ground_.run(face().used(std::move(uses), ground_.soon()));
  }
  Status revoke_token(RevokedToken token, WallTime now, std::uint32_t most = 100) {
    return ground_.run(face().revoke_token(std::move(token), now, most, ground_.soon()));
  }

  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
};
INSTANTIATE_TEST_SUITE_P(Over, AccessKeysFace, testing::ValuesIn(kTalkBackEnds), back_end_name);

TEST_P(AccessKeysFace, an_added_key_is_read_back_in_every_field_and_in_order) {
  ASSERT_TRUE(add(key_of(2)).ok());
  ASSERT_TRUE(add(key_of(1)).ok());
  const AccessList got = list();
  ASSERT_EQ(got.keys.size(), 2u);
  for (const auto& [read, n] : {std::pair<AccessKey, int>{got.keys[0], 2}, {got.keys[1], 1}}) {
    const AccessKey wanted = key_of(n);
    EXPECT_EQ(read.id, wanted.id);
    EXPECT_EQ(read.digest, wanted.digest);
    EXPECT_EQ(read.prefix, wanted.prefix);
    EXPECT_EQ(read.name, wanted.name);
    EXPECT_EQ(read.owner, wanted.owner);
    EXPECT_EQ(read.scopes, wanted.scopes);
    EXPECT_EQ(read.priority, wanted.priority);
    EXPECT_EQ(read.requests_per_minute, wanted.requests_per_minute);
    EXPECT_EQ(read.burst, wanted.burst);
    EXPECT_EQ(read.concurrent, wanted.concurrent);
    EXPECT_EQ(read.queued, wanted.queued);
    EXPECT_EQ(read.tokens_per_minute, wanted.tokens_per_minute);
    EXPECT_EQ(read.tokens_per_day, wanted.tokens_per_day);
    EXPECT_EQ(read.created, wanted.created);
    EXPECT_EQ(read.expires, wanted.expires);
    EXPECT_EQ(read.last_used, WallTime{});
    EXPECT_EQ(read.revoked, WallTime{});
  }
}

TEST_P(AccessKeysFace, an_id_or_a_digest_is_taken_once) {
  ASSERT_TRUE(add(key_of(1)).ok());
  AccessKey same_id = key_of(2);
  same_id.id = key_of(1).id;
  AccessKey same_digest = key_of(2);
  same_digest.digest = key_of(1).digest;
  for (const AccessKey& clash : {same_id, same_digest}) {
    auto refused = add(clash);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_EQ(refused.error().reason, "already_exists");
  }
  EXPECT_EQ(list().keys.size(), 1u);
}

TEST_P(AccessKeysFace, there_are_at_most_as_many_keys_as_allowed) {
  ASSERT_TRUE(add(key_of(1), 3).ok());
  ASSERT_TRUE(add(key_of(2), 3).ok());
  ASSERT_TRUE(add(key_of(3), 3).ok());
  auto refused = add(key_of(4), 3);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::over_limit);
  EXPECT_EQ(refused.error().reason, "too_many_keys");
}

TEST_P(AccessKeysFace, a_revoked_key_stays_revoked_since_the_first_time) {
  ASSERT_TRUE(add(key_of(1)).ok());
  ASSERT_TRUE(add(key_of(2)).ok());
  ASSERT_TRUE(revoke("key_1", at(50)).ok());
  ASSERT_TRUE(revoke("key_1", at(60)).ok());
  EXPECT_EQ(list().keys[0].revoked, at(50));
  EXPECT_EQ(list().keys[1].revoked, WallTime{});
  auto unknown = revoke("key_none", at(1));
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Errc::not_found);
  EXPECT_EQ(unknown.error().reason, "unknown_key");
}

TEST_P(AccessKeysFace, uses_are_noted_and_never_go_back) {
  ASSERT_TRUE(add(key_of(1)).ok());
  ASSERT_TRUE(add(key_of(2)).ok());
  ASSERT_TRUE(used({{"key_1", at(70)}, {"key_none", at(71)}, {"key_2", at(72)}}).ok());
  ASSERT_TRUE(used({{"key_1", at(60)}}).ok());
  EXPECT_EQ(list().keys[0].last_used, at(70));
  EXPECT_EQ(list().keys[1].last_used, at(72));
}

TEST_P(AccessKeysFace, the_generation_changes_with_what_identification_needs_alone) {
  std::uint64_t last = generation();
  const auto changed = [&] {
    const std::uint64_t now = generation();
    const bool differs = now != last;
    last = now;
    return differs;
  };
  ASSERT_TRUE(add(key_of(1)).ok());
  EXPECT_TRUE(changed());
  ASSERT_TRUE(revoke("key_1", at(1)).ok());
  EXPECT_TRUE(changed());
  ASSERT_TRUE(revoke_token({"issuer", "a", at(9)}, at(1)).ok());
  EXPECT_TRUE(changed());
  ASSERT_TRUE(used({{"key_1", at(70)}}).ok());
  EXPECT_FALSE(changed());
  EXPECT_FALSE(add(key_of(1)).ok());
  EXPECT_FALSE(changed());
  EXPECT_EQ(list().generation, last);
}

TEST_P(AccessKeysFace, revoked_tokens_are_kept_until_they_end_and_bounded) {
  ASSERT_TRUE(revoke_token({"issuer", "a", at(10)}, at(1), 2).ok());
  ASSERT_TRUE(revoke_token({"issuer", "b", at(20)}, at(1), 2).ok());
  ASSERT_TRUE(revoke_token({"issuer", "a", at(12)}, at(2), 2).ok()) << "the same one again";
  auto refused = revoke_token({"other", "a", at(30)}, at(3), 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::over_limit);
  EXPECT_EQ(refused.error().reason, "too_many_revoked_tokens");
  ASSERT_EQ(list().revoked.size(), 2u);
  EXPECT_EQ(list().revoked[0].issuer, "issuer");
  EXPECT_EQ(list().revoked[0].token_id, "a");
  EXPECT_EQ(list().revoked[0].until, at(12));
  ASSERT_TRUE(revoke_token({"issuer", "a", at(11)}, at(12), 2).ok()) << "ends now: still counts";
  EXPECT_EQ(list().revoked[0].until, at(12));
  ASSERT_TRUE(revoke_token({"other", "a", at(30)}, at(13), 2).ok()) << "the first has ended";
  ASSERT_EQ(list().revoked.size(), 2u);
  EXPECT_EQ(list().revoked[0].token_id, "b");
  EXPECT_EQ(list().revoked[1].issuer, "other");
}

TEST(AccessKeysFile, the_command_line_changes_keys_beside_a_running_server) {
  Ground ground;
  TemporaryDir dir;
  auto server = ground.open(dir.path() + "/data");
  ASSERT_TRUE(server.ok());
  auto beside = sqlite::open_access_keys(ground.settings, dir.path() + "/data", ground.clock,
                                         *ground.log, ground.metrics);
  ASSERT_TRUE(beside.ok()) << beside.error().detail;
  auto& keys = (*server)->access_keys();
  for (int n = 1; n <= 20; ++n) {
    AccessKeys& writer = n % 2 == 0 ? keys : **beside;
    AccessKeys& reader = n % 2 == 0 ? **beside : keys;
    ASSERT_TRUE(ground.run(writer.add(key_of(n), 100, ground.soon())).ok());
    auto list = ground.run(reader.list(ground.soon()));
    ASSERT_TRUE(list.ok());
    EXPECT_EQ(list->keys.size(), static_cast<std::size_t>(n));
    EXPECT_EQ(list->generation, static_cast<std::uint64_t>(n));
  }
  EXPECT_TRUE((*server)->close().ok());
  server->reset();
  beside->reset();
  auto again = ground.open(dir.path() + "/data");
  ASSERT_TRUE(again.ok());
  auto list = ground.run((*again)->access_keys().list(ground.soon()));
  EXPECT_EQ(list->keys.size(), 20u);
  EXPECT_FALSE(std::filesystem::exists(dir.path() + "/data/keys.db-wal"));
}

TEST(AccessKeysFile, keys_can_be_made_before_the_first_start) {
  Ground ground;
  TemporaryDir dir;
  const std::string data = dir.path() + "/new/data";
  {
    auto keys =
        sqlite::open_access_keys(ground.settings, data, ground.clock, *ground.log, ground.metrics);
    ASSERT_TRUE(keys.ok());
    ASSERT_TRUE(ground.run((*keys)->add(key_of(1), 100, ground.soon())).ok());
  }
  const auto mode = std::filesystem::status(data + "/keys.db").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  auto server = ground.open(data);
  ASSERT_TRUE(server.ok());
  auto list = ground.run((*server)->access_keys().list(ground.soon()));
  ASSERT_EQ(list->keys.size(), 1u);
  EXPECT_EQ(list->keys[0].name, "name 1");
}

}  // namespace
}  // namespace mainstay::storage
