// The life of a connection: head, request, reply, again; refusals and the polite close.
#include "net/connection.h"

#include "net/connection_pieces.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace mainstay::net {
namespace {

constexpr std::size_t kBuffer = 1536;           ///< most heads fit; all an idle connection keeps
constexpr std::size_t kChunkedRoom = 16384;     ///< read size of chunked bodies
constexpr std::uint64_t kDrainMax = 64 * 1024;  ///< unread body that is worth reading away
/// Read away in one go, before other connections of the loop have their turn.
constexpr std::size_t kDiscardedAtOnce = 256 * 1024;
/// Clients read a refusal when they have sent their whole body; time bounds this as well.
constexpr std::size_t kLingerBytes = 64 << 20;
/// A message that is too large is on its way when its goodbye is; time alone bounds what is read.
constexpr std::size_t kLingerBytesOfWebSocket = std::size_t{1} << 30;
constexpr auto kLinger = std::chrono::seconds(2);

}  // namespace

void ReadBuffer::make_room(std::size_t room) {
  if (this->room() >= room) return;
  const std::size_t wanted = std::max({size_ + room, capacity_ * 2, kBuffer});
  auto grown = std::make_unique_for_overwrite<char[]>(wanted);
  if (size_ > 0) std::memcpy(grown.get(), data_.get(), size_);
  data_ = std::move(grown);
  capacity_ = wanted;
}

void ReadBuffer::drop_front(std::size_t n) {
  size_ -= n;
  if (size_ > 0) {
    std::memmove(data_.get(), data_.get() + n, size_);
  } else if (capacity_ > kBuffer) {
    data_.reset();
    capacity_ = 0;
  }
}

Connection::Connection(std::shared_ptr<Loop> loop, Transport wire, asio::ip::address peer,
                       bool turn_away)
    : turn_away_(turn_away),
      loop_(std::move(loop)),
      wire_(std::move(wire)),
      finder_(loop_->shared().limits) {
  head_.peer = peer;
}

void Connection::start() {
  auto self = shared_from_this();
  auto ended = [self](std::exception_ptr thrown) {
    // A stream that ends with the connection must not look complete.
    self->wire_.close(self->streaming_ && self->flags_.http_1_0);
    self->loop_->ended(*self, std::move(thrown));
  };
  asio::co_spawn(loop_->io().get_executor(), turn_away_ ? turn_away() : run(),
                 asio::bind_cancellation_slot(signal_.slot(), std::move(ended)));
}

Co<> Connection::run() {
  if (wire_.tls()) {
    auto agreed = co_await handshake();
    if (!agreed) co_return;
  }
  for (;;) {
    auto ready = co_await read_head();
    if (!ready) co_return;
    auto again = co_await one_request();
    if (!again) co_return;
  }
}

Co<> Connection::turn_away() {
  if (!wire_.tls()) {
    push(loop_->shared().full_reply, {}, {});
    co_await linger();
  }
}

Co<bool> Connection::handshake() {
  phase_ = Phase::handshake;
  due_ = loop_->due_in(loop_->shared().settings.header_timeout);
  for (;;) {
    const auto done = wire_.handshake_now();
    if (done.state == Transport::State::ok) co_return true;
    if (done.state == Transport::State::closed || late_) co_return false;
    auto [failed] = co_await wire_.socket().async_wait(wire_.want(), use_co);
    if (failed) co_return false;
  }
}

HeadFault Connection::look_for_head(bool& complete) {
  if (!blank_skipped_ && buffer_.view().starts_with("\r\n")) {
    blank_skipped_ = true;
    buffer_.drop_front(2);
    finder_.reset();
  }
  if (buffer_.size() == 0) return HeadFault::none;
  const auto state = finder_.feed(buffer_.view());
  if (state == HeadFinder::State::bad) return finder_.fault();
  if (state == HeadFinder::State::more) return HeadFault::none;
  const auto& limits = loop_->shared().limits;
  auto fault = parse_head(buffer_.view().substr(0, finder_.size()), limits, head_, fields_, flags_);
  if (fault == HeadFault::none && head_.chunked && buffer_.room() < kBuffer) {
    // The body is read in place behind the head; the views must not move any more.
    buffer_.make_room(kChunkedRoom);
    fault = parse_head(buffer_.view().substr(0, finder_.size()), limits, head_, fields_, flags_);
  }
  complete = fault == HeadFault::none;
  return fault;
}

