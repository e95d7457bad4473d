// A WebSocket over a connection of the listener: reads into shared memory, writes what fits at once
// and keeps the rest, answers pings, and keeps its deadlines in the loop's sweep.
// Used by Connection, which owns it; lives on the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/transport.h"
#include "net/websocket.h"
#include "net/websocket_frames.h"

namespace mainstay::net {

class WebSocketLink final : public WebSocket {
 public:
  /// `owner` keeps `loop`, `wire` and this alive while it lives. `early`: bytes that came behind
  /// the request.
  WebSocketLink(Loop& loop, Transport& wire, std::weak_ptr<void> owner, std::string early);

  Co<Result<WebSocketMessage>> read(Deadline by) override;
  Status send(std::string_view text) override;
  Status send_bytes(std::string_view bytes) override;
  void raise_rate(std::uint32_t frames_a_second) override;
  void close(CloseCode code, std::string_view why) override;
  std::size_t unsent() const noexcept override { return outbox_.unsent(); }

  // For the connection.
  /// After the service has returned: says goodbye if nobody did, and waits until it is out.
  Co<> finish();
  void sweep(TimePoint now);
  /// Nothing can be sent or received any more.
  bool gone() const noexcept { return gone_; }

 private:
  const WebSocketSettings& settings() const noexcept;
  std::optional<WebSocketMessage> take(std::string_view in);
  std::optional<WebSocketMessage> take_early();
  std::optional<WebSocketMessage> take_from_wire(bool& waits);
  void answer_close();
  bool too_fast();
  Status send_as(Opcode opcode, std::string_view payload);
  void put(Opcode opcode, std::string_view payload);
  void flush();
  void wait_to_write();
  void lost(std::string_view why);
  void ping(TimePoint now);
  void count_end(std::string_view why);
  void wake();

  Loop& loop_;
  Transport& wire_;
  std::weak_ptr<void> owner_;
  FrameReader reader_;
  Outbox outbox_;
  std::string early_;  ///< received and not yet fed
  TimePoint read_due_ = TimePoint::max();
  TimePoint write_due_ = TimePoint::max();
  TimePoint close_due_ = TimePoint::max();
  TimePoint next_ping_;
  TimePoint last_message_;
  TimePoint window_;  ///< start of the window in which frames are counted
  std::uint64_t window_frames_ = 0;
  std::uint32_t rate_;       ///< frames a second that the client may send
  std::uint32_t pings_ = 0;  ///< sent since anything came
  bool reading_ = false;     ///< read() waits
  bool late_ = false;        ///< the reader's deadline came
  bool writing_ = false;     ///< a wait for room is pending
  bool closing_ = false;     ///< a close frame was put out, or is about to be
  bool gone_ = false;
  bool counted_ = false;  ///< the end was counted
};

}  // namespace mainstay::net
