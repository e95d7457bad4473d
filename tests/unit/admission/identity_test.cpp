// Who a request's credentials stand for.
#include "admission/identity.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "unit/admission/token_maker.h"
#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFirst = "sk-first-3141592653589793-and-more";  // strong
constexpr const char* kSecond = "sk-second-2718281828";               // could be guessed
const std::string kSecret(32, 's');

struct IdentityTest : SimTest {
  Identity& who() {
    if (!identity) {
      identity = std::make_unique<Identity>(settings, clock);
      EXPECT_TRUE(identity->configure(settings).ok());
    }
    return *identity;
  }
  static Credentials from_here() {
    Credentials out;
    out.peer = asio::ip::make_address("127.0.0.1");
    return out;
  }
  static Credentials from_away(std::string_view key, const char* address = "192.0.2.7") {
    Credentials out;
    out.api_key = key;
    out.peer = asio::ip::make_address(address);
    return out;
  }
  static Credentials with_key(std::string_view key) {
    Credentials out = from_here();
    out.api_key = key;
    return out;
  }
  std::string said(const Credentials& credentials) {
    auto caller = who().identify(credentials);
    if (caller.ok()) return "user " + caller->owner.user.text();
    EXPECT_NE(caller.error().message, "");
    return caller.error().reason;
  }
  storage::AccessKey add_key(KeyWishes wishes, std::string& text) {
    if (wishes.name.empty()) wishes.name = "a key";
    auto made = make_key(std::move(wishes), clock);
    EXPECT_TRUE(made.ok());
    text = made->text;
    list.keys.push_back(made->row);
    ++list.generation;
    who().accept(list);
    return made->row;
  }
  void with_tokens() {
    settings.auth.jwt.issuer = "https://issuer.example";
    settings.auth.jwt.audience = "mainstay";
    settings.auth.jwt.secret = Secret(kSecret);
  }
  Json claims(const char* user = "ann") {
    return {{"iss", "https://issuer.example"},
            {"aud", "mainstay"},
            {"sub", user},
            {"exp", unix_seconds(clock.wall()) + 600},
            {"scope", "chat"},
            {"jti", std::string("id-") + user}};
  }
  std::string token(const Json& of) { return hmac_token(kSecret, header_of("HS256"), of.dump()); }

  Settings settings;
  std::unique_ptr<Identity> identity;
  storage::AccessList list;
};

TEST_F(IdentityTest, without_credentials_this_machine_is_the_local_user_and_never_admin) {
  auto caller = who().identify(from_here());
  ASSERT_TRUE(caller.ok());
  EXPECT_TRUE(caller->local);
  EXPECT_EQ(caller->owner.user.text(), "local");
  EXPECT_EQ(caller->owner.tenant.text(), "default");
  EXPECT_EQ(caller->scopes, (Scopes{Scope::chat, Scope::jobs, Scope::knowledge}));
  EXPECT_TRUE(caller->key.empty());
}

TEST_F(IdentityTest, the_local_user_stays_when_keys_were_made_but_not_when_they_are_configured) {
  std::string text;
  add_key({}, text);
  EXPECT_EQ(said(from_here()), "user local");
  identity.reset();
  settings.auth.keys = {Secret(kFirst)};
  EXPECT_EQ(said(from_here()), "missing_key");
}

TEST_F(IdentityTest, required_credentials_are_required_of_this_machine_too) {
  settings.auth.required = true;
  EXPECT_EQ(said(from_here()), "missing_key");
  EXPECT_EQ(said(with_key("sk-anything")), "wrong_key");
}

TEST_F(IdentityTest, who_comes_through_a_proxy_is_not_the_local_user) {
  Credentials credentials = from_here();
  credentials.forwarded = true;
  EXPECT_EQ(said(credentials), "missing_key");
  credentials.api_key = "sk-anything";
  EXPECT_EQ(said(credentials), "wrong_key");
}

TEST_F(IdentityTest, a_listener_beyond_this_machine_has_no_local_user) {
  settings.server.listen = "0.0.0.0:8080";
  EXPECT_EQ(said(from_here()), "missing_key");
}

