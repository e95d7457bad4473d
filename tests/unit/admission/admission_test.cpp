// The door as a whole: what it refuses is counted and said precisely.
#include "admission/admission.h"

#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

struct AdmissionTest : SimTest {
  std::string metric(const std::string& line) const {
    const std::string text = metrics.text();
    const auto at = text.find("\n" + line + " ");
    if (at == std::string::npos) return "absent";
    const auto value = at + line.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
  }
  static Caller caller(const char* user) {
    Caller out;
    out.owner = {TenantId("default"), UserId(user)};
    return out;
  }
  Settings settings;
  Metrics metrics;
};

// proves M3
TEST_F(AdmissionTest, the_36th_request_at_once_is_refused_with_the_exact_wait) {
  Admission door(settings, clock, metrics);
  for (int i = 0; i < 35; ++i) ASSERT_TRUE(door.count(caller("user-a")).allowed);
  const RateView view = door.count(caller("user-a"));
  ASSERT_FALSE(view.allowed);
  const Error error = Admission::refusal(view);
  EXPECT_EQ(error.code, Errc::over_limit);
  EXPECT_EQ(error.reason, "rate_limited");
  EXPECT_EQ(error.retry_after, 2000ms);
  EXPECT_NE(error.message.find("30 requests a minute"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("2 s"), std::string::npos) << error.message;
  EXPECT_EQ(metric("mainstay_admission_refused_total{reason=\"rate\"}"), "1");
  clock.advance(1500ms);
  EXPECT_EQ(Admission::refusal(door.count(caller("user-a"))).retry_after, 500ms);
}

TEST_F(AdmissionTest, what_a_request_may_use_is_reserved_and_the_figures_are_filled_in) {
  settings.limits.user.tokens_per_minute = 2000;
  settings.limits.tokens_reserved = 100;
  Admission door(settings, clock, metrics);
  RateView view = door.count(caller("user-a"));
  EXPECT_EQ(view.tokens.limit, 0u) << "not known before the body is read";
  auto held = door.reserve(caller("user-a"), view, "", "m", {.prompt_bytes = 400});
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(held->tokens(), 200u);
  EXPECT_EQ(view.limit, 30u);
  EXPECT_EQ(view.remaining, 34u);
  EXPECT_EQ(view.tokens.limit, 2000u);
  EXPECT_EQ(view.tokens.remaining, 1800u);
  EXPECT_EQ(view.tokens.reset, 6s);
}

TEST_F(AdmissionTest, a_body_that_is_refused_does_not_use_up_a_request) {
  settings.limits.user.tokens_per_minute = 2000;
  Admission door(settings, clock, metrics);
  RateView view = door.count(caller("user-a"));
  auto held = door.reserve(caller("user-a"), view, "", "m", {.answer = 2001});
  ASSERT_FALSE(held.ok());
  EXPECT_EQ(held.error().reason, "tokens_limited");
  EXPECT_EQ(view.remaining, 35u) << "its headers say what is left now";
  EXPECT_EQ(view.reset, 0s);
  EXPECT_EQ(door.count(caller("user-a")).remaining, 34u);
  EXPECT_EQ(metric("mainstay_admission_refused_total{reason=\"tokens\"}"), "1");
}

TEST_F(AdmissionTest, what_runs_later_takes_tokens_and_no_place_among_those_at_work) {
  settings.limits.user.tokens_per_minute = 1000;
  settings.limits.key.concurrent = 1;
  settings.limits.tokens_reserved = 100;
  Admission door(settings, clock, metrics);
  Caller ann = caller("user-a");
  ann.key = "key_1";
  RateView view = door.count(ann);
  auto talks = door.reserve(ann, view, "", "m", {.prompt_bytes = 400});
  ASSERT_TRUE(talks.ok());
  const Use use{"m", {.prompt_bytes = 400, .answer = 300}};
  EXPECT_TRUE(door.charge(ann, use).ok()) << "her only place is taken, and not asked for";
  EXPECT_TRUE(door.charge(ann, use).ok());
  const Status refused = door.charge(ann, use);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "tokens_limited");
  EXPECT_EQ(refused.error().retry_after, 24s) << "400 tokens at 1,000 a minute";
  door.give_back(ann, use);
  EXPECT_TRUE(door.charge(ann, use).ok());
  talks->settle(0);
  RateView later = door.count(ann);
  auto shows = door.reserve(ann, later, "", "m", {.answer = 1});
  ASSERT_TRUE(shows.ok()) << "what was charged holds no place";
  EXPECT_EQ(later.tokens.remaining, 199u);
}

TEST_F(AdmissionTest, each_choice_may_be_as_long_as_one_of_unsaid_length) {
  EXPECT_EQ(tokens_of({.prompt_bytes = 40}, 100), 110u);
  EXPECT_EQ(tokens_of({.prompt_bytes = 40, .choices = 3}, 100), 310u);
  EXPECT_EQ(tokens_of({.prompt_bytes = 40, .answer = 7, .choices = 3}, 100), 31u);
}

