// The handshake of a WebSocket, and the badge of who holds it.
#include "api/ws_door.h"

#include "api/admin.h"
#include "api/gate.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/status.h"
#include "api/ws_messages.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

using net::CloseCode;

constexpr std::string_view kProtocol = "mainstay.v1";
constexpr std::string_view kBearer = "bearer.";

/// What the client offers in Sec-WebSocket-Protocol: browsers cannot send a header of their own, so
/// a token may come here. The answer must be one of the offers, or browsers give up.
struct Offers {
  std::string chosen;
  std::string token;
};

Offers offers_of(const net::RequestHead& head) {
  Offers out;
  bool ours = false;
  const std::string offered = list_header(head, "sec-websocket-protocol");
  std::string_view rest = offered;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const auto word = trim(rest.substr(0, comma));
    if (word == kProtocol) {
      ours = true;
    } else if (word.starts_with(kBearer)) {
      out.token = word.substr(kBearer.size());
      out.chosen = word;
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (ours) out.chosen = kProtocol;
  return out;
}

Badge badge_of(const net::RequestHead& head, const Offers& offers) {
  const auto shown = credentials_of(head);
  Badge badge;
  badge.authorization = std::string(shown.authorization);
  badge.api_key = std::string(shown.api_key);
  badge.forwarded = shown.forwarded;
  badge.peer = shown.peer;
  if (badge.empty() && !offers.token.empty()) {
    badge.authorization = "Bearer " + offers.token;
  }
  return badge;
}

/// Addresses end up in logs and histories: nothing is taken from there, least of all a key.
Status check_query(const Context& context) {
  if (context.exchange.head().query.empty()) return done();
  return Error::say(Errc::invalid, "invalid_query",
                    std::string(context.route.path) +
                        " takes nothing in its address. Send a key as 'Authorization: Bearer "
                        "KEY', as the subprotocol 'bearer.KEY', or in the first message.");
}

/// A request that is no WebSocket's is told what it should be.
Co<Status> ask_for_upgrade(Context& context, Error error) {
  net::Response response = error_response(error);
  response.status = 426;
  response.headers.add("upgrade", "websocket");
  response.headers.add("sec-websocket-version", "13");
  add_common_headers(response.headers, context);
  context.status = response.status;
  context.code = error.reason == "upgrade_required" ? "upgrade_required" : "websocket_version";
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

std::string_view name_of(admission::Scope scope) {
  return scope == admission::Scope::jobs ? "jobs" : "chat";
}

admission::Credentials shown_by(const Badge& badge) {
  admission::Credentials shown;
  shown.authorization = badge.authorization;
  shown.api_key = badge.api_key;
  shown.forwarded = badge.forwarded;
  shown.peer = badge.peer;
  return shown;
}

}  // namespace

Result<admission::Caller> caller_of(const Rooms& rooms, const Badge& badge,
                                    admission::Scope needs) {
  auto caller = rooms.admission.identify(shown_by(badge));
  if (!caller.ok()) return caller;
  if (!caller->scopes.has(needs)) return lacks_scope(name_of(needs));
  return caller;
}

Co<Result<OpenedSocket>> open_socket(const Rooms& rooms, Context& context, admission::Scope needs) {
  const auto& head = context.exchange.head();
  auto passed = check_query(context);
  if (!passed.ok()) co_return passed.error();
  const Offers offers = offers_of(head);
  OpenedSocket out;
  out.badge = badge_of(head, offers);
  if (!out.badge.empty()) {
    auto caller = caller_of(rooms, out.badge, needs);
    if (!caller.ok()) co_return caller.error();
    context.caller = std::move(*caller);
  }
  net::HeaderLines headers;
  headers.add("x-request-id", context.id.text());
  if (!offers.chosen.empty()) headers.add("sec-websocket-protocol", offers.chosen);
  auto socket = co_await context.exchange.upgrade(std::move(headers));
  if (!socket.ok()) {
    const auto& reason = socket.error().reason;
    if (reason != "upgrade_required" && reason != "websocket_version") co_return socket.error();
    auto asked = co_await ask_for_upgrade(context, std::move(socket.error()));
    if (!asked.ok()) co_return asked.error();
    co_return out;
  }
  context.status = 101;
  context.lasting = true;
  out.socket = *socket;
  co_return out;
}

SocketGuest::SocketGuest(const Rooms& rooms, Context& context, net::WebSocket& socket, Badge badge,
                         admission::Scope needs)
    : rooms_(rooms),
      context_(context),
      socket_(socket),
      settings_(rooms.settings.server.websocket),
      needs_(needs),
      badge_(std::move(badge)),
      auth_by_(Deadline::in(rooms.clock, settings_.auth_timeout)) {}

bool SocketGuest::begin() {
  auto caller = caller_of(rooms_, badge_, needs_);
  return caller.ok() && enter(std::move(*caller));
}

Co<Result<net::WebSocketMessage>> SocketGuest::read() {
  for (;;) {
    auto message = co_await read(Deadline::never());
    if (message.ok() || message.error().code != Errc::deadline) co_return message;
  }
}

Co<Result<net::WebSocketMessage>> SocketGuest::read(Deadline by) {
  Deadline until = Deadline::in(rooms_.clock, settings_.recheck).sooner(by);
  if (!known_) until = until.sooner(auth_by_);
  auto message = co_await socket_.read(until);
  const TimePoint now = rooms_.clock.now();
  if (!message.ok() && message.error().code != Errc::deadline) co_return message;
  if (!known_ && auth_by_.passed(now)) socket_.close(CloseCode::policy, "auth_timeout");
  if (known_ && now - looked_ >= settings_.recheck) look_again();
  co_return message;
}

/// A key may have been revoked, or a token have ended, since the socket opened.
void SocketGuest::look_again() {
  looked_ = rooms_.clock.now();
  auto caller = rooms_.admission.identity().still(shown_by(badge_));
  // Keys of an issuer that cannot be read now say nothing against a token that was good.
  if (!caller.ok() && caller.error().code == Errc::unavailable) return;
  std::string_view why = "changed_key";
  if (!caller.ok()) {
    why = stable_code(caller.error());
  } else if (!caller->scopes.has(needs_)) {
    why = "scope_required";
  } else if (caller->owner == context_.caller.owner) {
    context_.caller = std::move(*caller);
    return;
  }
  known_ = false;
  socket_.close(CloseCode::policy, why);
}

/// What cannot be sent was said to nobody: the socket is closed then, and read() tells.
void SocketGuest::tell(const std::string& id, const Error& error) {
  [[maybe_unused]] auto sent = socket_.send(error_message(id, error));
}

/// The socket belongs to this caller from now on. Closes it when the user has too many.
bool SocketGuest::enter(admission::Caller caller) {
  if (rooms_.admin != nullptr &&
      !rooms_.admin->sockets.enter(caller.owner, settings_.per_user, place_)) {
    tell({}, Error::say(Errc::over_limit, "too_many_sockets",
                        "This user has as many WebSockets open as one may have. Close one, or "
                        "use one for several jobs."));
    socket_.close(CloseCode::policy, "too_many_sockets");
    return false;
  }
  context_.caller = std::move(caller);
  known_ = true;
  looked_ = rooms_.clock.now();
  return true;
}

bool SocketGuest::auth(const std::string& id, std::string token, bool bound) {
  if (bound || !badge_.empty()) {
    tell(id, Error::say(Errc::conflict, "already_known",
                        "This WebSocket belongs to a user already. Open another one."));
    return false;
  }
  badge_.authorization = "Bearer " + std::move(token);
  auto caller = caller_of(rooms_, badge_, needs_);
  if (!caller.ok()) {
    known_ = false;
    tell(id, caller.error());
    socket_.close(CloseCode::policy, stable_code(caller.error()));
    return false;
  }
  place_ = {};
  return enter(std::move(*caller));
}

void SocketGuest::refuse_stranger(const std::string& id) {
  tell(id, Error::say(Errc::denied, "missing_key",
                      "Say who you are first: {\"type\":\"auth\",\"token\":\"…\"}, or send "
                      "'Authorization: Bearer KEY' with the request."));
  socket_.close(CloseCode::policy, "missing_key");
}

}  // namespace mainstay::api
