// Limits of users, keys, addresses and models: which one refuses, when to come back, all or none,
// and what is remembered.
#include "admission/limits.h"

#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

struct LimitsTest : SimTest {
  static Caller caller(const std::string& user, const std::string& key = "") {
    Caller out;
    out.owner = {TenantId("default"), UserId(user)};
    out.key = key;
    return out;
  }
  Limits& limits() {
    if (!made) made.emplace(settings, clock);
    return *made;
  }
  RateView head(const Caller& who, std::string_view address = {}) {
    return limits().take({.caller = who, .address = address, .part = Part::head}, nullptr,
                         clock.now());
  }
  RateView body(const Caller& who, std::uint64_t tokens, Reservation& into,
                std::string_view model = {}) {
    return limits().take({.caller = who, .model = model, .tokens = tokens, .part = Part::body},
                         &into, clock.now());
  }
  int passed(const Caller& who, int posts, std::string_view address = {}) {
    int n = 0;
    for (int i = 0; i < posts; ++i) n += head(who, address).allowed ? 1 : 0;
    return n;
  }
  LimitSettings settings;
  std::optional<Limits> made;
};

// proves M3
TEST_F(LimitsTest, fault_20_of_36_posts_at_once_35_pass_and_the_next_is_told_two_seconds) {
  const Caller user = caller("user-a");
  for (std::uint32_t i = 0; i < 35; ++i) {
    const RateView view = head(user);
    ASSERT_TRUE(view.allowed) << "post " << i + 1;
    EXPECT_EQ(view.limit, 30u);
    EXPECT_EQ(view.remaining, 34 - i);
    EXPECT_EQ(view.retry_after, 0ns);
  }
  const RateView refused = head(user);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0u);
  EXPECT_EQ(refused.retry_after, 2s);
  EXPECT_EQ(refused.reset, 70s);
  EXPECT_EQ(refused.by, Subject::user);
  EXPECT_EQ(refused.over, Measure::requests);
  const Error error = refusal(refused);
  EXPECT_EQ(error.code, Errc::over_limit);
  EXPECT_EQ(error.reason, "rate_limited");
  EXPECT_EQ(error.retry_after, 2000ms);
  EXPECT_EQ(error.message,
            "You have sent more than 30 requests a minute. The next one is welcome in 2 s.");
}

TEST_F(LimitsTest, who_comes_back_when_told_passes_and_a_moment_earlier_does_not) {
  const Caller user = caller("user-a");
  passed(user, 35);
  clock.advance(head(user).retry_after - 1ns);
  EXPECT_FALSE(head(user).allowed);
  clock.advance(1ns);
  EXPECT_TRUE(head(user).allowed);
  EXPECT_FALSE(head(user).allowed);
}

TEST_F(LimitsTest, told_waits_are_kept_from_any_moment_within_a_minute) {
  const Caller user = caller("user-a");
  passed(user, 35);
  for (int i = 1; i <= 500; ++i) {
    clock.advance(std::chrono::milliseconds(i % 7 * 131 + 1));
    const RateView view = head(user);
    if (view.allowed) continue;
    clock.advance(view.retry_after);
    ASSERT_TRUE(head(user).allowed) << "round " << i;
  }
}

TEST_F(LimitsTest, one_user_does_not_use_up_anothers_requests_nor_its_namesakes_in_another_tenant) {
  passed(caller("user-a"), 36);
  EXPECT_EQ(passed(caller("user-b"), 36), 35);
  Caller namesake = caller("user-a");
  namesake.owner.tenant = TenantId("other");
  EXPECT_EQ(passed(namesake, 36), 35);
  EXPECT_EQ(limits().entries(), 3u);
}

TEST_F(LimitsTest, zero_is_no_limit_and_remembers_nobody) {
  settings.user = {};
  settings.user.requests_per_minute = 0;
  EXPECT_EQ(passed(caller("user-a", "key-a"), 1000, "192.0.2.1"), 1000);
  EXPECT_EQ(head(caller("user-a")).limit, 0u) << "no figures for the headers";
  EXPECT_EQ(limits().entries(), 0u);
}

