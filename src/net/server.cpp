// Opening and stopping the listener: addresses, sockets, the health thread, draining.
#include "net/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <thread>

#include "net/listen_address.h"
#include "net/loop.h"
#include "net/reply_head.h"

namespace mainstay::net {
namespace {

using Endpoint = asio::ip::tcp::endpoint;
constexpr auto kAnswerWait = std::chrono::seconds(1);
constexpr auto kCancelWait = std::chrono::seconds(2);

/// A bound socket, or the errno as a negative number.
int bind_socket(const Endpoint& endpoint, bool shared) {
  const int fd = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                          IPPROTO_TCP);
  if (fd < 0) return -errno;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) < 0 ||
      ::listen(fd, SOMAXCONN) < 0) {
    const int why = errno;
    ::close(fd);
    return -why;
  }
  return fd;
}

Error bind_error(const Endpoint& endpoint, int why) {
  const std::string where = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
  if (why == EADDRINUSE) {
    return Error::say(Errc::unavailable, "address_in_use",
                      "Cannot listen on " + where + ": another program listens there.");
  }
  const Errc code = why == EADDRNOTAVAIL || why == EACCES ? Errc::invalid : Errc::unavailable;
  return Error::say(code, "cannot_listen", "Cannot listen on " + where + ": " + std::strerror(why));
}

Endpoint bound_endpoint(int fd) {
  Endpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  if (::getsockname(fd, bound.data(), &size) == 0) bound.resize(size);
  return bound;
}

/// Descriptors that are closed unless handed over.
struct Listening {
  std::vector<int> fds;
  ~Listening() {
    for (const int fd : fds) ::close(fd);
  }
};

/// `count` sockets on one port. SO_REUSEPORT would let a second program share the port unseen, so
/// a plain bind asks first.
Status listen_all(Endpoint& endpoint, std::size_t count, Listening& out) {
  const bool shared = count > 1;
  if (shared && endpoint.port() != 0) {
    const int probe = bind_socket(endpoint, false);
    if (probe < 0) return bind_error(endpoint, -probe);
    ::close(probe);
  }
  while (out.fds.size() < count) {
    const int fd = bind_socket(endpoint, shared);
    if (fd < 0) return bind_error(endpoint, -fd);
    out.fds.push_back(fd);
    endpoint = bound_endpoint(fd);
  }
  return done();
}

}  // namespace

struct Server::Impl {
  std::shared_ptr<ServerShared> shared;
  Metrics& metrics;
  std::vector<std::shared_ptr<Loop>> loops;
  std::vector<asio::io_context*> contexts;
  std::string address;
  std::string health_address;
  std::unique_ptr<asio::io_context> health_io;
  std::shared_ptr<Loop> health;
  std::thread health_thread;  // lint: thread /health answers however busy the loops are
  bool open = false;

  Impl(const ServerSettings& s, Clock& c, Log& l, Metrics& m, Service& v,
       std::vector<asio::io_context*> ios)
      : shared(std::make_shared<ServerShared>(s, c, l, m, v)),
        metrics(m),
        contexts(std::move(ios)) {}

  void prepare_full_reply() {
    Error full = Error::say(Errc::unavailable, "too_many_connections",
                            "The server has no room for another connection. Try again shortly.");
    full.retry_after = std::chrono::seconds(1);
    Response response = shared->service.refusal(full);
    response.status = 503;
    if (response.headers.text().find("retry-after") == std::string::npos)
      response.headers.add("retry-after", std::int64_t{1});
    ReplyFraming framing;
    framing.length = response.body.size();
    framing.close = true;
    append_reply_head(shared->full_reply, response, framing, {});
    shared->full_reply += response.body;
  }

  Status open_health() {
    const auto& text = shared->settings.health_listen;
    if (text.empty()) return done();
    auto endpoint = listen_endpoint("server.health_listen", text);
    if (!endpoint.ok()) return std::move(endpoint.error());
    Listening listening;
    auto bound = listen_all(*endpoint, 1, listening);
    if (!bound.ok()) return bound;
    health_address = text_of(*endpoint);
    health_io = std::make_unique<asio::io_context>(1);
    health = std::make_shared<Loop>(shared, *health_io, true, false);
    start(health, *health_io, listening.fds.back());
    listening.fds.pop_back();
    health_thread = std::thread([io = health_io.get()] {  // lint: thread see the member
      pthread_setname_np(pthread_self(), "health");
      auto work = asio::make_work_guard(*io);
      io->run();
    });
    return done();
  }

  static void start(const std::shared_ptr<Loop>& loop, asio::io_context& io, int fd) {
    asio::post(io, [loop, fd] { loop->start(fd); });
  }

  void add_metrics() {
    metrics.gauge_from("mainstay_http_connections_open", "Client connections open now.", {},
                       [shared = shared] {
                         return static_cast<double>(shared->open.load(std::memory_order_relaxed));
                       });
    metrics.gauge_from("mainstay_websocket_open", "WebSockets open now.", {}, [shared = shared] {
      return static_cast<double>(shared->websockets.load(std::memory_order_relaxed));
    });
  }

