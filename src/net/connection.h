// One client connection: reads requests in order, hands each to the service as an Exchange, and
// keeps the connection's deadlines. Used by Loop; lives on its loop's thread.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "net/reply_head.h"
#include "net/request_parser.h"
#include "net/server.h"
#include "net/transport.h"
#include "net/websocket_link.h"

namespace mainstay::net {

/// Bytes received and not yet used. The head of the running request stays at its start, so that
/// views into it hold.
class ReadBuffer {
 public:
  std::string_view view(std::size_t from = 0) const noexcept {
    return {data_.get() + from, size_ - from};
  }
  std::size_t size() const noexcept { return size_; }
  std::size_t room() const noexcept { return capacity_ - size_; }
  char* end() noexcept { return data_.get() + size_; }
  void added(std::size_t n) noexcept { size_ += n; }
  void cut(std::size_t size) noexcept { size_ = size; }
  /// Makes room for `room` more bytes; views into the buffer end.
  void make_room(std::size_t room);
  /// Removes the first `n` bytes and gives a grown buffer back once it is empty.
  void drop_front(std::size_t n);

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// The service's coroutine is awaited inside the connection's own: no task is spawned for a
/// request. Cancelling it cancels the connection's coroutine, which then closes without waiting.
class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Loop> loop, Transport wire, asio::ip::address peer, bool turn_away);
  ~Connection() override;
  void start();

  // For the loop.
  void sweep(TimePoint now, Duration tick);
  void stop_if_idle();
  /// Ends the wait between two requests; a connection that brings its first is left alone.
  void stop_if_kept();
  /// A connection that has sent nothing yet gets the 503 and ends; false if it is not such a one.
  bool turn_away_if_silent();
  void cancel();
  bool serving() const noexcept { return phase_ == Phase::serving; }
  bool turned_away() const noexcept { return turn_away_; }
  std::string name() const;
  Connection* next = nullptr;
  Connection* previous = nullptr;

  // Exchange.
  const RequestHead& head() const noexcept override { return head_; }
  Co<Result<std::string>> read_body(Bytes max, Deadline by) override;
  std::optional<std::string> body_here(Bytes max) override;
  Co<Result<std::string>> read_piece(Bytes max, Deadline by) override;
  Co<Status> reply(Response response) override;
  Co<Status> begin(Response head) override;
  Co<Status> write(const std::string& piece) override;
  Co<Status> finish() override;
  Co<Result<WebSocket*>> upgrade(HeaderLines headers) override;
  void allow(TimePoint until) override {
    if (phase_ == Phase::serving && !web_) due_ = until;
  }
  void abort() override { aborted_ = true; }
  bool started() const noexcept override { return started_; }
  const std::shared_ptr<Hold>& hold() const noexcept override;

 private:
  enum class Phase : std::uint8_t { handshake, idle, head, serving, closing };
  enum class Body : std::uint8_t { done, unread, broken };

  // connection.cpp: the life of a connection.
  Co<> run();
  Co<> turn_away();
  Co<bool> handshake();
  Co<bool> read_head();
  HeadFault look_for_head(bool& complete);
  Co<bool> one_request();
  void begin_request();
  void leave_request();
  void answer_cancelled();
  void end_events(const std::string& last);
  bool end_at_once();
  Co<bool> end_request();
  Co<> end_websocket();
  Co<bool> drain_body();
  Co<> refuse(HeadFault fault);
  Co<> fail(Error error, int status);
  Co<> linger();

  // connection_exchange.cpp: bodies and replies.
  Co<std::size_t> receive(char* to, std::size_t size);
  Co<Result<std::string>> read_fixed(std::uint64_t length);
  Co<Result<std::string>> read_chunked(std::uint64_t max);
  Co<Status> begin_pieces(std::uint64_t max);
  Co<Status> say_continue();
  Co<Result<std::string>> fixed_piece();
  Co<Result<std::string>> chunked_piece(std::uint64_t max);
  Error body_failure();
  void begin_body_clock(Deadline by);
  void end_body_clock() noexcept { io_due_ = rate_due_ = TimePoint::max(); }
  bool is_health() const noexcept;
  ReplyFraming framing(const Response& response, bool stream);
  Transport::State push(std::string_view a, std::string_view b, std::string_view c);
  Co<Status> flush();
  Error gone_error() const;

  // connection_life.cpp: deadlines, the client's departure, cancellation.
  void phase_expired();
  void rate_expired(TimePoint now);
  void io_expired();
  void watch();
  void ping(TimePoint now);
  bool brings_bytes();
  void mark_gone();
  void post_cancel(std::uint32_t generation);
  void wake();

  // Read at each sweep: kept together.
  TimePoint due_ = TimePoint::max();     ///< end of the phase
  TimePoint io_due_ = TimePoint::max();  ///< end of the body's read or of a write without progress
  TimePoint rate_due_ = TimePoint::max();  ///< end of a window in which a body's rate is taken
  Phase phase_ = Phase::idle;
  Body body_ = Body::done;
  const bool turn_away_;
  bool first_ = true;           ///< no request was served yet
  bool blank_skipped_ = false;  ///< one empty line before a request is allowed
  bool sent_away_ = false;      ///< turned away after it was accepted
  bool late_ = false;           ///< a deadline woke the coroutine
  bool timed_out_ = false;      ///< request_timeout cancelled the service
  bool gone_ = false;           ///< the client has left
  bool stopped_ = false;        ///< the listener's end cancelled it
  bool cancelled_ = false;      ///< the service's coroutine was cancelled
  bool aborted_ = false;
  bool started_ = false;    ///< a reply has begun
  bool streaming_ = false;  ///< between begin() and finish()
  bool head_only_ = false;
  bool pings_ = false;
  bool writing_ = false;          ///< flush() waits
  bool close_ = false;            ///< after this reply
  bool watching_ = false;         ///< a wait for the client's departure is pending
  std::uint32_t generation_ = 0;  ///< counts requests: an old request's cancel is ignored
  TimePoint last_write_{};
  std::uint64_t body_came_ = 0;  ///< bytes of the body in the present window

  std::shared_ptr<Loop> loop_;
  Transport wire_;
  asio::cancellation_signal signal_;
  RequestHead head_;
  HeadFlags flags_;
  std::vector<HeaderView> fields_;
  HeadFinder finder_;
  std::size_t used_ = 0;  ///< bytes of buffer_ that belong to the running request
  ReadBuffer buffer_;
  std::string rest_;         ///< owns what rest_a_ views
  std::string_view rest_a_;  ///< unsent: first, second, third part
  std::string_view rest_b_;
  std::string_view rest_c_;
  std::string failure_;  ///< what the service threw
  struct Pieces;
  std::unique_ptr<Pieces> pieces_;  ///< of a body that is read in pieces
  mutable std::shared_ptr<Hold> hold_;
  std::unique_ptr<WebSocketLink> web_;  ///< since upgrade()
};

}  // namespace mainstay::net
