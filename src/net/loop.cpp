// Accepting, sweeping, and turning clients away when there is no room.
#include "net/loop.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "net/connection.h"
#include "net/reply_head.h"

namespace mainstay::net {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr auto kDescriptorPause = std::chrono::milliseconds(250);
constexpr int kAcceptBurst = 64;
constexpr std::uint32_t kTurningAwayMax = 128;

/// Why WebSockets end; the first stands for every other word, which the service chose.
constexpr auto kWebSocketEnds = std::to_array<std::string_view>(
    {"service", "client", "client_gone", "idle", "dead", "stalled", "slow_reader", "stopping",
     "not_utf8", "message_too_big", "too_many_messages", "text_only", "unmasked_frame",
     "reserved_bits", "opcode", "frame_length", "control_frame", "continuation", "close_code"});

asio::ip::address address_of(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, &from, sizeof six);
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
    return asio::ip::address_v6(bytes, six.sin6_scope_id);
  }
  sockaddr_in four;
  std::memcpy(&four, &from, sizeof four);
  return asio::ip::address_v4(ntohl(four.sin_addr.s_addr));
}

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

ServerShared::ServerShared(const ServerSettings& s, Clock& c, Log& l, Metrics& m, Service& v)
    : settings(s),
      limits{static_cast<std::size_t>(s.header_max.value), s.headers_max, 8 * 1024},
      clock(c),
      log(l),
      service(v),
      accepted_total(m.counter("mainstay_http_accepted_total", "Connections accepted.")),
      refused_connections(m.counter("mainstay_http_refused_total",
                                    "Connections and requests turned away by the listener.",
                                    {{"reason", "connections"}})),
      refused_descriptors(m.counter("mainstay_http_refused_total",
                                    "Connections and requests turned away by the listener.",
                                    {{"reason", "descriptors"}})),
      refused_pressure(m.counter("mainstay_http_refused_total",
                                 "Connections and requests turned away by the listener.",
                                 {{"reason", "pressure"}})),
      refused_requests(m.counter("mainstay_http_refused_total",
                                 "Connections and requests turned away by the listener.",
                                 {{"reason", "request"}})),
      websocket_received(m.counter("mainstay_websocket_messages_total", "Messages of WebSockets.",
                                   {{"direction", "in"}})),
      websocket_sent(m.counter("mainstay_websocket_messages_total", "Messages of WebSockets.",
                               {{"direction", "out"}})) {
  for (const std::string_view why : kWebSocketEnds) {
    websocket_ends_.emplace_back(
        why, &m.counter("mainstay_websocket_closed_total", "WebSockets closed, by reason.",
                        {{"reason", std::string(why)}}));
  }
}

void ServerShared::websocket_ended(std::string_view why) {
  Counter* counter = websocket_ends_.front().second;
  for (const auto& [word, its] : websocket_ends_) {
    if (word == why) counter = its;
  }
  counter->add();
}

Loop::Loop(std::shared_ptr<ServerShared> shared, asio::io_context& io, bool health_only, bool tls)
    : shared_(std::move(shared)),
      io_(io),
      health_only_(health_only),
      tls_(tls && shared_->tls),
      acceptor_(io.get_executor()),
      tick_(shared_->clock.alarm(io.get_executor())),
      pause_(shared_->clock.alarm(io.get_executor())),
      now_(shared_->clock.now()) {}

void Loop::start_task(Co<> task, const char* name) {
  asio::co_spawn(io_.get_executor(), std::move(task),
                 [self = shared_from_this(), name](std::exception_ptr thrown) {
                   if (!thrown) return;
                   try {
                     std::rethrow_exception(thrown);
                   } catch (const std::exception& e) {
                     self->shared_->log.error("listener.failed",
                                              {{"task", name}, {"what", e.what()}});
                   }
                 });
}

void Loop::start(int listening) {
  error_code failed;
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&bound), &size);
  acceptor_.assign(bound.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(),
                   listening, failed);
  if (failed || stopping_) {
    if (failed) ::close(listening);
    return;
  }
  reserve_ = open_reserve();
  start_task(accept_loop(), "accept");
}

void Loop::stop_accepting() {
  if (stopping_) return;
  stopping_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  pause_->ring();
  if (reserve_ >= 0) ::close(std::exchange(reserve_, -1));
  for (Connection* at = first_; at != nullptr; at = at->next) at->stop_if_idle();
  notify_if_stopping();
}

void Loop::cancel_all() {
  for (Connection* at = first_; at != nullptr; at = at->next) at->cancel();
}

std::vector<std::string> Loop::running() const {
  std::vector<std::string> names;
  for (const Connection* at = first_; at != nullptr; at = at->next) {
    if (at->serving()) names.push_back(at->name());
  }
  return names;
}

TimePoint Loop::due_in(Duration d) const noexcept {
  return now_ + kTick + d;
}

std::string_view Loop::date() {
  if (now_ >= date_until_) {
    const WallTime wall = shared_->clock.wall();
    date_ = date_line(wall);
    const auto into_second = std::chrono::microseconds(micros(wall) % 1'000'000);
    date_until_ = now_ + std::chrono::seconds(1) - into_second;
  }
  return date_;
}

void Loop::busy(int change) noexcept {
  bump(figures.busy, change);
  if (change < 0 && stopping_) notify_if_stopping();
}

void Loop::websockets(int change) noexcept {
  bump(figures.websockets, change);
  shared_->websockets.fetch_add(static_cast<std::uint32_t>(change), std::memory_order_relaxed);
  if (change < 0 && stopping_) notify_if_stopping();
}

void Loop::notify_if_stopping() {
  if (!stopping_) return;
  std::lock_guard lock(shared_->mutex);
  shared_->ended.notify_all();
}

