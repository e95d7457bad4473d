// The history: rings, quantiles between two looks, and the sampler's seconds and minutes.
#include "telemetry/history.h"

#include <gtest/gtest.h>

#include <cmath>

#include "telemetry/history_sampler.h"

namespace mainstay {
namespace {

using namespace std::chrono_literals;

std::vector<std::int64_t> times(const HistoryRing& ring) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < ring.size(); ++i) out.push_back(ring.at(i));
  return out;
}

void add(HistoryRing& ring, std::int64_t at, float value) {
  const std::array<float, 1> row{value};
  ring.add(at, row);
}

TEST(HistoryRing, keeps_as_many_rows_as_it_has_and_the_newest_of_them) {
  HistoryRing ring(3, 1);
  EXPECT_EQ(ring.size(), 0u);
  EXPECT_EQ(ring.first_after(-1), 0u);
  for (std::int64_t at = 1; at <= 2; ++at) add(ring, at, static_cast<float>(at * 10));
  EXPECT_EQ(times(ring), (std::vector<std::int64_t>{1, 2})) << "one less than it holds";
  add(ring, 3, 30);
  EXPECT_EQ(times(ring), (std::vector<std::int64_t>{1, 2, 3})) << "as many as it holds";
  add(ring, 4, 40);
  EXPECT_EQ(times(ring), (std::vector<std::int64_t>{2, 3, 4})) << "one more";
  EXPECT_EQ(ring.value(0, 0), 20.0F);
  EXPECT_EQ(ring.value(2, 0), 40.0F);
}

TEST(HistoryRing, finds_the_first_row_after_a_moment_also_in_gaps) {
  HistoryRing ring(4, 1);
  for (const std::int64_t at : {10, 20, 21, 30, 41}) add(ring, at, 0);
  EXPECT_EQ(times(ring), (std::vector<std::int64_t>{20, 21, 30, 41}));
  EXPECT_EQ(ring.first_after(0), 0u);
  EXPECT_EQ(ring.first_after(19), 0u);
  EXPECT_EQ(ring.first_after(20), 1u);
  EXPECT_EQ(ring.first_after(25), 2u);
  EXPECT_EQ(ring.first_after(40), 3u);
  EXPECT_EQ(ring.first_after(41), 4u);
}

TEST(HistoryRing, leaves_out_a_second_that_is_there_and_begins_anew_when_the_clock_was_set_back) {
  HistoryRing ring(8, 1);
  for (const std::int64_t at : {100, 101}) add(ring, at, 1);
  add(ring, 101, 2);
  add(ring, 101 - HistoryRing::kBackMax, 2);
  EXPECT_EQ(times(ring), (std::vector<std::int64_t>{100, 101}));
  EXPECT_EQ(ring.value(1, 0), 1.0F);
  add(ring, 101 - HistoryRing::kBackMax - 1, 3);
  EXPECT_EQ(times(ring), (std::vector<std::int64_t>{95}));
}

TEST(HistoryRing, a_short_row_is_filled_up_with_what_was_not_measured) {
  HistoryRing ring(2, 3);
  add(ring, 1, 5);
  EXPECT_EQ(ring.value(0, 0), 5.0F);
  EXPECT_TRUE(std::isnan(ring.value(0, 1)));
  EXPECT_TRUE(std::isnan(ring.value(0, 2)));
}

TEST(History, has_columns_up_to_its_bound_and_knows_each_by_its_name) {
  History history({2, 4, 4});
  EXPECT_EQ(history.column("a", "count", Fold::mean), 0u);
  EXPECT_EQ(history.column("b", "bytes", Fold::peak), 1u);
  EXPECT_EQ(history.column("a", "count", Fold::mean), 0u);
  EXPECT_EQ(history.column("c", "count", Fold::mean), std::nullopt);
  EXPECT_EQ(history.columns().size(), 2u);
}

