// Formatting of log lines; about 0.3 us for a request's line, so no streams and no locale.
#include "telemetry/log_line.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>

#include "base/short_text.h"
#include "base/text.h"

namespace mainstay {
namespace {

/// 0: copied as it is; 1: escaped; 2: start of a longer UTF-8 character, looked at closely.
constexpr std::array<unsigned char, 256> kClass = [] {
  std::array<unsigned char, 256> out{};
  for (std::size_t i = 0; i < 256; ++i) {
    if (i < 0x20 || i == 0x7f || i == '"' || i == '\\') out[i] = 1;
    if (i >= 0x80) out[i] = 2;
  }
  return out;
}();

/// Characters that a terminal or a viewer obeys instead of showing: C1 controls, line and paragraph
/// separators, and the marks that reverse the direction of text.
bool obeyed(unsigned code) noexcept {
  return (code >= 0x80 && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
         (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void append_unicode_escape(std::string& out, unsigned code) {
  fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
}

void append_ascii_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      append_unicode_escape(out, static_cast<unsigned char>(c));
  }
}

/// One multi-byte character of valid UTF-8 at `at`; returns its size.
std::size_t append_wide(std::string& out, std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::size_t size = byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  unsigned code = 0;
  if (size == 2) code = ((byte(0) & 0x1fU) << 6) | (byte(1) & 0x3fU);
  if (size == 3) {
    code = ((byte(0) & 0x0fU) << 12) | ((byte(1) & 0x3fU) << 6) | (byte(2) & 0x3fU);
  }
  if (code != 0 && obeyed(code)) {
    append_unicode_escape(out, code);
  } else {
    out += text.substr(at, size);
  }
  return size;
}

void append_valid(std::string& out, std::string_view text) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char kind = kClass[static_cast<unsigned char>(text[i])];
    if (kind == 0) {
      ++i;
      continue;
    }
    out += text.substr(from, i - from);
    if (kind == 1) {
      append_ascii_escape(out, text[i]);
      ++i;
    } else {
      i += append_wide(out, text, i);
    }
    from = i;
  }
  out += text.substr(from);
}

/// Eight bytes at once: true when one of them is below 0x20, above 0x7e, a quote or a backslash.
/// (Bit tricks of "Hacker's Delight" 6-1; a borrow may only add a hit above a true one.)
bool special_in(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
  const auto has_zero = [](std::uint64_t v) { return (v - kOnes) & ~v & kHigh; };
  return ((bytes & kHigh) | ((bytes - kOnes * 0x20) & ~bytes & kHigh) |
          has_zero(bytes ^ (kOnes * '"')) | has_zero(bytes ^ (kOnes * '\\')) |
          has_zero(bytes ^ (kOnes * 0x7f))) != 0;
}

bool small_plain(std::string_view text) noexcept {
  for (const char c : text) {
    if (kClass[static_cast<unsigned char>(c)] != 0) return false;
  }
  return true;
}

bool plain(std::string_view text) noexcept {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  if (text.size() < kStep) return small_plain(text);
  const auto special_at = [&](std::size_t at) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    return special_in(bytes);
  };
  for (std::size_t at = 0; at + kStep <= text.size(); at += kStep) {
    if (special_at(at)) return false;
  }
  return !special_at(text.size() - kStep);  // the rest, with some of what was seen
}

void append_escaped(std::string& out, std::string_view text) {
  text = cut_utf8(text, kLogTextMax);
  if (plain(text)) {
    out += text;
  } else if (is_utf8(text)) {
    append_valid(out, text);
  } else {
    append_valid(out, to_utf8(text));
  }
}

/// A line's piece up to this size is put together before it is appended.
constexpr std::size_t kPiece = 128;

void append_quoted(std::string& out, std::string_view text) {
  if (text.size() + 2 <= kPiece && plain(text)) {
    ShortText<kPiece> piece;
    out += piece.add('"').add(text).add('"').view();
    return;
  }
  out += '"';
  append_escaped(out, text);
  out += '"';
}

template <class Number>
void append_number(std::string& out, Number value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  append_number(out, value);
}

/// "2026-11-21T02:16:37.123456Z"; the part up to the second is kept for the thread's next line.
void append_time(std::string& out, WallTime at) {
  struct Second {
    std::int64_t at = -1;
    char text[21] = {};
  };
  thread_local Second cached;
  const std::int64_t us = micros(at);
  const std::int64_t second = us / 1'000'000;
  if (cached.at != second) {
    std::tm parts{};
    const std::time_t when = second;
    ::gmtime_r(&when, &parts);
    fmt::format_to_n(cached.text, 20, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    cached.at = second;
  }
  out.append(cached.text, 20);
  char digits[7] = "000000";
  std::int64_t rest = us % 1'000'000;
  for (int i = 5; i >= 0; --i, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  out.append(digits, 6);
  out += 'Z';
}

bool bare(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c == ' ' || c == '=' || kClass[static_cast<unsigned char>(c)] != 0) return false;
  }
  return true;
}

void append_value(std::string& out, LogFormat format, const Field::Value& value) {
  struct Visitor {
    std::string& to;
    LogFormat as;
    void operator()(std::string_view v) const {
      if (as == LogFormat::text && v.size() <= kLogTextMax && bare(v)) {
        to += v;
      } else {
        append_quoted(to, v);
      }
    }
    void operator()(std::int64_t v) const { append_number(to, v); }
    void operator()(std::uint64_t v) const { append_number(to, v); }
    void operator()(double v) const { append_double(to, v); }
    void operator()(bool v) const { to += v ? "true" : "false"; }
    void operator()(Duration v) const {
      ShortText<32> piece;
      to += piece.add_millis(v).view();
    }
  };
  std::visit(Visitor{out, format}, value);
}

/// `,"key":`
void append_key(std::string& out, std::string_view key) {
  if (key.size() + 4 <= kPiece && plain(key)) {
    ShortText<kPiece> piece;
    out += piece.add(",\"").add(key).add("\":").view();
    return;
  }
  out += ',';
  append_quoted(out, key);
  out += ':';
}

void append_json(std::string& out, std::size_t start, std::initializer_list<Field> fields) {
  for (const Field& field : fields) {
    if (out.size() - start > kLogLineMax - 2 * kLogTextMax) break;
    append_key(out, field.key);
    append_value(out, LogFormat::json, field.value);
  }
  out += "}\n";
}

void append_text(std::string& out, std::size_t start, std::initializer_list<Field> fields) {
  for (const Field& field : fields) {
    if (out.size() - start > kLogLineMax - 2 * kLogTextMax) break;
    out += ' ';
    append_escaped(out, field.key);
    out += '=';
    append_value(out, LogFormat::text, field.value);
  }
  out += '\n';
}

}  // namespace

std::string_view name(Level level) noexcept {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
    case Level::off:
      return "off";
  }
  return "unknown";
}

void append_log_line(std::string& out, LogFormat format, WallTime at, Level level,
                     std::string_view event, std::initializer_list<Field> fields) {
  const std::size_t start = out.size();
  if (format == LogFormat::json) {
    out += "{\"ts\":\"";
    append_time(out, at);
    out += "\",\"level\":\"";
    out += name(level);
    out += "\",\"event\":";
    append_quoted(out, event);
    append_json(out, start, fields);
  } else {
    append_time(out, at);
    out += ' ';
    out += name(level);
    out += ' ';
    append_escaped(out, event);
    append_text(out, start, fields);
  }
}

}  // namespace mainstay