TEST_F(LimitsTest, each_subject_refuses_in_its_own_name) {
  settings.user.requests_per_minute = 0;
  settings.key.requests_per_minute = 2;
  EXPECT_EQ(passed(caller("user-a", "key-a"), 3), 2);
  EXPECT_EQ(head(caller("user-b", "key-a")).by, Subject::key) << "of the key, whoever uses it";
  EXPECT_TRUE(head(caller("user-a", "key-b")).allowed);
  EXPECT_TRUE(head(caller("user-a")).allowed) << "without a key there is no key's limit";

  settings.key.requests_per_minute = 0;
  settings.address.requests_per_minute = 2;
  limits().apply(settings);
  EXPECT_EQ(passed(caller("user-c"), 3, "192.0.2.1"), 2);
  EXPECT_EQ(head(caller("user-d"), "192.0.2.1").by, Subject::address);
  EXPECT_TRUE(head(caller("user-d"), "192.0.2.2").allowed);

  settings.address.requests_per_minute = 0;
  settings.model.requests_per_minute = 1;
  limits().apply(settings);
  Reservation held;
  EXPECT_TRUE(body(caller("user-e"), 1, held, "large").allowed);
  const RateView refused = body(caller("user-f"), 1, held, "large");
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.by, Subject::model);
  EXPECT_EQ(refused.retry_after, 60s);
  EXPECT_TRUE(body(caller("user-f"), 1, held, "small").allowed);
}

TEST_F(LimitsTest, addresses_of_one_ipv6_network_count_as_one) {
  settings.user.requests_per_minute = 0;
  settings.address.requests_per_minute = 2;
  EXPECT_EQ(passed(caller("a"), 1, "2001:db8:1:2::1"), 1);
  EXPECT_EQ(passed(caller("b"), 2, "2001:db8:1:2:ffff::9"), 1);
  EXPECT_EQ(passed(caller("c"), 3, "2001:db8:1:3::1"), 2) << "another network";
  EXPECT_EQ(passed(caller("d"), 3, "::ffff:192.0.2.1"), 2);
  EXPECT_EQ(passed(caller("d"), 3, "::ffff:192.0.2.2"), 2) << "IPv4 inside IPv6: by address";
}

TEST_F(LimitsTest, a_refusal_charges_no_bucket_at_all) {
  settings.user.requests_per_minute = 10;
  settings.user.burst = 0;
  settings.user.tokens_per_minute = 1000;
  settings.key.requests_per_minute = 10;
  settings.model.tokens_per_day = 500;
  const Caller user = caller("user-a", "key-a");
  Reservation one;
  Reservation other;
  const Ask ask{.caller = user, .model = "m", .tokens = 400};
  EXPECT_TRUE(limits().take(ask, &one, clock.now()).allowed);
  const RateView refused = limits().take(ask, &other, clock.now());
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.by, Subject::model);
  EXPECT_EQ(refused.over, Measure::tokens_per_day);
  EXPECT_EQ(refused.remaining, 9u) << "the request was not counted";
  EXPECT_EQ(refused.tokens.remaining, 100u) << "of the model; nor were its tokens";
  const Ask another{.caller = user, .tokens = 600};
  EXPECT_TRUE(limits().take(another, &other, clock.now()).allowed) << "the user's are all there";
}

TEST_F(LimitsTest, when_several_refuse_the_longest_wait_is_told_and_enough) {
  settings.user.requests_per_minute = 60;
  settings.user.burst = 0;
  settings.key.requests_per_minute = 1;
  const Caller user = caller("user-a", "key-a");
  EXPECT_TRUE(head(user).allowed);
  const RateView refused = head(user);
  EXPECT_EQ(refused.by, Subject::key);
  EXPECT_EQ(refused.retry_after, 60s);
  clock.advance(refused.retry_after);
  EXPECT_TRUE(head(user).allowed);
}

TEST_F(LimitsTest, a_head_whose_body_is_refused_gets_its_request_back) {
  const Caller user = caller("user-a");
  EXPECT_EQ(head(user).remaining, 34u);
  limits().take_back({.caller = user, .part = Part::head}, clock.now());
  EXPECT_EQ(head(user).remaining, 34u);
}