TEST(History, reads_from_the_oldest_in_parts_and_from_the_newest_backwards) {
  History history({1, 10, 10});
  ASSERT_TRUE(history.column("a", "count", Fold::mean));
  for (std::int64_t at = 1; at <= 5; ++at) {
    const std::array<float, 1> row{static_cast<float>(at)};
    history.add(Step::second, at, row);
  }
  const auto first = history.read(Step::second, 1, {0}, 3);
  EXPECT_EQ(first.times, (std::vector<std::int64_t>{2, 3, 4}));
  EXPECT_EQ(first.values, (std::vector<std::vector<float>>{{2, 3, 4}}));
  EXPECT_TRUE(first.more);
  const auto rest = history.read(Step::second, 4, {0}, 3);
  EXPECT_EQ(rest.times, (std::vector<std::int64_t>{5}));
  EXPECT_FALSE(rest.more);
  EXPECT_EQ(history.newest(Step::second, 1, {0}, 2).times, (std::vector<std::int64_t>{4, 5}));
  EXPECT_TRUE(history.newest(Step::second, 5, {0}, 2).times.empty());
  EXPECT_TRUE(history.read(Step::minute, -1, {0}, 3).times.empty());
}

BucketCounts counts_of(const Histogram& histogram) {
  return histogram.buckets();
}

TEST(Quantiles, are_of_what_was_observed_between_two_looks) {
  Histogram histogram;
  for (int i = 0; i < 100; ++i) histogram.observe(60s);
  const BucketCounts before = counts_of(histogram);
  EXPECT_TRUE(std::isnan(quantile_between(before, before, 0.5))) << "nothing was observed";
  for (int i = 0; i < 99; ++i) histogram.observe(1ms);
  histogram.observe(10s);
  const BucketCounts now = counts_of(histogram);
  // 1 ms lies in the bucket from 0.625 to 1.25 ms.
  EXPECT_GT(quantile_between(before, now, 0.5), 0.000625F);
  EXPECT_LE(quantile_between(before, now, 0.5), 0.00125F);
  EXPECT_LE(quantile_between(before, now, 0.99), 0.00125F);
  EXPECT_GT(quantile_between(before, now, 0.995), 5.12F);
  EXPECT_LE(quantile_between(before, now, 1.0), 10.24F);
}

TEST(Quantiles, are_spread_evenly_within_a_bucket_and_end_at_the_last_bound) {
  BucketCounts none{};
  BucketCounts some{};
  some[3] = 4;  // 2.5 to 5 ms
  EXPECT_FLOAT_EQ(quantile_between(none, some, 0.25), 0.003125F);
  EXPECT_FLOAT_EQ(quantile_between(none, some, 1.0), 0.005F);
  BucketCounts beyond{};
  beyond[Histogram::kBuckets] = 1;
  EXPECT_FLOAT_EQ(quantile_between(none, beyond, 0.5), 81.92F);
  EXPECT_TRUE(std::isnan(quantile_between(some, none, 0.5))) << "counts that began anew";
}

TEST(LabelValue, is_the_whole_value_of_the_whole_name) {
  const std::string_view labels = R"(route="a\"b",status="5xx",us="1")";
  EXPECT_EQ(label_value(labels, "route"), R"(a\"b)");
  EXPECT_EQ(label_value(labels, "status"), "5xx");
  EXPECT_EQ(label_value(labels, "us"), "1");
  EXPECT_EQ(label_value(labels, "rou"), "");
  EXPECT_EQ(label_value("", "route"), "");
}

struct SamplerTest : ::testing::Test {
  static SeriesRule rule(std::string column, std::string metric, SeriesKind kind) {
    SeriesRule out;
    out.column = std::move(column);
    out.unit = "unit";
    out.metric = std::move(metric);
    out.kind = kind;
    return out;
  }
  /// The figure of a column in the newest row.
  float newest(const std::string& column, Step step = Step::second) {
    const auto columns = history.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name != column) continue;
      const auto part = history.newest(step, -1, {i}, 1);
      return part.times.empty() ? kNotMeasured : part.values[0][0];
    }
    return kNotMeasured;
  }
  void step(HistorySampler& sampler) {
    sampler.step(at, now);
    ++at;
    now += 1s;
  }

  Metrics metrics;
  History history;
  std::int64_t at = 6000;  // the first second of a minute
  TimePoint now{};
};

TEST_F(SamplerTest, a_counter_becomes_a_rate_and_the_first_look_none) {
  auto& all = metrics.counter("requests_total", "Requests.", {{"status", "2xx"}});
  auto& bad = metrics.counter("requests_total", "Requests.", {{"status", "5xx"}});
  auto errors = rule("errors", "requests_total", SeriesKind::rate);
  errors.wants = [](std::string_view labels) { return label_value(labels, "status") == "5xx"; };
  HistorySampler sampler(metrics, history,
                         {rule("requests", "requests_total", SeriesKind::rate), errors}, {});
  all.add(100);
  step(sampler);
  EXPECT_TRUE(history.newest(Step::second, -1, {}, 9).times.empty());
  all.add(3);
  bad.add(2);
  step(sampler);
  EXPECT_EQ(newest("requests"), 5.0F);
  EXPECT_EQ(newest("errors"), 2.0F);
  all.add(6);
  now += 1s;  // a look that came a second late
  step(sampler);
  EXPECT_EQ(newest("requests"), 3.0F) << "a second, whatever the time between two looks";
}

