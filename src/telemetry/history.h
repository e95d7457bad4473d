// What was measured of late: the last hour by seconds, the last day by minutes, in fixed memory.
// Filled by the sampler once a second; read by GET /admin/history and /admin/live.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/metrics.h"

namespace mainstay {

/// A figure of one column; not a number where nothing was measured.
inline constexpr float kNotMeasured = std::numeric_limits<float>::quiet_NaN();

/// Rows of figures with the second each belongs to, the oldest overwritten. Not thread-safe.
/// Memory: rows * (columns * 4 + 8) bytes, taken when they are first written to.
class HistoryRing {
 public:
  HistoryRing(std::size_t rows_max, std::size_t columns);
  /// A row shorter than the columns is filled up with kNotMeasured. A second that is not later than
  /// the last one is left out; a clock that was set back further than `kBackMax` begins anew.
  void add(std::int64_t at, std::span<const float> row);
  std::size_t size() const noexcept { return size_; }
  std::size_t columns() const noexcept { return columns_; }
  /// `row` counts from the oldest.
  std::int64_t at(std::size_t row) const noexcept;
  float value(std::size_t row, std::size_t column) const noexcept;
  /// The first row later than `at`; size() when there is none.
  std::size_t first_after(std::int64_t at) const noexcept;

  static constexpr std::int64_t kBackMax = 5;  ///< seconds

 private:
  std::size_t place(std::size_t row) const noexcept;
  const std::size_t rows_max_;
  const std::size_t columns_;
  std::unique_ptr<std::int64_t[]> times_;
  std::unique_ptr<float[]> values_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// What a minute says of its seconds.
enum class Fold : std::uint8_t { mean, peak };
enum class Step : std::uint8_t { second, minute };
constexpr std::int64_t seconds_of(Step step) noexcept {
  return step == Step::second ? 1 : 60;
}

struct HistoryShape {
  std::size_t columns_max = 128;
  std::size_t seconds = 3600;
  std::size_t minutes = 1440;
};

/// Thread-safe.
class History {
 public:
  explicit History(HistoryShape shape = {});

  struct Column {
    std::string name;
    std::string unit;
    Fold fold = Fold::mean;
  };
  /// The column of that name, made when it is new; nullopt when there are columns_max others.
  std::optional<std::size_t> column(std::string_view name, std::string_view unit, Fold fold);
  std::vector<Column> columns() const;
  void add(Step step, std::int64_t at, std::span<const float> row);

  struct Part {
    std::vector<std::int64_t> times;
    std::vector<std::vector<float>> values;  ///< one list for each column asked for
    bool more = false;                       ///< later rows are there that found no room
  };
  /// Rows later than `after`, the oldest first, at most `rows_max`. A column that is not there was
  /// never measured.
  Part read(Step step, std::int64_t after, const std::vector<std::size_t>& columns,
            std::size_t rows_max) const;
  /// The newest `rows_max` of the rows later than `after`.
  Part newest(Step step, std::int64_t after, const std::vector<std::size_t>& columns,
              std::size_t rows_max) const;
  const HistoryShape& shape() const noexcept { return shape_; }

 private:
  const HistoryRing& ring(Step step) const noexcept {
    return step == Step::second ? seconds_ : minutes_;
  }
  static Part part(const HistoryRing& ring, std::size_t from, std::size_t count,
                   const std::vector<std::size_t>& columns);
  const HistoryShape shape_;
  mutable std::mutex mutex_;
  std::vector<Column> columns_;
  HistoryRing seconds_;
  HistoryRing minutes_;
};

/// Counts of a histogram's buckets, or of several added up.
using BucketCounts = std::array<std::uint64_t, Histogram::kBuckets + 1>;
/// Quantile `q` (0 to 1), in seconds, of what was observed between two looks, evenly spread within
/// its bucket; kNotMeasured when nothing was. Above all bounds: the last one.
float quantile_between(const BucketCounts& before, const BucketCounts& now, double q) noexcept;

}  // namespace mainstay