TEST_F(LimitsTest, tokens_a_minute_are_refused_beyond_the_limit_with_the_exact_wait) {
  settings.user.tokens_per_minute = 6000;
  const Caller user = caller("user-a");
  Reservation one;
  Reservation two;
  Reservation three;
  EXPECT_TRUE(body(user, 5999, one).allowed);
  EXPECT_TRUE(body(user, 1, two).allowed);
  const RateView refused = body(user, 100, three);
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.over, Measure::tokens_per_minute);
  EXPECT_EQ(refused.retry_after, 1s);
  EXPECT_EQ(refused.tokens.limit, 6000u);
  EXPECT_EQ(refused.tokens.remaining, 0u);
  EXPECT_EQ(refused.tokens.reset, 60s);
  const Error error = refusal(refused);
  EXPECT_EQ(error.reason, "tokens_limited");
  EXPECT_EQ(error.message,
            "You have used what the limit of 6000 tokens a minute leaves. There is "
            "room for this request in 1 s.");
  clock.advance(1s);
  EXPECT_TRUE(body(user, 100, three).allowed);
}

TEST_F(LimitsTest, a_request_that_no_wait_makes_room_for_is_told_so) {
  settings.user.tokens_per_day = 1000;
  const Caller user = caller("user-a");
  Reservation held;
  const RateView refused = body(user, 1001, held);
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, 0ns);
  const Error error = refusal(refused);
  EXPECT_EQ(error.reason, "tokens_limited");
  EXPECT_EQ(error.retry_after, 0ms);
  EXPECT_NE(error.message.find("smaller max_tokens"), std::string::npos) << error.message;
  EXPECT_TRUE(body(user, 1000, held).allowed);
}

TEST_F(LimitsTest, a_reservation_is_settled_with_the_real_use) {
  settings.user.tokens_per_minute = 1000;
  const Caller user = caller("user-a");
  const auto left = [&] {
    Reservation none;
    return body(user, 0, none).tokens.remaining;
  };
  Reservation held;
  EXPECT_EQ(body(user, 600, held).tokens.remaining, 400u);
  held.settle(250);
  EXPECT_EQ(left(), 750u);
  held.settle(0);
  EXPECT_EQ(left(), 750u) << "settled once";
  ASSERT_TRUE(body(user, 100, held).allowed);
  held.settle(300);
  EXPECT_EQ(left(), 450u) << "more than reserved is taken as well";
  ASSERT_TRUE(body(user, 50, held).allowed);
  {
    const Reservation gone = std::move(held);
  }
  EXPECT_EQ(left(), 400u) << "nobody said: the estimate stands";
}

TEST_F(LimitsTest, use_beyond_the_reservation_counts_from_now_and_not_from_long_ago) {
  settings.user.tokens_per_minute = 600;
  const Caller user = caller("user-a");
  Reservation held;
  ASSERT_TRUE(body(user, 10, held).allowed);
  clock.advance(30s);  // the bucket is full again
  held.settle(310);
  Reservation none;
  EXPECT_EQ(body(user, 0, none).tokens.remaining, 300u);
}

TEST_F(LimitsTest, at_most_so_many_of_a_key_are_at_work_and_a_moved_reservation_counts_once) {
  settings.key.concurrent = 2;
  const Caller user = caller("user-a", "key-a");
  Reservation one;
  Reservation two;
  Reservation three;
  EXPECT_TRUE(body(user, 0, one).allowed);
  EXPECT_TRUE(body(user, 0, two).allowed);
  const RateView refused = body(user, 0, three);
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.over, Measure::concurrent);
  const Error error = refusal(refused);
  EXPECT_EQ(error.reason, "concurrency_limited");
  EXPECT_GT(error.retry_after, 0ms);
  EXPECT_EQ(error.message,
            "This API key has 2 messages at once already. Let one of them finish first.");
  Reservation moved = std::move(one);
  EXPECT_FALSE(body(user, 0, three).allowed);
  moved = Reservation();
  EXPECT_TRUE(body(user, 0, three).allowed);
}

