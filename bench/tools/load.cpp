// Sends chat requests to 127.0.0.1 and measures: --mode closed (each connection sends its next
// request when it has the reply), open (a fixed rate; latency counts from the moment a request was
// due, so a stalled server cannot hide its queue), stream (holds streams open and times each token
// from the send time inside it). Prints one JSON object. One thread, epoll. Started by
// bench/harness/measure.py.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "histogram.h"
#include "request.h"
#include "usage.h"
#include "wire.h"

namespace mainstay::bench {
namespace {

constexpr const char* kUsage =
    "usage: load --port N [--mode closed|open|stream] [--connections N] [--seconds S] [--warmup "
    "S]\n"
    "            [--rate REQUESTS_PER_SECOND] [--ramp S] [--path P] [--body unique|same]\n"
    "            [--header 'Name: value']... [--users N] [--pid PID]... [--helper PID]...";
constexpr std::int64_t kSecond = 1'000'000'000;

struct Plan {
  std::uint16_t port;
  std::string mode;
  std::size_t connections;
  std::int64_t warmup;  ///< ns
  std::int64_t window;  ///< ns
  std::int64_t ramp;    ///< ns over which streams are opened
  double rate;
  unsigned users;  ///< at most 100
  bool unique;
  std::vector<std::string> pids;     ///< of the server
  std::vector<std::string> helpers;  ///< of the load and the model server
};

struct Connection {
  MessageReader reader{MessageReader::Kind::reply};
  std::int64_t since = 0;   ///< when its request was due
  std::uint64_t stamp = 0;  ///< the number being read in a stream
  unsigned user = 0;
  bool in_stamp = false;
  bool busy = false;
  bool seen_token = false;
};

struct Counts {
  std::uint64_t replies = 0;
  std::uint64_t errors = 0;  ///< status other than 200, cut replies, failed connects
  int last_bad_status = 0;
  std::uint64_t tokens = 0;
  std::size_t open = 0;          ///< streams that have sent a token
  std::size_t closed_early = 0;  ///< streams that ended by themselves
  std::uint64_t unsent = 0;      ///< requests due in the window but never sent
};

class Load {
 public:
  Load(Plan plan, Request request)
      : plan_(std::move(plan)),
        request_(std::move(request)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    watch(timer_);
  }

  void run() {
    if (plan_.mode == "stream") return run_streams();
    for (std::size_t i = 0; i < plan_.connections; ++i) idle_.push_back(connect());
    const auto begin = now_ns();
    if (plan_.mode == "open") {
      set_timer(static_cast<std::int64_t>(static_cast<double>(kSecond) / plan_.rate));
    } else {
      while (!idle_.empty()) send_on(take_idle(), now_ns());
    }
    turn_until(begin + plan_.warmup);
    open_window();
    turn_until(window_begin_ + plan_.window);
    close_window();
    // What was due and has not been answered has waited at least this long.
    for (const auto since : due_) latency_.add(window_end_ - since);
    counts_.unsent = due_.size();
  }

  void print() const {
    const auto seconds = static_cast<double>(window_end_ - window_begin_) / 1e9;
    std::printf(
        "{\"seconds\":%.4f,\"replies\":%llu,\"errors\":%llu,\"bad_status\":%d,\"per_second\":%.1f,"
        "\"unsent\":%llu,\"streams\":%zu,\"closed_early\":%zu,\"open_seconds\":%.3f,\"tokens\":%"
        "llu,"
        "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
        "\"cpu_seconds\":%.3f,\"waited\":%.4f,\"helpers_waited\":%.4f,\"rss_kib\":%llu}\n",
        seconds, as_ull(counts_.replies), as_ull(counts_.errors), counts_.last_bad_status,
        static_cast<double>(counts_.replies) / seconds, as_ull(counts_.unsent), counts_.open,
        counts_.closed_early, static_cast<double>(opened_in_) / 1e9, as_ull(counts_.tokens),
        latency_.at_us(0.5), latency_.at_us(0.9), latency_.at_us(0.99), latency_.at_us(0.999),
        latency_.max_us(), cpu_, waited_ / seconds, helpers_waited_ / seconds, as_ull(rss_));
  }

 private:
  static unsigned long long as_ull(std::uint64_t value) noexcept { return value; }

