// The driver of a WebSocket: FrameReader and Outbox over the connection's transport.
#include "net/websocket_link.h"

#include <algorithm>
#include <array>

namespace mainstay::net {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kCopyMax = 2048;  ///< up to here one write is cheaper than two parts
constexpr std::size_t kTlsRecord = 16 * 1024;
constexpr auto kRateWindow = std::chrono::seconds(10);

/// Memory that all idle sockets of a thread share: none of them keeps a buffer.
std::array<char, kReadSize>& read_space() {
  static thread_local std::array<char, kReadSize> space;
  return space;
}

Error closed_error() {
  return Error::log(Errc::cancelled, "the WebSocket is closed");
}

}  // namespace

WebSocketLink::WebSocketLink(Loop& loop, Transport& wire, std::weak_ptr<void> owner,
                             std::string early)
    : loop_(loop),
      wire_(wire),
      owner_(std::move(owner)),
      reader_(static_cast<std::size_t>(settings().message_max.value)),
      early_(std::move(early)),
      next_ping_(loop.read_clock() + settings().ping),
      last_message_(loop.now()),
      window_(loop.now()),
      rate_(settings().message_rate) {
  loop_.websockets(1);
}

const WebSocketSettings& WebSocketLink::settings() const noexcept {
  return loop_.shared().settings.websocket;
}

Co<Result<WebSocketMessage>> WebSocketLink::read(Deadline by) {
  read_due_ = by.at();
  late_ = false;
  for (;;) {
    auto message = take_early();
    bool waits = false;
    while (!message && !waits && !closing_ && !gone_) message = take_from_wire(waits);
    if (message) {
      read_due_ = TimePoint::max();
      co_return std::move(*message);
    }
    if (closing_ || gone_) co_return closed_error();
    if (late_ || by.passed(loop_.now())) {
      read_due_ = TimePoint::max();
      co_return Error::log(Errc::deadline, "no message came in time");
    }
    reading_ = true;
    [[maybe_unused]] auto [failed] = co_await wire_.socket().async_wait(wire_.want(), use_co);
    reading_ = false;
  }
}

std::optional<WebSocketMessage> WebSocketLink::take_early() {
  if (early_.empty() || closing_ || gone_) return {};
  const std::string bytes = std::exchange(early_, {});
  return take(bytes);
}

std::optional<WebSocketMessage> WebSocketLink::take_from_wire(bool& waits) {
  auto& space = read_space();
  const auto got = wire_.read_now(space.data(), space.size());
  if (got.state == Transport::State::wait) {
    waits = true;
    return {};
  }
  if (got.state == Transport::State::closed) {
    lost("client_gone");
    return {};
  }
  pings_ = 0;
  return take(std::string_view(space.data(), got.bytes));
}

/// Feeds bytes until a message is complete; what follows it is kept for the next read.
std::optional<WebSocketMessage> WebSocketLink::take(std::string_view in) {
  while (!closing_ && !gone_) {
    const std::uint64_t before = reader_.frames();
    const auto got = reader_.feed(in);
    window_frames_ += reader_.frames() - before;
    if (got == FrameReader::Got::bad) {
      close(reader_.fault(), reader_.why());
      return {};
    }
    if (too_fast()) {
      close(CloseCode::policy, "too_many_messages");
      return {};
    }
    switch (got) {
      case FrameReader::Got::more:
        return {};
      case FrameReader::Got::ping:
        put(Opcode::pong, reader_.control());
        break;
      case FrameReader::Got::close:
        answer_close();
        return {};
      case FrameReader::Got::message:
        last_message_ = loop_.now();
        loop_.shared().websocket_received.add();
        early_.assign(in);
        return reader_.take_message();
      default:
        break;
    }
  }
  return {};
}

bool WebSocketLink::too_fast() {
  const TimePoint now = loop_.now();
  if (now - window_ >= kRateWindow) {
    window_ = now;
    window_frames_ = std::min<std::uint64_t>(window_frames_, 1);
  }
  const auto seconds = static_cast<std::uint64_t>(kRateWindow.count());
  return window_frames_ > rate_ * seconds;
}

/// The client says goodbye: so do we, with its code.
void WebSocketLink::answer_close() {
  closing_ = true;
  close_due_ = loop_.due_in(settings().close_timeout);
  count_end("client");
  put(Opcode::close, std::string_view(reader_.control()).substr(0, 2));
}

Status WebSocketLink::send(std::string_view text) {
  return send_as(Opcode::text, text);
}

Status WebSocketLink::send_bytes(std::string_view bytes) {
  return send_as(Opcode::binary, bytes);
}

