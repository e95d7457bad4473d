// Counters are compared with where they stood a second and a minute ago; all else is read as it is
// and folded into its minute.
#include "telemetry/history_sampler.h"

#include <algorithm>
#include <cmath>

namespace mainstay {
namespace {

constexpr std::int64_t kMinute = 60;

bool wanted(const std::function<bool(std::string_view)>& wants, std::string_view labels) {
  return !wants || wants(labels);
}

/// Counters that began anew count from nothing.
double growth(double before, double now) noexcept {
  return now >= before ? now - before : now;
}

}  // namespace

std::string_view label_value(std::string_view labels, std::string_view name) noexcept {
  std::size_t at = 0;
  while (at < labels.size()) {
    const auto equals = labels.find("=\"", at);
    if (equals == std::string_view::npos) return {};
    const bool found = labels.substr(at, equals - at) == name;
    const std::size_t begin = equals + 2;
    std::size_t end = begin;
    while (end < labels.size() && labels[end] != '"') end += labels[end] == '\\' ? 2 : 1;
    if (found) return labels.substr(begin, std::min(end, labels.size()) - begin);
    at = end + 2;  // the quote and the comma
  }
  return {};
}

void SampleRow::put(std::string_view column, std::string_view unit, Fold fold, double value) {
  const auto place = history_.column(column, unit, fold);
  if (!place) return;
  if (row_.size() <= *place) row_.resize(*place + 1, kNotMeasured);
  row_[*place] = static_cast<float>(value);
}

HistorySampler::HistorySampler(const Metrics& metrics, History& history,
                               std::vector<SeriesRule> rules, Probe probe)
    : metrics_(metrics), history_(history), rules_(std::move(rules)), probe_(std::move(probe)) {}

/// Where the counters stand. With a row, what needs no comparison goes into it.
HistorySampler::Stands HistorySampler::look(SampleRow* row) const {
  Stands out(rules_.size());
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const SeriesRule& rule = rules_[i];
    Stand& stand = out[i];
    switch (rule.kind) {
      case SeriesKind::rate:
      case SeriesKind::share:
        metrics_.each(rule.metric, [&](const Metrics::Seen& seen) {
          if (wanted(rule.wants, seen.labels)) stand.sum += seen.value;
        });
        if (rule.kind == SeriesKind::rate) break;
        metrics_.each(rule.other, [&](const Metrics::Seen& seen) {
          if (wanted(rule.wants_other, seen.labels)) stand.other += seen.value;
        });
        break;
      case SeriesKind::quantiles:
        metrics_.each(rule.metric, [&](const Metrics::Seen& seen) {
          if (seen.histogram == nullptr || !wanted(rule.wants, seen.labels)) return;
          const auto buckets = seen.histogram->buckets();
          for (std::size_t b = 0; b < buckets.size(); ++b) stand.buckets[b] += buckets[b];
        });
        break;
      case SeriesKind::sum:
      case SeriesKind::largest:
      case SeriesKind::each:
        if (row != nullptr) look_at_values(rule, *row);
        break;
    }
  }
  return out;
}

void HistorySampler::look_at_values(const SeriesRule& rule, SampleRow& row) const {
  double value = 0;
  bool any = false;
  metrics_.each(rule.metric, [&](const Metrics::Seen& seen) {
    if (!wanted(rule.wants, seen.labels)) return;
    if (rule.kind == SeriesKind::each) {
      const auto of = label_value(seen.labels, rule.by);
      if (of.empty()) return;
      row.put(rule.column + "." + std::string(of), rule.unit, rule.fold, seen.value * rule.scale);
    } else if (rule.kind == SeriesKind::sum || !any) {
      value += seen.value;
    } else {
      value = std::max(value, seen.value);
    }
    any = true;
  });
  if (any && rule.kind != SeriesKind::each) {
    row.put(rule.column, rule.unit, rule.fold, value * rule.scale);
  }
}

void HistorySampler::put_growth(const Stands& before, const Stands& now, double seconds,
                                SampleRow& row) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const SeriesRule& rule = rules_[i];
    const double sum = growth(before[i].sum, now[i].sum);
    if (rule.kind == SeriesKind::rate) {
      row.put(rule.column, rule.unit, rule.fold, sum * rule.scale / seconds);
    } else if (rule.kind == SeriesKind::share) {
      const double all = sum + growth(before[i].other, now[i].other);
      row.put(rule.column, rule.unit, rule.fold, all > 0 ? sum / all : double{kNotMeasured});
    } else if (rule.kind == SeriesKind::quantiles) {
      for (const int percent : rule.percents) {
        row.put(rule.column + "_p" + std::to_string(percent), rule.unit, rule.fold,
                double{quantile_between(before[i].buckets, now[i].buckets, percent / 100.0)});
      }
    }
  }
}

void HistorySampler::step(std::int64_t at, TimePoint now) {
  std::vector<float> row;
  SampleRow filling(history_, row);
  Stands stands = look(begun_ ? &filling : nullptr);
  if (!begun_) {
    begun_ = true;
    second_ = stands;
    minute_ = std::move(stands);
    second_at_ = minute_at_ = now;
    minute_number_ = at / kMinute;
    return;
  }
  if (at / kMinute != minute_number_) {
    end_minute(stands, now);
    minute_number_ = at / kMinute;
  }
  const double seconds = std::chrono::duration<double>(now - second_at_).count();
  put_growth(second_, stands, std::max(seconds, 1e-3), filling);
  if (probe_) probe_(filling);
  history_.add(Step::second, at, row);
  gather(row);
  second_ = std::move(stands);
  second_at_ = now;
}

void HistorySampler::gather(const std::vector<float>& row) {
  gathered_.resize(std::max(gathered_.size(), row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) continue;
    Gathered& into = gathered_[i];
    into.sum += double{row[i]};
    into.peak = into.count == 0 ? row[i] : std::max(into.peak, row[i]);
    ++into.count;
  }
}

/// The minute's own row: what was gathered, then what counters say of the minute as a whole.
void HistorySampler::end_minute(const Stands& now, TimePoint when) {
  const auto columns = history_.columns();
  std::vector<float> row(gathered_.size(), kNotMeasured);
  for (std::size_t i = 0; i < gathered_.size(); ++i) {
    const Gathered& of = gathered_[i];
    if (of.count == 0) continue;
    const double mean = of.sum / double(of.count);
    row[i] = columns[i].fold == Fold::peak ? of.peak : static_cast<float>(mean);
  }
  SampleRow filling(history_, row);
  const double seconds = std::chrono::duration<double>(when - minute_at_).count();
  put_growth(minute_, now, std::max(seconds, 1e-3), filling);
  if (!gathered_.empty()) history_.add(Step::minute, minute_number_ * kMinute, row);
  gathered_.clear();
  minute_ = now;
  minute_at_ = when;
}

}  // namespace mainstay