Co<bool> Connection::read_head() {
  const auto& settings = loop_->shared().settings;
  finder_.reset();
  late_ = false;
  blank_skipped_ = false;
  phase_ = buffer_.size() > 0 ? Phase::head : Phase::idle;
  const bool idle = phase_ == Phase::idle && !first_;
  due_ = loop_->due_in(idle ? settings.idle_timeout : settings.header_timeout);
  for (;;) {
    bool complete = false;
    const HeadFault fault = look_for_head(complete);
    if (complete) co_return true;
    if (fault != HeadFault::none) {
      co_await refuse(fault);
      co_return false;
    }
    if (loop_->stopping() && buffer_.size() == 0) co_return false;
    buffer_.make_room(1);
    std::size_t got = 0;
    if (wire_.tls()) {
      got = co_await receive(buffer_.end(), buffer_.room());
    } else {
      auto space = asio::buffer(buffer_.end(), buffer_.room());
      auto [failed, n] = co_await wire_.socket().async_read_some(space, use_co);
      got = failed ? 0 : n;
    }
    if (sent_away_) co_return false;  // a request that came meanwhile has its answer
    if (got == 0) {
      if (late_ && phase_ == Phase::head) co_await refuse(HeadFault::timeout);
      co_return false;
    }
    buffer_.added(got);
    if (phase_ == Phase::idle) {
      phase_ = Phase::head;
      due_ = loop_->due_in(settings.header_timeout);
    }
  }
}

void Connection::begin_request() {
  phase_ = Phase::serving;
  head_.received = loop_->read_clock();
  due_ = head_.received + loop_->shared().settings.request_timeout;
  end_body_clock();
  used_ = finder_.size();
  body_ = head_.has_body() ? Body::unread : Body::done;
  head_only_ = head_.method == "HEAD";
  late_ = timed_out_ = started_ = streaming_ = pings_ = false;
  failure_.clear();
  pieces_.reset();
  loop_->busy(1);
}

void Connection::leave_request() {
  phase_ = Phase::closing;
  ++generation_;
  hold_.reset();
  due_ = TimePoint::max();
  end_body_clock();
  if (web_) {
    loop_->websockets(-1);
  } else {
    loop_->busy(-1);
  }
}

Co<bool> Connection::one_request() {
  begin_request();
  Service& service = loop_->shared().service;
  if (is_health()) {
    Response health = service.health();
    [[maybe_unused]] auto sent = co_await reply(std::move(health));
  } else if (loop_->health_only() && !head_.path.starts_with("/health")) {
    Error error = Error::say(Errc::not_found, "not_found", "Only /health is served here.");
    co_await fail(std::move(error), 404);
  } else {
    try {
      co_await service.serve(*this);
    } catch (const boost::system::system_error& e) {
      if (!cancelled_ || e.code() != asio::error::operation_aborted) failure_ = e.what();
    } catch (const std::exception& e) {
      failure_ = e.what();
    }
  }
  leave_request();
  if (!failure_.empty()) loop_->shared().log.error("request.failed", {{"what", failure_}});
  if (cancelled_) {  // nothing can be awaited any more
    answer_cancelled();
    co_return false;
  }
  if (end_at_once()) co_return true;
  auto again = co_await end_request();
  co_return again;
}

/// The usual end, which waits for nothing; false: end_request() must see to it.
bool Connection::end_at_once() {
  if (gone_ || aborted_ || streaming_ || web_) return false;
  if (!started_ || close_ || body_ != Body::done) return false;
  buffer_.drop_front(used_);
  first_ = false;
  return true;
}