  void run_streams() {
    const auto begin = now_ns();
    const auto gap = plan_.ramp / static_cast<std::int64_t>(plan_.connections);
    for (std::size_t i = 0; i < plan_.connections; ++i) {
      turn_until(begin + static_cast<std::int64_t>(i) * gap);
      send_on(connect(), now_ns());
    }
    const auto give_up = now_ns() + 15 * kSecond;
    while (counts_.open + counts_.errors < plan_.connections && now_ns() < give_up) {
      turn_until(now_ns() + kSecond / 100);
    }
    opened_in_ = now_ns() - begin;
    turn_until(now_ns() + plan_.warmup);
    open_window();
    turn_until(window_begin_ + plan_.window);
    close_window();
  }

  void open_window() {
    latency_ = Histogram{};
    const auto open = counts_.open;
    const auto early = counts_.errors;
    counts_ = Counts{};
    counts_.open = open;
    if (plan_.mode == "stream") counts_.errors = early;
    cpu_ = -cpu_seconds(plan_.pids);
    waited_ = -waited_seconds(plan_.pids);
    helpers_waited_ = -waited_seconds(plan_.helpers);
    window_begin_ = now_ns();
  }

  void close_window() {
    window_end_ = now_ns();
    cpu_ += cpu_seconds(plan_.pids);
    waited_ += waited_seconds(plan_.pids);
    helpers_waited_ += waited_seconds(plan_.helpers);
    rss_ = resident_kib(plan_.pids);
  }

  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  void set_timer(std::int64_t interval) {
    interval_ = interval;
    next_due_ = now_ns() + interval;
    itimerspec when{};
    when.it_value.tv_sec = next_due_ / kSecond;
    when.it_value.tv_nsec = next_due_ % kSecond;
    when.it_interval.tv_sec = interval / kSecond;
    when.it_interval.tv_nsec = interval % kSecond;
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  /// Handles events until `end`.
  void turn_until(std::int64_t end) {
    std::array<epoll_event, 256> events{};
    for (auto now = now_ns(); now < end; now = now_ns()) {
      timespec wait{};
      wait.tv_sec = (end - now) / kSecond;
      wait.tv_nsec = (end - now) % kSecond;
      const int n =
          ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == timer_)
          on_timer();
        else
          read_from(fd);
      }
    }
  }

  void on_timer() {
    std::uint64_t expired = 0;
    if (::read(timer_, &expired, sizeof expired) < 0) return;
    for (; expired > 0; --expired, next_due_ += interval_) {
      if (idle_.empty())
        due_.push_back(next_due_);
      else
        send_on(take_idle(), next_due_);
    }
  }

  int take_idle() {
    const int fd = idle_.front();
    idle_.pop_front();
    return fd;
  }

  int connect() {
    const int fd = connect_to(plan_.port);
    if (fd < 0) fail("connect");
    const auto slot = static_cast<std::size_t>(fd);
    if (slot >= connections_.size()) connections_.resize(slot + 256);
    connections_[slot] = std::make_unique<Connection>();
    connections_[slot]->user = ++connected_ % plan_.users;
    watch(fd);
    return fd;
  }

  void send_on(int fd, std::int64_t since) {
    auto& connection = *connections_[static_cast<std::size_t>(fd)];
    if (plan_.unique) request_.next();
    request_.from(connection.user);
    connection.since = since;
    connection.busy = true;
    const auto text = request_.text();
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(text.size())) lost(fd);
  }

