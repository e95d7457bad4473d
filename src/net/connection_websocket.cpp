// How an exchange becomes a WebSocket, and how such a connection ends.
#include "net/connection.h"
#include "net/websocket_frames.h"

namespace mainstay::net {

Co<Result<WebSocket*>> Connection::upgrade(HeaderLines headers) {
  if (gone_ || aborted_) co_return gone_error();
  CHECK(!started_);
  if (loop_->stopping()) {
    co_return Error::say(Errc::unavailable, "stopping", "The server is stopping. Connect again.");
  }
  auto accept = check_websocket_request(head_);
  if (!accept.ok()) co_return accept.error();
  if (flags_.http_1_0) {
    co_return Error::say(Errc::invalid, "upgrade_required", "A WebSocket needs HTTP/1.1.");
  }
  started_ = true;
  std::string& head = loop_->scratch();
  head += "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";
  head += "sec-websocket-accept: ";
  head += *accept;
  head += "\r\n";
  head += loop_->date();
  head += headers.text();
  head += "\r\n";
  const auto state = push(head, {}, {});
  if (state == Transport::State::closed) co_return gone_error();
  if (state == Transport::State::wait) {
    auto flushed = co_await flush();
    if (!flushed.ok()) co_return flushed.error();
  }
  // Frames may have come behind the request; its head stays where it is, for the log.
  std::string early(buffer_.view(used_));
  buffer_.cut(used_);
  due_ = TimePoint::max();
  loop_->busy(-1);
  web_ = std::make_unique<WebSocketLink>(*loop_, wire_, weak_from_this(), std::move(early));
  co_return web_.get();
}

Co<> Connection::end_websocket() {
  if (!failure_.empty()) web_->close(CloseCode::internal_error, "internal");
  co_await web_->finish();
  if (!web_->gone()) co_await linger();
}

}  // namespace mainstay::net
