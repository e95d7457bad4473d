// Reason phrases, header lines and addresses, shared by the listener and the client.
#include "net/http.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/short_text.h"
#include "base/text.h"

namespace mainstay::net {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};
constexpr std::array kPhrases = {
    Phrase{100, "Continue"},
    Phrase{101, "Switching Protocols"},
    Phrase{200, "OK"},
    Phrase{201, "Created"},
    Phrase{202, "Accepted"},
    Phrase{204, "No Content"},
    Phrase{206, "Partial Content"},
    Phrase{301, "Moved Permanently"},
    Phrase{302, "Found"},
    Phrase{303, "See Other"},
    Phrase{304, "Not Modified"},
    Phrase{307, "Temporary Redirect"},
    Phrase{308, "Permanent Redirect"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{406, "Not Acceptable"},
    Phrase{408, "Request Timeout"},
    Phrase{409, "Conflict"},
    Phrase{410, "Gone"},
    Phrase{411, "Length Required"},
    Phrase{412, "Precondition Failed"},
    Phrase{413, "Content Too Large"},
    Phrase{414, "URI Too Long"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{416, "Range Not Satisfiable"},
    Phrase{417, "Expectation Failed"},
    Phrase{421, "Misdirected Request"},
    Phrase{422, "Unprocessable Content"},
    Phrase{424, "Failed Dependency"},
    Phrase{426, "Upgrade Required"},
    Phrase{428, "Precondition Required"},
    Phrase{429, "Too Many Requests"},
    Phrase{431, "Request Header Fields Too Large"},
    Phrase{499, "Client Closed Request"},
    Phrase{500, "Internal Server Error"},
    Phrase{501, "Not Implemented"},
    Phrase{502, "Bad Gateway"},
    Phrase{503, "Service Unavailable"},
    Phrase{504, "Gateway Timeout"},
    Phrase{505, "HTTP Version Not Supported"},
    Phrase{507, "Insufficient Storage"},
    Phrase{529, "Overloaded"},
};

/// Bytes that the lines of most requests and replies need: one allocation instead of several.
constexpr std::size_t kLinesUsual = 512;
/// A line up to this size is put together before it is appended.
constexpr std::size_t kLineUsual = 256;

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHigh = 0x80 * kOnes;

/// Non-zero when one of eight bytes is below `limit` ("Hacker's Delight" 6-1; a borrow may only add
/// a hit above a true one).
constexpr std::uint64_t below(std::uint64_t bytes, std::uint64_t limit) noexcept {
  return (bytes - limit * kOnes) & ~bytes & kHigh;
}

/// Whether `hit`, asked about eight bytes at once, is zero for all of the text: this is on every
/// request's path and every reply's.
template <class Hit>
bool none(std::string_view text, Hit hit) noexcept {
  std::uint64_t bytes = 0x20 * kOnes;
  if (text.size() < sizeof bytes) {
    char* const to = reinterpret_cast<char*>(&bytes);
    for (std::size_t i = 0; i < text.size(); ++i) to[i] = text[i];
    return hit(bytes) == 0;
  }
  std::uint64_t hits = 0;
  const auto look = [&](std::size_t at) {
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    hits |= hit(bytes);
  };
  for (std::size_t at = 0; at + sizeof bytes <= text.size(); at += sizeof bytes) look(at);
  look(text.size() - sizeof bytes);  // the rest, with some of what was seen
  return hits == 0;
}

/// True when no byte is below 0x10: none that could end a header line, and no NUL. A false alarm (a
/// tab) only costs the closer look.
bool surely_clean(std::string_view value) noexcept {
  return none(value, [](std::uint64_t bytes) { return below(bytes, 0x10); });
}

void append_clean(std::string& out, std::string_view value) {
  if (surely_clean(value)) {
    out += value;
    return;
  }
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') out += c;
  }
}

Error bad_url(std::string message) {
  return Error::say(Errc::invalid, "invalid_url", std::move(message));
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/// Splits "host", "host:port", "[v6]:port"; the port's text is empty when there is none.
bool split_authority(std::string_view text, std::string_view& host, std::string_view& port) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF:.") != host.npos)
      return false;
    if (text.empty()) return true;
    if (text.front() != ':' || text.size() == 1) return false;
    port = text.substr(1);
    return true;
  }
  const auto colon = text.find(':');
  host = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    port = text.substr(colon + 1);
    if (port.empty()) return false;
  }
  return !host.empty();
}

std::uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

}  // namespace

std::string_view reason_phrase(int status) noexcept {
  for (const auto& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "Unknown";
}

bool is_field_value(std::string_view text) noexcept {
  const auto control = [](std::uint64_t bytes) {
    return below(bytes, 0x20) | below(bytes ^ (0x7f * kOnes), 1);
  };
  if (none(text, control)) return true;
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u >= 0x20 && u != 0x7F) || u == '\t';
  });
}

void HeaderLines::add(std::string_view name, std::string_view value) {
  if (lines_.empty()) lines_.reserve(kLinesUsual);
  const bool usual = name.size() + value.size() + 4 <= kLineUsual;
  if (usual && surely_clean(name) && surely_clean(value)) {
    ShortText<kLineUsual> line;
    lines_ += line.add(name).add(": ").add(value).add("\r\n").view();
    return;
  }
  append_clean(lines_, name);
  lines_ += ": ";
  append_clean(lines_, value);
  lines_ += "\r\n";
}

void HeaderLines::add(std::string_view name, std::int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  add(name, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

Result<Url> Url::parse(std::string_view text) {
  text = trim(text);
  const auto colon = text.find("://");
  if (colon == std::string_view::npos)
    return bad_url("An address starts with http:// or https://.");
  Url url;
  url.scheme = lower_ascii(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https")
    return bad_url("Only http:// and https:// addresses are supported.");
  text.remove_prefix(colon + 3);
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '\\')
      return bad_url("The address holds a character that addresses may not hold.");
  }
  const auto end = text.find_first_of("/?#");
  const std::string_view authority = text.substr(0, end);
  if (authority.find('@') != std::string_view::npos)
    return bad_url("An address may not hold a user name or password.");
  std::string_view host;
  std::string_view port;
  if (!split_authority(authority, host, port))
    return bad_url("The address has no valid host name.");
  url.host = lower_ascii(host);
  if (!authority.starts_with('[')) {
    for (const char c : url.host) {
      if (!is_host_character(c)) return bad_url("The address has no valid host name.");
    }
  }
  url.port = default_port(url.scheme);
  if (!port.empty()) {
    std::uint32_t number = 0;
    const auto [stop, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (failed != std::errc{} || stop != port.data() + port.size() || number == 0 || number > 65535)
      return bad_url("The address's port must be a number from 1 to 65535.");
    url.port = static_cast<std::uint16_t>(number);
  }
  if (end != std::string_view::npos && text[end] == '/') {
    const auto path = text.substr(end);
    url.path = path.substr(0, path.find_first_of("?#"));
  }
  while (url.path.size() > 1 && url.path.ends_with('/')) url.path.pop_back();
  if (url.path.empty()) url.path = "/";
  return url;
}

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != default_port(scheme)) out += ":" + std::to_string(port);
  return out;
}

}  // namespace mainstay::net
