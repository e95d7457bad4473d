// One WebSocket of a user: who it is, what it asks for, and the events that are told to it.
// Used by ws.cpp.
#pragma once

#include <memory>
#include <string>

#include "api/context.h"
#include "api/gate.h"
#include "api/ws_door.h"
#include "api/ws_messages.h"
#include "base/task_group.h"
#include "net/websocket.h"

namespace mainstay::api {

/// Lives in its endpoint's coroutine, on one loop. Two coroutines: one reads and answers messages
/// in their order, the other tells events.
class WsSession {
 public:
  WsSession(const Rooms& rooms, Context& context, net::WebSocket& socket, Badge badge,
            Executor executor);
  /// Until the socket is closed.
  Co<> run();
  /// After run(), however it ended: ends the telling of events. Must be awaited.
  Co<> close() { return tasks_.close(); }

 private:
  Co<> welcome();
  Co<> handle(net::WebSocketMessage message);
  Co<> act(Said said);
  Co<> submit(Said said);
  Co<> cancel_or_retry(Said said);
  Co<> attach(Said said);
  Co<> tell_events();
  Co<> tell_ends();
  void start_telling();
  bool is_for_us(const std::string& client) const noexcept {
    return client_.empty() || client.empty() || client == client_;
  }
  void answer(const std::string& text);
  void refuse(const std::string& id, const Error& error) { answer(error_message(id, error)); }
  Deadline soon() const;

  const Rooms& rooms_;
  Context& context_;
  net::WebSocket& socket_;
  SocketGuest guest_;
  Gate gate_;
  bool asked_ = false;    ///< something was asked for: it stays who it is
  bool telling_ = false;  ///< events are told
  std::string client_;
  std::unique_ptr<jobs::Follower> follower_;
  TaskGroup tasks_;
};

}  // namespace mainstay::api
