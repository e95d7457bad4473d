// Comparisons of names, and nothing that depends on who is calling.
#include "admission/origin.h"

#include <algorithm>

#include "base/text.h"

namespace mainstay::admission {
namespace {

constexpr std::size_t kAskedHeadersMax = 1024;
constexpr std::string_view kExposed =
    "x-request-id, retry-after, retry-after-ms, server-timing, x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, x-mainstay-provider, "
    "x-mainstay-model, x-mainstay-cache, x-mainstay-attempts, x-mainstay-fallbacks, "
    "x-mainstay-degraded, x-conversation-id, age, idempotent-replayed";

bool contains(const std::vector<std::string>& allowed, std::string_view origin) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& one) { return equal_ascii_nocase(one, origin); });
}

/// "host:port" of an origin or a Host value, without the scheme's usual port.
std::string_view plain_host(std::string_view host, std::string_view usual_port) {
  if (host.ends_with(usual_port) && !host.ends_with("]")) {
    return host.substr(0, host.size() - usual_port.size());
  }
  return host;
}

/// The scheme is left aside: behind a proxy that ends TLS we see another than the browser does.
bool is_same_host(std::string_view origin, std::string_view host) {
  for (const auto& [scheme, port] :
       {std::pair<std::string_view, std::string_view>{"http://", ":80"}, {"https://", ":443"}}) {
    if (!origin.starts_with(scheme)) continue;
    const auto authority = origin.substr(scheme.size());
    return !authority.empty() &&
           equal_ascii_nocase(plain_host(authority, port), plain_host(host, port));
  }
  return false;
}

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

Error foreign_page() {
  return Error::say(Errc::forbidden, "origin_not_allowed",
                    "Pages of that origin may not call this server. Add the origin to "
                    "server.cors_origins.");
}

bool is_header_list(std::string_view text) {
  return text.size() <= kAskedHeadersMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == ',' || c == ' ';
         });
}

}  // namespace

std::string_view host_without_port(std::string_view host) {
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_loopback_name(std::string_view host) {
  return equal_ascii_nocase(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

bool listens_on_loopback(std::string_view listen) {
  const auto host = host_without_port(listen);
  if (is_loopback_name(host)) return true;
  // 127.0.0.0/8, but no name that only begins so.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

Status check_host(std::string_view host, const std::vector<std::string>& allowed) {
  const auto name = host_without_port(host);
  const auto port = host.substr(name.size());
  const bool plain = port.find_first_not_of(":0123456789") == std::string_view::npos;
  if (plain && (name.empty() || is_loopback_name(name))) return done();
  for (const auto& one : allowed) {
    if (equal_ascii_nocase(host, one) || (plain && equal_ascii_nocase(name, one))) return done();
  }
  return Error::say(
      Errc::forbidden, "host_not_allowed",
      "This server does not answer under that host name. Add it to server.allowed_hosts.");
}

bool came_through_proxy(const ProxyHeaders& headers) {
  return !headers.forwarded.empty() || !headers.x_forwarded_for.empty() ||
         !headers.x_real_ip.empty() || !headers.via.empty();
}

Status check_page(const PageFacts& facts, const std::vector<std::string>& allowed, Place place) {
  if (facts.origin.empty()) {
    const bool foreign = equal_ascii_nocase(facts.fetch_site, "cross-site");
    if (foreign && !is_safe(facts.method)) return foreign_page();
  } else if (!is_same_host(facts.origin, facts.host) && !contains(allowed, facts.origin)) {
    return foreign_page();
  } else if (facts.origin == "null") {
    return foreign_page();  // sandboxed frames and files: anybody's, also when somebody listed it
  }
  if (place != Place::admin || is_safe(facts.method) || facts.content_type.empty()) return done();
  const auto media = trim(facts.content_type.substr(0, facts.content_type.find(';')));
  if (equal_ascii_nocase(media, "application/json")) return done();
  return Error::say(Errc::unsupported, "unsupported_media_type",
                    "Send the body as JSON, with 'Content-Type: application/json'.");
}

std::vector<Header> cors_headers(std::string_view origin, const std::vector<std::string>& allowed) {
  if (allowed.empty()) return {};
  std::vector<Header> out{{"vary", "Origin"}};
  if (origin.empty() || origin == "null" || !contains(allowed, origin)) return out;
  // No Access-Control-Allow-Credentials: keys travel in headers, and we set no cookie.
  out.emplace_back("access-control-allow-origin", origin);
  out.emplace_back("access-control-expose-headers", kExposed);
  return out;
}

Result<std::vector<Header>> preflight(const PreflightFacts& facts, std::string_view methods,
                                      const std::vector<std::string>& allowed) {
  if (facts.origin == "null" || !contains(allowed, facts.origin)) return foreign_page();
  std::vector<Header> out = cors_headers(facts.origin, allowed);
  out.emplace_back("access-control-allow-methods", methods);
  // The origin is trusted by name, so whatever headers its client library adds may come.
  if (!facts.headers.empty() && is_header_list(facts.headers)) {
    out.emplace_back("access-control-allow-headers", facts.headers);
  }
  if (facts.private_network == "true") {
    out.emplace_back("access-control-allow-private-network", "true");
  }
  out.emplace_back("access-control-max-age", "600");
  return out;
}

}  // namespace mainstay::admission
