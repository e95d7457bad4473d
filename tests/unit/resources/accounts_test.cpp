// Memory accounts, growth, growth within a request, and alerts.
#include "resources/accounts.h"

#include <gtest/gtest.h>

#include "base/sim_clock.h"
#include "resources/alerts.h"
#include "resources/request_memory.h"

namespace mainstay::resources {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using namespace std::chrono_literals;

TEST(Growth, it_tells_percent_an_hour_after_the_warm_up) {
  Growth growth(10min, 60min);
  TimePoint now{seconds(50)};
  for (int i = 0; i < 600; ++i, now += seconds(1)) growth.add(1e9 * i, now);  // start-up
  EXPECT_FALSE(growth.percent_an_hour());
  // 100 to 110 within an hour: 10 of the mean, 105.
  for (int i = 0; i <= 3600; ++i, now += seconds(1)) {
    growth.add(100.0 + 10.0 * i / 3600 + (i % 2 == 0 ? 0.5 : -0.5), now);
    if (i == 14 * 60) EXPECT_FALSE(growth.percent_an_hour()) << "too little seen";
  }
  ASSERT_TRUE(growth.percent_an_hour());
  EXPECT_NEAR(*growth.percent_an_hour(), 9.5, 0.5);
  for (int i = 0; i <= 3700; ++i, now += seconds(1)) growth.add(110, now);
  EXPECT_NEAR(*growth.percent_an_hour(), 0, 0.01) << "the old hour is forgotten";
}

TEST(MemoryBook, parts_are_summed_and_gone_when_removed) {
  MemoryBook book;
  book.add("cache", [] { return 30U; }, 100);
  book.add("queues", [] { return 12U; }, 0);
  auto accounts = book.read();
  EXPECT_EQ(accounts.sum, 42u);
  ASSERT_EQ(accounts.parts.size(), 2u);
  EXPECT_EQ(accounts.parts[0].name, "cache");
  EXPECT_EQ(accounts.parts[0].cap, 100u);
  book.remove("cache");
  EXPECT_EQ(book.read().sum, 12u);
  for (int i = 0; i < 100; ++i) book.add("p" + std::to_string(i), [] { return 1U; }, 0);
  EXPECT_EQ(book.read().parts.size(), 64u) << "bounded";
}

class RequestMemoryTest : public testing::Test {
 protected:
  void grow(std::uint64_t bytes) {
    resident_ += bytes;
    clock_.advance(50ms);
  }
  asio::io_context io_;
  SimClock clock_{io_};
  std::uint64_t resident_ = 1000;
  RequestMemory memory_{clock_, 50, [this] { return resident_; }};
};

// proves K6
TEST_F(RequestMemoryTest, growth_above_the_limit_is_reported) {
  for (const std::uint64_t bytes : {49U, 50U}) {
    const auto start = memory_.begin();
    grow(bytes);
    EXPECT_FALSE(memory_.end(start)) << bytes;
  }
  const auto start = memory_.begin();
  grow(51);
  const auto report = memory_.end(start);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->bytes, 51u);
  EXPECT_EQ(report->beside, 0u) << "it ran alone";
}

TEST_F(RequestMemoryTest, growth_is_reported_once_however_many_ran) {
  const auto first = memory_.begin();
  const auto second = memory_.begin();
  const auto third = memory_.begin();
  grow(200);
  const auto report = memory_.end(second);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->bytes, 200u);
  EXPECT_EQ(report->beside, 2u);
  EXPECT_FALSE(memory_.end(third));
  grow(70);
  const auto later = memory_.end(first);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->bytes, 70u) << "what was told already is taken off";
}

TEST_F(RequestMemoryTest, the_size_is_read_at_most_each_50_ms) {
  int reads = 0;
  RequestMemory memory(clock_, 50, [&reads] { return static_cast<std::uint64_t>(++reads); });
  for (int i = 0; i < 100; ++i) memory.end(memory.begin());
  EXPECT_EQ(reads, 1);
  clock_.advance(50ms);
  memory.begin();
  EXPECT_EQ(reads, 2);
}

TEST(RequestMemory, this_process_has_a_size) {
  EXPECT_GT(resident_bytes(), 1U << 20U);
}

class AlertsTest : public testing::Test {
 protected:
  Alerts::Change judge(bool holds, const char* name = "cpu") {
    return alerts_.judge(name, Severity::warning, holds, "Too hot.");
  }
  asio::io_context io_;
  SimClock clock_{io_};
  Alerts alerts_{clock_, 60s, 3};
};

// proves K7
TEST_F(AlertsTest, an_alert_is_raised_after_its_hold_time_and_cleared_after_as_long) {
  EXPECT_EQ(judge(true), Alerts::Change::none);
  clock_.advance(60s - 1ns);
  EXPECT_EQ(judge(true), Alerts::Change::none);
  EXPECT_EQ(alerts_.active(), 0u);
  clock_.advance(1ns);
  EXPECT_EQ(judge(true), Alerts::Change::raised);
  EXPECT_EQ(judge(true), Alerts::Change::none);
  ASSERT_EQ(alerts_.list().size(), 1u);
  EXPECT_FALSE(alerts_.list()[0].cleared);
  EXPECT_EQ(alerts_.list()[0].raised, clock_.wall());
  EXPECT_EQ(judge(false), Alerts::Change::none);
  clock_.advance(59s);
  EXPECT_EQ(judge(true), Alerts::Change::none) << "it was on the edge";
  EXPECT_EQ(judge(false), Alerts::Change::none);
  clock_.advance(60s);
  EXPECT_EQ(judge(false), Alerts::Change::cleared);
  EXPECT_TRUE(alerts_.list()[0].cleared);
  EXPECT_EQ(alerts_.active(), 0u);
}

TEST_F(AlertsTest, the_past_is_bounded_and_so_are_the_names) {
  for (int i = 0; i < 10; ++i) {
    alerts_.tell("disk_full", Severity::critical, true, "n" + std::to_string(i));
    alerts_.tell("disk_full", Severity::critical, false, "");
  }
  ASSERT_EQ(alerts_.list().size(), 3u);
  EXPECT_EQ(alerts_.list()[0].sentence, "n9");
  for (int i = 0; i < 300; ++i) {
    alerts_.tell("name" + std::to_string(i), Severity::warning, true, "x");
  }
  EXPECT_LE(alerts_.active(), 256u);
}

}  // namespace
}  // namespace mainstay::resources
