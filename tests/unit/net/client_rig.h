// A scripted TCP server and a client on loops of its own, for the client's tests.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/client.h"

namespace mainstay::net {

/// One accepted connection, in the hands of a script (blocking, on its own thread).
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// Head and body of the next request; empty when the client closed.
  std::string request() {
    std::string text;
    std::size_t need = std::string::npos;
    while (text.size() < need) {
      char buffer[65536];
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      text.append(buffer, static_cast<std::size_t>(got));
      const std::size_t end = text.find("\r\n\r\n");
      if (need != std::string::npos || end == std::string::npos) continue;
      need = end + 4;
      const std::size_t length = text.find("content-length: ");
      if (length < end) need += std::stoul(text.substr(length + 16));
    }
    return text;
  }
  /// Waits for the first bytes, whatever they are.
  void some() {
    char buffer[4096];
    [[maybe_unused]] const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
  }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void send_bytewise(std::string_view text) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, 1, &on, sizeof on);  // TCP_NODELAY
    for (const char c : text) send(std::string_view(&c, 1));
  }
  void reply(std::string_view body) {
    send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body));
  }
  /// Blocks until the client closed its side.
  void wait_closed() {
    char buffer[4096];
    while (::recv(fd_, buffer, sizeof buffer, 0) > 0) {
    }
  }
  void close() {
    std::lock_guard lock(mutex_);
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Closes so that the client sees a reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  /// Ends a script that waits; from any thread.
  void wake() {
    std::lock_guard lock(mutex_);
    if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
  }

 private:
  std::mutex mutex_;  // only the script's thread changes fd_, and reads it without this
  int fd_;
};

/// Opens once; scripts and tests wait for each other with it.
class Gate {
 public:
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// Listens on a free loopback port and runs `script(peer, n)` for the nth connection (from 0).
class ScriptServer {
 public:
  using Script = std::function<void(Peer&, int)>;
  explicit ScriptServer(Script script) : script_(std::move(script)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at);
    ::listen(fd_, 256);
    socklen_t size = sizeof at;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~ScriptServer() {
    ::shutdown(fd_, SHUT_RDWR);
    accepting_.join();
    for (auto& peer : peers_) peer->wake();
    for (auto& thread : threads_) thread.join();
    ::close(fd_);
  }
  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  std::shared_ptr<const Url> url(const std::string& host = "127.0.0.1") const {
    auto url = Url::parse("http://" + host + ":" + std::to_string(port_));
    return std::make_shared<const Url>(*url);
  }