TEST_F(SamplerTest, values_are_added_up_or_the_largest_or_one_column_each) {
  metrics.gauge("free", "Free.", {{"path", "data"}}).set(40);
  metrics.gauge("free", "Free.", {{"path", "log"}}).set(70);
  auto each = rule("free", "free", SeriesKind::each);
  each.by = "path";
  auto scaled = rule("tenth", "free", SeriesKind::sum);
  scaled.scale = 0.1;
  HistorySampler sampler(
      metrics, history,
      {rule("sum", "free", SeriesKind::sum), scaled, each,
       rule("most", "free", SeriesKind::largest), rule("absent", "nowhere", SeriesKind::sum)},
      [](SampleRow& row) { row.put("probe", "count", Fold::mean, 8); });
  step(sampler);
  step(sampler);
  EXPECT_EQ(newest("sum"), 110.0F);
  EXPECT_EQ(newest("tenth"), 11.0F);
  EXPECT_EQ(newest("most"), 70.0F);
  EXPECT_EQ(newest("free.data"), 40.0F);
  EXPECT_EQ(newest("free.log"), 70.0F);
  EXPECT_EQ(newest("probe"), 8.0F);
  EXPECT_TRUE(std::isnan(newest("absent")));
}

TEST_F(SamplerTest, a_share_is_of_what_was_asked_since_the_last_look) {
  auto& hits = metrics.counter("hits_total", "Hits.");
  auto& misses = metrics.counter("misses_total", "Misses.");
  auto share = rule("hits", "hits_total", SeriesKind::share);
  share.other = "misses_total";
  HistorySampler sampler(metrics, history, {share}, {});
  misses.add(100);
  step(sampler);
  hits.add(3);
  misses.add(1);
  step(sampler);
  EXPECT_EQ(newest("hits"), 0.75F);
  step(sampler);
  EXPECT_TRUE(std::isnan(newest("hits"))) << "nobody asked";
}

TEST_F(SamplerTest, a_minute_folds_its_seconds_and_counts_for_itself) {
  auto& count = metrics.counter("requests_total", "Requests.");
  auto& seconds = metrics.histogram("request_seconds", "Time.");
  auto& level = metrics.gauge("level", "Level.");
  auto quantiles = rule("latency", "request_seconds", SeriesKind::quantiles);
  quantiles.percents = {50, 95};
  auto peak = rule("peak", "level", SeriesKind::sum);
  peak.fold = Fold::peak;
  HistorySampler sampler(metrics, history,
                         {rule("requests", "requests_total", SeriesKind::rate), quantiles, peak,
                          rule("mean", "level", SeriesKind::sum)},
                         {});
  step(sampler);  // of 6000: where the counters stand
  for (int second = 1; second < 60; ++second) {
    level.set(second == 30 ? 59 : 0);
    count.add(second == 7 ? 120 : 0);
    if (second == 7) seconds.observe(3ms);
    step(sampler);
  }
  EXPECT_TRUE(history.newest(Step::minute, -1, {}, 9).times.empty()) << "the minute still runs";
  level.set(0);
  step(sampler);  // of 6060
  const auto minutes = history.newest(Step::minute, -1, {}, 9);
  EXPECT_EQ(minutes.times, (std::vector<std::int64_t>{6000}));
  EXPECT_EQ(newest("requests", Step::minute), 2.0F) << "120 in 60 seconds";
  EXPECT_EQ(newest("peak", Step::minute), 59.0F);
  EXPECT_EQ(newest("mean", Step::minute), 1.0F) << "59 over the 59 seconds measured";
  EXPECT_GT(newest("latency_p95", Step::minute), 0.0025F);
  EXPECT_LE(newest("latency_p95", Step::minute), 0.005F);
  EXPECT_TRUE(std::isnan(newest("latency_p95"))) << "nothing in the last second";
}

}  // namespace
}  // namespace mainstay
