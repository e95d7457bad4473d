// Taking storage.redis_url apart.
#include "storage/redis/url.h"

#include <charconv>

namespace mainstay::storage::redis {
namespace {

Error bad(const std::string& why) {
  return Error::say(Errc::invalid, "redis_url_invalid",
                    "'storage.redis_url' " + why +
                        "; write redis://:PASSWORD@HOST:6379/0 or unix:///PATH/redis.sock.",
                    "storage.redis_url");
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// %41 -> A; anything that is no escape stays as it is.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

template <class Number>
bool number(std::string_view text, Number& out, Number most) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc() && end == text.data() + text.size() && out <= most;
}

void take_credentials(std::string_view& rest, Address& out) {
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos) return;
  const auto credentials = rest.substr(0, at);
  const auto colon = credentials.find(':');
  if (colon == std::string_view::npos) {
    out.password = unescaped(credentials);
  } else {
    out.user = unescaped(credentials.substr(0, colon));
    out.password = unescaped(credentials.substr(colon + 1));
  }
  rest.remove_prefix(at + 1);
}

Result<Address> unix_address(std::string_view rest) {
  Address out;
  take_credentials(rest, out);
  const auto query = rest.find("?db=");
  if (query != std::string_view::npos) {
    if (!number(rest.substr(query + 4), out.database, 65535U)) return bad("has no valid database");
    rest = rest.substr(0, query);
  }
  if (rest.empty() || rest.front() != '/') return bad("has no absolute path of a socket");
  if (rest.size() > 107) return bad("has a path that is too long for a socket (107 bytes)");
  out.socket = unescaped(rest);
  return out;
}

}  // namespace

std::string Address::shown() const {
  if (!socket.empty()) return "unix://" + socket;
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + port;
}

Result<Address> parse_address(const std::string& url) {
  std::string_view rest = url;
  if (rest.starts_with("rediss://")) {
    return bad("asks for TLS, which is not spoken to Redis; use a private network or a tunnel");
  }
  if (rest.starts_with("unix://")) return unix_address(rest.substr(7));
  if (!rest.starts_with("redis://")) return bad("does not begin with redis:// or unix://");
  rest.remove_prefix(8);
  Address out;
  take_credentials(rest, out);
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) {
    const auto database = rest.substr(slash + 1);
    if (!database.empty() && !number(database, out.database, 65535U)) {
      return bad("has no valid database");
    }
    rest = rest.substr(0, slash);
  }
  auto colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return bad("has no valid host");
    out.host = std::string(rest.substr(1, end - 1));
    colon = end + 1 < rest.size() ? end + 1 : std::string_view::npos;
  } else {
    out.host = std::string(rest.substr(0, colon));
  }
  if (out.host.empty()) return bad("has no host");
  std::uint32_t port = 6379;
  if (colon != std::string_view::npos && (!number(rest.substr(colon + 1), port, 65535U) || !port)) {
    return bad("has no valid port");
  }
  out.port = std::to_string(port);
  return out;
}

}  // namespace mainstay::storage::redis
