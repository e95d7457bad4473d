// A WebSocket from the handshake to the goodbye, for any kind of session.
// Used by ws.cpp and voice_ws.cpp.
#pragma once

#include <exception>

#include "api/ws_door.h"

namespace mainstay::api {

/// `Session` is made of rooms, context, socket, badge and executor; run() is its life, close() ends
/// what it began.
template <class Session>
Co<Status> serve_socket(const Rooms& rooms, Context& context, admission::Scope needs) {
  auto opened = co_await open_socket(rooms, context, needs);
  if (!opened.ok()) co_return opened.error();
  if (opened->socket == nullptr) co_return done();
  auto executor = co_await asio::this_coro::executor;
  Session session(rooms, context, *opened->socket, std::move(opened->badge), executor);
  std::exception_ptr thrown;
  try {
    co_await session.run();
  } catch (...) {
    thrown = std::current_exception();
  }
  // Other coroutines use the session: they must have ended, also when this one was cancelled.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await session.close();
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  if (thrown) std::rethrow_exception(thrown);
  co_return done();
}

}  // namespace mainstay::api
