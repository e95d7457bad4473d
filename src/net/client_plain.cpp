// One call over a pooled connection: acquire, write, read the head; then the body by pieces.
// Writes are tried first and awaited only when the socket is full.
#include "net/client_plain.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <simdjson.h>

#include "net/burst.h"
#include "net/client_upload.h"

namespace mainstay::net {
namespace {

constexpr std::size_t kWindowMin = 512;         // room for body bytes behind a large head
constexpr std::size_t kBodyBuffer = 64 * 1024;  // largest read buffer beyond the head
constexpr std::size_t kHeadersMax = 256;

/// A wait's bound and which reason its end has.
struct Limit {
  TimePoint at;
  std::string_view reason;
};

Limit limit_of(TimePoint now, Duration phase, std::string_view reason, Deadline by) {
  const TimePoint end = by.sooner(now, phase).at();
  return {end, end == by.at() ? std::string_view("upstream_timeout") : reason};
}

Error late(const Conn& conn, std::string_view reason) {
  return upstream_error(Errc::deadline, reason,
                        conn.origin->authority + ": " + std::string(reason));
}

Error broken(const Conn& conn, std::string_view reason, const error_code& why) {
  return upstream_error(Errc::bad_upstream, reason, conn.origin->authority + ": " + why.message());
}

Error bad_reply(const Conn& conn, std::string_view what) {
  return upstream_error(Errc::bad_upstream, "upstream_bad_reply",
                        conn.origin->authority + ": " + std::string(what));
}

Error cancelled() {
  return Error::log(Errc::cancelled, "upstream call cancelled");
}

/// What a failed wait on a connection means.
Error wait_failed(const Conn& conn, const Limit& limit, const error_code& why) {
  if (conn.expired) return late(conn, limit.reason);
  if (why == asio::error::operation_aborted) return cancelled();
  return broken(conn, "upstream_reset", why);
}

/// A call's place in the line; leaving gives back what came too late to be used.
class InLine {
 public:
  InLine(LoopPool& loop, const Origin& origin) : loop_(loop), waiter_(loop.budget().clock()) {
    waiter_.loop = &loop;
    waiter_.origin = &origin;
    waiter_.since = loop.budget().clock().now();
  }
  ~InLine() {
    loop_.budget().leave(waiter_);
    if (waiter_.conn) loop_.release(std::move(waiter_.conn));
    if (waiter_.slot) loop_.budget().give_back();
  }
  InLine(const InLine&) = delete;
  InLine& operator=(const InLine&) = delete;
  bool join() { return loop_.budget().join(waiter_); }
  Waiter& waiter() noexcept { return waiter_; }