TEST_F(LimitsTest, a_keys_own_figures_count_for_it_and_lift_its_users) {
  settings.user.requests_per_minute = 2;
  settings.user.burst = 0;
  Caller strong = caller("user-a", "key-a");
  strong.limits.requests_per_minute = 5;
  EXPECT_EQ(passed(strong, 10), 5) << "more than everybody has";
  Caller weak = caller("user-b", "key-b");
  weak.limits.requests_per_minute = 1;
  EXPECT_EQ(passed(weak, 10), 1) << "less than everybody has";
  EXPECT_EQ(head(weak).by, Subject::key);
  EXPECT_EQ(passed(caller("user-b", "key-c"), 10), 1) << "the rest of what the user has";
}

TEST_F(LimitsTest, new_figures_count_at_once_and_keep_what_was_used) {
  const Caller user = caller("user-a");
  EXPECT_EQ(passed(user, 35), 35);
  settings.user.requests_per_minute = 60;
  settings.user.burst = 20;
  limits().apply(settings);
  EXPECT_EQ(passed(user, 100), 10) << "80 hold 80 s, 70 s of which are used";
}

// proves M3
TEST_F(LimitsTest, fault_17_a_million_users_in_a_day_end_where_they_began) {
  settings.user.tokens_per_minute = 100'000;
  constexpr int kUsers = 1'000'000;
  std::size_t most = 0;
  const TimePoint start = clock.now();
  for (int i = 0; i < kUsers; ++i) {
    const auto at = start + std::chrono::microseconds(86'400LL * i);
    const Caller user = caller("user-" + std::to_string(i));
    Reservation held;
    ASSERT_TRUE(limits().take({.caller = user, .tokens = 10}, &held, at).allowed);
    if (i % 1000 == 0) most = std::max(most, limits().entries());
  }
  // 2 s until a request's bucket is full again: 24 users. The rest is what is found late.
  EXPECT_LE(most, 1000u);
  EXPECT_LE(limits().entries(), 1000u);
  limits().reclaim(start + 24h + 1min);
  EXPECT_EQ(limits().entries(), 0u);
}

TEST_F(LimitsTest, a_user_that_is_limited_is_not_forgotten_by_reclaiming) {
  passed(caller("user-a"), 35);
  passed(caller("user-b"), 1);
  clock.advance(2s);
  EXPECT_EQ(limits().reclaim(clock.now()), 1u);
  EXPECT_EQ(passed(caller("user-a"), 35), 1);
  clock.advance(72s);
  EXPECT_EQ(limits().reclaim(clock.now()), 1u);
  EXPECT_EQ(limits().entries(), 0u);
}

TEST_F(LimitsTest, more_subjects_than_remembered_push_out_who_is_idle_soonest) {
  settings.users_max = 32 * 4;  // four a shard
  const Caller user = caller("user-a");
  passed(user, 35);
  for (int i = 0; i < 2'000; ++i) {
    head(caller("stranger-" + std::to_string(i)));
    clock.advance(1ms);
    passed(user, 2);  // keeps it limited
    ASSERT_FALSE(head(user).allowed) << "forgotten after " << i;
  }
  EXPECT_LE(limits().entries(), 32u * 4u);
}

TEST_F(LimitsTest, who_has_a_request_at_work_is_not_pushed_out) {
  settings.users_max = 32;  // one a shard
  settings.key.concurrent = 1;
  std::vector<Reservation> held(200);
  for (std::size_t i = 0; i < held.size(); ++i) {
    ASSERT_TRUE(body(caller("u", "key-" + std::to_string(i)), 0, held[i]).allowed);
  }
  for (std::size_t i = 0; i < held.size(); ++i) {
    Reservation none;
    ASSERT_FALSE(body(caller("u", "key-" + std::to_string(i)), 0, none).allowed) << i;
  }
  held.clear();
  limits().reclaim(clock.now());
  EXPECT_EQ(limits().entries(), 0u);
}

TEST(Tokens, an_estimate_is_a_quarter_of_the_bytes_and_the_longest_answer) {
  EXPECT_EQ(tokens_of({.prompt_bytes = 4003, .answer = 50}, 1024), 1050u);
  EXPECT_EQ(tokens_of({.prompt_bytes = 4000}, 1024), 2024u);
}

}  // namespace
}  // namespace mainstay::admission
