// GET / and /assets/*: the console, as the build embedded it; POST /console/csp-report.
#include "api/console.h"

#include <algorithm>

#include "api/admin.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::api {

const std::string_view kConsolePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; report-uri /console/csp-report";

namespace {

constexpr std::string_view kPermissions =
    "microphone=(self), camera=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), "
    "bluetooth=(), display-capture=()";
constexpr std::string_view kForPrograms =
    "This is Mainstay. Its console at this address is a page for browsers; GET /openapi.json "
    "describes the API.\n";
constexpr Bytes kReportMax = 16_KiB;
/// Between two log lines about reports, in seconds: anybody can send them.
constexpr std::int64_t kReportLogPause = 10;
constexpr std::size_t kReportTextMax = 200;

/// Weight 0 refuses: "gzip;q=0", also "q=0.0".
bool refused(std::string_view parameters) {
  const auto q = parameters.find("q=");
  if (q == std::string_view::npos) return false;
  const auto weight = trim(parameters.substr(q + 2));
  return weight.starts_with('0') && weight.find_first_not_of("0.") == std::string_view::npos;
}

/// Calls `each(item)` for every item of a header's list.
template <class Each>
void for_each_item(std::string_view list, Each each) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    each(trim(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

Error no_such_path() {
  return Error::say(Errc::not_found, "unknown_path",
                    "There is no such path. GET /openapi.json lists them.");
}

Error not_built_in() {
  return Error::say(Errc::not_found, "no_console",
                    "This program was built without the console. GET /openapi.json describes the "
                    "API.");
}

net::Response page_head(const Context& context, const ConsoleFile& file) {
  net::Response out;
  out.content_type = file.type;
  add_common_headers(out.headers, context);
  add_page_headers(out.headers);
  out.headers.add("etag", file.etag);
  out.headers.add("vary", "Accept-Encoding");
  out.headers.add("cache-control",
                  file.lasting ? "public, max-age=31536000, immutable" : "no-cache");
  return out;
}

Co<Status> send_file(Context& context, const ConsoleFile& file) {
  const auto& head = context.exchange.head();
  net::Response response = page_head(context, file);
  if (has_tag(list_header(head, "if-none-match"), file.etag)) {
    response.status = 304;
  } else if (takes_gzip(list_header(head, "accept-encoding"))) {
    response.headers.add("content-encoding", "gzip");
    response.body.assign(file.gzip);
  } else if (file.path == "/") {
    response.content_type = "text/plain; charset=utf-8";
    response.headers.clear();
    add_common_headers(response.headers, context);
    response.headers.add("vary", "Accept-Encoding");
    response.body = kForPrograms;
  } else {
    response = error_response(
        Error::say(Errc::invalid, "gzip_required",
                   "This file is sent compressed alone: ask with 'Accept-Encoding: gzip'."));
    response.status = 406;
    add_common_headers(response.headers, context);
  }
  context.status = response.status;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

/// What a report says: the directive, and what was kept out.
void log_report(const Rooms& rooms, const Context& context, const std::string& body) {
  auto parsed = parse_json(body);
  const Json report = parsed.ok() ? object_field(*parsed, "csp-report") : Json::object();
  const std::string directive = string_field(report, "effective-directive");
  const std::string blocked = string_field(report, "blocked-uri");
  const std::string source = string_field(report, "source-file");
  rooms.log.warn("console.csp_report", {{"id", context.id.text()},
                                        {"directive", cut_utf8(directive, kReportTextMax)},
                                        {"blocked", cut_utf8(blocked, kReportTextMax)},
                                        {"source", cut_utf8(source, kReportTextMax)}});
}

}  // namespace

void add_page_headers(net::HeaderLines& headers) {
  headers.add("content-security-policy", kConsolePolicy);
  headers.add("x-content-type-options", "nosniff");
  headers.add("referrer-policy", "no-referrer");
  headers.add("permissions-policy", kPermissions);
  headers.add("cross-origin-opener-policy", "same-origin");
  headers.add("cross-origin-resource-policy", "same-origin");
  headers.add("x-frame-options", "DENY");
}

const ConsoleFile* console_file(std::string_view path) {
  for (const auto& file : console_files()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

bool takes_gzip(std::string_view accept_encoding) {
  bool takes = false;
  for_each_item(accept_encoding, [&](std::string_view item) {
    const auto semicolon = std::min(item.find(';'), item.size());
    const auto coding = trim(item.substr(0, semicolon));
    const bool ours = equal_ascii_nocase(coding, "gzip") || equal_ascii_nocase(coding, "x-gzip");
    if (ours || coding == "*") takes = takes || !refused(item.substr(semicolon));
  });
  return takes;
}

bool has_tag(std::string_view if_none_match, std::string_view etag) {
  bool found = trim(if_none_match) == "*";
  for_each_item(if_none_match, [&](std::string_view item) {
    if (item.starts_with("W/")) item.remove_prefix(2);  // If-None-Match compares weakly
    found = found || item == etag;
  });
  return found;
}

Co<Status> console_page(const Rooms& rooms, Context& context) {
  if (!rooms.settings.console.enabled) co_return no_such_path();
  const ConsoleFile* const file = console_file("/");
  if (file == nullptr) co_return not_built_in();
  auto sent = co_await send_file(context, *file);
  co_return sent;
}

Co<Status> console_asset(const Rooms& rooms, Context& context) {
  if (!rooms.settings.console.enabled) co_return no_such_path();
  const ConsoleFile* const file = console_file(context.exchange.head().path);
  if (file == nullptr) co_return no_such_path();
  auto sent = co_await send_file(context, *file);
  co_return sent;
}

Co<Status> console_report(const Rooms& rooms, Context& context) {
  if (!rooms.settings.console.enabled) co_return no_such_path();
  auto body = co_await context.exchange.read_body(kReportMax, context.by);
  if (!body.ok()) co_return body.error();
  rooms.metrics
      .counter("mainstay_console_csp_reports_total",
               "Reports of browsers that the console broke its content security policy.")
      .add();
  if (rooms.admin != nullptr) {
    auto& logged = rooms.admin->console.report_logged_at;
    const std::int64_t now = unix_seconds(rooms.clock.wall());
    std::int64_t last = logged.load(std::memory_order_relaxed);
    const bool due = now - last >= kReportLogPause || now < last;
    if (due && logged.compare_exchange_strong(last, now)) log_report(rooms, context, *body);
  }
  net::Response response;
  response.status = 204;
  add_common_headers(response.headers, context);
  context.status = 204;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
