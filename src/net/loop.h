// One event loop's share of the listener: its acceptor, its connections, and the sweep that keeps
// every deadline of theirs. Used by Server; each Loop lives on one thread.
#pragma once

#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/burst.h"
#include "net/request_parser.h"
#include "net/server.h"
#include "net/transport.h"

namespace mainstay::net {

class Connection;

/// What all loops of one server share. Thread-safe.
struct ServerShared {
  ServerShared(const ServerSettings& s, Clock& c, Log& l, Metrics& m, Service& v);
  const ServerSettings settings;
  const HeadLimits limits;
  Clock& clock;
  Log& log;
  Service& service;
  Counter& accepted_total;
  Counter& refused_connections;  ///< above connections_max
  Counter& refused_descriptors;  ///< no descriptor was free
  Counter& refused_pressure;     ///< the machine runs short
  Counter& refused_requests;     ///< requests that could not be read
  std::mutex tls_mutex;          // for each accepted connection, and a renewal
  TlsContext tls;
  AskRelief relief;  ///< may be empty; set before the loops start
  Counter& websocket_received;
  Counter& websocket_sent;
  /// Counts a WebSocket's end by its reason; words that are not known count as "service".
  void websocket_ended(std::string_view why);
  std::string full_reply;                    ///< whole 503 for a connection above the limit
  std::atomic<std::uint32_t> open{0};        ///< connections of all loops
  std::atomic<std::uint32_t> websockets{0};  ///< of all loops
  std::mutex mutex;
  std::condition_variable ended;  ///< a request or connection ended while stopping

 private:
  std::vector<std::pair<std::string_view, Counter*>> websocket_ends_;
};

/// Figures of one loop; written by its thread, read by any.
struct LoopFigures {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> busy{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> websockets{0};
};

/// Members are called on the loop's thread unless said otherwise.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(std::shared_ptr<ServerShared> shared, asio::io_context& io, bool health_only, bool tls);

  /// Takes the listening, non-blocking descriptor and starts to accept.
  void start(int listening);
  void stop_accepting();
  /// Cancels every connection that is left.
  void cancel_all();
  std::vector<std::string> running() const;

  // For connections.
  ServerShared& shared() noexcept { return *shared_; }
  asio::io_context& io() noexcept { return io_; }
  bool health_only() const noexcept { return health_only_; }
  bool stopping() const noexcept { return stopping_; }
  /// No connection is kept between two requests.
  bool closes_idle() const { return relief().close_idle; }
  /// Time at the last sweep or request: cheap, at most one tick old while connections exist.
  TimePoint now() const noexcept { return now_; }
  /// When something that starts now and may last `d` is overdue; never early.
  TimePoint due_in(Duration d) const noexcept;
  TimePoint read_clock() noexcept { return now_ = shared_->clock.now(); }
  /// The date line, renewed each second.
  std::string_view date();
  /// Memory to build a head in; valid until the next call, so never across a wait.
  std::string& scratch() noexcept {
    scratch_.clear();
    return scratch_;
  }
  void busy(int change) noexcept;
  void websockets(int change) noexcept;
  bool crowded() const noexcept { return figures.busy.load(std::memory_order_relaxed) >= kCrowd; }
  void count_refused() noexcept { bump(figures.refused, 1); }
  void ended(Connection& connection, std::exception_ptr thrown);

  LoopFigures figures;

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
  static void bump(std::atomic<std::uint64_t>& figure, std::int64_t change) noexcept {
    // One writer: no locked instruction needed.
    figure.store(figure.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(change),
                 std::memory_order_relaxed);
  }
  Co<> accept_loop();
  /// One wait and what came in it; false when a pause is due.
  Co<bool> accept_round();
  Co<> sweep_loop();
  void sweep();
  /// Accepts what waits; false when no descriptor is left.
  bool accept_some();
  Relief relief() const { return health_only_ || !shared_->relief ? Relief{} : shared_->relief(); }
  void take(int fd, const asio::ip::address& peer, bool v6);
  Transport wire_of(int fd, bool v6);
  void start_sweep();
  void shed();
  void turn_away_newest();
  void notify_if_stopping();
  void start_task(Co<> task, const char* name);

  std::shared_ptr<ServerShared> shared_;
  asio::io_context& io_;
  const bool health_only_;
  const bool tls_;
  Acceptor acceptor_;
  std::unique_ptr<Alarm> tick_;
  std::unique_ptr<Alarm> pause_;
  TimePoint now_;
  TimePoint date_until_{};
  std::string date_;
  std::string scratch_;
  Connection* first_ = nullptr;
  std::uint32_t turning_away_ = 0;  ///< connections that only get the 503
  int reserve_ = -1;                ///< given up for a moment to turn a client away politely
  bool sweeping_ = false;
  bool stopping_ = false;
};

}  // namespace mainstay::net