void WebSocketLink::raise_rate(std::uint32_t frames_a_second) {
  rate_ = std::max(rate_, frames_a_second);
}

Status WebSocketLink::send_as(Opcode opcode, std::string_view payload) {
  if (closing_ || gone_) return closed_error();
  last_message_ = loop_.now();
  loop_.shared().websocket_sent.add();
  put(opcode, payload);
  if (closing_ || gone_) return closed_error();
  return done();
}

void WebSocketLink::close(CloseCode code, std::string_view why) {
  if (closing_ || gone_) return;
  closing_ = true;
  close_due_ = loop_.due_in(settings().close_timeout);
  count_end(why.empty() ? "service" : why);
  put(Opcode::close, close_payload(code, why));
  wake();
}

/// Sends a frame at once, or as much of it as the socket takes and the rest later.
void WebSocketLink::put(Opcode opcode, std::string_view payload) {
  if (!outbox_.empty()) {
    outbox_.add(opcode, payload);
  } else {
    std::string& head = loop_.scratch();
    append_frame_head(head, opcode, payload.size());
    std::string_view body = payload;
    if (payload.size() <= kCopyMax) {
      head += payload;
      body = {};
    }
    std::string_view a = head;
    std::string_view none;
    const std::size_t whole = a.size() + body.size();
    const auto state = wire_.write_now(a, body, none);
    if (state == Transport::State::ok) return;
    if (state == Transport::State::closed) return lost("client_gone");
    outbox_.add(opcode, payload, whole - a.size() - body.size());
  }
  const bool behind = outbox_.unsent() > settings().outbound_max.value ||
                      outbox_.frames() > settings().outbound_messages;
  if (behind && !closing_) {
    loop_.shared().log.info("websocket.slow_reader", {{"bytes", outbox_.unsent()}});
    // What it has not taken is dropped, so that the goodbye has a chance to arrive.
    outbox_.cut(wire_.tls() ? kTlsRecord : 0);
    close(CloseCode::policy, "slow_reader");
    return;
  }
  wait_to_write();
}

void WebSocketLink::wait_to_write() {
  if (writing_ || outbox_.empty() || gone_) return;
  auto alive = owner_.lock();
  if (!alive) return;
  writing_ = true;
  if (write_due_ == TimePoint::max()) {
    write_due_ = loop_.due_in(loop_.shared().settings.write_timeout);
  }
  wire_.socket().async_wait(Transport::Wait::wait_write, [this, alive](error_code) {
    writing_ = false;
    if (!gone_ && wire_.socket().is_open()) flush();
  });
}

void WebSocketLink::flush() {
  std::string_view rest = outbox_.view();
  std::string_view none;
  std::string_view nothing;
  const std::size_t before = rest.size();
  const auto state = wire_.write_now(rest, none, nothing);
  if (state == Transport::State::closed) return lost("client_gone");
  const std::size_t sent = before - rest.size();
  if (sent > 0) {
    outbox_.sent(sent);
    write_due_ = TimePoint::max();
  }
  wait_to_write();
}

void WebSocketLink::lost(std::string_view why) {
  if (gone_) return;
  gone_ = true;
  count_end(why);
  wake();
}

void WebSocketLink::count_end(std::string_view why) {
  if (std::exchange(counted_, true)) return;
  loop_.shared().websocket_ended(why);
}

void WebSocketLink::wake() {
  if (!reading_) return;
  error_code ignored;
  wire_.socket().cancel(ignored);
}

void WebSocketLink::sweep(TimePoint now) {
  if (gone_) return;
  if (now >= write_due_ || now >= close_due_) {
    lost("stalled");
    wire_.close(true);  // what the client does not take must not stay in the kernel
    return;
  }
  if (now >= read_due_) {
    read_due_ = TimePoint::max();
    late_ = true;
    wake();
  }
  if (closing_) return;
  if (now - last_message_ >= settings().idle_timeout) return close(CloseCode::normal, "idle");
  if (now >= next_ping_) ping(now);
}

void WebSocketLink::ping(TimePoint now) {
  // While the service does not read, pongs go unseen.
  if (reading_ && pings_ >= settings().pongs_missed) {
    lost("dead");
    wire_.close(true);
    return;
  }
  ++pings_;
  next_ping_ = now + settings().ping;
  put(Opcode::ping, {});
}

Co<> WebSocketLink::finish() {
  close(CloseCode::normal, {});
  while (!outbox_.empty() && !gone_) {
    [[maybe_unused]] auto [failed] =
        co_await wire_.socket().async_wait(Transport::Wait::wait_write, use_co);
    if (!gone_) flush();
  }
  close_due_ = TimePoint::max();
}

}  // namespace mainstay::net
