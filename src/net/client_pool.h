// Connections of the client's plain transport: the budget shared by all loops, and each loop's
// origins, idle connections and deadline sweep. Used by client_plain and client_curl.
#pragma once

#include <atomic>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/event.h"
#include "base/result.h"
#include "config/settings.h"
#include "net/burst.h"
#include "net/client.h"
#include "net/client_wire.h"

namespace mainstay::net {

using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Executor>;
using Endpoint = asio::ip::tcp::endpoint;

class LoopPool;
struct Conn;

/// An upstream failure with the client's sentence for its reason.
Error upstream_error(Errc code, std::string_view reason, std::string detail);

/// The deadline had passed before the call was made.
Error no_time_left();

/// A call that waits for a connection; lives in the waiting coroutine.
struct Waiter {
  explicit Waiter(Clock& clock) : woken(clock) {}
  const LoopPool* loop = nullptr;
  const void* origin = nullptr;
  TimePoint since{};
  Event woken;
  std::unique_ptr<Conn> conn;  ///< handed over, on the waiter's own loop
  bool slot = false;           ///< may open a connection
};

/// How many connections there may be, who waits for one, and the client's counters. Thread-safe.
class Budget {
 public:
  Budget(const UpstreamSettings& settings, Clock& clock) : settings_(settings), clock_(clock) {}
  /// Takes the right to one more connection.
  bool take();
  /// Gives it back: the first waiter gets it, if any.
  void give_back();
  /// Joins the line; false when it is full or the client is closed.
  bool join(Waiter& waiter);
  /// Leaves it. What was granted in the meantime stays in `waiter`.
  void leave(Waiter& waiter);
  /// Gives `conn` to a waiter of its loop and origin, or its right to another. True when one of
  /// both happened (`conn` is then empty or without its right).
  bool hand_over(std::unique_ptr<Conn>& conn, const LoopPool& loop);
  bool keep_idle();  ///< one more kept idle; false at keepalive_max
  void unkeep_idle();
  void close();
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
  std::uint64_t idle() const;
  ClientFigures figures() const;
  const UpstreamSettings& settings() const noexcept { return settings_; }
  Clock& clock() const noexcept { return clock_; }

  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> created{0};
  std::atomic<std::uint64_t> reused{0};
  std::atomic<std::uint64_t> curl_idle{0};  ///< kept by libcurl; shares keepalive_max
  // Set before the first call. Each asks for an idle connection to be given up.
  std::function<void()> ask_loops;
  std::function<void()> ask_curl;

 private:
  const UpstreamSettings settings_;
  Clock& clock_;
  std::atomic<bool> closed_{false};
  mutable std::mutex mutex_;
  std::uint64_t open_ = 0;
  std::uint64_t idle_ = 0;
  std::list<Waiter*> waiting_;
};

/// A name lookup under way; shared by the calls that wait for it.
struct Lookup {
  explicit Lookup(Clock& clock) : finished(clock) {}
  Event finished;
  bool done = false;
  std::vector<asio::ip::address> addresses;
};

/// One host and port, on one loop.
struct Origin {
  std::string host;
  std::uint16_t port = 0;
  bool public_only = false;  ///< its addresses are public, whatever the name leads to
  std::string authority;
  std::vector<std::unique_ptr<Conn>> idle;  ///< oldest first
  std::vector<asio::ip::address> addresses;
  TimePoint addresses_until{};
  std::shared_ptr<Lookup> lookup;
};

/// One connection, in use or idle, of one loop. Destroying it closes it and gives its right back.
struct Conn {
  Conn(LoopPool& owner, std::shared_ptr<Origin> to);
  ~Conn();
  Conn(const Conn&) = delete;
  Conn& operator=(const Conn&) = delete;

