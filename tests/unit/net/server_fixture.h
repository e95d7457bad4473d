// A listener over a small service on a thread of its own, and a raw client that blocks.
// Used by the listener's tests.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <charconv>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/server.h"

namespace mainstay::net {

/// Counts that a test waits for; bounded, so that a failure is a failure and no hang.
class Count {
 public:
  void add() {
    std::lock_guard lock(mutex_);
    ++n_;
    changed_.notify_all();
  }
  bool reaches(int n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return n_ >= n; });
  }
  int now() {
    std::lock_guard lock(mutex_);
    return n_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int n_ = 0;
};

struct OnExit {
  std::function<void()> call;
  explicit OnExit(std::function<void()> f) : call(std::move(f)) {}
  OnExit(const OnExit&) = delete;
  ~OnExit() { call(); }
};

/// Answers by path; see serve().
class TestService final : public Service {
 public:
  explicit TestService(Clock& clock) : clock_(clock) {}

  Co<> serve(Exchange& exchange) override {
    served.add();
    const std::string path(exchange.head().path);
    if (path == "/echo") {
      co_await echo(exchange);
    } else if (path == "/hang") {
      co_await hang(exchange);
    } else if (path == "/stream" || path == "/sse" || path == "/half") {
      co_await stream(exchange, path);
    } else if (path == "/big") {
      Response response;
      response.body.assign(32 << 20, 'b');
      auto sent = co_await exchange.reply(std::move(response));
      if (!sent.ok()) big_failed.add();
    } else if (path == "/throw") {
      throw std::runtime_error("boom");
    } else if (other && path.starts_with("/other")) {
      co_await other(exchange);
    } else if (path == "/kept") {
      co_await kept(exchange);
    } else if (path != "/silent") {
      Response response;
      response.content_type = "text/plain";
      response.headers.add("x-target", exchange.head().target);
      response.body = "ok " + std::string(exchange.head().method) + " " + path + "?" +
                      std::string(exchange.head().query);
      [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
    }
  }

  Response refusal(const Error& error) override {
    Response response;
    response.status = 500;
    response.body = "{\"code\":\"" + error.reason + "\"}";
    return response;
  }

  Response health() override {
    Response response;
    response.body = "{\"status\":\"ok\"}";
    return response;
  }

  Count served;
  Count started;    ///< /hang, /stream, /kept have reached their wait
  Count cancelled;  ///< their coroutine was ended while it waited
  Count written;
  Count big_failed;
  Count finished;
  Bytes body_max{1'000'000};
  std::atomic<Duration> body_by{std::chrono::hours(1)};
  std::atomic<int> pieces{3};
  std::shared_ptr<Hold> held;
  std::function<Co<>(Exchange&)> other;  ///< serves what begins with /other; set before any comes

 private:
  Co<> echo(Exchange& exchange) {
    auto by = Deadline::in(clock_, body_by.load());
    auto body = co_await exchange.read_body(body_max, by);
    Response response;
    response.content_type = "text/plain";
    if (body.ok()) {
      EXPECT_GE(body->capacity(), body->size() + (body->empty() ? 0 : 64));
      response.body = std::move(*body);
    } else {
      response.status = body.error().code == Errc::too_large ? 413 : 400;
      response.body = "failed " + std::string(name(body.error().code));
    }
    [[maybe_unused]] auto sent = co_await exchange.reply(std::move(response));
  }

  Co<> hang(Exchange& exchange) {
    [[maybe_unused]] const auto hold = exchange.hold();
    bool ended = false;
    OnExit watch([&] {
      if (!ended) cancelled.add();
    });
    started.add();
    [[maybe_unused]] auto slept = co_await sleep(clock_, std::chrono::hours(1));
    [[maybe_unused]] auto again = co_await sleep(clock_, std::chrono::hours(1));
    ended = true;
  }

  Co<> kept(Exchange& exchange) {
    held = exchange.hold();
    const bool keeps = held->keep();
    EXPECT_TRUE(keeps);
    started.add();
    bool ended = false;
    OnExit watch([&] {
      if (!ended) cancelled.add();
    });
    for (int i = 0; i < 200 && !held->gone(); ++i) {
      [[maybe_unused]] auto slept = co_await sleep(clock_, std::chrono::milliseconds(20));
    }
    finished.add();
    [[maybe_unused]] auto slept = co_await sleep(clock_, std::chrono::hours(1));
    [[maybe_unused]] auto again = co_await sleep(clock_, std::chrono::hours(1));
    ended = true;
  }

  Co<> stream(Exchange& exchange, std::string path) {
    Response head;
    head.content_type = path == "/sse" ? "text/event-stream" : "text/plain";
    head.body = "first";
    auto begun = co_await exchange.begin(std::move(head));
    if (!begun.ok()) co_return;
    for (int i = 0; i < pieces; ++i) {
      const std::string piece = "<" + std::to_string(i) + ">";
      auto sent = co_await exchange.write(piece);
      if (!sent.ok()) co_return;
      written.add();
    }
    if (path == "/half") {
      exchange.abort();
      co_return;
    }
    if (path == "/sse") {
      co_await hang(exchange);
      co_return;
    }
    [[maybe_unused]] auto ended = co_await exchange.finish();
  }

  Clock& clock_;
};

/// The whole thing: starts in the constructor, stops in the destructor.
class Listener {
 public:
  explicit Listener(ServerSettings settings = {}, int loops = 1, AskRelief relief = {})
      : log(quiet_log(clock)), service(clock) {
    settings.listen = "127.0.0.1:0";
    std::vector<asio::io_context*> ios;
    for (int i = 0; i < loops; ++i) {
      contexts.push_back(std::make_unique<asio::io_context>(1));
      ios.push_back(contexts.back().get());
    }
    server = std::make_unique<Server>(settings, clock, *log, metrics, service, ios);
    server->relieve(std::move(relief));
    auto opened = server->open();
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().detail);
    for (auto& io : contexts) {
      guards.emplace_back(io->get_executor());
      threads.emplace_back([&io] { io->run(); });
    }
  }
  ~Listener() { stop(); }