 private:
  void accept_all() {
    while (true) {
      const int fd = ::accept(fd_, nullptr, nullptr);
      if (fd < 0) return;
      const int n = connections_++;
      peers_.push_back(std::make_unique<Peer>(fd));
      Peer& peer = *peers_.back();
      threads_.emplace_back([this, &peer, n] {
        script_(peer, n);
        peer.wake();
      });
    }
  }
  Script script_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

/// A port whose backlog is full: the kernel drops what else would connect.
class FullListener {
 public:
  FullListener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at);
    ::listen(fd_, 0);
    socklen_t size = sizeof at;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    for (int& filler : fillers_) {
      filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      [[maybe_unused]] const int rc =
          ::connect(filler, reinterpret_cast<sockaddr*>(&at), sizeof at);
    }
  }
  ~FullListener() {
    for (const int filler : fillers_) ::close(filler);
    ::close(fd_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;
  std::shared_ptr<const Url> url(const std::string& scheme) const {
    return std::make_shared<const Url>(
        *Url::parse(scheme + "://127.0.0.1:" + std::to_string(port_)));
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
  int fillers_[3]{};
};

/// A script that answers every request with its own body (or "get").
inline void echo(Peer& peer, int) {
  while (true) {
    const std::string request = peer.request();
    if (request.empty()) return;
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    peer.reply(body.empty() ? "get" : body);
  }
}

/// What a call came to.
struct Got {
  bool ok = false;
  Error error;
  int status = 0;
  std::string body;
  std::size_t pieces = 0;
  bool reused = false;
  WallTime at{};
};

inline Call call_to(std::shared_ptr<const Url> url, std::string body = "hello") {
  Call call;
  call.url = std::move(url);
  call.target = "/v1/chat?x=1";
  call.headers.add("x-test", "7");
  call.body = std::move(body);
  return call;
}

inline Co<Got> fetch(Client& client, Call call, CallTimers timers, Deadline by) {
  Got got;
  auto reply = co_await client.send(std::move(call), timers, by);
  if (!reply.ok()) {
    got.error = reply.error();
    co_return got;
  }
  got.status = (*reply)->status();
  got.reused = (*reply)->timings().reused;
  got.at = (*reply)->timings().at;
  while (true) {
    auto piece = co_await (*reply)->read(by);
    if (!piece.ok()) {
      got.error = piece.error();
      co_return got;
    }
    if (piece->empty()) break;
    got.body.append(*piece);
    ++got.pieces;
  }
  got.ok = true;
  co_return got;
}

/// Reads one piece and leaves, as a stream's reader does after its end marker.
inline Co<std::string> leave_after_a_piece(Client& client, Call call, Deadline by) {
  const CallTimers timers;
  auto reply = co_await client.send(std::move(call), timers, by);
  if (!reply.ok()) co_return reply.error().reason;
  auto piece = co_await (*reply)->read(by);
  if (!piece.ok()) co_return piece.error().reason;
  (*reply)->wind_up();
  co_return std::string(*piece);
}

/// A client over `loops` event loops, each on a thread of its own.
class Rig {
 public:
  explicit Rig(UpstreamSettings settings = {}, std::size_t loops = 1) {
    LogSettings quiet;
    quiet.sink = "none";
    log_ = std::move(*Log::open(quiet, clock));
    std::vector<asio::io_context*> all;
    for (std::size_t i = 0; i < loops; ++i) {
      ios_.push_back(std::make_unique<asio::io_context>(1));
      guards_.push_back(std::make_unique<Guard>(ios_.back()->get_executor()));
      all.push_back(ios_.back().get());
    }
    client = make_client(settings, clock, *log_, metrics, all);
    for (auto& io : ios_) threads_.emplace_back([&io] { io->run(); });
  }
  ~Rig() {
    client->close();
    guards_.clear();
    for (auto& io : ios_) io->stop();
    for (auto& thread : threads_) thread.join();
    client.reset();
  }
  asio::io_context& io(std::size_t loop = 0) { return *ios_[loop]; }
  template <class T>
  std::future<T> start(Co<T> work, std::size_t loop = 0) {
    return asio::co_spawn(*ios_[loop], std::move(work), asio::use_future);
  }
  std::future<Got> begin(Call call, CallTimers timers = {}, std::size_t loop = 0) {
    return start(fetch(*client, std::move(call), timers, within(std::chrono::seconds(20))), loop);
  }
  Got get(Call call, CallTimers timers = {}, std::size_t loop = 0) {
    return begin(std::move(call), timers, loop).get();
  }
  Deadline within(Duration d) const { return Deadline::in(clock, d); }
  /// Runs what the loop has ready, so that what a call left behind is done.
  void settle(std::size_t loop = 0) {
    for (int i = 0; i < 3; ++i) asio::post(*ios_[loop], asio::use_future).get();
  }
  /// Waits (in wall time, bounded) until the figures say so.
  bool until(const std::function<bool(const ClientFigures&)>& holds) {
    for (int i = 0; i < 2000; ++i) {
      if (holds(client->figures())) return true;
      ::poll(nullptr, 0, 5);  // gives the loops time; the loop is bounded
    }
    return false;
  }

  RealClock clock;
  Metrics metrics;
  std::unique_ptr<Client> client;

 private:
  using Guard = asio::executor_work_guard<Executor>;
  std::unique_ptr<Log> log_;
  std::vector<std::unique_ptr<asio::io_context>> ios_;
  std::vector<std::unique_ptr<Guard>> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace mainstay::net
