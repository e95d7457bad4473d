// Rings of rows, and the quantiles of what happened between two looks at a histogram.
#include "telemetry/history.h"

#include <algorithm>
#include <cmath>

namespace mainstay {

HistoryRing::HistoryRing(std::size_t rows_max, std::size_t columns)
    : rows_max_(std::max<std::size_t>(rows_max, 1)),
      columns_(columns),
      times_(std::make_unique_for_overwrite<std::int64_t[]>(rows_max_)),
      values_(std::make_unique_for_overwrite<float[]>(rows_max_ * columns_)) {}

std::size_t HistoryRing::place(std::size_t row) const noexcept {
  return (first_ + row) % rows_max_;
}

void HistoryRing::add(std::int64_t at, std::span<const float> row) {
  if (size_ > 0 && at <= this->at(size_ - 1)) {
    if (this->at(size_ - 1) - at <= kBackMax) return;
    size_ = 0;
  }
  if (size_ == rows_max_) {
    first_ = place(1);
    --size_;
  }
  const std::size_t where = place(size_);
  times_[where] = at;
  float* const values = values_.get() + where * columns_;
  const std::size_t given = std::min(row.size(), columns_);
  std::copy_n(row.begin(), given, values);
  std::fill(values + given, values + columns_, kNotMeasured);
  ++size_;
}

std::int64_t HistoryRing::at(std::size_t row) const noexcept {
  return times_[place(row)];
}

float HistoryRing::value(std::size_t row, std::size_t column) const noexcept {
  return values_[place(row) * columns_ + column];
}

std::size_t HistoryRing::first_after(std::int64_t at) const noexcept {
  std::size_t low = 0;
  std::size_t high = size_;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (this->at(middle) > at) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

History::History(HistoryShape shape)
    : shape_(shape),
      seconds_(shape.seconds, shape.columns_max),
      minutes_(shape.minutes, shape.columns_max) {}

std::optional<std::size_t> History::column(std::string_view name, std::string_view unit,
                                           Fold fold) {
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == name) return i;
  }
  if (columns_.size() == shape_.columns_max) return std::nullopt;
  columns_.push_back({std::string(name), std::string(unit), fold});
  return columns_.size() - 1;
}

std::vector<History::Column> History::columns() const {
  std::lock_guard lock(mutex_);
  return columns_;
}

void History::add(Step step, std::int64_t at, std::span<const float> row) {
  std::lock_guard lock(mutex_);
  (step == Step::second ? seconds_ : minutes_).add(at, row);
}

History::Part History::part(const HistoryRing& ring, std::size_t from, std::size_t count,
                            const std::vector<std::size_t>& columns) {
  Part out;
  out.times.reserve(count);
  for (std::size_t row = from; row < from + count; ++row) out.times.push_back(ring.at(row));
  for (const std::size_t column : columns) {
    auto& values = out.values.emplace_back();
    values.reserve(count);
    for (std::size_t row = from; row < from + count; ++row) {
      values.push_back(column < ring.columns() ? ring.value(row, column) : kNotMeasured);
    }
  }
  return out;
}

History::Part History::read(Step step, std::int64_t after, const std::vector<std::size_t>& columns,
                            std::size_t rows_max) const {
  std::lock_guard lock(mutex_);
  const HistoryRing& from = ring(step);
  const std::size_t first = from.first_after(after);
  const std::size_t count = std::min(from.size() - first, rows_max);
  Part out = part(from, first, count, columns);
  out.more = first + count < from.size();
  return out;
}

History::Part History::newest(Step step, std::int64_t after,
                              const std::vector<std::size_t>& columns, std::size_t rows_max) const {
  std::lock_guard lock(mutex_);
  const HistoryRing& from = ring(step);
  const std::size_t count = std::min(from.size() - from.first_after(after), rows_max);
  return part(from, from.size() - count, count, columns);
}

float quantile_between(const BucketCounts& before, const BucketCounts& now, double q) noexcept {
  BucketCounts seen{};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    seen[i] = now[i] > before[i] ? now[i] - before[i] : 0;
    total += seen[i];
  }
  if (total == 0) return kNotMeasured;
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(total);
  double below = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    const auto here = static_cast<double>(seen[i]);
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : Histogram::bound(i - 1);
      const double share = (rank - below) / here;
      return static_cast<float>(low + (Histogram::bound(i) - low) * share);
    }
    below += here;
  }
  return static_cast<float>(Histogram::bound(Histogram::kBuckets));
}

}  // namespace mainstay
