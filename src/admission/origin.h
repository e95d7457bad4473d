// What a browser may be made to send by a page that is not ours: host names, origins, CORS.
// Used by api before anything else is looked at. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mainstay::admission {

/// The host of `HOST:PORT` or `[v6]:PORT`, with brackets.
std::string_view host_without_port(std::string_view host);
/// localhost, 127.0.0.1, [::1]
bool is_loopback_name(std::string_view host);
/// The HOST of a server.listen value is a loopback name or 127.x.y.z.
bool listens_on_loopback(std::string_view listen);

/// The `Host` of a request to a listener on loopback: a loopback name or one of `allowed` (exact,
/// without case, with or without its port). A page under another name that was made to resolve to
/// 127.0.0.1 is refused so. Errors: forbidden "host_not_allowed".
Status check_host(std::string_view host, const std::vector<std::string>& allowed);

/// A proxy passed the request on: what comes from this machine's address need not come from here.
/// Give the values of Forwarded, X-Forwarded-For, X-Real-IP and Via; empty where absent.
struct ProxyHeaders {
  std::string_view forwarded;
  std::string_view x_forwarded_for;
  std::string_view x_real_ip;
  std::string_view via;
};
bool came_through_proxy(const ProxyHeaders& headers);

/// What a request tells of the page that sent it; empty where absent.
struct PageFacts {
  std::string_view method;
  std::string_view host;
  std::string_view origin;
  std::string_view fetch_site;  ///< Sec-Fetch-Site
  std::string_view content_type;
};
enum class Place : std::uint8_t { api, admin };

/// Requests without Origin pass (programs send none), unless a browser says that they come from
/// another site and their method is not GET, HEAD or OPTIONS. An Origin must be the server's own
/// host or one of `allowed`, exactly; "null" never passes. Below admin a body must be JSON, which a
/// page cannot send without asking first.
/// Errors: forbidden "origin_not_allowed"; unsupported "unsupported_media_type".
Status check_page(const PageFacts& facts, const std::vector<std::string>& allowed, Place place);

using Header = std::pair<std::string, std::string>;
/// Headers that let the page of an allowed origin read the reply; only `vary` for any other.
/// Nothing when no origin is configured.
std::vector<Header> cors_headers(std::string_view origin, const std::vector<std::string>& allowed);

/// An OPTIONS request with Origin and Access-Control-Request-Method asks whether a page may send
/// another request.
struct PreflightFacts {
  std::string_view origin;
  std::string_view method;           ///< Access-Control-Request-Method
  std::string_view headers;          ///< Access-Control-Request-Headers
  std::string_view private_network;  ///< Access-Control-Request-Private-Network
};
/// Headers of the 204 reply. `methods`: those of the path, as in Allow.
/// Errors: forbidden "origin_not_allowed".
Result<std::vector<Header>> preflight(const PreflightFacts& facts, std::string_view methods,
                                      const std::vector<std::string>& allowed);

}  // namespace mainstay::admission
