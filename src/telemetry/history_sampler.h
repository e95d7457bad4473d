// From the metrics to the history: once a second one row, once a minute one of its minute.
// Used by app, which steps it, and by api, which says what the columns are.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "telemetry/history.h"

namespace mainstay {

/// How a column's figure comes from the series of one metric.
enum class SeriesKind : std::uint8_t {
  rate,       ///< growth of the sum, a second
  sum,        ///< of the values now
  largest,    ///< of the values now
  each,       ///< one column "COLUMN.VALUE" for each value of the label `by`
  share,      ///< growth of the sum, of its own and `other`'s together: hits of hits and misses
  quantiles,  ///< of what the histograms observed
};
struct SeriesRule {
  std::string column;
  std::string unit;
  std::string metric;
  SeriesKind kind = SeriesKind::sum;
  std::function<bool(std::string_view labels)> wants = {};  ///< null: every series
  std::string by = {};                                      ///< each
  std::string other = {};                                   ///< share: the other metric
  std::function<bool(std::string_view labels)> wants_other = {};
  /// quantiles: the columns "COLUMN_pNN"
  std::vector<int> percents = {};
  double scale = 1;
  Fold fold = Fold::mean;
};

/// The row that is being filled.
class SampleRow {
 public:
  SampleRow(History& history, std::vector<float>& row) : history_(history), row_(row) {}
  /// What finds no column any more is left out.
  void put(std::string_view column, std::string_view unit, Fold fold, double value);

 private:
  History& history_;
  std::vector<float>& row_;
};

/// Steps on one thread at a time. `metrics` and `history` outlive it.
class HistorySampler {
 public:
  using Probe = std::function<void(SampleRow&)>;
  /// `probe` adds what is no metric; quick.
  HistorySampler(const Metrics& metrics, History& history, std::vector<SeriesRule> rules,
                 Probe probe);
  /// Looks once; `at` are seconds since 1970, `now` the steady clock. The first call only remembers
  /// where the counters stand.
  void step(std::int64_t at, TimePoint now);

 private:
  /// Where the counters of one rule stood.
  struct Stand {
    double sum = 0;
    double other = 0;
    BucketCounts buckets{};
  };
  /// What a minute has gathered of one column.
  struct Gathered {
    double sum = 0;
    float peak = kNotMeasured;
    std::uint32_t count = 0;
  };
  using Stands = std::vector<Stand>;
  Stands look(SampleRow* row) const;
  void look_at_values(const SeriesRule& rule, SampleRow& row) const;
  void put_growth(const Stands& before, const Stands& now, double seconds, SampleRow& row) const;
  void gather(const std::vector<float>& row);
  void end_minute(const Stands& now, TimePoint when);

  const Metrics& metrics_;
  History& history_;
  const std::vector<SeriesRule> rules_;
  const Probe probe_;
  bool begun_ = false;
  Stands second_;
  Stands minute_;
  TimePoint second_at_{};
  TimePoint minute_at_{};
  std::int64_t minute_number_ = 0;
  std::vector<Gathered> gathered_;
};

/// The value of a label in `a="1",b="2"`; empty when it is not there. Escapes stay as they are.
std::string_view label_value(std::string_view labels, std::string_view name) noexcept;

}  // namespace mainstay