  std::uint64_t sum(std::atomic<std::uint64_t> LoopFigures::* figure) const {
    std::uint64_t total = 0;
    for (const auto& loop : loops) total += (loop->figures.*figure).load(std::memory_order_relaxed);
    return total;
  }

  template <class Test>
  bool wait_until(Duration at_most, Test test) {
    std::unique_lock lock(shared->mutex);
    return shared->ended.wait_for(lock, at_most, test);
  }

  void stop_health() {
    if (!health_thread.joinable()) return;
    asio::post(*health_io, [l = health] {
      l->stop_accepting();
      l->cancel_all();
    });
    wait_until(kCancelWait, [this] { return health->figures.open.load() == 0; });
    health_io->stop();
    health_thread.join();
  }
};

Server::Server(const ServerSettings& settings, Clock& clock, Log& log, Metrics& metrics,
               Service& service, std::vector<asio::io_context*> loops)
    : impl_(std::make_unique<Impl>(settings, clock, log, metrics, service, std::move(loops))) {}

Server::~Server() {
  if (!impl_->open) return;
  drain(Duration::zero());
  impl_->stop_health();
}

void Server::relieve(AskRelief ask) {
  impl_->shared->relief = std::move(ask);
}

Status Server::renew_certificate() {
  ServerShared& shared = *impl_->shared;
  if (shared.settings.tls_certificate.empty()) return done();
  auto context = make_tls_context(shared.settings);
  if (!context.ok()) return std::move(context.error());
  const std::lock_guard lock(shared.tls_mutex);
  shared.tls.swap(*context);
  return done();
}

Status Server::open() {
  Impl& self = *impl_;
  const auto& settings = self.shared->settings;
  auto endpoint = listen_endpoint("server.listen", settings.listen);
  if (!endpoint.ok()) return std::move(endpoint.error());
  if (!settings.tls_certificate.empty()) {
    auto context = make_tls_context(settings);
    if (!context.ok()) return std::move(context.error());
    self.shared->tls = std::move(*context);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  }
  Listening listening;
  auto bound = listen_all(*endpoint, self.contexts.size(), listening);
  if (!bound.ok()) return bound;
  self.prepare_full_reply();
  auto health = self.open_health();
  if (!health.ok()) return health;
  self.address = text_of(*endpoint);
  self.open = true;
  self.add_metrics();
  for (asio::io_context* io : self.contexts) {
    auto loop = std::make_shared<Loop>(self.shared, *io, false, true);
    self.loops.push_back(loop);
    Impl::start(loop, *io, listening.fds.back());
    listening.fds.pop_back();
  }
  return done();
}

std::string Server::address() const {
  return impl_->address;
}
std::string Server::health_address() const {
  return impl_->health_address;
}

ServerFigures Server::figures() const {
  ServerFigures figures;
  figures.accepted = impl_->sum(&LoopFigures::accepted);
  figures.open = impl_->sum(&LoopFigures::open);
  figures.busy = impl_->sum(&LoopFigures::busy);
  figures.refused = impl_->sum(&LoopFigures::refused);
  figures.websockets = impl_->sum(&LoopFigures::websockets);
  return figures;
}

void Server::stop_accepting() {
  for (std::size_t i = 0; i < impl_->loops.size(); ++i) {
    asio::post(*impl_->contexts[i], [loop = impl_->loops[i]] { loop->stop_accepting(); });
  }
}

std::vector<std::string> Server::running() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < impl_->loops.size(); ++i) {
    auto answer = std::make_shared<std::promise<std::vector<std::string>>>();
    auto names_of_loop = answer->get_future();
    asio::post(*impl_->contexts[i],
               [answer, loop = impl_->loops[i]] { answer->set_value(loop->running()); });
    // A loop that is stuck or stopped is passed over.
    if (names_of_loop.wait_for(kAnswerWait) != std::future_status::ready) continue;
    for (auto& name : names_of_loop.get()) names.push_back(std::move(name));
  }
  return names;
}

std::size_t Server::drain(Duration for_at_most) {
  Impl& self = *impl_;
  stop_accepting();
  const auto busy = [&self] {
    return self.sum(&LoopFigures::busy) + self.sum(&LoopFigures::websockets);
  };
  const bool finished = self.wait_until(for_at_most, [&] { return busy() == 0; });
  // Connections that wait for their client to take the last reply get a moment.
  self.wait_until(std::min<Duration>(for_at_most, std::chrono::milliseconds(200)),
                  [&] { return self.sum(&LoopFigures::open) == 0; });
  const std::size_t cancelled = finished ? 0 : static_cast<std::size_t>(busy());
  for (std::size_t i = 0; i < self.loops.size(); ++i) {
    if (self.contexts[i]->stopped()) continue;
    asio::post(*self.contexts[i], [loop = self.loops[i]] { loop->cancel_all(); });
  }
  const auto all_stopped = std::all_of(self.contexts.begin(), self.contexts.end(),
                                       [](const auto* io) { return io->stopped(); });
  if (!all_stopped) {
    self.wait_until(kCancelWait, [&] { return self.sum(&LoopFigures::open) == 0; });
  }
  return cancelled;
}

}  // namespace mainstay::net
