// The bytes of WebSocket (RFC 6455): the handshake's head, frames in, frames out, what waits to go
// out. Used by the listener's WebSockets, its tests and its fuzz target. Pure: no socket, no clock.
//
// Beast has WebSockets too, but only as a stream that owns its reads, writes and timers: it runs on
// the machine's clock, wants one read and one write pending at all times and keeps its buffers
// while idle. The listener tries first, waits without a buffer and keeps all deadlines in one
// sweep.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/server.h"
#include "net/websocket.h"

namespace mainstay::net {

/// What Sec-WebSocket-Accept answers to a Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

/// Checks a request that asks for a WebSocket, and gives the value of Sec-WebSocket-Accept.
/// Errors: invalid "upgrade_required", "websocket_version", "websocket_key".
Result<std::string> check_websocket_request(const RequestHead& head);

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

/// Appends a whole, unmasked frame, as a server sends it.
void append_frame(std::string& out, Opcode opcode, std::string_view payload);
/// Its header alone.
void append_frame_head(std::string& out, Opcode opcode, std::size_t payload);
/// The payload of a close frame; `why` is cut to what fits.
std::string close_payload(CloseCode code, std::string_view why);
/// Bytes of the unmasked frame that starts at `at` in whole frames of append_frame().
std::size_t frame_size(std::string_view frames, std::size_t at);

/// A client's frames, strictly read and put together to messages.
class FrameReader {
 public:
  enum class Got : std::uint8_t { more, message, ping, pong, close, bad };

  explicit FrameReader(std::size_t message_max) : message_max_(message_max) {}
  /// Uses bytes up from the front of `in` until a message or control frame is complete, the bytes
  /// are used up (more) or a rule is broken (bad: nothing may be fed any more).
  Got feed(std::string_view& in);
  /// After Got::message.
  WebSocketMessage take_message();
  /// After Got::ping, pong and close; of a close frame: as it came.
  const std::string& control() const noexcept { return control_; }
  /// After Got::bad: how to close.
  CloseCode fault() const noexcept { return fault_; }
  const char* why() const noexcept { return why_; }
  /// Frames whose head was read since the start.
  std::uint64_t frames() const noexcept { return frames_; }
  /// Bytes kept of an unfinished message.
  std::size_t held() const noexcept { return message_.size(); }

 private:
  bool read_head(std::string_view& in);
  Got check_head();
  void read_payload(std::string_view& in);
  Got end_frame();
  Got refuse(CloseCode code, const char* why) {
    fault_ = code;
    why_ = why;
    return Got::bad;
  }
  bool is_control() const noexcept { return (head_[0] & 0x08) != 0; }
  bool fin() const noexcept { return (head_[0] & 0x80) != 0; }
  Opcode opcode() const noexcept { return static_cast<Opcode>(head_[0] & 0x0f); }

  const std::size_t message_max_;
  std::array<std::uint8_t, 14> head_{};
  std::uint8_t head_have_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;  ///< a fragment without FIN came
  bool text_ = false;
  CloseCode fault_ = CloseCode::normal;
  const char* why_ = "";
  std::array<std::uint8_t, 4> mask_{};
  std::uint64_t left_ = 0;    ///< payload bytes of this frame to come
  std::uint64_t masked_ = 0;  ///< payload bytes of this frame that came
  std::uint64_t frames_ = 0;
  std::string message_;
  std::string control_;
};

/// Whole frames that wait for the client, the first perhaps partly sent.
class Outbox {
 public:
  bool empty() const noexcept { return sent_ == bytes_.size(); }
  std::size_t unsent() const noexcept { return bytes_.size() - sent_; }
  /// Frames not wholly sent.
  std::size_t frames() const noexcept { return frames_; }
  std::string_view view() const noexcept { return std::string_view(bytes_).substr(sent_); }
  /// Puts a frame behind; `sent` bytes of it have gone already (only when empty).
  void add(Opcode opcode, std::string_view payload, std::size_t sent = 0);
  /// `n` more bytes have gone. Memory is given back when all have.
  void sent(std::size_t n);
  /// Drops whole frames from the back, but neither one that is partly sent nor, for TLS, which must
  /// repeat what it could not send, the next `keep` bytes.
  void cut(std::size_t keep);

 private:
  std::string bytes_;
  std::size_t sent_ = 0;
  std::size_t first_ = 0;  ///< where the first frame starts that is not wholly sent
  std::size_t frames_ = 0;
};

}  // namespace mainstay::net
