// A streamed answer on its way to the client as server-sent events.
// Used by api's chat endpoint.
#pragma once

#include <memory>
#include <string>

#include "api/context.h"

namespace mainstay::api {

/// Sends the stream: chunks as they come, then [DONE]; after a failure an error event and no
/// [DONE]. While others wait for the same answer it goes on reading after its client has gone.
Co<Status> send_stream(const Rooms& rooms, Context& context,
                       std::unique_ptr<models::ChatStream> stream, net::HeaderLines headers);

}  // namespace mainstay::api
