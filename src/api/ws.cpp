// GET /v1/ws: jobs and chats over one WebSocket.
#include "api/routes.h"
#include "api/serve_socket.h"
#include "api/ws_session.h"

namespace mainstay::api {

Co<Status> websocket(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return Error::log(Errc::unavailable, "there are no jobs");
  co_return co_await serve_socket<WsSession>(rooms, context, admission::Scope::jobs);
}

}  // namespace mainstay::api
