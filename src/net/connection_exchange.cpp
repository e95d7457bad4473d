// The connection as an Exchange: request bodies in, replies and streams out.
#include <algorithm>

#include "base/check.h"
#include "net/chunked.h"
#include "net/connection.h"

namespace mainstay::net {
namespace {

constexpr std::size_t kPadding = 64;          ///< simdjson reads past the end of what it parses
constexpr std::size_t kBodyStep = 64 * 1024;  ///< memory given to a body before its bytes came
/// Up to here a copy behind the head costs less than a second part for the kernel to gather.
constexpr std::size_t kCopyMax = 2048;
constexpr std::uint64_t kDrainMax = 64 * 1024;

Error too_large(std::uint64_t limit) {
  return Error::say(Errc::too_large, "body_too_large",
                    "The request body is larger than " + std::to_string(limit) + " bytes.");
}

}  // namespace

Error Connection::gone_error() const {
  return Error::log(Errc::cancelled, "the client has gone");
}

bool Connection::is_health() const noexcept {
  return head_.path == "/health" && (head_.method == "GET" || head_only_);
}

Co<std::size_t> Connection::receive(char* to, std::size_t size) {
  if (!wire_.tls()) {
    auto [failed, n] = co_await wire_.socket().async_read_some(asio::buffer(to, size), use_co);
    co_return failed ? 0 : n;
  }
  for (;;) {
    const auto done = wire_.read_now(to, size);
    if (done.state == Transport::State::ok) co_return done.bytes;
    if (done.state == Transport::State::closed || late_) co_return 0;
    auto [failed] = co_await wire_.socket().async_wait(wire_.want(), use_co);
    if (failed) co_return 0;
  }
}

Error Connection::body_failure() {
  body_ = Body::broken;
  if (late_) {
    return Error::say(Errc::deadline, "request_timeout",
                      "The request body did not arrive in time.");
  }
  mark_gone();
  return gone_error();
}

void Connection::begin_body_clock(Deadline by) {
  const auto& settings = loop_->shared().settings;
  const TimePoint now = loop_->read_clock();
  io_due_ = std::min(by.at(), now + settings.body_timeout);
  body_came_ = 0;
  if (settings.body_rate_min.value > 0) rate_due_ = now + settings.body_rate_window;
}

Co<Result<std::string>> Connection::read_body(Bytes max, Deadline by) {
  if (gone_) co_return gone_error();
  if (body_ == Body::done) co_return std::string();
  if (body_ == Body::broken) {
    co_return Error::log(Errc::invalid, "the body was read before and failed");
  }
  const auto& settings = loop_->shared().settings;
  const std::uint64_t limit = std::min(max.value, settings.body_max.value);
  if (head_.content_length.value_or(0) > limit) co_return too_large(limit);
  if (flags_.expect_continue) {
    auto said = co_await say_continue();
    if (!said.ok()) co_return said.error();
  }
  auto here = body_here(Bytes(limit));
  if (here) co_return std::move(*here);
  begin_body_clock(by);
  Result<std::string> body;
  if (head_.chunked) {
    body = co_await read_chunked(limit);
  } else {
    body = co_await read_fixed(*head_.content_length);
  }
  end_body_clock();
  co_return body;
}

std::optional<std::string> Connection::body_here(Bytes max) {
  const std::uint64_t limit = std::min(max.value, loop_->shared().settings.body_max.value);
  if (gone_ || body_ != Body::unread || head_.chunked || *head_.content_length > limit ||
      buffer_.size() - used_ < *head_.content_length) {
    return std::nullopt;
  }
  const auto length = static_cast<std::size_t>(*head_.content_length);
  std::string whole;
  whole.reserve(length + kPadding);
  whole.append(buffer_.view(used_).substr(0, length));
  used_ += length;
  body_ = Body::done;
  flags_.expect_continue = false;
  return whole;
}

Co<Result<std::string>> Connection::read_fixed(std::uint64_t length) {
  const auto size = static_cast<std::size_t>(length);
  std::string out;
  out.reserve(std::min(size, kBodyStep) + kPadding);
  out.append(buffer_.view(used_).substr(0, size));
  std::size_t have = out.size();
  used_ += have;
  while (have < size) {
    if (have == out.size()) {
      // Memory follows the bytes, so that a promised length costs nothing.
      const std::size_t wanted = std::min(size, have + std::max(kBodyStep, have));
      out.reserve(wanted + kPadding);
      out.resize(wanted);
    }
    auto got = co_await receive(out.data() + have, out.size() - have);
    if (got == 0 || late_) co_return body_failure();
    have += got;
    body_came_ += got;
  }
  body_ = Body::done;
  co_return out;
}

Co<Result<std::string>> Connection::read_chunked(std::uint64_t max) {
  ChunkedDecoder decoder(max);
  std::string out;
  for (;;) {
    const auto step = decoder.feed(buffer_.view(used_), out);
    used_ += step.used;
    if (step.state == ChunkedDecoder::State::complete) break;
    if (step.state == ChunkedDecoder::State::too_large) {
      body_ = Body::broken;
      co_return too_large(max);
    }
    if (step.state == ChunkedDecoder::State::bad) {
      body_ = Body::broken;
      co_return Error::say(Errc::invalid, "bad_chunk", "The chunked request body is malformed.");
    }
    buffer_.cut(finder_.size());
    used_ = finder_.size();
    auto got = co_await receive(buffer_.end(), buffer_.room());
    if (got == 0 || late_) co_return body_failure();
    buffer_.added(got);
    body_came_ += got;
  }
  out.reserve(out.size() + kPadding);
  body_ = Body::done;
  co_return out;
}

ReplyFraming Connection::framing(const Response& response, bool stream) {
  using Kind = ReplyFraming::Body;
  const bool too_much = flags_.expect_continue || head_.content_length.value_or(0) > kDrainMax;
  if (!flags_.keep_alive || loop_->stopping() || loop_->closes_idle() || body_ == Body::broken ||
      (body_ == Body::unread && too_much)) {
    close_ = true;
  }
  ReplyFraming out;
  out.length = response.body.size();
  if (stream) {
    out.body = flags_.http_1_0 ? Kind::until_close : Kind::chunked;
    if (flags_.http_1_0) close_ = true;
  } else if (response.status < 200 || response.status == 204 || response.status == 304) {
    out.body = Kind::none;
  }
  out.close = close_;
  out.say_keep_alive = flags_.http_1_0;
  return out;
}

Transport::State Connection::push(std::string_view a, std::string_view b, std::string_view c) {
  last_write_ = loop_->now();
  if (!rest_a_.empty() || !rest_b_.empty() || !rest_c_.empty()) {
    // A ping is still on its way out: what comes now goes behind it.
    std::string queued(rest_a_);
    for (const std::string_view part : {rest_b_, rest_c_, a, b, c}) queued += part;
    rest_ = std::move(queued);
    rest_a_ = rest_;
    rest_b_ = rest_c_ = {};
    return Transport::State::wait;
  }
  const auto state = wire_.write_now(a, b, c);
  if (state == Transport::State::wait) {
    rest_.assign(a);  // heads are built in shared memory; b and c live until the call returns
    rest_a_ = rest_;
    rest_b_ = b;
    rest_c_ = c;
  } else if (state == Transport::State::closed) {
    mark_gone();
  }
  return state;
}

Co<Status> Connection::flush() {
  writing_ = true;
  bool sent = false;
  while (!sent && !gone_) {
    io_due_ = loop_->read_clock() + loop_->shared().settings.write_timeout;
    auto [failed] = co_await wire_.socket().async_wait(wire_.want(), use_co);
    if (failed || gone_) break;
    const auto state = wire_.write_now(rest_a_, rest_b_, rest_c_);
    if (state == Transport::State::closed) break;
    sent = state == Transport::State::ok;
  }
  writing_ = false;
  io_due_ = TimePoint::max();
  rest_a_ = rest_b_ = rest_c_ = {};
  std::string().swap(rest_);
  if (sent) co_return done();
  mark_gone();
  co_return gone_error();
}

Co<Status> Connection::reply(Response response) {
  if (loop_->crowded()) co_await asio::post(use_co);
  if (gone_ || aborted_) co_return gone_error();
  CHECK(!started_);
  started_ = true;
  std::string& head = loop_->scratch();
  const auto kind = framing(response, false);
  append_reply_head(head, response, kind, loop_->date());
  std::string_view body = response.body;
  if (head_only_ || kind.body == ReplyFraming::Body::none) body = {};
  if (body.size() <= kCopyMax) {
    head += body;
    body = {};
  }
  const auto state = push(head, body, {});
  if (state == Transport::State::ok) co_return done();
  if (state == Transport::State::closed) co_return gone_error();
  auto flushed = co_await flush();
  co_return flushed;
}

Co<Status> Connection::begin(Response response) {
  if (gone_ || aborted_) co_return gone_error();
  CHECK(!started_);
  started_ = true;
  streaming_ = true;
  pings_ = response.content_type.starts_with("text/event-stream");
  std::string& head = loop_->scratch();
  append_reply_head(head, response, framing(response, true), loop_->date());
  std::string_view piece = response.body;
  std::string_view tail;
  if (head_only_) piece = {};
  if (!piece.empty() && !flags_.http_1_0) {
    append_chunk_size(head, piece.size());
    tail = "\r\n";
  }
  const auto state = push(head, piece, tail);
  if (state == Transport::State::ok) co_return done();
  if (state == Transport::State::closed) co_return gone_error();
  auto flushed = co_await flush();
  co_return flushed;
}

Co<Status> Connection::write(const std::string& piece) {
  if (loop_->crowded()) co_await asio::post(use_co);
  if (gone_ || aborted_) co_return gone_error();
  CHECK(streaming_);
  if (piece.empty() || head_only_) co_return done();
  std::string& size = loop_->scratch();
  std::string_view tail;
  if (!flags_.http_1_0) {
    append_chunk_size(size, piece.size());
    tail = "\r\n";
  }
  std::string_view middle = piece;
  if (piece.size() <= kCopyMax) {
    size += piece;
    size += tail;
    middle = tail = {};
  }
  const auto state = push(size, middle, tail);
  if (state == Transport::State::ok) co_return done();
  if (state == Transport::State::closed) co_return gone_error();
  auto flushed = co_await flush();
  co_return flushed;
}

Co<Status> Connection::finish() {
  if (gone_ || aborted_) co_return gone_error();
  CHECK(streaming_);
  streaming_ = false;
  if (head_only_ || flags_.http_1_0) co_return done();
  const auto state = push("0\r\n\r\n", {}, {});
  if (state == Transport::State::ok) co_return done();
  if (state == Transport::State::closed) co_return gone_error();
  auto flushed = co_await flush();
  co_return flushed;
}

}  // namespace mainstay::net
