// The order matters: what costs least and refuses most comes first, and nothing is counted against
// a caller before it is known who calls.
#include "api/gate.h"

#include <algorithm>

#include "admission/attempts.h"
#include "admission/origin.h"
#include "admission/queue.h"
#include "api/admin.h"
#include "api/query.h"
#include "api/routes.h"
#include "resources/governor.h"

namespace mainstay::api {
namespace {

using admission::Scope;

/// When a machine under pressure may have recovered: its ladders hold a step for longer.
constexpr auto kPressureRetry = std::chrono::seconds(5);

}  // namespace

admission::Credentials credentials_of(const net::RequestHead& head) {
  admission::Credentials out;
  out.authorization = head.header("authorization");
  out.api_key = head.header("x-api-key");
  out.peer = head.peer;
  // Only a caller that would be the local user can lose by a proxy's headers; while no key was ever
  // made, one that sends any key would be.
  if (admission::is_loopback(head.peer)) {
    // A proxy may add its line behind one that the client left empty: all lines count.
    const std::string forwarded = list_header(head, "forwarded");
    const std::string sources = list_header(head, "x-forwarded-for");
    const std::string address = list_header(head, "x-real-ip");
    const std::string via = list_header(head, "via");
    out.forwarded = admission::came_through_proxy({forwarded, sources, address, via});
  }
  return out;
}

Error lacks_scope(std::string_view scope) {
  return Error::say(Errc::forbidden, "scope_required",
                    "This key lacks the '" + std::string(scope) +
                        "' scope. Use one that 'mainstay keys new --scopes " + std::string(scope) +
                        "' made.");
}

namespace {

Error lacks_admin(bool local) {
  if (local) {
    return Error::say(Errc::denied, "admin_key_required",
                      "Send an API key with the admin scope, also from this machine: the first "
                      "start keeps one in admin.key in the data folder.");
  }
  return Error::say(Errc::forbidden, "admin_scope_required",
                    "This key lacks the admin scope. Use one that 'mainstay keys new --scopes "
                    "admin' made.");
}

/// Who may only look is told so, and not that the key lacks the scope it was made with.
Status check_admin(const Context& context) {
  const auto& scopes = context.caller.scopes;
  if (scopes.has(Scope::admin)) return done();
  if (!scopes.has(Scope::admin_read)) return lacks_admin(context.caller.local);
  if (context.route.method == "GET") return done();
  return Error::say(Errc::forbidden, "read_only_key",
                    "This key may look at everything below /admin and change nothing. Use one "
                    "with the admin scope.");
}

void add_lines(net::HeaderLines& lines, const std::vector<admission::Header>& headers) {
  for (const auto& [name, value] : headers) lines.add(name, value);
}

}  // namespace

Gate::Gate(const Rooms& rooms)
    : rooms_(rooms), loopback_only_(admission::listens_on_loopback(rooms.listen)) {}

Status Gate::check_host(const net::RequestHead& head) const {
  // A page on another site can make a browser send requests to 127.0.0.1 under its own name (DNS
  // rebinding): a listener on loopback serves loopback names and configured ones alone.
  if (!loopback_only_) return done();
  return admission::check_host(head.host, rooms_.settings.server.allowed_hosts);
}

void Gate::add_cors(const net::RequestHead& head, net::HeaderLines& to) const {
  const auto origin = head.header("origin");
  if (origin.empty()) return;
  add_lines(to, admission::cors_headers(origin, rooms_.settings.server.cors_origins));
}

Status Gate::check_page(Context& context) const {
  const auto& head = context.exchange.head();
  const auto origin = head.header("origin");
  const auto site = head.header("sec-fetch-site");
  const auto& allowed = rooms_.settings.server.cors_origins;
  add_cors(head, context.cors);
  const bool admin = context.route.access == Access::admin;
  if (origin.empty() && site.empty() && !admin) return done();  // no browser's page sent it
  const admission::PageFacts facts{head.method, head.host, origin, site,
                                   head.header("content-type")};
  return admission::check_page(facts, allowed,
                               admin ? admission::Place::admin : admission::Place::api);
}

Status Gate::identify(Context& context) const {
  auto caller = rooms_.admission.identify(credentials_of(context.exchange.head()));
  if (!caller.ok()) return caller.error();
  context.caller = std::move(*caller);
  return done();
}

bool Gate::still_lets_in(Context& context) const {
  auto caller = rooms_.admission.identity().still(credentials_of(context.exchange.head()));
  // Keys of an issuer that cannot be read now say nothing against a token that was good.
  if (!caller.ok()) return caller.error().code == Errc::unavailable;
  if (caller->owner != context.caller.owner) return false;
  context.caller = std::move(*caller);
  return check_scope(context).ok();
}

Status Gate::check_scope(const Context& context) const {
  const auto& scopes = context.caller.scopes;
  switch (context.route.access) {
    case Access::open:
    case Access::socket:
    case Access::caller:
      return done();
    case Access::chat:
      return scopes.has(Scope::chat) ? done() : Status(lacks_scope("chat"));
    case Access::knowledge:
      return scopes.has(Scope::knowledge) ? done() : Status(lacks_scope("knowledge"));
    case Access::jobs:
      return scopes.has(Scope::jobs) ? done() : Status(lacks_scope("jobs"));
    case Access::admin:
      return check_admin(context);
  }
  return lacks_scope("admin");
}

Status Gate::count(Context& context) const {
  const auto& head = context.exchange.head();
  auto open = rooms_.admission.open();
  if (!open.ok()) return open;
  if (rooms_.admin != nullptr) {
    const auto& owner = context.caller.owner;
    rooms_.admin->sessions.touch(owner.tenant.text(), owner.user.text(), head.received);
  }
  const auto& limits = rooms_.settings.limits.address;
  if (limits.requests_per_minute + limits.concurrent + limits.tokens_per_minute +
          limits.tokens_per_day >
      0) {
    // The sender's number, not its text: an IPv6 network counts as one.
    context.sender = std::to_string(admission::sender_of(head.peer));
  }
  context.rate = rooms_.admission.count(context.caller, context.sender);
  if (!context.rate.allowed) return admission::Admission::refusal(context.rate);
  if (context.route.sheds == Sheds::voice) context.priority = admission::Priority::voice;
  // Capped here, not only in the queue: a claim to be urgent must not pass by what is shed, and
  // neither must a key that makes none.
  context.priority = std::max(context.priority, context.caller.most_urgent);
  const auto asked = head.header("x-priority");
  if (asked.empty()) return done();
  const auto priority = admission::priority_of(asked);
  if (!priority) {
    return Error::say(Errc::invalid, "invalid_value",
                      "X-Priority is voice, interactive, batch or background.", "x-priority");
  }
  context.priority = std::max(*priority, context.caller.most_urgent);
  return done();
}

Status Gate::check_pressure(const Context& context) const {
  if (rooms_.governor == nullptr || context.route.sheds == Sheds::never) return done();
  using resources::ShedPoint;
  ShedPoint point = ShedPoint::uploads;
  if (context.route.sheds == Sheds::chat || context.route.sheds == Sheds::voice) {
    point = context.priority == admission::Priority::voice   ? ShedPoint::voice_turns
            : context.priority >= admission::Priority::batch ? ShedPoint::batch_jobs
            : context.caller.local                           ? ShedPoint::anonymous_chat
                                                             : ShedPoint::authenticated_chat;
  } else {
    // A full disk has its own word, which says what to do.
    auto writable = check_writable(rooms_);
    if (!writable.ok()) return writable;
  }
  if (!rooms_.governor->sheds(point)) return done();
  Error error = Error::say(Errc::unavailable, "resource_pressure",
                           "The machine is short of memory, disk, heat reserve or time and takes "
                           "no more of this work now. Try again in a few seconds.");
  error.retry_after = kPressureRetry;
  error.detail = std::string(name(point));
  return error;
}

Status Gate::admit(Context& context) const {
  const auto& head = context.exchange.head();
  context.by = Deadline::in(rooms_.clock, rooms_.settings.server.request_timeout);
  auto passed = check_host(head);
  if (!passed.ok()) return passed;
  passed = check_page(context);
  const auto access = context.route.access;
  if (!passed.ok() || access == Access::open || access == Access::socket) return passed;
  passed = identify(context);
  if (!passed.ok()) return passed;
  passed = check_scope(context);
  if (!passed.ok()) return passed;
  // Clients escape ids: the official one asks for "mainstay%2Fextractive".
  auto param = decode_segment(context.param);
  if (!param.ok()) return param.error();
  context.param = std::move(*param);
  if (context.route.counted == Counted::no) return done();
  passed = count(context);
  if (!passed.ok()) return passed;
  return check_pressure(context);
}

Status Gate::admit_more(Context& context) const {
  auto passed = count(context);
  if (!passed.ok()) return passed;
  if (rooms_.admin != nullptr) {
    const auto& owner = context.caller.owner;
    rooms_.admin->sessions.touch(owner.tenant.text(), owner.user.text(), rooms_.clock.now());
  }
  return check_pressure(context);
}

Result<net::Response> Gate::preflight(const net::RequestHead& head,
                                      std::string_view methods) const {
  auto host = check_host(head);
  if (!host.ok()) return host.error();
  const admission::PreflightFacts facts{head.header("origin"),
                                        head.header("access-control-request-method"),
                                        head.header("access-control-request-headers"),
                                        head.header("access-control-request-private-network")};
  auto allowed = admission::preflight(facts, methods, rooms_.settings.server.cors_origins);
  if (!allowed.ok()) return allowed.error();
  net::Response response;
  response.status = 204;
  add_lines(response.headers, *allowed);
  return response;
}

Status check_writable(const Rooms& rooms) {
  if (rooms.governor == nullptr || rooms.governor->writes_allowed()) return done();
  return Error::say(Errc::disk_full, "disk_full",
                    "The disk is nearly full or read-only, so nothing new is stored; reading and "
                    "deleting go on. Free some space: writes are taken again by themselves.");
}

}  // namespace mainstay::api
