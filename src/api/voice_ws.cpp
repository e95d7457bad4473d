// GET /v1/voice: a WebSocket for talking.
#include "api/routes.h"
#include "api/serve_socket.h"
#include "api/voice_session.h"

namespace mainstay::api {

Co<Status> voice_socket(const Rooms& rooms, Context& context) {
  co_return co_await serve_socket<VoiceSession>(rooms, context, admission::Scope::chat);
}

}  // namespace mainstay::api
