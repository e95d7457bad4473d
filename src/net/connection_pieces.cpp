// Request bodies in pieces: memory does not grow with the body.
#include "net/connection_pieces.h"

#include <algorithm>

namespace mainstay::net {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

Error too_large(std::uint64_t limit) {
  return Error::say(Errc::too_large, "body_too_large",
                    "The request body is larger than " + std::to_string(limit) + " bytes.");
}

}  // namespace

Connection::~Connection() = default;

Co<Status> Connection::say_continue() {
  flags_.expect_continue = false;
  if (buffer_.size() != used_) co_return done();
  const auto state = push("HTTP/1.1 100 Continue\r\n\r\n", {}, {});
  if (state == Transport::State::closed) co_return gone_error();
  if (state == Transport::State::wait) {
    auto flushed = co_await flush();
    co_return flushed;
  }
  co_return done();
}

/// Until its end is reached the body counts as broken: a reply before closes the connection.
Co<Status> Connection::begin_pieces(std::uint64_t max) {
  const std::uint64_t length = head_.content_length.value_or(0);
  if (length > max) co_return too_large(max);
  if (flags_.expect_continue) {
    auto said = co_await say_continue();
    if (!said.ok()) co_return said;
  }
  pieces_ = std::make_unique<Pieces>(length, max);
  body_ = Body::broken;
  co_return done();
}

Co<Result<std::string>> Connection::read_piece(Bytes max, Deadline by) {
  if (gone_) co_return gone_error();
  if (body_ == Body::done) co_return std::string();
  if (body_ == Body::unread) {
    auto begun = co_await begin_pieces(max.value);
    if (!begun.ok()) co_return begun.error();
  }
  if (!pieces_) co_return Error::log(Errc::invalid, "the body was read before and failed");
  begin_body_clock(by);
  Result<std::string> piece;
  if (head_.chunked) {
    piece = co_await chunked_piece(max.value);
  } else {
    piece = co_await fixed_piece();
  }
  end_body_clock();
  if (!piece.ok()) pieces_.reset();
  co_return piece;
}

Co<Result<std::string>> Connection::fixed_piece() {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(pieces_->left, kPiece));
  std::string out(buffer_.view(used_).substr(0, wanted));
  used_ += out.size();
  if (out.empty()) {
    out.resize(wanted);
    auto got = co_await receive(out.data(), wanted);
    if (got == 0 || late_) co_return body_failure();
    out.resize(got);
    body_came_ += got;
  }
  pieces_->left -= out.size();
  if (pieces_->left == 0) body_ = Body::done;
  co_return out;
}

Co<Result<std::string>> Connection::chunked_piece(std::uint64_t max) {
  std::string out;
  for (;;) {
    const auto step = pieces_->decoder.feed(buffer_.view(used_), out);
    used_ += step.used;
    if (step.state == ChunkedDecoder::State::complete) {
      body_ = Body::done;
      co_return out;
    }
    if (step.state == ChunkedDecoder::State::too_large) co_return too_large(max);
    if (step.state == ChunkedDecoder::State::bad) {
      co_return Error::say(Errc::invalid, "bad_chunk", "The chunked request body is malformed.");
    }
    if (!out.empty()) co_return out;
    buffer_.cut(finder_.size());
    used_ = finder_.size();
    auto got = co_await receive(buffer_.end(), buffer_.room());
    if (got == 0 || late_) co_return body_failure();
    buffer_.added(got);
    body_came_ += got;
  }
}

}  // namespace mainstay::net