/// Ends with the server and never before: a lack of memory is a pause, as one of descriptors is.
Co<> Loop::accept_loop() {
  while (!stopping_) {
    bool room = false;
    try {
      room = co_await accept_round();
    } catch (const std::bad_alloc&) {
      shared_->log.warn("listener.paused", {{"why", "no memory"}});
    }
    if (room || stopping_) continue;
    const TimePoint until = shared_->clock.now() + kDescriptorPause;
    try {
      [[maybe_unused]] auto reached = co_await pause_->wait_until(until);
    } catch (const std::bad_alloc&) {
      continue;  // not even for the pause
    }
  }
}

Co<bool> Loop::accept_round() {
  auto [failed] = co_await acceptor_.async_wait(asio::socket_base::wait_read, use_co);
  if (stopping_) co_return true;
  const bool room = !failed && accept_some();
  if (!room) shared_->log.warn("listener.paused", {{"why", "no free descriptor"}});
  co_return room;
}

bool Loop::accept_some() {
  for (int i = 0; i < kAcceptBurst; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd = ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&from), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take(fd, address_of(from), from.ss_family == AF_INET6);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
    if (out_of_descriptors(errno)) {
      shed();
      return false;
    }
    // The client of this one is gone already, or the kernel reports its network error here.
  }
  return true;
}

void Loop::shed() {
  for (int i = 0; i < kAcceptBurst && reserve_ >= 0; ++i) {
    ::close(std::exchange(reserve_, -1));
    const int fd =
        ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (!tls_) {
        ::send(fd, shared_->full_reply.data(), shared_->full_reply.size(), MSG_NOSIGNAL);
        std::array<char, 4096> waste;  // unread bytes would turn the close into a reset
        while (::recv(fd, waste.data(), waste.size(), 0) > 0) {
        }
        ::shutdown(fd, SHUT_WR);
      }
      ::close(fd);
      shared_->refused_descriptors.add();
      count_refused();
    }
    reserve_ = open_reserve();
    if (fd < 0) break;
  }
  if (reserve_ < 0) reserve_ = open_reserve();
  if (reserve_ < 0) turn_away_newest();
}

/// Another thread took the reserve in the moment it was free. Without one no client would be told
/// why it waits, so the newest that has sent nothing makes room.
void Loop::turn_away_newest() {
  for (Connection* at = first_; at != nullptr; at = at->next) {
    if (!at->turn_away_if_silent()) continue;
    reserve_ = open_reserve();
    shared_->refused_descriptors.add();
    count_refused();
    return;
  }
}

Transport Loop::wire_of(int fd, bool v6) {
  if (!tls_) return {io_.get_executor(), fd, v6, nullptr};
  const std::lock_guard lock(shared_->tls_mutex);
  return {io_.get_executor(), fd, v6, shared_->tls.get()};
}

void Loop::take(int fd, const asio::ip::address& peer, bool v6) {
  bump(figures.accepted, 1);
  shared_->accepted_total.add();
  const bool full = !health_only_ && shared_->open.load(std::memory_order_relaxed) >=
                                         shared_->settings.connections_max;
  const bool unwanted = !full && relief().refuse_new;
  const bool turn_away = full || unwanted;
  if (turn_away) {
    (full ? shared_->refused_connections : shared_->refused_pressure).add();
    count_refused();
    if (turning_away_ >= kTurningAwayMax) {
      ::close(fd);
      return;
    }
  }
  read_clock();
  // What throws closes the descriptor; from there on it is counted, and ended() counts it back.
  Transport wire = wire_of(fd, v6);
  auto connection =
      std::make_shared<Connection>(shared_from_this(), std::move(wire), peer, turn_away);
  if (turn_away) {
    ++turning_away_;
  } else {
    bump(figures.open, 1);
    if (!health_only_) shared_->open.fetch_add(1, std::memory_order_relaxed);
  }
  connection->next = first_;
  if (first_ != nullptr) first_->previous = connection.get();
  first_ = connection.get();
  try {
    start_sweep();  // before the connection: none is ever without its deadlines
    connection->start();
  } catch (const std::bad_alloc&) {
    ended(*connection, std::current_exception());
  }
}

void Loop::start_sweep() {
  if (sweeping_) return;
  start_task(sweep_loop(), "sweep");
  sweeping_ = true;
}

void Loop::ended(Connection& connection, std::exception_ptr thrown) {
  if (connection.next != nullptr) connection.next->previous = connection.previous;
  if (connection.previous != nullptr) connection.previous->next = connection.next;
  if (first_ == &connection) first_ = connection.next;
  connection.next = connection.previous = nullptr;
  if (connection.turned_away()) {
    --turning_away_;
  } else {
    bump(figures.open, -1);
    if (!health_only_) shared_->open.fetch_sub(1, std::memory_order_relaxed);
  }
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted)
        shared_->log.error("connection.failed", {{"what", e.what()}});
    } catch (const std::exception& e) {
      shared_->log.error("connection.failed", {{"what", e.what()}});
    }
  }
  notify_if_stopping();
}

Co<> Loop::sweep_loop() {
  while (first_ != nullptr) {
    const TimePoint until = shared_->clock.now() + kTick;
    try {
      [[maybe_unused]] auto reached = co_await tick_->wait_until(until);
      sweep();
    } catch (const std::bad_alloc&) {
      continue;  // what was not looked at is looked at next time
    }
  }
  sweeping_ = false;
}

void Loop::sweep() {
  const TimePoint now = read_clock();
  // sweep() only posts and cancels: no connection ends inside it.
  if (closes_idle()) {
    for (Connection* at = first_; at != nullptr; at = at->next) at->stop_if_kept();
  }
  for (Connection* at = first_; at != nullptr; at = at->next) at->sweep(now, kTick);
}

}  // namespace mainstay::net
