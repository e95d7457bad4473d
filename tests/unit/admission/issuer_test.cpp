// Following an issuer's key set and the stored keys, on simulated time.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "admission/identity.h"
#include "storage/memory/open.h"
#include "unit/admission/token_maker.h"
#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

/// Answers with whatever the issuer publishes now; counts.
struct Issuer {
  std::string text;
  bool up = true;
  int readings = 0;
};

Co<Result<std::string>> read_from(Issuer* issuer) {
  ++issuer->readings;
  if (!issuer->up) co_return Error::log(Errc::unavailable, "connection refused");
  co_return issuer->text;
}

struct IssuerTest : SimTest {
  IssuerTest() {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
    settings.auth.jwt.issuer = "https://issuer.example";
    settings.auth.jwt.audience = "mainstay";
    settings.auth.jwt.jwks_url = "https://issuer.example/keys";
    issuer.text = set_of({first.jwk("one")});
  }
  void TearDown() override {
    stop.emit(asio::cancellation_type::terminal);
    clock.advance(0s);
    EXPECT_TRUE(!started || ended) << "the watch ends when it is cancelled";
  }
  void follow() {
    identity = std::make_unique<Identity>(settings, clock);
    ASSERT_TRUE(identity->configure(settings).ok());
    FetchKeySet fetch = [this](Deadline) { return read_from(&issuer); };
    started = true;
    asio::co_spawn(
        io.get_executor(), identity->watch_issuer(std::move(fetch), *log),
        asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr) { ended = true; }));
    clock.advance(0s);
  }
  Result<Caller> try_key(const TestKey& key, const std::string& kid) {
    const Json claims = {{"iss", "https://issuer.example"},
                         {"aud", "mainstay"},
                         {"sub", "ann"},
                         {"exp", unix_seconds(clock.wall()) + 100'000}};
    const std::string token = token_of(key, header_of(key.algorithm(), kid), claims.dump());
    Credentials credentials;
    credentials.api_key = token;
    // A new address each time: this is not about failed attempts.
    credentials.peer = asio::ip::address_v4(0x0a000000U + ++addresses);
    auto caller = identity->identify(credentials);
    clock.advance(0s);
    return caller;
  }
  std::string said(const TestKey& key, const std::string& kid) {
    auto caller = try_key(key, kid);
    return caller.ok() ? "in" : caller.error().reason;
  }

  Settings settings;
  std::unique_ptr<Log> log;
  std::unique_ptr<Identity> identity;
  asio::cancellation_signal stop;
  bool started = false;
  bool ended = false;
  Issuer issuer;
  std::uint32_t addresses = 0;
  const TestKey first = TestKey::ec();
  const TestKey second = TestKey::ed();
};

TEST_F(IssuerTest, the_set_is_read_at_start_and_its_keys_let_in) {
  follow();
  EXPECT_EQ(issuer.readings, 1);
  EXPECT_EQ(said(first, "one"), "in");
  EXPECT_EQ(said(first, ""), "in") << "the only key of its algorithm";
  EXPECT_EQ(said(second, "one"), "wrong_token");
}

TEST_F(IssuerTest, before_any_set_was_read_the_answer_is_come_back) {
  issuer.up = false;
  follow();
  auto caller = try_key(first, "one");
  ASSERT_FALSE(caller.ok());
  EXPECT_EQ(caller.error().code, Errc::unavailable);
  EXPECT_EQ(caller.error().reason, "keys_not_loaded");
  EXPECT_GE(caller.error().retry_after, 1s);
  issuer.up = true;
  clock.advance(caller.error().retry_after);
  EXPECT_EQ(said(first, "one"), "in");
}

// proves security row 10
TEST_F(IssuerTest, security_10_a_thousand_unknown_keys_cause_one_reading_a_minute_at_most) {
  follow();
  for (int minute = 1; minute <= 4; ++minute) {
    for (int i = 0; i < 250; ++i) {
      EXPECT_EQ(said(second, "made-up-" + std::to_string(minute * 1000 + i)), "wrong_token");
    }
    EXPECT_LE(issuer.readings, minute);
    clock.advance(60s);
  }
  EXPECT_LE(issuer.readings, 5);
  EXPECT_GE(issuer.readings, 3);
}

TEST_F(IssuerTest, security_10_the_same_unknown_key_causes_one_reading_in_five_minutes) {
  follow();
  for (int second_of = 0; second_of < 299; ++second_of) {
    EXPECT_EQ(said(second, "made-up"), "wrong_token");
    clock.advance(1s);
  }
  EXPECT_EQ(issuer.readings, 2);
}

TEST_F(IssuerTest, security_10_a_new_key_is_known_within_five_minutes_or_a_minute_after_its_use) {
  follow();
  issuer.text = set_of({first.jwk("one"), second.jwk("two")});
  clock.advance(5min);
  EXPECT_EQ(said(second, "two"), "in") << "without anybody asking";
  issuer.text = set_of({second.jwk("three")});
  clock.advance(61s);
  EXPECT_EQ(said(second, "three"), "wrong_token");
  EXPECT_EQ(said(second, "three"), "in") << "that was asked for at once";
  EXPECT_EQ(said(first, "one"), "wrong_token") << "rotated out, although it was remembered";
}

TEST_F(IssuerTest, security_10_the_last_set_serves_a_day_while_the_issuer_is_down) {
  follow();
  issuer.up = false;
  clock.advance(24h - 1s);
  EXPECT_EQ(said(first, "one"), "in");
  EXPECT_LE(issuer.readings, 24 * 60);
  clock.advance(2s);
  EXPECT_EQ(said(first, "one"), "keys_not_loaded");
  issuer.up = true;
  clock.advance(60s);
  EXPECT_EQ(said(first, "one"), "in");
}

TEST_F(IssuerTest, a_set_that_cannot_be_used_keeps_the_last_one) {
  follow();
  for (const char* text : {"<html>", "{}", R"({"keys":[]})", ""}) {
    issuer.text = text;
    clock.advance(6min);
    EXPECT_EQ(said(first, "one"), "in") << text;
  }
}

TEST_F(IssuerTest, a_reload_to_another_issuer_forgets_the_keys_of_the_first) {
  follow();
  issuer.text = set_of({second.jwk("two")});
  settings.auth.jwt.jwks_url = "https://issuer.example/others";
  ASSERT_TRUE(identity->configure(settings).ok());
  clock.advance(0s);
  EXPECT_EQ(issuer.readings, 2);
  EXPECT_EQ(said(first, "one"), "wrong_token");
  EXPECT_EQ(said(second, "two"), "in");
}

struct StoredKeysTest : IssuerTest {
  StoredKeysTest() : stores(storage::memory::open(clock)) { settings.auth.jwt = {}; }
  void watch() {
    identity = std::make_unique<Identity>(settings, clock);
    started = true;
    asio::co_spawn(
        io.get_executor(), identity->watch_keys(stores->access_keys(), *log),
        asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr) { ended = true; }));
    clock.advance(0s);
  }
  template <class T>
  T run(Co<T> work) {
    Outcome<T> out;
    start(io, std::move(work), out);
    clock.advance(0s);
    return std::move(*out.value);
  }
  NewKey make() {
    KeyWishes wishes;
    wishes.name = "laptop";
    auto made = make_key(wishes, clock);
    auto added = run(stores->access_keys().add(made->row, 100, Deadline::never()));
    EXPECT_TRUE(added.ok());
    return *made;
  }
  std::string said(const std::string& key) {
    Credentials credentials;
    credentials.api_key = key;
    auto caller = identity->identify(credentials);
    return caller.ok() ? "in" : caller.error().reason;
  }
  std::unique_ptr<storage::Stores> stores;
};