TEST_F(AdmissionTest, work_for_later_counts_among_the_requests_of_its_model) {
  settings.limits.model.requests_per_minute = 1;
  Admission door(settings, clock, metrics);
  const Use use{"m", {}};
  EXPECT_EQ(door.count(caller("user-a")).remaining, 34u);
  EXPECT_TRUE(door.charge(caller("user-a"), use).ok());
  EXPECT_EQ(door.count(caller("user-b")).remaining, 34u);
  const Status refused = door.charge(caller("user-b"), use);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "rate_limited");
  EXPECT_EQ(door.count(caller("user-b")).remaining, 33u) << "its own request stays counted";
  door.give_back(caller("user-a"), use);
  EXPECT_TRUE(door.charge(caller("user-b"), use).ok());
}

TEST_F(AdmissionTest, maintenance_refuses_new_work_with_its_message_and_lets_the_old_finish) {
  settings.limits.concurrent_max = 1;
  Admission door(settings, clock, metrics);
  EXPECT_TRUE(door.open().ok());
  Outcome<Result<Permit>> works;
  Outcome<Result<Permit>> waits;
  start(io, door.enter(caller("user-a"), Deadline::never()), works);
  start(io, door.enter(caller("user-b"), Deadline::never()), waits);
  clock.advance(0s);
  door.maintenance().on({"Back at noon.", 30s});
  const Status refused = door.open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_EQ(refused.error().reason, "maintenance");
  EXPECT_EQ(refused.error().message, "Back at noon.");
  EXPECT_EQ(refused.error().retry_after, 30s);
  works.value.reset();
  clock.advance(0s);
  ASSERT_TRUE(waits.done);
  EXPECT_TRUE(waits.value->ok()) << "it was there before";
  waits.value.reset();
  EXPECT_EQ(metric("mainstay_admission_refused_total{reason=\"maintenance\"}"), "1");
  door.maintenance().on({});
  EXPECT_FALSE(door.open().error().message.empty());
  door.maintenance().off();
  EXPECT_TRUE(door.open().ok());
}

TEST_F(AdmissionTest, a_callers_right_caps_the_class_it_asks_for) {
  settings.limits.concurrent_max = 1;
  Admission door(settings, clock, metrics);
  Outcome<Result<Permit>> works;
  Outcome<Result<Permit>> batch;
  Outcome<Result<Permit>> chat;
  Caller capped_caller = caller("user-b");
  capped_caller.most_urgent = Priority::batch;
  start(io, door.enter(caller("user-a"), Deadline::never()), works);
  start(io, door.enter(capped_caller, Wish{Priority::voice, 0}, Deadline::never()), batch);
  start(io, door.enter(caller("user-c"), Deadline::never()), chat);
  clock.advance(0s);
  works.value.reset();
  clock.advance(0s);
  EXPECT_FALSE(batch.done);
  EXPECT_TRUE(chat.done);
  chat.value.reset();
  clock.advance(0s);
  EXPECT_TRUE(batch.done);
  batch.value.reset();
}

TEST_F(AdmissionTest, limits_switched_off_count_nothing) {
  settings.limits.enabled = false;
  Admission door(settings, clock, metrics);
  EXPECT_FALSE(door.limited());
  for (int i = 0; i < 100; ++i) {
    const RateView view = door.count(caller("user-a"));
    ASSERT_TRUE(view.allowed);
    ASSERT_EQ(view.limit, 0u) << "no figures for the headers";
  }
}

TEST_F(AdmissionTest, refusals_are_counted_by_their_reason) {
  settings.auth.keys = {Secret("sk-known")};
  settings.limits.concurrent_max = 1;
  settings.limits.queued_max = 1;
  Admission door(settings, clock, metrics);
  EXPECT_FALSE(door.identify({"", "sk-unknown", true}).ok());
  EXPECT_TRUE(door.identify({"", "sk-known", true}).ok());
  Outcome<Result<Permit>> first;
  Outcome<Result<Permit>> second;
  Outcome<Result<Permit>> third;
  start(io, door.enter(caller("user-a"), Deadline::never()), first);
  start(io, door.enter(caller("user-b"), Deadline::never()), second);
  start(io, door.enter(caller("user-c"), Deadline::never()), third);
  clock.advance(0s);
  EXPECT_TRUE(first.done);
  EXPECT_FALSE(second.done);
  ASSERT_TRUE(third.done);
  EXPECT_FALSE(third.value->ok());
  EXPECT_EQ(metric("mainstay_admission_refused_total{reason=\"denied\"}"), "1");
  EXPECT_EQ(metric("mainstay_admission_refused_total{reason=\"capacity\"}"), "1");
  EXPECT_EQ(metric("mainstay_admission_in_use"), "1");
  EXPECT_EQ(metric("mainstay_admission_waiting"), "1");
  first.value.reset();
  clock.advance(0s);
  EXPECT_TRUE(second.done);
  second.value.reset();
}

}  // namespace
}  // namespace mainstay::admission