 private:
  LoopPool& loop_;
  Waiter waiter_;
};

/// A right to open a connection, given back unless a connection takes it over.
class Slot {
 public:
  explicit Slot(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  Slot(Slot&& other) noexcept
      : budget_(std::move(other.budget_)), held_(std::exchange(other.held_, false)) {}
  ~Slot() {
    if (held_) budget_->give_back();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  void hold() noexcept { held_ = true; }
  bool held() const noexcept { return held_; }
  void pass_on() noexcept { held_ = false; }

 private:
  std::shared_ptr<Budget> budget_;
  bool held_ = false;
};

Error pool_full(const Origin& origin, std::string_view why) {
  return upstream_error(Errc::unavailable, "upstream_pool_full",
                        origin.authority + ": " + std::string(why));
}

/// Waits for a connection or the right to one. The result is null when the right was granted.
Co<Result<std::unique_ptr<Conn>>> stand_in_line(std::shared_ptr<LoopPool> loop,
                                                std::shared_ptr<Origin> origin, Duration queue,
                                                Deadline by) {
  Clock& clock = loop->budget().clock();
  InLine place(*loop, *origin);
  Waiter& waiter = place.waiter();
  const auto seen = waiter.woken.version();
  if (!place.join()) co_return pool_full(*origin, "too many calls wait");
  if (!waiter.slot) {
    loop->ask_peers();
    const Limit limit = limit_of(clock.now(), queue, "upstream_pool_full", by);
    [[maybe_unused]] auto woken = co_await waiter.woken.wait(seen, Deadline(limit.at));
    loop->budget().leave(waiter);
    if (!waiter.slot && !waiter.conn) {
      if (loop->budget().closed()) co_return pool_full(*origin, "the client is closed");
      if (clock.now() < limit.at) co_return cancelled();
      if (limit.reason == "upstream_timeout") {
        co_return upstream_error(Errc::deadline, limit.reason, "out of time in the line");
      }
      co_return pool_full(*origin, "no connection came free");
    }
  }
  if (waiter.conn) {
    auto conn = std::move(waiter.conn);
    conn->reused = true;
    loop->in_use(*conn);
    co_return conn;
  }
  waiter.slot = false;  // the caller has it now
  co_return std::unique_ptr<Conn>();
}

/// Opens a connection: each address in turn, sharing the time that is left.
Co<Result<std::unique_ptr<Conn>>> open_connection(std::shared_ptr<LoopPool> loop,
                                                  std::shared_ptr<Origin> origin, Slot slot,
                                                  Duration timeout, Deadline by) {
  Clock& clock = loop->budget().clock();
  const Limit limit = limit_of(clock.now(), timeout, "upstream_connect_timeout", by);
  auto addresses = co_await resolve(loop, origin, Deadline(limit.at));
  if (!addresses.ok()) co_return std::move(addresses.error());
  std::optional<Error> failed;
  auto conn = std::make_unique<Conn>(*loop, origin);
  slot.pass_on();
  loop->in_use(*conn);
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const Endpoint to((*addresses)[i], origin->port);
    error_code why;
    conn->socket.close(why);
    conn->socket.open(to.protocol(), why);
    if (!why) conn->socket.non_blocking(true, why);
    if (why) {
      failed = upstream_error(Errc::unavailable, "upstream_refused", why.message());
      continue;
    }
    const TimePoint now = clock.now();
    const auto share = static_cast<Duration::rep>(addresses->size() - i);
    conn->arm(now + (limit.at - now) / share);
    auto [refused] = co_await conn->socket.async_connect(to, use_co);
    conn->disarm();
    if (!refused) {
      conn->socket.set_option(asio::ip::tcp::no_delay(true), why);
      loop->budget().created.fetch_add(1, std::memory_order_relaxed);
      conn->expired = false;
      co_return conn;
    }
    if (conn->expired)
      failed = late(*conn, limit.reason);
    else if (refused == asio::error::operation_aborted)
      co_return cancelled();
    else
      failed = upstream_error(Errc::unavailable, "upstream_refused", refused.message());
  }
  origin->addresses_until = TimePoint{};  // look the name up again next time
  co_return std::move(*failed);
}

/// Takes a connection: an idle one, a new one, or after a wait.
Co<Result<std::unique_ptr<Conn>>> acquire(std::shared_ptr<LoopPool> loop,
                                          std::shared_ptr<Origin> origin, CallTimers timers,
                                          Deadline by, std::shared_ptr<CallTimings> took) {
  Clock& clock = loop->budget().clock();
  Slot slot(loop->shared_budget());
  if (loop->budget().take() || loop->steal_slot()) slot.hold();
  if (!slot.held()) {
    const TimePoint joined = clock.now();
    auto granted = co_await stand_in_line(loop, origin, timers.queue, by);
    took->queue = clock.now() - joined;
    if (!granted.ok()) co_return std::move(granted.error());
    if (*granted) co_return std::move(*granted);
    slot.hold();
  }
  const TimePoint started = clock.now();
  auto opened = co_await open_connection(loop, origin, std::move(slot), timers.connect, by);
  took->connect = clock.now() - started;
  co_return opened;
}

bool fits_a_request_line(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u > 0x20 && u != 0x7F;
  });
}

void build_head(const Call& call, const Origin& origin, std::string& out) {
  out.clear();
  out.append(call.method).append(" ").append(call.target).append(" HTTP/1.1\r\nhost: ");
  out.append(origin.authority).append("\r\n").append(call.headers.text());
  const bool bodyless = call.method == "GET" || call.method == "HEAD" || call.method == "DELETE";
  std::uint64_t size = call.body.size();
  if (call.source) size += call.source->size() + call.tail.size();
  if (size > 0 || !bodyless) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size);
    out.append("content-length: ").append(digits.data(), end.ptr).append("\r\n");
  }
  out.append("\r\n");
}

