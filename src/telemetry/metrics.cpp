// The registry of series and its text form.
#include "telemetry/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <variant>

#include "base/check.h"
#include "base/text.h"

namespace mainstay {
namespace {

constexpr std::uint64_t kFirstBoundNs = 625'000;  // 81.92 s / 2^17

enum Kind { kCounter, kGauge, kHistogram };

constexpr const char* kKindNames[] = {"counter", "gauge", "histogram"};

bool name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

bool valid_name(std::string_view name) noexcept {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), name_character);
}

enum class Quotes { no, yes };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
  for (const char c : to_utf8(text)) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes == Quotes::yes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

/// `a="1",b="2"` without braces; also the series' identity.
std::string label_text(const Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    CHECK(valid_name(key) && key != "le" && key.find(':') == std::string::npos);
    if (!out.empty()) out += ',';
    out += key;
    out += "=\"";
    append_escaped(out, value, Quotes::yes);
    out += '"';
  }
  return out;
}

void append_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (value == std::floor(value) && std::abs(value) < 1e15) {
    fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

void append_name(std::string& out, std::string_view name, const std::string& labels) {
  out += name;
  if (!labels.empty()) {
    out += '{';
    out += labels;
    out += '}';
  }
  out += ' ';
}

void append_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const Histogram& histogram) {
  const auto buckets = histogram.buckets();
  const std::string before = labels.empty() ? "" : labels + ",";
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i <= Histogram::kBuckets; ++i) {
    sum += buckets[i];
    out += name;
    out += "_bucket{";
    out += before;
    if (i < Histogram::kBuckets) {
      fmt::format_to(std::back_inserter(out), "le=\"{}\"}} {}\n", Histogram::bound(i), sum);
    } else {
      fmt::format_to(std::back_inserter(out), "le=\"+Inf\"}} {}\n", sum);
    }
  }
  append_name(out, name + "_sum", labels);
  append_value(out, histogram.sum_seconds());
  out += '\n';
  append_name(out, name + "_count", labels);
  fmt::format_to(std::back_inserter(out), "{}\n", sum);
}

}  // namespace

void Histogram::observe(Duration d) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0));
  const std::uint64_t doublings = ns == 0 ? 0 : (ns - 1) / kFirstBoundNs;
  const auto bucket = std::min(static_cast<std::size_t>(std::bit_width(doublings)), kBuckets);
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& bucket : buckets_) sum += bucket.load(std::memory_order_relaxed);
  return sum;
}

double Histogram::sum_seconds() const noexcept {
  return static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9;
}

std::array<std::uint64_t, Histogram::kBuckets + 1> Histogram::buckets() const noexcept {
  std::array<std::uint64_t, kBuckets + 1> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = buckets_[i].load(std::memory_order_relaxed);
  }
  return out;
}

double Histogram::bound(std::size_t bucket) noexcept {
  return static_cast<double>(kFirstBoundNs << std::min(bucket, kBuckets - 1)) / 1e9;
}

double Histogram::quantile(double q) const noexcept {
  const auto all = buckets();
  std::uint64_t total = 0;
  for (const auto n : all) total += n;
  if (total == 0) return 0;
  const double rank =
      std::max(1.0, std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    seen += all[i];
    if (static_cast<double>(seen) >= rank) return bound(i);
  }
  return bound(kBuckets);
}

/// One series: a value, or a function that is asked for it.
struct Metrics::Series {
  std::variant<std::monostate, Counter, Gauge, Histogram, std::function<double()>,
               std::weak_ptr<Gauge>>
      value;
  /// What it was of has gone.
  bool gone() const {
    const auto* held = std::get_if<std::weak_ptr<Gauge>>(&value);
    return held != nullptr && held->expired();
  }
};

struct Metrics::Family {
  int kind = kCounter;
  std::string help;
  std::map<std::string, Series> series;  // by label text
};

Metrics::Metrics(std::size_t series_max) : series_max_(series_max) {}
Metrics::~Metrics() = default;

Metrics::Series& Metrics::series(std::string_view name, std::string_view help, int kind,
                                 Labels labels) {
  CHECK(valid_name(name));
  CHECK(kind != kCounter || name.ends_with("_total"));
  auto found = families_.find(name);
  if (found == families_.end()) {
    auto family = std::make_unique<Family>();
    family->kind = kind;
    family->help = help;
    found = families_.emplace(std::string(name), std::move(family)).first;
  }
  Family& family = *found->second;
  CHECK(family.kind == kind);
  CHECK(family.help == help);
  const std::string text = label_text(labels);
  const auto known = family.series.find(text);
  if (known != family.series.end()) return known->second;
  if (family.series.size() >= series_max_) return family.series["overflow=\"true\""];
  return family.series[text];
}

