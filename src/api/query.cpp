// Percent-decoding, strict.
#include "api/query.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace mainstay::api {
namespace {

Error broken(std::string what) {
  return Error::say(Errc::invalid, "invalid_query",
                    "The query is not valid: " + std::move(what) + ".");
}

int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The text without its escapes; nothing when one is broken or the whole is not UTF-8.
std::optional<std::string> unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 1 < text.size() ? hex(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  if (!is_utf8(out)) return std::nullopt;
  return out;
}

Result<std::string> decode(std::string_view text) {
  auto out = unescape(text, true);
  if (!out) return broken("a '%' is not followed by two hex digits, or it is not UTF-8");
  return std::move(*out);
}

}  // namespace

Result<Query> parse_query(std::string_view text) {
  Query out;
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto key = decode(pair.substr(0, equals));
    if (!key.ok()) return key.error();
    auto value = decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!value.ok()) return value.error();
    if (!out.emplace(std::move(*key), std::move(*value)).second) {
      return broken("a parameter is given twice");
    }
  }
  return out;
}

Result<std::string> decode_segment(std::string_view text) {
  auto out = unescape(text, false);
  if (out) return std::move(*out);
  return Error::say(Errc::invalid, "invalid_path",
                    "The path is not valid: a '%' is not followed by two hex digits, or it is not "
                    "UTF-8.");
}

Result<std::uint32_t> limit_of(const Query& query, std::uint32_t fallback, std::uint32_t max) {
  const auto found = query.find("limit");
  if (found == query.end()) return std::min(fallback, max);
  std::uint32_t n = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [stop, code] = std::from_chars(found->second.data(), end, n);
  if (code != std::errc() || stop != end || n < 1 || n > max) {
    return Error::say(Errc::invalid, "out_of_range",
                      "'limit' must be a whole number from 1 to " + std::to_string(max) + ".",
                      "limit");
  }
  return n;
}

bool is_safe_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 128) return false;
  for (const char c : text) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == ':' || c == '-';
    if (!fine) return false;
  }
  return true;
}

}  // namespace mainstay::api