/// How writing a request went; `sent` false with no failure: the socket is full.
struct Written {
  bool all = false;
  error_code failed;
};

Written write_some(Conn& conn, const Call& call, std::size_t& done) {
  Written w;
  const std::size_t whole = conn.out.size() + call.body.size();
  while (done < whole) {
    const std::size_t head = std::min(done, conn.out.size());
    const std::size_t body = done - head;
    const std::array<asio::const_buffer, 2> rest{
        asio::buffer(conn.out.data() + head, conn.out.size() - head),
        asio::buffer(call.body.data() + body, call.body.size() - body)};
    const std::size_t wrote = conn.socket.write_some(rest, w.failed);
    done += wrote;
    if (w.failed == asio::error::would_block || w.failed == asio::error::try_again) {
      w.failed = {};
      return w;
    }
    if (w.failed) return w;
  }
  w.all = true;
  return w;
}

/// The end of a try at getting a reply's head.
enum class Heard { head, stale, failed };
struct Outcome {
  Heard heard = Heard::failed;
  std::optional<Error> error;
};

Outcome failure(Error error) {
  Outcome outcome;
  outcome.error = std::move(error);
  return outcome;
}

bool is_closed_by_peer(const error_code& why) {
  return why == asio::error::eof || why == asio::error::connection_reset ||
         why == asio::error::broken_pipe || why == asio::error::not_connected;
}

/// Looks for the head of a final reply in what has come; nullopt: more is needed. `looked`: bytes
/// that an earlier look saw.
std::optional<Outcome> look_for_head(Conn& conn, std::size_t& looked, bool bodyless,
                                     std::size_t header_max) {
  while (conn.end > conn.begin) {
    const std::string_view text(conn.buffer.get(), conn.end);
    const HeadState state = parse_reply_head(text, looked, bodyless, conn.head);
    looked = conn.end;
    const bool large =
        state == HeadState::more ? conn.end >= header_max : conn.head.size > header_max;
    if (state == HeadState::bad) return failure(bad_reply(conn, "malformed head"));
    if (large) return failure(bad_reply(conn, "head too large"));
    if (state == HeadState::more) return std::nullopt;
    if (conn.head.fields.size() > kHeadersMax) return failure(bad_reply(conn, "many headers"));
    if (conn.head.status >= 200) {
      conn.begin = conn.head.size;
      Outcome heard;
      heard.heard = Heard::head;
      return heard;
    }
    if (conn.head.status == 101) return failure(bad_reply(conn, "switched protocols"));
    std::copy(conn.buffer.get() + conn.head.size, conn.buffer.get() + conn.end, conn.buffer.get());
    conn.end -= conn.head.size;
    looked = 0;
  }
  return std::nullopt;
}

/// The read for a head failed.
Outcome unheard(const Conn& conn, const Limit& limit, const error_code& why) {
  Outcome outcome = failure(wait_failed(conn, limit, why));
  const bool nothing = conn.end == 0 && !conn.expired && is_closed_by_peer(why);
  if (nothing && conn.reused) outcome.heard = Heard::stale;
  return outcome;
}

