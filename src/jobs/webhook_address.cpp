// Taking a webhook's address apart.
#include "jobs/webhook_address.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "base/public_address.h"
#include "base/text.h"

namespace mainstay::jobs {
namespace {

Error not_an_address() {
  return Error::say(Errc::invalid, "invalid_webhook",
                    "A webhook needs an address http://HOST/… or https://HOST/… without "
                    "credentials and fragment, at most 2048 characters.",
                    "webhook.url");
}

bool plain(std::string_view url) {
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '\\' || c == '#' || c == '"' || c == '<' || c == '>') {
      return false;
    }
  }
  return true;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  std::uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return port > 0 && port <= 65535;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
    return false;
  }
  return std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

/// Labels with dots between them.
bool is_host(std::string_view host) {
  if (host.size() > 253) return false;
  for (;;) {
    const auto dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

}  // namespace

std::string webhook_host(std::string_view url) {
  if (url.size() > kWebhookUrlMax || !plain(url)) return {};
  const auto colon = url.find("://");
  if (colon == std::string_view::npos) return {};
  const std::string scheme = lower_ascii(url.substr(0, colon));
  if (scheme != "http" && scheme != "https") return {};
  std::string_view rest = url.substr(colon + 3);
  const std::string authority = lower_ascii(rest.substr(0, rest.find_first_of("/?")));
  if (authority.find('@') != std::string::npos) return {};
  std::string_view host = authority;
  std::string_view after;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return {};
    after = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (host.find('%') != std::string_view::npos) return {};  // a zone is this machine's own
    error_code failed;
    asio::ip::make_address_v6(std::string(host), failed);
    if (failed) return {};
  } else {
    const auto port = host.find(':');
    if (port != std::string_view::npos) after = host.substr(port);
    host = host.substr(0, port);
    if (host.ends_with('.')) host.remove_suffix(1);
    if (!is_host(host)) return {};
  }
  if (!after.empty() && (after[0] != ':' || !is_port(after.substr(1)))) return {};
  return std::string(host);
}

bool host_is_allowed(std::string_view host, const std::vector<std::string>& allow) {
  for (const auto& allowed : allow) {
    if (equal_ascii_nocase(host, allowed)) return true;
  }
  return false;
}

Status check_webhook_url(std::string_view url, const std::vector<std::string>& allow) {
  const std::string host = webhook_host(url);
  if (host.empty()) return not_an_address();
  if (host_is_allowed(host, allow)) return done();
  error_code failed;
  const auto literal = asio::ip::make_address(host, failed);
  if ((!failed && !is_public(literal)) || host == "localhost" || host.ends_with(".localhost")) {
    return Error::say(Errc::forbidden, "webhook_address_refused",
                      "A webhook must have a public address; the operator may allow others "
                      "(jobs.webhooks.allow).",
                      "webhook.url");
  }
  return done();
}

}  // namespace mainstay::jobs