Co<bool> Connection::end_request() {
  if (web_) {
    co_await end_websocket();
    co_return false;
  }
  if (gone_ || aborted_ || streaming_) co_return false;
  if (!started_) {
    if (failure_.empty()) loop_->shared().log.error("request.unanswered", {});
    Error error = Error::log(Errc::internal, "the service threw or did not reply");
    co_await fail(std::move(error), 500);
    co_await linger();
    co_return false;
  }
  if (body_ == Body::unread && !close_) {
    auto drained = co_await drain_body();
    if (!drained) close_ = true;
  }
  if (close_ || body_ == Body::broken) {
    co_await linger();
    co_return false;
  }
  co_return end_at_once();
}

Co<bool> Connection::drain_body() {
  if (flags_.expect_continue || head_.content_length.value_or(0) > kDrainMax) co_return false;
  begin_body_clock(Deadline::never());
  if (head_.chunked) {
    auto drained = co_await read_chunked(kDrainMax);
    end_body_clock();
    co_return drained.ok();
  }
  auto drained = co_await read_fixed(*head_.content_length);
  end_body_clock();
  co_return drained.ok();
}

/// What a request that was cancelled is told, without waiting: what does not fit into the socket is
/// lost with the connection.
void Connection::answer_cancelled() {
  if (!timed_out_ && !stopped_) return;  // whoever holds the work ended it
  if (gone_ || web_ || (started_ && !(streaming_ && pings_))) return;
  const Error error = timed_out_ ? Error::log(Errc::deadline, "server.request_timeout passed")
                                 : Error::say(Errc::unavailable, "stopping",
                                              "The server is stopping. Ask again in a moment.");
  Response response = loop_->shared().service.refusal(error);
  if (streaming_) {
    end_events("data: " + response.body + "\n\n");
  } else {
    close_ = true;
    std::string& head = loop_->scratch();
    append_reply_head(head, response, framing(response, false), loop_->date());
    push(head, response.body, {});
  }
  std::size_t budget = kDiscardedAtOnce;
  wire_.discard_now(budget);
  wire_.shut_write();
}

/// The last event of a stream and its end.
void Connection::end_events(const std::string& last) {
  streaming_ = false;
  if (flags_.http_1_0) {
    push(last, {}, {});
    return;
  }
  std::string& size = loop_->scratch();
  append_chunk_size(size, last.size());
  push(size, last, "\r\n0\r\n\r\n");
}

Co<> Connection::refuse(HeadFault fault) {
  phase_ = Phase::closing;
  due_ = TimePoint::max();
  loop_->shared().refused_requests.add();
  loop_->count_refused();
  const auto peer = head_.peer;
  head_ = {};
  head_.peer = peer;
  flags_ = {};
  head_only_ = started_ = late_ = false;
  body_ = Body::done;
  Error error = to_error(fault);
  co_await fail(std::move(error), status_of(fault));
  co_await linger();
}

Co<> Connection::fail(Error error, int status) {
  Response response = loop_->shared().service.refusal(error);
  response.status = status;
  close_ = true;
  [[maybe_unused]] auto sent = co_await reply(std::move(response));
}

Co<> Connection::linger() {
  // Closing with unread bytes would reset the connection, and the reply with it.
  phase_ = Phase::closing;
  late_ = false;
  due_ = loop_->due_in(kLinger);
  wire_.shut_write();
  std::size_t budget = web_ ? kLingerBytesOfWebSocket : kLingerBytes;
  while (!gone_ && !late_ && budget > 0) {
    std::size_t left = std::min(budget, kDiscardedAtOnce);
    budget -= left;
    const bool over = wire_.discard_now(left);
    budget += left;
    if (over && left > 0) break;  // the end of the stream
    if (over) {
      co_await asio::post(use_co);
      continue;
    }
    auto [failed] = co_await wire_.socket().async_wait(wire_.want(), use_co);
    if (failed) break;
  }
}

std::string Connection::name() const {
  std::string out(head_.method);
  out += ' ';
  out += head_.path.substr(0, 128);
  out += ' ';
  out += head_.peer.to_string();
  return out;
}

}  // namespace mainstay::net
