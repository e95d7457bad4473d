// WebSocket (RFC 6455) on a connection of the listener: whole messages in and out.
// Used by api, which turns an Exchange into one with Exchange::upgrade().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::net {

/// Why a WebSocket closes, as it goes over the wire.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,  ///< the server stops
  protocol_error = 1002,
  unsupported_data = 1003,
  bad_text = 1007,  ///< not UTF-8
  policy = 1008,    ///< a rule was broken; the reason names it
  too_big = 1009,
  internal_error = 1011,
  try_again = 1013,
};

/// One whole message.
struct WebSocketMessage {
  bool text = true;  ///< checked to be UTF-8; false: binary
  std::string payload;
};

/// All members are called on the loop of the exchange. Pings, pongs, the idle time, the rate of
/// messages and the close handshake are looked after inside; limits are server.websocket.*.
/// Once it is closed, by whomever, every call answers Errc::cancelled.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  /// The next message. One reader at a time. Errors: deadline: none came until `by` (a tenth of a
  /// second late at most; nothing is lost, read again); cancelled: the WebSocket is closed or
  /// closing, whoever began it.
  virtual Co<Result<WebSocketMessage>> read(Deadline by) = 0;
  /// Sends one text message, which must be UTF-8. Never waits: what the client has not taken yet is
  /// kept, up to server.websocket.outbound_max bytes and outbound_messages messages; a client that
  /// falls further behind is closed with 1008 "slow_reader". Errors: cancelled.
  virtual Status send(std::string_view text) = 0;
  /// The same with a binary message of any bytes.
  virtual Status send_bytes(std::string_view bytes) = 0;
  /// The client may send so many frames a second, over 10 s, where server.websocket.message_rate
  /// says fewer.
  virtual void raise_rate(std::uint32_t frames_a_second) = 0;
  /// Says goodbye behind what was sent; the connection ends when the service returns. `why`: a
  /// stable word, at most 123 bytes; docs/websocket.md lists them. The first call counts.
  virtual void close(CloseCode code, std::string_view why) = 0;
  /// Bytes that wait for the client.
  virtual std::size_t unsent() const noexcept = 0;
};

}  // namespace mainstay::net