  /// Starts the clock for the next wait; past `at` the sweep cancels what waits and sets `expired`.
  void arm(TimePoint at) noexcept {
    expired = false;
    deadline = at;
  }
  void disarm() noexcept { deadline = TimePoint::max(); }
  /// Before a request is written.
  void begin_call() noexcept {
    begin = end = 0;
    expired = wrote_all = false;
  }
  /// Room for reading behind `end`; grows the buffer up to `max` bytes in all. False: no room left.
  bool make_room(std::size_t max);
  /// The room behind `end`.
  asio::mutable_buffer space() noexcept { return {buffer.get() + end, capacity - end}; }
  /// False when the peer closed it or sent something unasked.
  bool alive() noexcept;

  LoopPool& loop;
  const std::shared_ptr<Origin> origin;
  const std::shared_ptr<Budget> budget;
  Socket socket;
  std::unique_ptr<char[]> buffer;
  std::size_t capacity = 0;
  std::size_t begin = 0;  ///< unread bytes are [begin, end)
  std::size_t end = 0;
  std::string out;  ///< request head being written
  ReplyHead head;
  BodyDecoder body;
  TimePoint deadline = TimePoint::max();
  TimePoint parked_at{};
  bool expired = false;
  bool wrote_all = false;  ///< the whole request is on its way
  bool owns_slot = true;
  bool kept = false;  ///< idle within keepalive_max
  bool reused = false;
  Conn* before = nullptr;  ///< list of connections in use
  Conn* after = nullptr;
};

/// The connections of one event loop. All calls from that loop's thread, unless said otherwise.
class LoopPool : public std::enable_shared_from_this<LoopPool> {
 public:
  LoopPool(asio::io_context& io, std::shared_ptr<Budget> budget);
  ~LoopPool();
  LoopPool(const LoopPool&) = delete;
  LoopPool& operator=(const LoopPool&) = delete;

  asio::io_context& io() noexcept { return io_; }
  Budget& budget() noexcept { return *budget_; }
  const std::shared_ptr<Budget>& shared_budget() noexcept { return budget_; }
  Resolver& resolver() noexcept { return resolver_; }
  /// The other loops, asked to close an idle connection when this one needs room.
  void set_peers(std::vector<std::weak_ptr<LoopPool>> peers) { peers_ = std::move(peers); }

  std::shared_ptr<Origin> origin(const Url& url, bool public_only = false);
  /// An idle connection to `origin` that is still alive, or null.
  std::unique_ptr<Conn> take_idle(Origin& origin);
  /// Makes room within this loop: closes its oldest idle connection and keeps the right to it.
  bool steal_slot();
  /// Closes this loop's oldest idle connection, for a waiter elsewhere.
  void evict_one();
  void ask_peers();
  /// Takes a connection back after a whole reply.
  void release(std::unique_ptr<Conn> conn);
  /// Takes a connection back whose reply lacks only the end of its framing, if that comes soon.
  void await_end(std::unique_ptr<Conn> conn);
  void in_use(Conn& conn);
  void out_of_use(Conn& conn) noexcept;
  void close_idle();
  bool crowded() const noexcept { return in_use_ >= kCrowd; }

 private:
  friend Co<> keep_watch(std::shared_ptr<LoopPool> loop);
  std::unique_ptr<Conn> pop_oldest();
  void start_watch();
  void sweep();
  TimePoint next_look();

  asio::io_context& io_;
  const std::shared_ptr<Budget> budget_;
  Resolver resolver_;
  std::unique_ptr<Alarm> alarm_;
  std::vector<std::weak_ptr<LoopPool>> peers_;
  std::vector<std::shared_ptr<Origin>> origins_;
  Conn* used_ = nullptr;
  std::size_t in_use_ = 0;
  std::size_t parked_ = 0;
  bool watching_ = false;
  bool long_sleep_ = false;
  int quiet_ = 0;
};

/// Addresses of the origin's host, from its cache, a literal, or the resolver.
/// Errors: unavailable "upstream_unresolved", deadline "upstream_connect_timeout", cancelled.
Co<Result<std::vector<asio::ip::address>>> resolve(std::shared_ptr<LoopPool> loop,
                                                   std::shared_ptr<Origin> origin, Deadline by);

}  // namespace mainstay::net
