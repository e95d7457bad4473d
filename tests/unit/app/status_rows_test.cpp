// The daily checklist's rows from a server's replies.   proves M18 (the checklist)
#include "app/status_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mainstay::app {
namespace {

Finding of(const Findings& findings, const std::string& check) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& f) { return f.check == check; });
  return found == findings.end() ? Finding{Mark::bad, "", "missing: " + check, ""} : *found;
}

std::string requests(int all, int failed) {
  return "mainstay_http_requests_total{route=\"chat\",status=\"2xx\"} " +
         std::to_string(all - failed) +
         "\nmainstay_http_requests_total{route=\"chat\",status=\"5xx\"} " + std::to_string(failed) +
         "\n";
}

/// A server in good health.
StatusReplies healthy() {
  StatusReplies out;
  out.ready_status = 200;
  out.ready = {
      {"status", "ready"},
      {"reasons", Json::array()},
      {"providers", {{{"name", "ollama"}, {"up", true}}, {{"name", "cloud"}, {"up", false}}}}};
  out.sessions = {{"active", 41}, {"limit", 1000}};
  out.database = {{"writable", true},
                  {"pool", {{"size", 4}, {"in_use", 1}, {"waiting", 2}, {"utilization", 0.25}}},
                  {"writes_waiting", 3}};
  out.metrics = requests(1000, 1) +
                "process_resident_memory_bytes 26214400\n"
                "mainstay_http_request_seconds_bucket{route=\"chat\",le=\"0.01\"} 50\n"
                "mainstay_http_request_seconds_bucket{route=\"chat\",le=\"0.02\"} 96\n"
                "mainstay_http_request_seconds_bucket{route=\"chat\",le=\"+Inf\"} 100\n"
                "mainstay_http_request_seconds_bucket{route=\"health\",le=\"0.01\"} 900000\n"
                "mainstay_http_request_seconds_bucket{route=\"health\",le=\"+Inf\"} 900000\n"
                "mainstay_admission_waiting 5\nmainstay_admission_in_use 7\n"
                "mainstay_admission_refused_total{reason=\"rate\"} 9\n";
  return out;
}

StatusPlace place() {
  StatusPlace out;
  DiskRoom disk;
  disk.total = 100ULL << 30;
  disk.free = 50ULL << 30;
  out.disk = disk;
  out.now = WallTime(std::chrono::hours(1000));
  out.starts = {out.now - std::chrono::hours(30), out.now - std::chrono::minutes(125)};
  return out;
}

TEST(StatusRows, every_line_of_the_checklist_has_a_row_with_its_figures) {
  const auto rows = status_rows(healthy(), place());
  EXPECT_EQ(of(rows, "sessions").says, "41 active, at most 1000");
  EXPECT_EQ(of(rows, "memory").says, "25 MiB");
  EXPECT_EQ(of(rows, "database").says, "1 of 4 connections in use, 2 reads and 3 writes waiting");
  EXPECT_EQ(of(rows, "answers").says, "half within 10 ms, 95 % within 20 ms")
      << "health checks say nothing of answers";
  EXPECT_EQ(of(rows, "errors").says, "1000 requests since the start: 1 failed (0.10 %), 0 refused");
  EXPECT_EQ(of(rows, "queue").says, "7 answered now, 5 waiting, 9 turned away");
  EXPECT_EQ(of(rows, "disk").mark, Mark::fine);
  EXPECT_EQ(of(rows, "restarts").says, "up for 2 h 5 min, 1 starts in 24 h");
  EXPECT_EQ(of(rows, "providers").says, "ollama; not up: cloud");
  for (const auto& row : rows) EXPECT_EQ(row.mark, Mark::fine) << row.check << ": " << row.says;
  EXPECT_TRUE(all_fine_enough(rows));
}

TEST(StatusRows, what_is_wrong_is_bad_and_has_a_fix) {
  StatusReplies replies = healthy();
  replies.ready_status = 503;
  replies.ready = {{"status", "not_ready"},
                   {"reasons", {{{"part", "storage"}, {"why", "disk_full: no room"}}}},
                   {"providers", Json::array()}};
  replies.database["writable"] = false;
  const auto rows = status_rows(replies, place());
  EXPECT_EQ(of(rows, "ready").says, "takes no requests: storage: disk_full: no room");
  EXPECT_EQ(of(rows, "database").mark, Mark::bad);
  EXPECT_EQ(of(rows, "providers").mark, Mark::bad);
  EXPECT_FALSE(all_fine_enough(rows));
  for (const auto& row : rows) EXPECT_EQ(row.fix.empty(), row.mark == Mark::fine) << row.check;
}

TEST(StatusRows, the_error_rate_warns_above_one_percent_and_is_bad_above_five) {
  const auto mark = [](int all, int failed) {
    StatusReplies replies = healthy();
    replies.metrics = requests(all, failed);
    return of(status_rows(replies, place()), "errors").mark;
  };
  EXPECT_EQ(mark(1000, 10), Mark::fine);
  EXPECT_EQ(mark(1000, 11), Mark::warn);
  EXPECT_EQ(mark(1000, 50), Mark::warn);
  EXPECT_EQ(mark(1000, 51), Mark::bad);
  EXPECT_EQ(mark(19, 19), Mark::fine) << "too few to judge";
  EXPECT_EQ(mark(20, 20), Mark::bad);
}

TEST(StatusRows, more_than_five_starts_in_a_day_are_told_of) {
  StatusPlace where = place();
  where.starts.assign(5, where.now - std::chrono::hours(1));
  EXPECT_EQ(of(status_rows(healthy(), where), "restarts").mark, Mark::fine);
  where.starts.assign(6, where.now - std::chrono::hours(1));
  EXPECT_EQ(of(status_rows(healthy(), where), "restarts").mark, Mark::warn);
}

TEST(StatusRows, a_server_that_answers_nothing_but_readiness_gives_warnings_not_inventions) {
  StatusReplies replies;
  replies.ready_status = 401;
  const auto rows = status_rows(replies, StatusPlace{});
  for (const char* check : {"ready", "sessions", "memory", "database", "errors", "queue"}) {
    EXPECT_EQ(of(rows, check).mark, Mark::warn) << check;
  }
  EXPECT_EQ(of(rows, "answers").says, "no request yet");
}

TEST(MetricsText, reads_series_with_and_without_labels) {
  const MetricsText metrics(
      "# HELP a b\n# TYPE a counter\na 1\nb{x=\"1\"} 2\nb{x=\"2\"} 3.5\n\nbad\n");
  EXPECT_EQ(metrics.sum("a"), 1.0);
  EXPECT_EQ(metrics.sum("b"), 5.5);
  EXPECT_EQ(metrics.sum("b", "x=\"2\""), 3.5);
  EXPECT_EQ(metrics.sum("c"), std::nullopt);
  EXPECT_EQ(metrics.quantile("c", 0.5, {}), std::nullopt);
}

}  // namespace
}  // namespace mainstay::app