TEST_F(IdentityTest, only_who_is_on_this_machine_is_the_local_user) {
  EXPECT_EQ(said(from_away("")), "missing_key");
  EXPECT_EQ(said(from_away("sk-anything")), "wrong_key");
}

TEST_F(IdentityTest, while_no_key_was_made_any_key_but_ours_will_do_on_this_machine) {
  EXPECT_EQ(said(with_key("sk-anything")), "user local");
  EXPECT_EQ(said(with_key("ms_anything")), "wrong_key");
  const std::string token = hmac_token(kSecret, header_of("HS256"), "{}");
  EXPECT_EQ(said(with_key(token)), "wrong_key");
  who().accept_admin(key_digest("ms_admin"));
  EXPECT_EQ(said(with_key("sk-anything")), "user local") << "the admin key alone changes nothing";
  std::string text;
  add_key({}, text);
  EXPECT_EQ(said(with_key("sk-anything")), "wrong_key");
}

TEST_F(IdentityTest, bearer_and_api_key_count_the_same) {
  settings.auth.keys = {Secret(kFirst), Secret(kSecond)};
  const std::string value = std::string("bEaReR   ") + kFirst + "  ";
  Credentials bearer = from_away("");
  bearer.authorization = value;
  const std::string spaced = std::string(" ") + kFirst + "\t";
  auto by_bearer = who().identify(bearer);
  auto by_header = who().identify(from_away(spaced));
  ASSERT_TRUE(by_bearer.ok() && by_header.ok());
  EXPECT_EQ(by_bearer->owner, by_header->owner);
  EXPECT_FALSE(by_bearer->local);
  for (const char* none : {"Bearer ", "Bearer    ", "Basic dXNlcjpwYXNz", "Bearer"}) {
    bearer.authorization = none;
    EXPECT_EQ(said(bearer), "missing_key") << none;
  }
}

TEST_F(IdentityTest, two_configured_keys_are_two_users_whose_names_are_stable_and_tell_nothing) {
  settings.auth.keys = {Secret(kFirst), Secret(kSecond)};
  const std::string first = said(from_away(kFirst));
  EXPECT_NE(first, said(from_away(kSecond)));
  identity.reset();
  settings.auth.keys = {Secret(kSecond), Secret(kFirst)};
  EXPECT_EQ(first, said(from_away(kFirst)));
  const std::string key = kFirst;
  for (std::size_t i = 0; i + 6 <= key.size(); ++i) {
    EXPECT_EQ(first.find(key.substr(i, 6)), std::string::npos);
  }
  EXPECT_EQ(said(from_away(key.substr(0, key.size() - 1))), "wrong_key");
  EXPECT_EQ(said(from_away(key + "x")), "wrong_key");
}

