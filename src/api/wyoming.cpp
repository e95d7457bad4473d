// Sockets of the Wyoming server: accepting, reading and writing with deadlines.
#include "api/wyoming.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <future>

#include "base/bell.h"
#include "base/task_group.h"
#include "net/listen_address.h"

namespace mainstay::api {
namespace {

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;

constexpr std::size_t kRead = 16 * 1024;
constexpr std::size_t kDataMax = 1U << 20;
/// After accepting failed: out of descriptors, most likely.
constexpr auto kAcceptPause = std::chrono::milliseconds(250);

net::WyomingLimits limits_of(const WyomingSettings& settings) {
  net::WyomingLimits out;
  // A text may be escaped in JSON, six bytes for one.
  out.data_max = std::max<std::size_t>(kDataMax, settings.text_max.value * 6);
  return out;
}

class SocketWire final : public WyomingWire {
 public:
  SocketWire(Socket socket, const WyomingSettings& settings, Clock& clock, Executor executor)
      : socket_(std::move(socket)),
        settings_(settings),
        clock_(clock),
        parser_(limits_of(settings)),
        bell_(clock, std::move(executor)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(Tcp::no_delay(true), ignored);
  }

  Co<Result<std::optional<net::WyomingEvent>>> read() override;
  Co<Status> send(std::string bytes) override;

 private:
  Socket socket_;
  const WyomingSettings& settings_;
  Clock& clock_;
  net::WyomingParser parser_;
  std::array<char, kRead> bytes_{};
  std::string_view left_;  ///< of bytes_, not taken yet
  Bell bell_;
};

Co<Result<std::optional<net::WyomingEvent>>> SocketWire::read() {
  Deadline by = Deadline::in(clock_, settings_.idle_timeout);
  bool begun = false;
  for (;;) {
    auto event = parser_.next(left_);
    if (!event.ok() || event->has_value()) co_return std::move(event);
    if (parser_.unfinished() && !begun) {
      begun = true;
      by = by.sooner(clock_.now(), settings_.event_timeout);
    }
    const auto got = ::recv(socket_.native_handle(), bytes_.data(), bytes_.size(), 0);
    if (got > 0) {
      left_ = std::string_view(bytes_.data(), static_cast<std::size_t>(got));
      continue;
    }
    if (got == 0) co_return std::optional<net::WyomingEvent>();
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return Error::log(Errc::unavailable, std::strerror(errno));
    auto in_time = co_await bell_.ready(socket_, Socket::wait_read, by);
    if (!in_time) co_return Error::log(Errc::deadline, "wyoming: nothing came in time");
  }
}

Co<Status> SocketWire::send(std::string bytes) {
  std::string_view left = bytes;
  Deadline by = Deadline::in(clock_, settings_.event_timeout);
  while (!left.empty()) {
    const auto sent = ::send(socket_.native_handle(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      left.remove_prefix(static_cast<std::size_t>(sent));
      by = Deadline::in(clock_, settings_.event_timeout);
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) {
      co_return Error::log(Errc::unavailable, std::strerror(errno));
    }
    auto in_time = co_await bell_.ready(socket_, Socket::wait_write, by);
    if (!in_time) co_return Error::log(Errc::deadline, "wyoming: the client reads too slowly");
  }
  co_return done();
}

}  // namespace

struct WyomingServer::Core {
  Core(const WyomingSettings& given, Clock& time, Log& lines, Metrics& metrics,
       asio::io_context& loop, WyomingRooms in_force)
      : settings(given),
        clock(time),
        log(lines),
        io(loop),
        rooms(std::move(in_force)),
        acceptor(loop.get_executor()),
        tasks(time, loop.get_executor(),
              [&lines](const std::string& task, const std::string& what) {
                lines.error("task.failed", {{"task", task}, {"why", what}});
              }),
        accepted(metrics.counter("mainstay_wyoming_connections_total",
                                 "Connections to the Wyoming server.", {{"outcome", "accepted"}})),
        refused(metrics.counter("mainstay_wyoming_connections_total",
                                "Connections to the Wyoming server.", {{"outcome", "refused"}})),
        open_now(metrics.gauge("mainstay_wyoming_connections",
                               "Connections to the Wyoming server now.")) {}

  Co<> accept();
  Co<> serve(Socket socket, std::string peer);