class PlainReply final : public Reply {
 public:
  PlainReply(std::shared_ptr<LoopPool> loop, std::unique_ptr<Conn> conn, Duration between,
             const CallTimings& took)
      : loop_(std::move(loop)), conn_(std::move(conn)), between_(between), took_(took) {
    took_.at = loop_->budget().clock().wall();
  }
  ~PlainReply() override {
    if (failed_ || !conn_->wrote_all || !conn_->head.keep_alive) return;
    if (!conn_->body.done()) {  // the end may be here already, unread
      const auto unread = conn_->body.next(conn_->buffer.get(), conn_->begin, conn_->end);
      if (!unread.empty()) return;
      if (!conn_->body.done()) {
        if (wound_up_ && !conn_->body.bad()) loop_->await_end(std::move(conn_));
        return;
      }
    }
    if (conn_->begin == conn_->end) loop_->release(std::move(conn_));
  }

  int status() const noexcept override { return conn_->head.status; }
  std::string_view header(std::string_view name) const noexcept override {
    return conn_->head.find(conn_->buffer.get(), name);
  }
  const CallTimings& timings() const noexcept override { return took_; }
  std::optional<std::string> rest_here(Bytes max) override {
    Conn& conn = *conn_;
    const auto& head = conn.head;
    if (failed_ || (head.framing == Framing::length && head.length > conn.end - conn.begin)) {
      return std::nullopt;
    }
    std::string out;
    out.reserve(conn.end - conn.begin + simdjson::SIMDJSON_PADDING);
    BodyDecoder body = conn.body;
    std::size_t begin = conn.begin;
    for (;;) {
      const std::string_view piece = body.next(conn.buffer.get(), begin, conn.end);
      if (piece.empty()) break;
      out += piece;
    }
    if (!body.done() || out.size() > max.value) return std::nullopt;  // read() goes about it
    conn.body = body;
    conn.begin = begin;
    return out;
  }
  void wind_up() noexcept override { wound_up_ = true; }

  Co<Result<std::string_view>> read(Deadline by) override {
    Conn& conn = *conn_;
    while (!failed_) {
      const std::string_view piece = conn.body.next(conn.buffer.get(), conn.begin, conn.end);
      if (!piece.empty()) co_return piece;
      if (conn.body.done()) co_return std::string_view();
      if (conn.body.bad()) {
        co_return fail(bad_reply(conn, "broken chunk"));
      }
      make_window();
      const Limit limit = limit_of(loop_->budget().clock().now(), between_, "upstream_stalled", by);
      conn.arm(limit.at);
      auto [failed, got] = co_await conn.socket.async_read_some(conn.space(), use_co);
      conn.disarm();
      filled_ = got == conn.capacity - conn.end;
      conn.end += got;
      if (!failed) continue;
      if (failed != asio::error::eof) co_return fail(wait_failed(conn, limit, failed));
      if (!conn.body.closed()) co_return fail(broken(conn, "upstream_truncated", failed));
    }
    co_return *failed_;
  }

 private:
  /// Reading starts over behind the head, whose header views stay valid; a buffer that was filled
  /// by one read grows, since more is likely to come.
  void make_window() {
    Conn& conn = *conn_;
    const std::size_t head = conn.head.size;
    conn.begin = conn.end = head;
    if (!filled_ && conn.capacity - head >= kWindowMin) return;
    conn.end = conn.capacity;  // "full", so that room is made
    conn.make_room(head + kBodyBuffer);
    conn.end = head;
  }
  Error fail(Error error) {
    failed_ = error;
    error_code ignored;
    conn_->socket.close(ignored);
    return error;
  }

  std::shared_ptr<LoopPool> loop_;
  std::unique_ptr<Conn> conn_;
  const Duration between_;
  bool filled_ = false;
  bool wound_up_ = false;
  CallTimings took_;
  std::optional<Error> failed_;
};

/// Writes what the socket did not take at once; the failure of a wait, if one failed.
Co<std::optional<Error>> write_rest(Conn& conn, const Call& call, std::size_t done,
                                    CallTimers timers, Deadline by) {
  Clock& clock = conn.budget->clock();
  Written written;
  while (!written.all && !written.failed) {
    const Limit limit = limit_of(clock.now(), timers.first_byte, "upstream_first_byte_timeout", by);
    conn.arm(limit.at);
    auto [failed] = co_await conn.socket.async_wait(Socket::wait_write, use_co);
    conn.disarm();
    if (failed) co_return wait_failed(conn, limit, failed);
    written = write_some(conn, call, done);
  }
  conn.wrote_all = written.all;
  co_return std::nullopt;
}

