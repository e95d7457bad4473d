// A WebSocket client by hand: masked frames as bytes, and any fault that a test wants.
// Used by the listener's tests.
#pragma once

#include <string>
#include <string_view>

#include "net/websocket_frames.h"
#include "unit/net/server_fixture.h"

namespace mainstay::net {

/// One frame as a client sends it. `first`: FIN, reserved bits and opcode.
inline std::string masked(unsigned first, std::string_view payload) {
  const std::string_view mask("\x11\x22\x33\x44", 4);
  std::string out;
  append_frame_head(out, Opcode::text, payload.size());
  out[0] = static_cast<char>(first);
  out[1] = static_cast<char>(static_cast<unsigned char>(out[1]) | 0x80);
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ mask[i & 3]);
  }
  return out;
}
inline std::string text_frame(std::string_view payload) {
  return masked(0x81, payload);
}
/// The payload of a close frame in a readable form: "1000 reason".
inline std::string close_words(std::string_view payload) {
  if (payload.size() < 2) return "none";
  const unsigned code =
      static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
  return std::to_string(code) + " " + std::string(payload.substr(2));
}

struct Frame {
  int opcode = -1;  ///< -1: the stream ended
  std::string payload;
};

class WebSocketClient : public RawClient {
 public:
  explicit WebSocketClient(std::uint16_t port) : RawClient(port) {}
  static std::string request(std::string_view path = "/other", std::string_view extra = {}) {
    return get(path,
               "connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"
               "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                   std::string(extra));
  }
  /// True when the server said 101 with the right answer to the key.
  bool open(std::string_view path = "/other") {
    send(request(path));
    if (!until("\r\n\r\n")) return false;
    return taken.starts_with("HTTP/1.1 101 ") &&
           taken.find("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") !=
               std::string::npos;
  }
  Frame frame() {
    Frame out;
    std::string head = bytes(2);
    if (head.size() < 2) return out;
    const unsigned length = static_cast<unsigned char>(head[1]);
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    head += bytes(more);
    out.opcode = static_cast<unsigned char>(head[0]) & 0x0f;
    out.payload = bytes(frame_size(head, 0) - head.size());
    return out;
  }
  /// The next frame of this opcode; others are passed over.
  Frame frame(Opcode opcode) {
    for (;;) {
      Frame next = frame();
      if (next.opcode == -1 || next.opcode == static_cast<int>(opcode)) return next;
    }
  }
  /// How the server closes, "1001 stopping"; "none" when the stream just ends.
  std::string closed() { return close_words(frame(Opcode::close).payload); }
};

}  // namespace mainstay::net
