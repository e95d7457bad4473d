// One pass over the text: strings for their escapes, numbers for their size, the rest as it is.
#include "base/json_mend.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

namespace mainstay {
namespace {

constexpr std::size_t kEscape = 6;  ///< bytes of "\uD83D"

bool in_number(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// The value of a \u escape at `at`; none: there is no such escape.
std::optional<unsigned> unit_at(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) != "\\u" || at + kEscape > text.size()) return std::nullopt;
  const char* const end = text.data() + at + kEscape;
  unsigned unit = 0;
  const auto read = std::from_chars(text.data() + at + 2, end, unit, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return unit;
}

/// Copies what begins with the backslash at `at`; how many bytes that were.
std::size_t copy_escape(std::string& out, std::string_view text, std::size_t at) {
  const auto unit = unit_at(text, at);
  std::size_t length = unit ? kEscape : 2;
  if (unit && *unit >= 0xd800 && *unit < 0xe000) {
    const auto next = *unit < 0xdc00 ? unit_at(text, at + kEscape) : std::nullopt;
    if (!next || *next < 0xdc00 || *next >= 0xe000) {
      out += "\\ufffd";
      return length;
    }
    length = 2 * kEscape;
  }
  length = std::min(length, text.size() - at);
  out.append(text, at, length);
  return length;
}

bool fits_64_bits(std::string_view number) {
  const char* const end = number.data() + number.size();
  std::int64_t with_sign = 0;
  std::uint64_t without = 0;
  return std::from_chars(number.data(), end, with_sign).ec == std::errc() ||
         std::from_chars(number.data(), end, without).ec == std::errc();
}

void append_number(std::string& out, const std::string& number) {
  constexpr double kMost = std::numeric_limits<double>::max();
  char* read_to = nullptr;
  const double value = std::strtod(number.c_str(), &read_to);
  const bool good = read_to == number.c_str() + number.size();
  const bool whole = number.find_first_of(".eE") == std::string::npos;
  if (!good || (std::isfinite(value) && (!whole || fits_64_bits(number)))) {
    out += number;
    return;
  }
  out += fmt::format("{:.17g}", std::clamp(value, -kMost, kMost));
}

}  // namespace

std::string mended_json(std::string_view text) {
  std::string out;
  out.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (inside && c == '\\') {
      at += copy_escape(out, text, at);
      continue;
    }
    if (!inside && in_number(c) && c != 'e' && c != 'E') {
      const std::size_t begin = at;
      while (at < text.size() && in_number(text[at])) ++at;
      append_number(out, std::string(text.substr(begin, at - begin)));
      continue;
    }
    if (c == '"') inside = !inside;
    out += c;
    ++at;
  }
  return out;
}

Result<simdjson::dom::element> read_mended(std::string& text) {
  auto strict = read_json(text);
  if (strict.ok()) return strict;
  text = mended_json(text);
  return read_json(text);
}

Result<Json> parse_mended(std::string_view text) {
  auto strict = parse_json(text);
  if (strict.ok()) return strict;
  return parse_json(mended_json(text));
}

}  // namespace mainstay
