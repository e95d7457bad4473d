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