  const WyomingSettings settings;
  Clock& clock;
  Log& log;
  asio::io_context& io;
  const WyomingRooms rooms;
  AddressList allowed;
  Acceptor acceptor;  ///< on the loop's thread once it accepts
  std::string address;
  bool open = false;
  TaskGroup tasks;
  std::uint32_t connections = 0;
  Counter& accepted;
  Counter& refused;
  Gauge& open_now;
};

Co<> WyomingServer::Core::accept() {
  for (;;) {
    auto [failed, socket] = co_await acceptor.async_accept(use_co);
    if (failed) {
      const Duration pause = kAcceptPause;
      auto waited = co_await sleep(clock, pause);
      if (!waited) co_return;
      continue;
    }
    error_code gone;
    const auto peer = socket.remote_endpoint(gone).address();
    if (gone || !allowed.allows(peer) || connections >= settings.connections_max) {
      refused.add();
      log.warn("wyoming.refused",
               {{"peer", gone ? std::string("gone") : peer.to_string()}, {"open", connections}});
      socket.close(gone);
      continue;
    }
    accepted.add();
    tasks.spawn("wyoming.connection", serve(std::move(socket), peer.to_string()));
  }
}

Co<> WyomingServer::Core::serve(Socket socket, std::string peer) {
  struct Counted {
    explicit Counted(Core& c) : core(c) {
      ++core.connections;
      core.open_now.add(1);
    }
    ~Counted() {
      --core.connections;
      core.open_now.add(-1);
    }
    Core& core;
  };
  const Counted counted(*this);
  SocketWire wire(std::move(socket), settings, clock, io.get_executor());
  WyomingSession session(wire, rooms, settings, std::move(peer));
  co_await session.run();
}

WyomingServer::WyomingServer(const WyomingSettings& settings, Clock& clock, Log& log,
                             Metrics& metrics, asio::io_context& loop, WyomingRooms rooms)
    : core_(std::make_shared<Core>(settings, clock, log, metrics, loop, std::move(rooms))) {}

WyomingServer::~WyomingServer() = default;

Status check_wyoming(const WyomingSettings& settings) {
  if (settings.listen.empty()) return done();
  auto allowed = AddressList::parse(settings.allow);
  if (!allowed.ok()) return std::move(allowed.error());
  auto at = net::listen_endpoint("wyoming.listen", settings.listen);
  if (!at.ok()) return std::move(at.error());
  if (at->address().is_loopback() || !allowed->empty()) return done();
  return Error::say(Errc::invalid, "invalid_config",
                    "wyoming.listen = \"" + settings.listen +
                        "\" is open to the network, and the protocol knows no passwords: name "
                        "who may connect in wyoming.allow, or listen on 127.0.0.1.",
                    "wyoming.listen");
}

Status WyomingServer::open() {
  Core& core = *core_;
  auto checked = check_wyoming(core.settings);
  if (!checked.ok()) return checked;
  auto allowed = AddressList::parse(core.settings.allow);
  if (!allowed.ok()) return std::move(allowed.error());
  core.allowed = std::move(*allowed);
  auto at = net::listen_endpoint("wyoming.listen", core.settings.listen);
  if (!at.ok()) return std::move(at.error());
  error_code failed;
  core.acceptor.open(at->protocol(), failed);
  if (!failed) core.acceptor.set_option(Acceptor::reuse_address(true), failed);
  if (!failed) core.acceptor.bind(*at, failed);
  if (!failed) core.acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed == asio::error::address_in_use) {
    return Error::say(Errc::unavailable, "address_in_use",
                      "Cannot listen on " + core.settings.listen +
                          " (wyoming.listen): another program listens there.");
  }
  if (failed) {
    return Error::say(
        Errc::unavailable, "cannot_listen",
        "Cannot listen on " + core.settings.listen + " (wyoming.listen): " + failed.message());
  }
  const auto bound = core.acceptor.local_endpoint(failed);
  core.address = net::text_of(bound);
  core.open = true;
  core.log.info("wyoming.open", {{"address", core.address}});
  asio::post(core.io, [&core] { core.tasks.spawn("wyoming.accept", core.accept()); });
  return done();
}

std::string WyomingServer::address() const {
  return core_->address;
}

Status WyomingServer::stop(Duration for_at_most) {
  if (!core_->open) return done();
  core_->open = false;
  auto ended = std::make_shared<std::promise<void>>();
  auto waits = ended->get_future();
  const auto close = [](std::shared_ptr<Core> core) -> Co<> {
    error_code ignored;
    core->acceptor.close(ignored);
    co_await core->tasks.close();
  };
  asio::co_spawn(core_->io, close(core_), [ended](std::exception_ptr) { ended->set_value(); });
  if (waits.wait_for(for_at_most) == std::future_status::ready) return done();
  return Error::log(Errc::deadline, "connections of the Wyoming server did not end");
}

}  // namespace mainstay::api
