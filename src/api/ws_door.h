// Who may open a WebSocket, and who is at its other end while it is open: keys, subprotocols, the
// first message, keys that are revoked meanwhile.
// Used by the endpoints of WebSockets (ws*.cpp, voice_ws*.cpp).
#pragma once

#include <string>

#include "api/context.h"
#include "api/open_sockets.h"
#include "net/websocket.h"

namespace mainstay::api {

/// What a client showed of itself; kept, because a key may be revoked while the socket is open.
struct Badge {
  std::string authorization;
  std::string api_key;
  bool forwarded = false;
  asio::ip::address peer;
  bool empty() const noexcept { return authorization.empty() && api_key.empty(); }
};

/// Who shows this badge, when it may do what `needs` names. Errors: Identity's; forbidden
/// "scope_required".
Result<admission::Caller> caller_of(const Rooms& rooms, const Badge& badge, admission::Scope needs);

/// A WebSocket that was let in. A key that was shown was looked at and is the context's caller.
struct OpenedSocket {
  net::WebSocket* socket = nullptr;  ///< null: the request was answered otherwise
  Badge badge;
};
/// The handshake: nothing may stand in the address, a key comes in a header or a subprotocol. A
/// request that asks for no WebSocket is told so. Errors: what the endpoint returns.
Co<Result<OpenedSocket>> open_socket(const Rooms& rooms, Context& context, admission::Scope needs);

/// The user at the other end. Belongs to its session; references outlive it.
class SocketGuest {
 public:
  SocketGuest(const Rooms& rooms, Context& context, net::WebSocket& socket, Badge badge,
              admission::Scope needs);
  /// context.caller is who it is.
  bool known() const noexcept { return known_; }
  /// Whoever shows no key may be the local user; else it says who it is in its first message. True:
  /// it is known now. Once, before the first read().
  bool begin();
  /// The next message. Looks at the clock meanwhile: closes the socket of one who does not say who
  /// it is in time, or whose key is not valid any more. Errors: cancelled: the socket is closed.
  Co<Result<net::WebSocketMessage>> read();
  /// The same, for whoever has something to look at now and then. Errors also: deadline.
  Co<Result<net::WebSocketMessage>> read(Deadline by);
  /// The first message's key; true: it is known now. Else the client was told, and the socket
  /// closed where it must be. `bound`: something was asked for already.
  bool auth(const std::string& id, std::string token, bool bound);
  /// Refuses what comes before it is known who asks.
  void refuse_stranger(const std::string& id);

 private:
  bool enter(admission::Caller caller);
  void look_again();
  void tell(const std::string& id, const Error& error);

  const Rooms& rooms_;
  Context& context_;
  net::WebSocket& socket_;
  const WebSocketSettings& settings_;
  const admission::Scope needs_;
  Badge badge_;
  bool known_ = false;
  OpenSockets::Place place_;
  TimePoint looked_{};  ///< when the badge was looked at
  const Deadline auth_by_;
};

}  // namespace mainstay::api