  void read_from(int fd) {
    auto& connection = *connections_[static_cast<std::size_t>(fd)];
    const auto size = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      const bool whole =
          size == 0 && connection.busy && connection.reader.closed() && connection.reader.done();
      if (whole)
        finished(fd, connection);
      else
        lost(fd);
      return;
    }
    const auto now = now_ns();
    std::string_view in(buffer_.data(), static_cast<std::size_t>(size));
    while (!in.empty()) {
      in.remove_prefix(connection.reader.feed(
          in, [&](std::string_view part) { read_stamps(connection, part, now); }));
      if (connection.reader.broken()) return lost(fd);
      if (!connection.reader.done()) return;
      return finished(fd, connection);  // one request at a time, so nothing follows
    }
  }

  void read_stamps(Connection& connection, std::string_view part, std::int64_t now) noexcept {
    if (plan_.mode != "stream") return;
    while (!part.empty()) {
      if (!connection.in_stamp) {
        const auto at = part.find('@');
        if (at == part.npos) return;
        part.remove_prefix(at + 1);
        connection.in_stamp = true;
        connection.stamp = 0;
        continue;
      }
      const char c = part.front();
      part.remove_prefix(1);
      if (c >= '0' && c <= '9') {
        connection.stamp = connection.stamp * 10 + static_cast<std::uint64_t>(c - '0');
        continue;
      }
      connection.in_stamp = false;
      latency_.add(now - static_cast<std::int64_t>(connection.stamp));
      ++counts_.tokens;
      if (!connection.seen_token) ++counts_.open;
      connection.seen_token = true;
    }
  }

  void finished(int fd, Connection& connection) {
    if (plan_.mode == "stream") {
      if (connection.reader.status() != 200) bad_status(connection);
      return lost(fd);
    }
    if (connection.reader.status() == 200) {
      latency_.add(now_ns() - connection.since);
      ++counts_.replies;
    } else {
      bad_status(connection);
    }
    connection.busy = false;
    const bool again = connection.reader.keep_alive();
    connection.reader.restart();
    if (!again) {
      close_connection(fd);
      fd = connect();
    }
    ready(fd);
  }

  void ready(int fd) {
    if (plan_.mode == "closed") {
      send_on(fd, now_ns());
    } else if (due_.empty()) {
      idle_.push_back(fd);
    } else {
      const auto since = due_.front();
      due_.pop_front();
      send_on(fd, since);
    }
  }

  void bad_status(const Connection& connection) {
    ++counts_.errors;
    counts_.last_bad_status = connection.reader.status();
  }

  /// The connection ended without a whole reply, or a stream ended although it should not.
  void lost(int fd) {
    const auto& connection = *connections_[static_cast<std::size_t>(fd)];
    const bool streaming = plan_.mode == "stream";
    if (streaming && connection.seen_token)
      ++counts_.closed_early;
    else if (connection.busy && connection.reader.status() < 400)
      ++counts_.errors;
    close_connection(fd);
    if (streaming) return;
    if (counts_.errors > 1000 && counts_.replies == 0) {
      std::fprintf(stderr, "load: the server answers nothing\n");
      std::exit(1);
    }
    for (auto& idle : idle_) {
      if (idle != fd) continue;
      idle = connect();  // an idle connection the server closed
      return;
    }
    ready(connect());
  }

  void close_connection(int fd) {
    connections_[static_cast<std::size_t>(fd)].reset();
    ::close(fd);
  }

  Plan plan_;
  Request request_;
  int epoll_;
  int timer_;
  std::int64_t interval_ = 0;
  std::int64_t next_due_ = 0;
  std::int64_t window_begin_ = 0;
  std::int64_t window_end_ = 0;
  std::int64_t opened_in_ = 0;
  double cpu_ = 0;
  double waited_ = 0;
  double helpers_waited_ = 0;
  std::uint64_t rss_ = 0;
  unsigned connected_ = 0;
  Counts counts_;
  Histogram latency_;
  std::deque<int> idle_;
  std::deque<std::int64_t> due_;  ///< requests due while every connection was busy
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<char, 65536> buffer_{};
};

std::int64_t nanoseconds(double seconds) noexcept {
  return static_cast<std::int64_t>(seconds * 1e9);
}

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv, kUsage);
  lift_descriptor_limit();
  Plan plan{.port = static_cast<std::uint16_t>(arguments.number("port", 0)),
            .mode = arguments.text("mode", "closed"),
            .connections = static_cast<std::size_t>(arguments.number("connections", 64)),
            .warmup = nanoseconds(arguments.number("warmup", 0.5)),
            .window = nanoseconds(arguments.number("seconds", 3)),
            .ramp = nanoseconds(arguments.number("ramp", 1)),
            .rate = arguments.number("rate", 1000),
            .users = static_cast<unsigned>(arguments.number("users", 1)),
            .unique = arguments.text("body", "unique") == "unique",
            .pids = arguments.all("pid"),
            .helpers = arguments.all("helper")};
  plan.helpers.push_back(std::to_string(::getpid()));
  Request request(arguments.text("path", "/v1/chat/completions"), arguments.all("header"),
                  plan.mode == "stream");
  request.start_at(plan.unique ? static_cast<std::uint64_t>(now_ns()) % 1'000'000'000'000'000 : 0);
  auto load = std::make_unique<Load>(std::move(plan), std::move(request));
  load->run();
  load->print();
}