TEST_F(IdentityTest, an_error_does_not_repeat_the_key) {
  auto refused = who().identify(from_away("sk-mistyped-8675309"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message.find("8675309"), std::string::npos);
  EXPECT_EQ(refused.error().detail.find("8675309"), std::string::npos);
}

TEST_F(IdentityTest, a_made_key_gives_its_owner_scopes_limits_and_class) {
  KeyWishes wishes;
  wishes.scopes = {Scope::chat, Scope::admin};
  wishes.tenant = "clinic";
  wishes.user = "ann";
  wishes.most_urgent = Priority::batch;
  wishes.limits = {7, 2, 3, 1000, 20'000, 4};
  std::string text;
  const auto row = add_key(wishes, text);
  EXPECT_TRUE(text.starts_with("ms_"));
  EXPECT_EQ(text.size(), 3u + 43u);
  auto caller = who().identify(from_away(text));
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->owner.tenant.text(), "clinic");
  EXPECT_EQ(caller->owner.user.text(), "ann");
  EXPECT_EQ(caller->key, row.id);
  EXPECT_EQ(caller->scopes, (Scopes{Scope::chat, Scope::admin}));
  EXPECT_EQ(caller->most_urgent, Priority::batch);
  EXPECT_EQ(caller->limits.requests_per_minute, 7u);
  EXPECT_EQ(caller->limits.burst, 2u);
  EXPECT_EQ(caller->limits.concurrent, 3u);
  EXPECT_EQ(caller->limits.tokens_per_minute, 1000u);
  EXPECT_EQ(caller->limits.tokens_per_day, 20'000u);
  EXPECT_EQ(caller->limits.queued, 4u);
}

// proves security row 13, with the conformance test that reads the database's file
TEST_F(IdentityTest, security_13_a_row_holds_a_digest_and_a_short_prefix_of_the_key) {
  std::string text;
  const auto row = add_key({}, text);
  EXPECT_EQ(row.digest, digest_hex(key_digest(text)));
  EXPECT_EQ(row.prefix, text.substr(0, kKeyPrefix));
  const std::string secret_part = text.substr(kKeyPrefix, 8);
  for (const auto& field : {row.id, row.digest, row.prefix, row.name, row.owner.user.text()}) {
    EXPECT_EQ(field.find(secret_part), std::string::npos);
  }
  std::string other;
  add_key({}, other);
  EXPECT_NE(text, other);
}

TEST_F(IdentityTest, a_key_ends_at_its_expiry_and_when_it_is_revoked) {
  KeyWishes wishes;
  wishes.lasts = 1h;
  std::string text;
  add_key(wishes, text);
  clock.advance(1h - 1us);
  EXPECT_NE(said(from_away(text)), "expired_key");
  clock.advance(1us);
  EXPECT_EQ(said(from_away(text)), "expired_key");
  std::string second;
  add_key({}, second);
  EXPECT_EQ(said(from_away(second)), "user " + list.keys[1].id);
  list.keys[1].revoked = clock.wall();
  who().accept(list);
  EXPECT_EQ(said(from_away(second)), "wrong_key");
}

TEST_F(IdentityTest, names_that_cannot_be_shown_make_no_key) {
  for (const std::string& name :
       {std::string(), std::string(129, 'n'), std::string("a\nb"), std::string("\xff")}) {
    KeyWishes wishes;
    wishes.name = name;
    auto made = make_key(wishes, clock);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().reason, "invalid_name");
  }
  KeyWishes wishes;
  wishes.name = std::string(128, 'n');
  EXPECT_TRUE(make_key(wishes, clock).ok());
  wishes.scopes = {};
  EXPECT_EQ(make_key(wishes, clock).error().reason, "invalid_scopes");
}

TEST_F(IdentityTest, the_admin_key_has_every_scope) {
  who().accept_admin(key_digest("ms_the-admin-key"));
  auto caller = who().identify(from_away("ms_the-admin-key"));
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->owner.user.text(), "admin");
  EXPECT_TRUE(caller->scopes.has(Scope::admin));
  EXPECT_TRUE(caller->scopes.has(Scope::chat));
}

TEST_F(IdentityTest, a_listener_beyond_this_machine_needs_a_way_in) {
  EXPECT_TRUE(who().check_exposure().ok()) << "loopback";
  settings.server.listen = "0.0.0.0:8080";
  identity.reset();
  who().accept_admin(key_digest("ms_admin"));
  auto refused = who().check_exposure();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "exposed_without_keys");
  EXPECT_NE(refused.error().message.find("mainstay keys new"), std::string::npos);
  KeyWishes wishes;
  wishes.lasts = 1h;
  std::string text;
  add_key(wishes, text);
  EXPECT_TRUE(who().check_exposure().ok());
  clock.advance(1h);
  EXPECT_FALSE(who().check_exposure().ok()) << "an expired key lets nobody in";
  identity.reset();
  with_tokens();
  EXPECT_TRUE(who().check_exposure().ok());
}

TEST_F(IdentityTest, settings_are_checked_without_taking_effect) {
  settings.auth.keys = {Secret(kFirst)};
  EXPECT_EQ(said(with_key(kFirst)).substr(0, 5), "user ");
  Settings next = settings;
  next.auth.keys = {Secret(kSecond)};
  EXPECT_TRUE(who().check(next).ok());
  EXPECT_EQ(said(with_key(kFirst)).substr(0, 5), "user ") << "the old key is still in force";
  EXPECT_EQ(said(with_key(kSecond)), "wrong_key");
  next.auth.keys.clear();
  next.server.listen = "0.0.0.0:8080";
  auto exposed = who().check(next);
  ASSERT_FALSE(exposed.ok());
  EXPECT_EQ(exposed.error().reason, "exposed_without_keys");
  next = settings;
  next.auth.jwt.public_key = "no key at all";
  EXPECT_FALSE(who().check(next).ok());
  EXPECT_EQ(said(with_key(kFirst)).substr(0, 5), "user ");
}

