// GET /v1/ws: who may open a WebSocket, and its life from the handshake to the goodbye.
#include <exception>

#include "api/query.h"
#include "api/routes.h"
#include "api/status.h"
#include "api/ws_session.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::string_view kProtocol = "mainstay.v1";
constexpr std::string_view kBearer = "bearer.";

/// What the client offers in Sec-WebSocket-Protocol: browsers cannot send a header of their own, so
/// a token may come here. The answer must be one of the offers, or browsers give up.
struct Offers {
  std::string_view chosen;
  std::string_view token;
};

Offers offers_of(const net::RequestHead& head) {
  Offers out;
  bool ours = false;
  std::string_view rest = head.header("sec-websocket-protocol");
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
    badge.authorization = "Bearer " + std::string(offers.token);
  }
  return badge;
}

/// Addresses end up in logs and histories: nothing is taken from there, least of all a key.
Status check_query(std::string_view query) {
  if (query.empty()) return done();
  return Error::say(Errc::invalid, "invalid_query",
                    "/v1/ws takes nothing in its address. Send a key as 'Authorization: Bearer "
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

Co<Status> serve(const Rooms& rooms, Context& context, net::WebSocket& socket, Badge badge) {
  auto executor = co_await asio::this_coro::executor;
  WsSession session(rooms, context, socket, std::move(badge), executor);
  std::exception_ptr thrown;
  try {
    co_await session.run();
  } catch (...) {
    thrown = std::current_exception();
  }
  // The other coroutine uses the session: it must have ended, also when this one was cancelled.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await session.close();
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  if (thrown) std::rethrow_exception(thrown);
  co_return done();
}

}  // namespace

Co<Status> websocket(const Rooms& rooms, Context& context) {
  const auto& head = context.exchange.head();
  if (rooms.jobs == nullptr) co_return Error::log(Errc::unavailable, "there are no jobs");
  auto passed = check_query(head.query);
  if (!passed.ok()) co_return passed;
  const Offers offers = offers_of(head);
  Badge badge = badge_of(head, offers);
  if (!badge.empty()) {
    auto caller = caller_of(rooms, badge);
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
    co_return asked;
  }
  context.status = 101;
  context.lasting = true;
  auto ended = co_await serve(rooms, context, **socket, std::move(badge));
  co_return ended;
}

}  // namespace mainstay::api