std::shared_ptr<LoopPool> loop_of(const std::vector<std::shared_ptr<LoopPool>>& loops,
                                  const asio::execution_context& io) {
  for (const auto& loop : loops) {
    if (&loop->io() == &io) return loop;
  }
  return nullptr;
}

}  // namespace

Co<Result<std::unique_ptr<Reply>>> send_plain(const std::vector<std::shared_ptr<LoopPool>>& loops,
                                              Call call, CallTimers timers, Deadline by) {
  if (!fits_a_request_line(call.target)) {
    co_return Error::log(Errc::internal, "request target with a space or control character");
  }
  const auto executor = co_await asio::this_coro::executor;
  auto loop = loop_of(loops, executor.context());
  if (!loop) co_return Error::log(Errc::internal, "the client does not know the caller's loop");
  Clock& clock = loop->budget().clock();
  const std::size_t header_max = loop->budget().settings().header_max.value;
  auto origin = loop->origin(*call.url, call.public_only);
  CallTimings took;
  TimePoint sent = clock.now();
  if (by.passed(sent)) co_return no_time_left();
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::unique_ptr<Conn> conn;
    if (attempt == 0 && !call.once) conn = loop->take_idle(*origin);
    if (!conn) {
      auto slow = std::make_shared<CallTimings>();
      auto acquired = co_await acquire(loop, origin, timers, by, slow);
      took = *slow;
      if (!acquired.ok()) co_return std::move(acquired.error());
      conn = std::move(*acquired);
      sent = clock.now();
    }
    took.reused = conn->reused;
    conn->begin_call();
    build_head(call, *origin, conn->out);
    if (loop->crowded()) co_await asio::post(use_co);
    std::size_t done = 0;
    const Written written = write_some(*conn, call, done);
    conn->wrote_all = written.all;
    Limit limit = limit_of(sent, timers.first_byte, "upstream_first_byte_timeout", by);
    if (!written.all && !written.failed) {
      auto failed = co_await write_rest(*conn, call, done, timers, by);
      if (failed) co_return std::move(*failed);
      limit = limit_of(clock.now(), timers.first_byte, "upstream_first_byte_timeout", by);
    }
    if (call.source && conn->wrote_all) {
      auto uploaded = co_await upload(*conn, call, timers, by);
      if (!uploaded.ok()) co_return uploaded.error();
      limit = limit_of(clock.now(), timers.first_byte, "upstream_first_byte_timeout", by);
    }
    // A peer that stopped reading may still have said why: its reply is read all the same.
    std::optional<Outcome> heard;
    std::size_t looked = 0;
    while (!heard) {
      conn->make_room(header_max + kWindowMin);
      conn->arm(limit.at);
      auto [failed, got] = co_await conn->socket.async_read_some(conn->space(), use_co);
      conn->disarm();
      conn->end += got;
      if (failed)
        heard = unheard(*conn, limit, failed);
      else
        heard = look_for_head(*conn, looked, call.method == "HEAD", header_max);
    }
    if (heard->heard == Heard::head) {
      took.first_byte = clock.now() - sent;
      if (took.reused) loop->budget().reused.fetch_add(1, std::memory_order_relaxed);
      conn->body.start(conn->head);
      if (call.once) conn->head.keep_alive = false;
      co_return std::make_unique<PlainReply>(std::move(loop), std::move(conn), timers.between_bytes,
                                             took);
    }
    if (heard->heard != Heard::stale || attempt == 1 || call.once)
      co_return std::move(*heard->error);
  }
  co_return Error::log(Errc::internal, "unreachable");
}

}  // namespace mainstay::net