// proves security row 5
TEST_F(IdentityTest, security_05_a_thousand_bad_keys_are_401_then_429_with_a_growing_delay) {
  settings.auth.keys = {Secret(kFirst), Secret(kSecond)};
  settings.auth.failures_free = 20;
  std::map<std::string, int> answers;
  std::map<std::string, int> texts;
  for (int i = 0; i < 1000; ++i) {
    auto refused = who().identify(from_away("guess-" + std::to_string(i)));
    ASSERT_FALSE(refused.ok());
    ++answers[refused.error().reason];
    ++texts[refused.error().message];
  }
  EXPECT_EQ(answers["wrong_key"], 21);
  EXPECT_EQ(answers["too_many_failures"], 979);
  EXPECT_EQ(texts.size(), 2u) << "one text for each answer";
  std::chrono::milliseconds last{0};
  for (int round = 0; round < 5; ++round) {
    auto refused = who().identify(from_away("guess"));
    ASSERT_EQ(refused.error().code, Errc::over_limit);
    EXPECT_GT(refused.error().retry_after, last);
    last = refused.error().retry_after;
    clock.advance(last - 1ms);
    EXPECT_EQ(said(from_away("guess")), "too_many_failures");
    clock.advance(1ms);
    EXPECT_EQ(said(from_away("guess")), "wrong_key");
  }
  EXPECT_EQ(said(from_away("guess", "192.0.2.8")), "wrong_key") << "another address";
  EXPECT_EQ(said(from_away(kFirst)).substr(0, 5), "user ") << "a strong key is no guess";
  EXPECT_EQ(said(from_away(kSecond)), "too_many_failures") << "a short one may be";
  EXPECT_EQ(said(from_away(kSecond, "192.0.2.8")).substr(0, 5), "user ");
}

TEST_F(IdentityTest, a_second_look_at_who_was_let_in_counts_no_attempt_and_minds_no_others) {
  settings.auth.keys = {Secret(kFirst), Secret(kSecond)};
  settings.auth.failures_free = 0;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(who().still(from_away("revoked")).ok());
  EXPECT_EQ(said(from_away(kSecond)).substr(0, 5), "user ") << "nothing was counted";
  while (said(from_away("guess")) != "too_many_failures") continue;
  EXPECT_EQ(said(from_away(kSecond)), "too_many_failures");
  EXPECT_TRUE(who().still(from_away(kSecond)).ok());
  EXPECT_EQ(who().still(from_away("revoked")).error().reason, "wrong_key");
}

TEST_F(IdentityTest, missing_credentials_are_no_failed_attempt) {
  settings.auth.failures_free = 0;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(said(from_away("")), "missing_key");
}

TEST_F(IdentityTest, a_token_names_its_user_tenant_and_scopes) {
  with_tokens();
  auto caller = who().identify(from_away(token(claims())));
  ASSERT_TRUE(caller.ok()) << caller.error().detail;
  EXPECT_EQ(caller->owner.user.text(), "ann");
  EXPECT_EQ(caller->owner.tenant.text(), "default");
  EXPECT_EQ(caller->scopes, Scopes{Scope::chat});
  EXPECT_TRUE(caller->key.starts_with("jwt_"));
  EXPECT_NE(caller->key, who().identify(from_away(token(claims("bob"))))->key);
}

TEST_F(IdentityTest, users_of_two_tenants_with_one_name_do_not_share_a_key) {
  settings.auth.jwt.tenant_claim = "org";
  with_tokens();
  const auto of = [this](const char* org) {
    Json named = claims();
    named["org"] = org;
    auto caller = who().identify(from_away(token(named)));
    EXPECT_TRUE(caller.ok());
    return caller.ok() ? caller->key : std::string();
  };
  EXPECT_NE(of("clinic"), of("school"));
}

