// Wrong credentials cost a growing delay, in bounded memory.
#include "admission/attempts.h"

#include <gtest/gtest.h>

#include "admission/jwks.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{5000s};

std::uint64_t sender(const char* address) {
  return sender_of(asio::ip::make_address(address));
}

TEST(FailedAttempts, the_free_ones_cost_nothing_and_then_the_delay_doubles_up_to_its_end) {
  AuthSettings settings;
  settings.failures_free = 3;
  FailedAttempts attempts(64);
  TimePoint now = kStart;
  for (int i = 0; i < 3; ++i) attempts.failed(1, now, settings);
  EXPECT_EQ(attempts.wait(1, now), 0s);
  for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
    attempts.failed(1, now, settings);
    EXPECT_EQ(attempts.wait(1, now), expected);
    EXPECT_EQ(attempts.wait(1, now + expected - 1ms), 1ms);
    now += expected;
    EXPECT_EQ(attempts.wait(1, now), 0s);
  }
  EXPECT_EQ(attempts.wait(2, now), 0s) << "another sender";
}

TEST(FailedAttempts, a_quiet_quarter_of_an_hour_is_forgiven) {
  AuthSettings settings;
  settings.failures_free = 1;
  FailedAttempts attempts(64);
  attempts.failed(1, kStart, settings);
  attempts.failed(1, kStart, settings);  // waits until kStart + 1 s
  attempts.failed(1, kStart + 1s + 15min - 1ms, settings);
  EXPECT_EQ(attempts.wait(1, kStart + 1s + 15min - 1ms), 2s);
  const TimePoint later = kStart + 1s + 15min + 2s + 15min;
  attempts.failed(1, later, settings);
  EXPECT_EQ(attempts.wait(1, later), 0s);
}

TEST(FailedAttempts, a_million_addresses_fit_into_the_places_there_are) {
  const AuthSettings settings;
  FailedAttempts attempts(1024);
  for (std::uint64_t i = 1; i <= 1'000'000; ++i) {
    attempts.failed(i, kStart + Duration(i), settings);
  }
  EXPECT_LE(attempts.size(), 1024u);
  EXPECT_GT(attempts.size(), 1000u);
}

TEST(FailedAttempts, addresses_that_one_sender_can_choose_from_are_one_sender) {
  EXPECT_EQ(sender("2001:db8:1:2::1"), sender("2001:db8:1:2:ffff::9"));
  EXPECT_NE(sender("2001:db8:1:2::1"), sender("2001:db8:1:3::1"));
  EXPECT_NE(sender("192.0.2.1"), sender("192.0.2.2"));
  EXPECT_EQ(sender("192.0.2.1"), sender("::ffff:192.0.2.1"));
  EXPECT_NE(sender("::1"), 0u);
}

TEST(IssuerState, the_set_is_read_at_once_then_every_five_minutes_and_sooner_when_wanted) {
  const JwtSettings settings;
  IssuerState state;
  EXPECT_EQ(next_reading(state, settings), TimePoint{});
  state = reading_done(reading_began(state, kStart), kStart);
  EXPECT_EQ(next_reading(state, settings), kStart + 5min);
  state.wanted = true;
  EXPECT_EQ(next_reading(state, settings), kStart + 60s);
}

TEST(IssuerState, an_issuer_that_is_down_is_asked_once_a_minute_and_its_keys_serve_a_day) {
  const JwtSettings settings;
  IssuerState state = reading_done(reading_began({}, kStart), kStart);
  const TimePoint tried = kStart + 5min;
  state = reading_failed(reading_began(state, tried));
  EXPECT_EQ(next_reading(state, settings), tried + 60s);
  EXPECT_TRUE(usable(state, settings, kStart + 24h - 1ms));
  EXPECT_FALSE(usable(state, settings, kStart + 24h));
}

TEST(IssuerState, without_any_keys_readings_are_tried_ever_less_often_down_to_one_a_minute) {
  const JwtSettings settings;
  IssuerState state;
  TimePoint now = kStart;
  for (const Duration expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    state = reading_failed(reading_began(state, now));
    EXPECT_EQ(next_reading(state, settings) - now, expected);
    EXPECT_FALSE(usable(state, settings, now));
    now += expected;
  }
}

TEST(UnknownNames, the_same_name_is_news_once_in_the_time) {
  UnknownNames names;
  EXPECT_TRUE(names.is_news("a", kStart, 5min));
  EXPECT_FALSE(names.is_news("a", kStart + 5min - 1ms, 5min));
  EXPECT_TRUE(names.is_news("a", kStart + 5min, 5min));
  EXPECT_TRUE(names.is_news("b", kStart, 5min));
}

}  // namespace
}  // namespace mainstay::admission
