// Metrics and their text form.
#include "telemetry/metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

namespace mainstay {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(metrics, text_has_help_type_and_values_by_name) {
  Metrics metrics;
  metrics.gauge("mainstay_b", "Second.").set(-7);
  metrics.counter("mainstay_a_total", "First.", {{"code", "200"}, {"kind", "x"}}).add(3);
  metrics.counter("mainstay_a_total", "First.", {{"code", "500"}, {"kind", "y"}}).add();
  EXPECT_EQ(metrics.text(),
            "# HELP mainstay_a_total First.\n"
            "# TYPE mainstay_a_total counter\n"
            "mainstay_a_total{code=\"200\",kind=\"x\"} 3\n"
            "mainstay_a_total{code=\"500\",kind=\"y\"} 1\n"
            "# HELP mainstay_b Second.\n"
            "# TYPE mainstay_b gauge\n"
            "mainstay_b -7\n");
}

TEST(metrics, a_handle_of_the_same_name_and_labels_is_the_same) {
  Metrics metrics;
  Counter& one = metrics.counter("a_total", "A.", {{"k", "v"}});
  EXPECT_EQ(&one, &metrics.counter("a_total", "A.", {{"k", "v"}}));
  EXPECT_NE(&one, &metrics.counter("a_total", "A.", {{"k", "w"}}));
}

TEST(metrics, label_values_and_help_are_escaped) {
  Metrics metrics;
  metrics.gauge("g", "Line\nbreak \\ \"quote\".", {{"k", "a\"b\\c\nd\xff"}}).set(1);
  EXPECT_EQ(metrics.text(),
            "# HELP g Line\\nbreak \\\\ \"quote\".\n"
            "# TYPE g gauge\n"
            "g{k=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\n");
}

TEST(metrics, functions_are_asked_at_each_scrape) {
  Metrics metrics;
  double value = 1.5;
  metrics.gauge_from("g", "G.", {{"of", "x"}}, [&] { return value; });
  metrics.counter_from("c_total", "C.", {}, [] { return 12345678901.0; });
  EXPECT_NE(metrics.text().find("g{of=\"x\"} 1.5\n"), std::string::npos);
  EXPECT_NE(metrics.text().find("c_total 12345678901\n"), std::string::npos);
  value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(metrics.text().find("g{of=\"x\"} NaN\n"), std::string::npos);
  value = std::numeric_limits<double>::infinity();
  EXPECT_NE(metrics.text().find("g{of=\"x\"} +Inf\n"), std::string::npos);
}

TEST(metrics, functions_of_one_look_see_its_number_and_the_next_look_another) {
  Metrics metrics;
  std::vector<std::uint64_t> seen;
  const auto read = [&] {
    seen.push_back(metrics.look());
    return 0.0;
  };
  metrics.gauge_from("g", "G.", {{"of", "x"}}, read);
  metrics.gauge_from("g", "G.", {{"of", "y"}}, read);
  metrics.text();
  metrics.each("g", [](const Metrics::Seen&) {});
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[2], seen[3]);
  EXPECT_NE(seen[1], seen[2]);
}

TEST(metrics, a_held_gauge_is_shown_while_somebody_holds_it) {
  Metrics metrics(2);
  auto one = metrics.held_gauge("g", "G.", {{"of", "x"}});
  auto same = metrics.held_gauge("g", "G.", {{"of", "x"}});
  EXPECT_EQ(one, same);
  one->set(3);
  one.reset();
  EXPECT_NE(metrics.text().find("g{of=\"x\"} 3\n"), std::string::npos);
  double seen = 0;
  metrics.each("g", [&](const Metrics::Seen& each) { seen += each.value; });
  EXPECT_EQ(seen, 3);
  same.reset();
  EXPECT_EQ(metrics.text().find("of="), std::string::npos);
  metrics.each("g", [&](const Metrics::Seen&) { seen = -1; });
  EXPECT_EQ(seen, 3);
  for (int i = 0; i < 5; ++i) {
    metrics.held_gauge("g", "G.", {{"of", std::to_string(i)}})->set(1);
  }
  const auto last = metrics.held_gauge("g", "G.", {{"of", "last"}});
  EXPECT_NE(metrics.text().find("g{of=\"last\"} 0\n"), std::string::npos)
      << "those that went leave their room";
}