TEST_F(IdentityTest, a_remembered_token_still_ends_in_time) {
  with_tokens();
  const std::string text = token(claims());
  EXPECT_EQ(said(from_away(text)), "user ann");
  EXPECT_EQ(said(from_away(text)), "user ann");
  clock.advance(660s - 1ms);
  EXPECT_EQ(said(from_away(text)), "user ann");
  clock.advance(1ms);
  EXPECT_EQ(said(from_away(text)), "expired_token");
}

// proves security row 12 and fault row 38 (tokens follow the wall clock)
TEST_F(IdentityTest, security_12_a_revoked_token_is_refused_however_it_is_written) {
  with_tokens();
  const std::string text = token(claims());
  EXPECT_EQ(said(from_away(text)), "user ann");
  list.revoked.push_back({"https://issuer.example", "id-ann", clock.wall() + 1h});
  ++list.generation;
  who().accept(list);
  EXPECT_EQ(said(from_away(text)), "wrong_token") << "the remembered one too";
  EXPECT_EQ(said(from_away(text + "=")), "wrong_key") << "no other text of the same bytes";
  Json reordered = {{"jti", "id-ann"}};
  reordered.update(claims());
  EXPECT_EQ(said(from_away(token(reordered))), "wrong_token");
  EXPECT_EQ(said(from_away(token(claims("bob")))), "user bob");
  clock.jump_wall(-2h);
  EXPECT_EQ(said(from_away(text)), "wrong_token");
}

TEST_F(IdentityTest, security_07_a_token_signed_with_the_public_key_as_secret_is_refused) {
  const TestKey& rsa = TestKey::shared_rsa();
  const std::string path = testing::TempDir() + "/mainstay-issuer.pem";
  {
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(rsa.pem().c_str(), file);
    std::fclose(file);
  }
  with_tokens();
  settings.auth.jwt.secret = Secret();
  settings.auth.jwt.public_key = path;
  EXPECT_EQ(said(from_away(token_of(rsa, header_of("RS256"), claims().dump()))), "user ann");
  for (const char* algorithm : {"HS256", "ES256", "EdDSA"}) {
    EXPECT_EQ(said(from_away(hmac_token(rsa.pem(), header_of(algorithm), claims().dump()))),
              "wrong_token");
    EXPECT_EQ(said(from_away(token_of(rsa, header_of(algorithm), claims().dump()))), "wrong_token");
  }
  EXPECT_EQ(said(from_away(token_of(TestKey::rsa(), header_of("RS256"), claims().dump()))),
            "wrong_token");
  settings.auth.jwt.public_key = path + ".missing";
  auto refused = who().configure(settings);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "invalid_jwt_key");
  EXPECT_EQ(said(from_away(token_of(rsa, header_of("RS256"), claims().dump()))), "user ann")
      << "refused settings change nothing";
}

TEST_F(IdentityTest, security_06_to_09_forged_tokens_are_refused_with_one_text) {
  with_tokens();
  const std::string body = claims().dump();
  std::map<std::string, int> texts;
  const auto refuse = [&](const std::string& text) {
    auto refused = who().identify(from_away(text));
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().code, Errc::denied);
    EXPECT_EQ(refused.error().reason, "wrong_token");
    ++texts[refused.error().message];
  };
  for (const char* name : {"none", "None", "NONE"})
    refuse(unsigned_token(header_of(name), body) + ".");
  const TestKey attacker = TestKey::ec();
  Json header = {{"alg", "ES256"},
                 {"jwk", attacker.jwk("x")},
                 {"jku", "http://127.0.0.1:1/"},
                 {"x5u", "http://127.0.0.1:1/"},
                 {"x5c", {"AAAA"}}};
  refuse(token_of(attacker, header.dump(), body));
  refuse(hmac_token(std::string(32, 't'), header_of("HS256"), body));
  Json other = claims();
  other["aud"] = "other";
  refuse(token(other));
  EXPECT_EQ(texts.size(), 1u);
}

