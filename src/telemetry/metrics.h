// Metrics: counters, gauges, histograms; Prometheus text at /metrics.
// Used by every room. A handle is looked up once and then costs one relaxed atomic add.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace mainstay {

/// Label names and values of one series, in the order given. Values never hold user text.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// Only grows. Name ends in _total.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down.
class Gauge {
 public:
  void set(std::int64_t v) noexcept { value_.store(v, std::memory_order_relaxed); }
  void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Durations in seconds; name ends in _seconds. Buckets 0.000625 s to 81.92 s, doubling every step
/// (OpenTelemetry's GenAI buckets, extended downwards).
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 18;
  void observe(Duration d) noexcept;
  std::uint64_t count() const noexcept;
  double sum_seconds() const noexcept;
  /// Upper bound of the bucket that holds quantile q (0..1), in seconds; 0 when empty, the last
  /// bound when it lies above all bounds.
  double quantile(double q) const noexcept;
  std::array<std::uint64_t, kBuckets + 1> buckets() const noexcept;  ///< last: above all bounds
  static double bound(std::size_t bucket) noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets + 1> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

/// All series of the process. Registering is locked; handles live as long as the registry.
/// A name has one kind and one help text (CHECKed). Beyond `series_max` series of one name the
/// labels are replaced by {overflow="true"}.
class Metrics {
 public:
  explicit Metrics(std::size_t series_max = 2000);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, Labels labels = {});
  /// A gauge of something that may go: shown for as long as anybody holds it. Who asks for one that
  /// another holds gets the same.
  std::shared_ptr<Gauge> held_gauge(std::string_view name, std::string_view help, Labels labels);
  /// A gauge or counter whose value is asked for at scrape time; `read` is thread-safe, quick and
  /// does not use the registry. What it reads must live as long as the registry.
  void gauge_from(std::string_view name, std::string_view help, Labels labels,
                  std::function<double()> read);
  void counter_from(std::string_view name, std::string_view help, Labels labels,
                    std::function<double()> read);
  /// Which look at the series this is: a new number for each text() and each(). Functions that
  /// share what they read keep it for as long as this stays. Any thread, also inside of `read`.
  std::uint64_t look() const noexcept { return looks_.load(std::memory_order_relaxed); }
  /// Prometheus text format 0.0.4.
  std::string text() const;
  /// One series as it stands: `labels` is `a="1",b="2"`; a value, or a histogram.
  struct Seen {
    std::string_view labels;
    double value = 0;
    const Histogram* histogram = nullptr;
  };
  /// Shows each series of that name, under the registry's lock: `see` is quick and does not use the
  /// registry. Nothing when there is no such name.
  void each(std::string_view name, const std::function<void(const Seen&)>& see) const;

 private:
  struct Family;
  struct Series;
  Series& series(std::string_view name, std::string_view help, int kind, Labels labels);
  const std::size_t series_max_;
  mutable std::mutex mutex_;
  mutable std::atomic<std::uint64_t> looks_{0};
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
};

}  // namespace mainstay
