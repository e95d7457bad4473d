// Tokens taken apart, verified and read: what is right passes, everything else has one answer.
#include "admission/jwt.h"

#include "unit/admission/token_maker.h"

namespace mainstay::admission {
namespace {

using namespace std::string_literals;

constexpr std::int64_t kNow = 1'700'000'000;
const std::string kSecret(32, 's');

JwtSettings settings_of() {
  JwtSettings out;
  out.issuer = "https://issuer.example";
  out.audience = "mainstay";
  return out;
}
Json claims_of() {
  return {
      {"iss", "https://issuer.example"},  {"aud", "mainstay"}, {"sub", "ann"}, {"exp", kNow + 600},
      {"scope", "chat knowledge openid"}, {"jti", "t-1"}};
}
Result<Claims> check(const Json& claims, const JwtSettings& settings = settings_of()) {
  return check_claims(claims.dump(), settings, WallTime(std::chrono::seconds(kNow)));
}
std::string reason(const Json& claims, const JwtSettings& settings = settings_of()) {
  auto checked = check(claims, settings);
  return checked.ok() ? "ok" : checked.error().reason;
}
std::string apart(const std::string& token) {
  auto open = take_apart(token);
  if (open.ok()) return "ok";
  EXPECT_EQ(open.error().code, Errc::denied);
  return open.error().reason;
}

TEST(Base64Url, reads_what_it_wrote_and_has_one_text_for_each_value) {
  std::string bytes;
  for (int length = 0; length < 40; ++length) {
    std::string given;
    for (int i = 0; i < length; ++i) given += static_cast<char>(i * 37 + length);
    const std::string text = to_base64url(given);
    ASSERT_TRUE(from_base64url(text, bytes)) << text;
    EXPECT_EQ(bytes, given);
  }
  EXPECT_TRUE(from_base64url("AA", bytes));
  for (const char* bad : {"A", "AB", "AA==", "A A", "AA\n", "A+/A", "AAB", "AAAAA"}) {
    EXPECT_FALSE(from_base64url(bad, bytes)) << bad;
  }
}

TEST(Jwt, every_algorithm_verifies_its_own_signature_and_no_changed_text) {
  for (const TestKey& key : {TestKey::shared_rsa(), TestKey::ec(), TestKey::ed()}) {
    auto verify = VerifyKey::from_pem(key.pem());
    ASSERT_TRUE(verify.ok()) << key.algorithm();
    const std::string token = token_of(key, header_of(key.algorithm()), claims_of().dump());
    auto open = take_apart(token);
    ASSERT_TRUE(open.ok());
    EXPECT_EQ(open->algorithm, verify->algorithm());
    EXPECT_TRUE(verify->verifies(open->signed_part, open->signature)) << key.algorithm();
    std::string other(open->signed_part);
    other.back() = other.back() == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verify->verifies(other, open->signature));
    std::string signature = open->signature;
    signature[signature.size() / 2] = static_cast<char>(signature[signature.size() / 2] ^ 1);
    EXPECT_FALSE(verify->verifies(open->signed_part, signature));
    EXPECT_FALSE(verify->verifies(open->signed_part, signature.substr(1)));
    EXPECT_FALSE(verify->verifies(open->signed_part, ""));
  }
  auto verify = VerifyKey::from_secret(kSecret);
  ASSERT_TRUE(verify.ok());
  const std::string token = hmac_token(kSecret, header_of("HS256"), claims_of().dump());
  auto open = take_apart(token);
  ASSERT_TRUE(open.ok());
  EXPECT_TRUE(verify->verifies(open->signed_part, open->signature));
  EXPECT_FALSE(verify->verifies(open->signed_part, open->signature.substr(0, 31)));
}

TEST(Jwt, keys_that_are_too_weak_or_of_another_kind_are_refused) {
  EXPECT_FALSE(VerifyKey::from_secret(std::string(31, 's')).ok());
  EXPECT_TRUE(VerifyKey::from_secret(std::string(32, 's')).ok());
  EXPECT_FALSE(VerifyKey::from_pem(TestKey::rsa(1024).pem()).ok());
  EXPECT_FALSE(VerifyKey::from_pem(TestKey::ec("P-384").pem()).ok());
  EXPECT_FALSE(VerifyKey::from_pem("-----BEGIN PUBLIC KEY-----\nxx\n").ok());
  EXPECT_FALSE(VerifyKey::from_pem("").ok());
}

TEST(Jwt, security_06_none_in_any_spelling_and_empty_signatures_are_refused) {
  for (const char* name :
       {"none", "None", "NONE", "nOnE", "", "hs256", "HS512", "RS256 ", "PS256"}) {
    const std::string text = unsigned_token(header_of(name), claims_of().dump());
    EXPECT_EQ(apart(text + "."), "wrong_token") << name;
    EXPECT_EQ(apart(text + ".AAAA"), "wrong_token") << name;
  }
  const std::string text = unsigned_token(header_of("HS256"), claims_of().dump());
  EXPECT_EQ(apart(text + "."), "wrong_token");
  EXPECT_EQ(apart(text), "wrong_token");
  EXPECT_EQ(apart(text + ".AAAA"), "ok");
  EXPECT_EQ(apart(unsigned_token(R"({"alg":null})", "{}") + ".AAAA"), "wrong_token");
  EXPECT_EQ(apart(unsigned_token(R"({"alg":["HS256"]})", "{}") + ".AAAA"), "wrong_token");
}

TEST(Jwt, security_08_a_kid_is_only_a_name_to_look_up) {
  auto set = KeySet::parse(set_of({TestKey::ec().jwk("one")}));
  ASSERT_TRUE(set.ok());
  for (const std::string& kid :
       {std::string("../../dev/null"), std::string("' OR 1=1 --"), std::string("one\0", 4),
        std::string("One"), std::string(256, 'k')}) {
    const std::string text = unsigned_token(header_of("ES256", kid), "{}") + ".AAAA";
    auto open = take_apart(text);
    ASSERT_TRUE(open.ok());
    EXPECT_EQ(set->find(open->algorithm, open->kid), nullptr);
    EXPECT_FALSE(set->knows(open->kid));
  }
  EXPECT_EQ(apart(unsigned_token(header_of("ES256", std::string(257, 'k')), "{}") + ".AA"),
            "wrong_token");
  EXPECT_EQ(apart(unsigned_token(header_of("ES256", std::string(4096, 'k')), "{}") + ".AA"),
            "wrong_token");
  EXPECT_EQ(apart(unsigned_token(R"({"alg":"ES256","kid":7})", "{}") + ".AA"), "wrong_token");
}

TEST(Jwt, crit_and_repeated_names_are_refused_and_offered_keys_are_not_looked_at) {
  for (const char* header :
       {R"({"alg":"HS256","crit":["b64"]})", R"({"alg":"HS256","crit":[]})",
        R"({"alg":"HS256","b64":false})", R"({"alg":"HS256","alg":"HS256"})",
        R"({"alg":"none","alg":"HS256"})", R"({"alg":"HS256","x":{"a":1,"a":2}})", R"(["HS256"])",
        R"("HS256")", "{", ""}) {
    EXPECT_EQ(apart(unsigned_token(header, "{}") + ".AA"), "wrong_token") << header;
  }
  EXPECT_EQ(apart(unsigned_token(R"({"alg":"HS256","jku":"http://evil.example/","jwk":{}})", "{}") +
                  ".AA"),
            "ok");
}

TEST(Jwt, a_token_has_three_parts_and_a_bounded_length) {
  EXPECT_EQ(apart(""), "wrong_token");
  EXPECT_EQ(apart("."), "wrong_token");
  EXPECT_EQ(apart(".."), "wrong_token");
  const std::string good = unsigned_token(header_of("HS256"), "{}") + ".AAAA";
  EXPECT_EQ(apart(good + ".AA"), "wrong_token");
  EXPECT_EQ(apart(good + "="), "wrong_token");
  EXPECT_EQ(apart(" " + good), "wrong_token");
  const auto padded = [&](std::size_t size) {
    std::string out = good;
    while (out.size() + 4 <= size) out += "AAAA";
    while (out.size() < size) out += "A";
    return out;
  };
  for (std::size_t size : {kTokenMax - 1, kTokenMax}) {
    const std::string token = padded(size);
    const auto tail = token.size() - token.rfind('.') - 1;
    EXPECT_EQ(apart(token), tail % 4 == 1 ? "wrong_token" : "ok") << size;
  }
  EXPECT_EQ(apart(padded(kTokenMax + 4)), "wrong_token");
}

TEST(Jwt, what_looks_like_a_token_and_what_does_not) {
  EXPECT_TRUE(looks_like_token(unsigned_token(header_of("none"), "{}") + "."));
  EXPECT_TRUE(looks_like_token("eyJh.eyJ.x"));
  EXPECT_FALSE(looks_like_token("sk-abc.def.ghi"));
  EXPECT_FALSE(looks_like_token("eyJh.eyJ"));
  EXPECT_FALSE(looks_like_token("eyJh..x"));
  EXPECT_FALSE(looks_like_token("eyJh.a.b.c"));
  EXPECT_FALSE(looks_like_token("eyJh.a.b c"));
  EXPECT_FALSE(looks_like_token(""));
}

TEST(Jwt, claims_become_a_user_a_tenant_and_scopes) {
  JwtSettings settings = settings_of();
  settings.tenant_claim = "org";
  Json claims = claims_of();
  claims["org"] = "clinic";
  auto checked = check(claims, settings);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->user, "ann");
  EXPECT_EQ(checked->tenant, "clinic");
  EXPECT_EQ(checked->token_id, "t-1");
  EXPECT_EQ(checked->issuer, "https://issuer.example");
  EXPECT_EQ(checked->scopes, (Scopes{Scope::chat, Scope::knowledge}));
  EXPECT_EQ(checked->good_until, WallTime(std::chrono::seconds(kNow + 660)));
  claims["scope"] = {"jobs", "admin", "other"};
  EXPECT_EQ(check(claims, settings)->scopes, (Scopes{Scope::jobs, Scope::admin}));
  claims.erase("scope");
  EXPECT_EQ(check(claims, settings)->scopes, Scopes());
  settings.scopes = {"chat"};
  EXPECT_EQ(check(claims, settings)->scopes, Scopes{Scope::chat});
  claims["scope"] = 7;
  EXPECT_EQ(reason(claims, settings), "wrong_token");
  claims["scope"] = {"jobs", 7};
  EXPECT_EQ(reason(claims, settings), "wrong_token");
  claims = claims_of();
  EXPECT_EQ(reason(claims, settings), "wrong_token") << "the tenant's claim is missing";
}

TEST(Jwt, security_11_times_count_with_a_leeway_of_a_minute) {
  Json claims = claims_of();
  for (const auto& [exp, expected] : std::initializer_list<std::pair<int, const char*>>{
           {-59, "ok"}, {-60, "expired_token"}, {-61, "expired_token"}, {1, "ok"}}) {
    claims["exp"] = kNow + exp;
    EXPECT_EQ(reason(claims), expected) << exp;
  }
  claims = claims_of();
  for (const auto& [nbf, expected] : std::initializer_list<std::pair<int, const char*>>{
           {-1, "ok"}, {59, "ok"}, {60, "ok"}, {61, "wrong_token"}}) {
    claims["nbf"] = kNow + nbf;
    EXPECT_EQ(reason(claims), expected) << nbf;
  }
  claims["nbf"] = "soon";
  EXPECT_EQ(reason(claims), "wrong_token");
  claims = claims_of();
  for (const Json& exp : {Json("1700000600"), Json(nullptr), Json(-1), Json(1e12), Json(true)}) {
    claims["exp"] = exp;
    EXPECT_EQ(reason(claims), "wrong_token") << exp.dump();
  }
  claims["exp"] = double(kNow) + 0.5;
  EXPECT_EQ(reason(claims), "ok");
  claims.erase("exp");
  EXPECT_EQ(reason(claims), "wrong_token") << "a token without an end";
}

TEST(Jwt, security_11_issuer_and_audience_must_be_ours) {
  Json claims = claims_of();
  for (const Json& iss : {Json("https://issuer.example/"), Json("HTTPS://issuer.example"), Json(""),
                          Json(nullptr), Json({"https://issuer.example"})}) {
    claims["iss"] = iss;
    EXPECT_EQ(reason(claims), "wrong_token") << iss.dump();
  }
  claims = claims_of();
  claims["aud"] = {"other", "mainstay"};
  EXPECT_EQ(reason(claims), "ok");
  for (const Json& aud : {Json("other"), Json({"other"}), Json::array(), Json(7), Json({7})}) {
    claims["aud"] = aud;
    EXPECT_EQ(reason(claims), "wrong_token") << aud.dump();
  }
  claims.erase("aud");
  EXPECT_EQ(reason(claims), "wrong_token");
  EXPECT_EQ(check_claims(R"({"iss":"a","iss":"https://issuer.example"})", settings_of(), {})
                .error()
                .reason,
            "wrong_token");
}

TEST(Jwt, a_token_cannot_name_a_user_that_this_server_named) {
  Json claims = claims_of();
  for (const Json& sub : {Json("local"), Json("admin"), Json("key_0011223344556677"), Json(""),
                          Json(std::string(257, 'u')), Json("a\nb"), Json("a\0b"s), Json(7)}) {
    claims["sub"] = sub;
    EXPECT_EQ(reason(claims), "wrong_token") << sub.dump();
  }
  claims["sub"] = std::string(256, 'u');
  EXPECT_EQ(reason(claims), "ok");
}

TEST(KeySet, keys_for_other_uses_and_of_other_kinds_are_left_out) {
  Json encryption = TestKey::ec().jwk("enc");
  encryption["use"] = "enc";
  Json mislabelled = TestKey::ec().jwk("alg");
  mislabelled["alg"] = "ES384";
  Json off_curve = TestKey::ec().jwk("off");
  off_curve["y"] = TestKey::ec().jwk("off")["y"];
  const Json symmetric = {{"kty", "oct"}, {"kid", "oct"}, {"k", to_base64url(kSecret)}};
  auto set = KeySet::parse(set_of({encryption, mislabelled, off_curve, symmetric, 7,
                                   TestKey::rsa(1024).jwk("small"), TestKey::ed().jwk("good")}));
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->size(), 1u);
  EXPECT_NE(set->find(Algorithm::eddsa, "good"), nullptr);
  EXPECT_FALSE(KeySet::parse(set_of({symmetric})).ok());
  EXPECT_FALSE(KeySet::parse("[]").ok());
  EXPECT_FALSE(KeySet::parse("<html>").ok());
}

TEST(KeySet, security_07_a_key_is_found_for_its_own_algorithm_alone) {
  const TestKey& rsa = TestKey::shared_rsa();
  auto set = KeySet::parse(set_of({rsa.jwk("one")}));
  ASSERT_TRUE(set.ok());
  EXPECT_NE(set->find(Algorithm::rs256, "one"), nullptr);
  for (const Algorithm other : {Algorithm::hs256, Algorithm::es256, Algorithm::eddsa}) {
    EXPECT_EQ(set->find(other, "one"), nullptr);
    EXPECT_EQ(set->find(other, ""), nullptr);
  }
  EXPECT_TRUE(set->knows("one"));
}

TEST(KeySet, a_token_without_a_kid_means_the_only_key_of_its_algorithm) {
  auto one = KeySet::parse(set_of({TestKey::ec().jwk("a"), TestKey::ed().jwk("b")}));
  ASSERT_TRUE(one.ok());
  EXPECT_NE(one->find(Algorithm::es256, ""), nullptr);
  auto two = KeySet::parse(set_of({TestKey::ec().jwk("a"), TestKey::ec().jwk("b")}));
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->find(Algorithm::es256, ""), nullptr);
  Json unnamed = TestKey::ec().jwk("");
  unnamed.erase("kid");
  Json unnamed_too = TestKey::ec().jwk("");
  unnamed_too.erase("kid");
  EXPECT_EQ(KeySet::parse(set_of({unnamed, unnamed_too}))->find(Algorithm::es256, ""), nullptr);
}

TEST(KeySet, a_set_has_at_most_64_keys) {
  const Json jwk = TestKey::ed().jwk("k");
  for (int n : {63, 64, 65}) {
    Json set = {{"keys", Json::array()}};
    for (int i = 0; i < n; ++i) set["keys"].push_back(jwk);
    EXPECT_EQ(KeySet::parse(set.dump()).ok(), n <= 64) << n;
  }
}

}  // namespace
}  // namespace mainstay::admission
