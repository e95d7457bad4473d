// Deadlines, pings, the client's departure and cancellation, driven by the loop's sweep.
#include <boost/asio/post.hpp>

#include "net/connection.h"

namespace mainstay::net {

void Connection::sweep(TimePoint now, Duration tick) {
  if (web_) web_->sweep(now);
  if (now >= io_due_) return io_expired();
  if (now >= due_) return phase_expired();
  if (now >= rate_due_) return rate_expired(now);
  if (phase_ != Phase::serving || gone_ || web_) return;
  // Requests that are answered within a tick never pay for the watch.
  if (now - head_.received >= tick) watch();
  if (streaming_ && pings_ && !gone_) ping(now);
}

void Connection::io_expired() {
  io_due_ = TimePoint::max();
  if (writing_ || !rest_a_.empty()) {
    loop_->shared().log.info("connection.stalled", {{"peer", head_.peer.to_string()}});
    mark_gone();
    wire_.close(true);  // what the client does not take must not stay in the kernel
    return;
  }
  late_ = true;
  wake();
}

/// The end of a window: a body that came too slowly in it is given up.
void Connection::rate_expired(TimePoint now) {
  const auto& settings = loop_->shared().settings;
  const std::uint64_t window = static_cast<std::uint64_t>(settings.body_rate_window.count());
  if (body_came_ >= settings.body_rate_min.value * window / 1000) {
    body_came_ = 0;
    rate_due_ = now + settings.body_rate_window;
    return;
  }
  loop_->shared().log.info("body.too_slow",
                           {{"peer", head_.peer.to_string()}, {"bytes", body_came_}});
  end_body_clock();
  late_ = true;
  wake();
}

void Connection::phase_expired() {
  due_ = TimePoint::max();
  if (phase_ == Phase::serving) {
    timed_out_ = true;
    post_cancel(generation_);
    return;
  }
  late_ = true;
  wake();
}

void Connection::wake() {
  error_code ignored;
  wire_.socket().cancel(ignored);
}

void Connection::watch() {
  if (watching_) return;
  bool has_bytes = false;
  if (wire_.peer_gone(has_bytes)) return mark_gone();
  // Bytes of a next request would end every wait at once: asked again at the next sweep.
  if (has_bytes) return;
  watching_ = true;
  wire_.socket().async_wait(Transport::Wait::wait_read,
                            [self = shared_from_this()](error_code failed) {
                              self->watching_ = false;
                              if (failed || self->phase_ != Phase::serving || self->gone_) return;
                              bool bytes = false;
                              if (self->wire_.peer_gone(bytes)) self->mark_gone();
                            });
}

void Connection::ping(TimePoint now) {
  if (writing_) return;
  if (!rest_a_.empty()) {  // an earlier ping did not fit
    const auto state = wire_.write_now(rest_a_, rest_b_, rest_c_);
    if (state == Transport::State::ok) io_due_ = TimePoint::max();
    if (state == Transport::State::closed) mark_gone();
    return;
  }
  const auto& settings = loop_->shared().settings;
  if (now - last_write_ < settings.stream_ping_interval) return;
  const auto state = push(flags_.http_1_0 ? ": ping\n\n" : "8\r\n: ping\n\n\r\n", {}, {});
  if (state == Transport::State::wait) io_due_ = now + settings.write_timeout;
}

void Connection::mark_gone() {
  if (gone_) return;
  gone_ = true;
  if (phase_ != Phase::serving) return;
  if (hold_) {
    hold_->client_gone();
  } else {
    post_cancel(generation_);
  }
}

const std::shared_ptr<Hold>& Connection::hold() const noexcept {
  if (!hold_) {
    // Made on demand: most requests end before anybody asks.
    auto weak = const_cast<Connection*>(this)->weak_from_this();
    hold_ = std::make_shared<Hold>([weak, generation = generation_] {
      if (const auto self = weak.lock()) self->post_cancel(generation);  // on any thread
    });
    if (gone_) hold_->client_gone();
  }
  return hold_;
}

void Connection::post_cancel(std::uint32_t generation) {
  asio::post(loop_->io(), [self = shared_from_this(), generation] {
    if (self->generation_ != generation || self->phase_ != Phase::serving) return;
    self->cancelled_ = true;
    self->signal_.emit(asio::cancellation_type::terminal);
  });
}

void Connection::cancel() {
  asio::post(loop_->io(), [self = shared_from_this()] {
    self->stopped_ = true;
    self->cancelled_ = true;
    self->signal_.emit(asio::cancellation_type::terminal);
  });
}

void Connection::stop_if_idle() {
  if (phase_ == Phase::idle) wake();
  if (web_) web_->close(CloseCode::going_away, "stopping");
}

void Connection::stop_if_kept() {
  if (phase_ == Phase::idle && !first_ && !brings_bytes()) wake();
}

/// A request on its way would be lost with a connection that is closed now.
bool Connection::brings_bytes() {
  bool has_bytes = false;
  [[maybe_unused]] const bool gone = wire_.peer_gone(has_bytes);
  return has_bytes;
}

bool Connection::turn_away_if_silent() {
  const bool silent = phase_ == Phase::handshake || (phase_ == Phase::idle && first_);
  if (!silent || turn_away_ || sent_away_ || brings_bytes()) return false;
  sent_away_ = true;
  if (phase_ == Phase::idle) push(loop_->shared().full_reply, {}, {});
  wire_.close(false);
  return true;
}

}  // namespace mainstay::net