  void stop() {
    if (!server) return;
    server.reset();
    for (auto& io : contexts) io->stop();
    for (auto& thread : threads) thread.join();
  }
  std::uint16_t port() const { return port_of(server->address()); }
  static std::uint16_t port_of(const std::string& address) {
    return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }
  static std::unique_ptr<Log> quiet_log(Clock& clock) {
    LogSettings settings;
    settings.sink = "none";
    auto opened = Log::open(settings, clock);
    return std::move(*opened);
  }

  RealClock clock;
  std::unique_ptr<Log> log;
  Metrics metrics;
  TestService service;
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  std::unique_ptr<Server> server;
  std::vector<asio::executor_work_guard<Executor>> guards;
  std::vector<std::thread> threads;
};

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

/// A blocking client of one connection.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;

  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// More bytes into the buffer; false at the end of the stream.
  bool more() {
    char part[65536];
    const auto n = ::recv(fd_, part, sizeof part, 0);
    if (n <= 0) return false;
    in_.append(part, static_cast<std::size_t>(n));
    return true;
  }
  /// Waits until `text` has arrived; everything up to its end is taken.
  bool until(std::string_view text) {
    for (;;) {
      const auto at = in_.find(text);
      if (at != std::string::npos) {
        taken = in_.substr(0, at + text.size());
        in_.erase(0, at + text.size());
        return true;
      }
      if (!more()) return false;
    }
  }
  /// The next `n` bytes; fewer when the stream ends first.
  std::string bytes(std::size_t n) {
    while (in_.size() < n) {
      if (!more()) break;
    }
    std::string out = in_.substr(0, n);
    in_.erase(0, n);
    return out;
  }
  /// Everything up to the end of the stream.
  std::string rest() {
    while (more()) {
    }
    return std::exchange(in_, {});
  }
  /// One whole reply with a content-length; status 0 when the stream ends first.
  Reply reply(bool head_only = false) {
    Reply out;
    if (!until("\r\n\r\n")) return out;
    out.head = taken;
    out.status = std::stoi(out.head.substr(9, 3));
    const auto at = out.head.find("content-length: ");
    if (head_only || at == std::string::npos) return out;
    const auto size = static_cast<std::size_t>(std::stoul(out.head.substr(at + 16)));
    while (in_.size() < size) {
      if (!more()) break;
    }
    out.body = in_.substr(0, size);
    in_.erase(0, size);
    return out;
  }
  std::string taken;

 private:
  int fd_ = -1;
  std::string in_;
};

inline std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nhost: h\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}
inline std::string get(std::string_view path, std::string_view extra = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nhost: h\r\n" + std::string(extra) + "\r\n";
}

}  // namespace mainstay::net
