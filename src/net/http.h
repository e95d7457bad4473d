// HTTP words shared by the listener and the client.
// Used by net, models' inner rooms, api.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mainstay::net {

/// A header field; names compare without case.
struct Header {
  std::string name;
  std::string value;
};

/// Reason phrase of a status, e.g. "Not Found"; "Unknown" for others.
std::string_view reason_phrase(int status) noexcept;

/// Whether the text may be a field's value: visible characters, blanks, tabs, bytes above 127.
bool is_field_value(std::string_view text) noexcept;

/// Header lines ready for the wire. add() drops CR, LF and NUL from values, so that no value can
/// make a line of its own.
class HeaderLines {
 public:
  void add(std::string_view name, std::string_view value);
  void add(std::string_view name, std::int64_t value);
  void append(const HeaderLines& others) { lines_ += others.lines_; }
  const std::string& text() const noexcept { return lines_; }
  void clear() noexcept { lines_.clear(); }

 private:
  std::string lines_;
};

/// An http or https address.
struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; IPv6 without brackets
  std::uint16_t port = 0;
  std::string path;  ///< "/" when empty; no trailing slash otherwise; no query, no fragment
  /// Errors: invalid with a sentence (no credentials, no other schemes, port in range).
  static Result<Url> parse(std::string_view text);
  /// "host" or "host:port" as the Host header wants it.
  std::string authority() const;
};

}  // namespace mainstay::net