TEST(metrics, a_duration_lies_in_the_bucket_whose_bound_it_does_not_exceed) {
  for (std::size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    const auto bound = nanoseconds(std::int64_t{625'000} << bucket);
    Histogram histogram;
    histogram.observe(bound - nanoseconds(1));
    histogram.observe(bound);
    histogram.observe(bound + nanoseconds(1));
    const auto all = histogram.buckets();
    EXPECT_EQ(all[bucket], 2u) << bucket;
    EXPECT_EQ(all[bucket + 1], 1u) << bucket;
    EXPECT_DOUBLE_EQ(Histogram::bound(bucket), std::chrono::duration<double>(bound).count());
  }
  EXPECT_DOUBLE_EQ(Histogram::bound(0), 0.000625);
  EXPECT_DOUBLE_EQ(Histogram::bound(Histogram::kBuckets - 1), 81.92);
  Histogram histogram;
  histogram.observe(nanoseconds(-5));
  EXPECT_EQ(histogram.buckets()[0], 1u);
  EXPECT_EQ(histogram.sum_seconds(), 0.0);
}

TEST(metrics, histograms_are_cumulative_with_sum_and_count) {
  Metrics metrics;
  auto& h = metrics.histogram("h_seconds", "H.", {{"k", "v"}});
  h.observe(microseconds(600));
  h.observe(milliseconds(1));
  h.observe(std::chrono::seconds(100));
  const std::string text = metrics.text();
  for (const char* line :
       {"# TYPE h_seconds histogram\n", "h_seconds_bucket{k=\"v\",le=\"0.000625\"} 1\n",
        "h_seconds_bucket{k=\"v\",le=\"0.00125\"} 2\n",
        "h_seconds_bucket{k=\"v\",le=\"81.92\"} 2\n", "h_seconds_bucket{k=\"v\",le=\"+Inf\"} 3\n",
        "h_seconds_sum{k=\"v\"} 100.0016\n", "h_seconds_count{k=\"v\"} 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(metrics, quantiles_are_bounds_of_buckets) {
  Histogram h;
  EXPECT_EQ(h.quantile(0.5), 0.0);
  for (int i = 0; i < 90; ++i) h.observe(microseconds(1));
  for (int i = 0; i < 10; ++i) h.observe(std::chrono::seconds(1));
  EXPECT_DOUBLE_EQ(h.quantile(0.5), 0.000625);
  EXPECT_DOUBLE_EQ(h.quantile(0.9), 0.000625);
  EXPECT_DOUBLE_EQ(h.quantile(0.91), 1.28);
  EXPECT_DOUBLE_EQ(h.quantile(1), 1.28);
  h.observe(std::chrono::hours(1));
  EXPECT_DOUBLE_EQ(h.quantile(1), 81.92);
}

TEST(metrics, beyond_the_limit_series_share_the_overflow_label) {
  Metrics metrics(3);
  for (int i = 0; i < 6; ++i) metrics.counter("a_total", "A.", {{"i", std::to_string(i)}}).add();
  metrics.counter("a_total", "A.", {{"i", "1"}}).add(10);
  const std::string text = metrics.text();
  EXPECT_NE(text.find("a_total{i=\"1\"} 11\n"), std::string::npos);
  EXPECT_NE(text.find("a_total{i=\"2\"} 1\n"), std::string::npos);
  EXPECT_EQ(text.find("i=\"3\""), std::string::npos);
  EXPECT_NE(text.find("a_total{overflow=\"true\"} 3\n"), std::string::npos);
  metrics.counter("b_total", "B.", {{"i", "9"}}).add();
  EXPECT_NE(metrics.text().find("b_total{i=\"9\"} 1\n"), std::string::npos);
}

TEST(metrics, adding_from_many_threads_loses_nothing) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        metrics.counter("a_total", "A.", {{"i", std::to_string(i % 7)}}).add();
        if (i % 100 == 0) (void)metrics.text();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::uint64_t sum = 0;
  for (int i = 0; i < 7; ++i) {
    sum += metrics.counter("a_total", "A.", {{"i", std::to_string(i)}}).value();
  }
  EXPECT_EQ(sum, 4000u);
}

TEST(metrics_death, misuse_of_a_name_stops_the_process) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  Metrics metrics;
  metrics.gauge("g", "G.");
  EXPECT_DEATH(metrics.counter("requests", "No _total."), "broken invariant");
  EXPECT_DEATH(metrics.gauge("g", "Another help."), "broken invariant");
  EXPECT_DEATH(metrics.histogram("g", "G."), "broken invariant");
  EXPECT_DEATH(metrics.gauge("bad name", "G."), "broken invariant");
  EXPECT_DEATH(metrics.gauge("h", "H.", {{"le", "1"}}), "broken invariant");
}

}  // namespace
}  // namespace mainstay