TEST_F(IdentityTest, the_token_cache_is_bounded_and_serves_every_user_his_own_answer) {
  with_tokens();
  settings.auth.tokens_max = 64;
  std::vector<std::string> tokens;
  for (int i = 0; i < 300; ++i) tokens.push_back(token(claims(("u" + std::to_string(i)).c_str())));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 300; ++i) {
      EXPECT_EQ(said(from_away(tokens[static_cast<std::size_t>(i)])), "user u" + std::to_string(i));
    }
  }
  TokenCache cache(64);
  for (const auto& text : tokens) {
    cache.put(key_digest(text), 1, WallTime(1s), std::make_shared<const Caller>());
  }
  EXPECT_LE(cache.size(), 64u);
  EXPECT_GT(cache.size(), 32u);
}

TEST_F(IdentityTest, a_reload_takes_keys_away_and_adds_them) {
  settings.auth.keys = {Secret(kFirst)};
  EXPECT_EQ(said(from_away(kFirst)).substr(0, 5), "user ");
  settings.auth.keys = {Secret(kSecond)};
  ASSERT_TRUE(who().configure(settings).ok());
  EXPECT_EQ(said(from_away(kFirst)), "wrong_key");
  EXPECT_EQ(said(from_away(kSecond)).substr(0, 5), "user ");
}

TEST_F(IdentityTest, scopes_have_names_both_ways) {
  const std::vector<std::string> names = {"admin", "chat"};
  auto scopes = scopes_of(names);
  ASSERT_TRUE(scopes.ok());
  EXPECT_EQ(*scopes, (Scopes{Scope::chat, Scope::admin}));
  EXPECT_EQ(names_of(*scopes), (std::vector<std::string>{"chat", "admin"}));
  const std::vector<std::string> unknown = {"root"};
  EXPECT_EQ(scopes_of(unknown).error().reason, "invalid_scopes");
}

// Security row 14: a key is found by its digest, whose bytes nobody can choose, and signatures are
// compared with CRYPTO_memcmp. This test holds the first half: a key that differs in one character
// has a digest that shares no useful prefix with the right one.
TEST_F(IdentityTest, security_14_keys_alike_have_digests_unlike) {
  const std::string right = make_key_text();
  int longest = 0;
  for (std::size_t i = 3; i < right.size(); ++i) {
    std::string wrong = right;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    const auto a = key_digest(right);
    const auto b = key_digest(wrong);
    int same = 0;
    while (same < 32 && a[static_cast<std::size_t>(same)] == b[static_cast<std::size_t>(same)]) {
      ++same;
    }
    longest = std::max(longest, same);
  }
  EXPECT_LE(longest, 4);
}

// Security row 14: right and wrong first byte, 1e5 tries of each in turns; the medians tell.
TEST_F(IdentityTest, security_14_a_key_nearly_right_takes_as_long_as_one_that_is_not) {
  std::string right;
  settings.auth.failures_free = 1'000'000;
  add_key(KeyWishes{}, right);
  const auto flipped = [&right](std::size_t at) {
    std::string wrong = right;
    wrong[at] = wrong[at] == 'A' ? 'B' : 'A';
    return wrong;
  };
  const std::array<std::string, 2> keys = {flipped(3), flipped(right.size() - 2)};
  constexpr std::size_t kTries = 100'000;
  std::array<std::vector<std::int64_t>, 2> took;
  for (auto& times : took) times.reserve(kTries);
  const RealClock watch;
  for (std::size_t i = 0; i < 2 * kTries; ++i) {
    const std::size_t which =
        (i ^ (i / 2)) % 2;  // near far far near: the machine's moods meet both
    const Credentials credentials = from_away(keys[which]);
    const TimePoint began = watch.now();
    const bool refused = !who().identify(credentials).ok();
    took[which].push_back((watch.now() - began).count());
    ASSERT_TRUE(refused);
  }
  std::array<double, 2> middle{};
  for (std::size_t k = 0; k < 2; ++k) {
    std::nth_element(took[k].begin(), took[k].begin() + kTries / 2, took[k].end());
    middle[k] = static_cast<double>(took[k][kTries / 2]);
  }
  EXPECT_LT(std::abs(middle[0] - middle[1]), 0.1 * std::max(middle[0], middle[1]));
}

}  // namespace
}  // namespace mainstay::admission
