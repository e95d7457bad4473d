// Reading and printing numbers with units.
#include "config/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace mainstay::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 5> kDurations{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 10> kSizes{{{"TiB", std::int64_t{1} << 40},
                                       {"GiB", 1 << 30},
                                       {"MiB", 1 << 20},
                                       {"KiB", 1 << 10},
                                       {"TB", 1'000'000'000'000},
                                       {"GB", 1'000'000'000},
                                       {"MB", 1'000'000},
                                       {"KB", 1000},
                                       {"kB", 1000},
                                       {"B", 1}}};

template <std::size_t N>
std::optional<std::int64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const auto digits = text.find_first_not_of("0123456789");
  if (digits == 0) return std::nullopt;
  const auto number = parse_integer(text.substr(0, digits));
  if (!number) return std::nullopt;
  if (digits == std::string_view::npos) return number;
  const std::string_view unit = trim(text.substr(digits));
  for (const Unit& known : units) {
    if (unit != known.name) continue;
    if (*number > std::numeric_limits<std::int64_t>::max() / known.factor) return std::nullopt;
    return *number * known.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string print_with(std::int64_t value, const std::array<Unit, N>& units, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (value != 0 && value % units[i].factor == 0) {
      return std::to_string(value / units[i].factor) + std::string(units[i].name);
    }
  }
  return std::to_string(value) + std::string(units.back().name);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> parse_switch(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (equal_ascii_nocase(text, yes)) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (equal_ascii_nocase(text, no)) return false;
  }
  return std::nullopt;
}

std::optional<Millis> parse_duration(std::string_view text) {
  const auto ms = with_unit(text, kDurations);
  if (!ms) return std::nullopt;
  return Millis(*ms);
}

std::optional<Bytes> parse_size(std::string_view text) {
  const auto bytes = with_unit(text, kSizes);
  if (!bytes) return std::nullopt;
  return Bytes{static_cast<std::uint64_t>(*bytes)};
}

std::string print(Millis duration) {
  if (duration.count() == 0) return "0s";
  return print_with(duration.count(), kDurations, kDurations.size());
}

std::string print(Bytes size) {
  return print_with(static_cast<std::int64_t>(size.value), kSizes, 4);
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view item = trim(text.substr(0, comma));
    if (!item.empty()) out.emplace_back(item);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return out;
}

}  // namespace mainstay::config