namespace {
/// The series' value as T; made on first use. A name that is both a function and a T is a bug.
template <class T, class Variant>
T& value_of(Variant& value) {
  if (std::holds_alternative<std::monostate>(value)) value.template emplace<T>();
  CHECK(std::holds_alternative<T>(value));
  return std::get<T>(value);
}
/// Zero when it went just now.
double value_in(const std::weak_ptr<Gauge>& held) {
  const auto gauge = held.lock();
  return gauge ? static_cast<double>(gauge->value()) : 0;
}
}  // namespace

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
  std::lock_guard lock(mutex_);
  return value_of<Counter>(series(name, help, kCounter, std::move(labels)).value);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
  std::lock_guard lock(mutex_);
  return value_of<Gauge>(series(name, help, kGauge, std::move(labels)).value);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, Labels labels) {
  std::lock_guard lock(mutex_);
  return value_of<Histogram>(series(name, help, kHistogram, std::move(labels)).value);
}

std::shared_ptr<Gauge> Metrics::held_gauge(std::string_view name, std::string_view help,
                                           Labels labels) {
  std::lock_guard lock(mutex_);
  const auto family = families_.find(name);
  if (family != families_.end()) {
    std::erase_if(family->second->series, [](const auto& one) { return one.second.gone(); });
  }
  auto& value = value_of<std::weak_ptr<Gauge>>(series(name, help, kGauge, std::move(labels)).value);
  auto held = value.lock();
  if (!held) {
    held = std::make_shared<Gauge>();
    value = held;
  }
  return held;
}

void Metrics::gauge_from(std::string_view name, std::string_view help, Labels labels,
                         std::function<double()> read) {
  std::lock_guard lock(mutex_);
  value_of<std::function<double()>>(series(name, help, kGauge, std::move(labels)).value) =
      std::move(read);
}

void Metrics::counter_from(std::string_view name, std::string_view help, Labels labels,
                           std::function<double()> read) {
  std::lock_guard lock(mutex_);
  value_of<std::function<double()>>(series(name, help, kCounter, std::move(labels)).value) =
      std::move(read);
}

void Metrics::each(std::string_view name, const std::function<void(const Seen&)>& see) const {
  std::lock_guard lock(mutex_);
  looks_.fetch_add(1, std::memory_order_relaxed);
  const auto found = families_.find(name);
  if (found == families_.end()) return;
  for (const auto& [labels, series] : found->second->series) {
    if (series.gone()) continue;
    Seen seen{labels, 0, std::get_if<Histogram>(&series.value)};
    if (const auto* counter = std::get_if<Counter>(&series.value)) {
      seen.value = static_cast<double>(counter->value());
    } else if (const auto* gauge = std::get_if<Gauge>(&series.value)) {
      seen.value = static_cast<double>(gauge->value());
    } else if (const auto* read = std::get_if<std::function<double()>>(&series.value)) {
      seen.value = (*read)();
    } else if (const auto* held = std::get_if<std::weak_ptr<Gauge>>(&series.value)) {
      seen.value = value_in(*held);
    }
    see(seen);
  }
}

std::string Metrics::text() const {
  std::lock_guard lock(mutex_);
  looks_.fetch_add(1, std::memory_order_relaxed);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + ' ';
    append_escaped(out, family->help, Quotes::no);
    out += "\n# TYPE " + name + ' ' + kKindNames[family->kind] + '\n';
    for (const auto& [labels, series] : family->series) {
      if (series.gone()) continue;
      if (const auto* histogram = std::get_if<Histogram>(&series.value)) {
        append_histogram(out, name, labels, *histogram);
        continue;
      }
      append_name(out, name, labels);
      if (const auto* counter = std::get_if<Counter>(&series.value)) {
        fmt::format_to(std::back_inserter(out), "{}\n", counter->value());
      } else if (const auto* gauge = std::get_if<Gauge>(&series.value)) {
        fmt::format_to(std::back_inserter(out), "{}\n", gauge->value());
      } else if (const auto* read = std::get_if<std::function<double()>>(&series.value)) {
        append_value(out, (*read)());
        out += '\n';
      } else if (const auto* held = std::get_if<std::weak_ptr<Gauge>>(&series.value)) {
        append_value(out, value_in(*held));
        out += '\n';
      }
    }
  }
  return out;
}

}  // namespace mainstay