TEST_F(StoredKeysTest, a_key_made_or_revoked_elsewhere_counts_two_seconds_later) {
  watch();
  const NewKey key = make();
  clock.advance(2s - 1ms);
  EXPECT_EQ(said(key.text), "wrong_key");
  clock.advance(1ms);
  EXPECT_EQ(said(key.text), "in");
  ASSERT_TRUE(run(stores->access_keys().revoke(key.row.id, clock.wall(), Deadline::never())).ok());
  clock.advance(2s);
  EXPECT_EQ(said(key.text), "wrong_key");
}

TEST_F(StoredKeysTest, when_a_key_was_used_last_is_noted_to_the_minute) {
  const NewKey key = make();
  watch();
  clock.advance(10min);
  const WallTime used = clock.wall();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(said(key.text), "in");
    clock.advance(1s);
  }
  clock.advance(2min);
  auto list = run(stores->access_keys().list(Deadline::never()));
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->keys.size(), 1u);
  EXPECT_EQ(list->keys[0].last_used, used);
}

/// The store's keys, except that notes of use fail while the disk is full.
class FullStore final : public storage::AccessKeys {
 public:
  explicit FullStore(storage::AccessKeys& keys) : keys_(keys) {}
  Co<Status> add(storage::AccessKey key, std::uint32_t most, Deadline by) override {
    return keys_.add(std::move(key), most, by);
  }
  Co<Result<storage::AccessList>> list(Deadline by) override { return keys_.list(by); }
  Co<Result<std::uint64_t>> generation(Deadline by) override { return keys_.generation(by); }
  Co<Status> revoke(std::string id, WallTime at, Deadline by) override {
    return keys_.revoke(std::move(id), at, by);
  }
  Co<Status> used(std::vector<storage::KeyUse> uses, Deadline by) override {
    if (full) co_return Error::log(Errc::disk_full, "no space");
    co_return co_await keys_.used(std::move(uses), by);
  }
  Co<Status> revoke_token(storage::RevokedToken token, WallTime now, std::uint32_t most,
                          Deadline by) override {
    return keys_.revoke_token(std::move(token), now, most, by);
  }
  bool full = true;

 private:
  storage::AccessKeys& keys_;
};

TEST_F(StoredKeysTest,
       a_use_that_could_not_be_noted_is_noted_the_next_time_also_before_its_minute) {
  FullStore store(stores->access_keys());
  identity = std::make_unique<Identity>(settings, clock);
  const NewKey key = make();
  ASSERT_TRUE(run(identity->refresh(store, Deadline::never())).ok());
  clock.advance(1s);
  EXPECT_EQ(said(key.text), "in");
  EXPECT_FALSE(run(identity->note_uses(store, Deadline::never())).ok());
  store.full = false;
  EXPECT_TRUE(run(identity->note_uses(store, Deadline::never())).ok());
  auto list = run(stores->access_keys().list(Deadline::never()));
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->keys.at(0).last_used, clock.wall());
}

}  // namespace
}  // namespace mainstay::admission
