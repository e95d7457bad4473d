// A model server that costs almost nothing: answers POST /v1/chat/completions with a fixed
// ~600-byte reply, or with a stream of `--rate` tokens a second whose text is "@<send time in
// ns>;" (--tokens N ends it after N), or (rate 0) with one token and then silence. With `--slots N`
// it works as a model does: N replies at once, each takes `--service-ms`, the others wait in line,
// and work for a client that has gone ends. GET /v1/models lists one model. One thread, epoll.
// Started by bench/harness/servers.py; prints {"port": N} once it listens.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "wire.h"

namespace mainstay::bench {
namespace {

constexpr std::string_view kReplyBody =
    R"({"id":"chatcmpl-bench-0000000000000000","object":"chat.completion","created":1767225600,)"
    R"("model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"The pump in the )"
    R"(north hall is switched off before the valve is opened, then the pressure is read on the )"
    R"(gauge beside the door and written into the log together with the time and the name of the )"
    R"(person who read it. If the pressure is above four bar, wait ten minutes and read it )"
    R"(again."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":96,)"
    R"("completion_tokens":71,"total_tokens":167},"system_fingerprint":"fp_bench"})";
constexpr std::string_view kModelsBody =
    R"({"object":"list","data":[{"id":"m","object":"model","created":1767225600,)"
    R"("owned_by":"bench"}]})";
constexpr std::string_view kMissingBody =
    R"({"error":{"message":"no such path","type":"not_found"}})";

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kEventHead =
    R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,)"
    R"("model":"m","choices":[{"index":0,"delta":{)";
constexpr std::string_view kEventTail = "},\"finish_reason\":null}]}\n\n";
constexpr std::string_view kStopTail = "},\"finish_reason\":\"stop\"}]}\n\n";

std::string json_reply(const char* status, std::string_view body) {
  return std::string("HTTP/1.1 ") + status +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

std::string in_chunk(std::string_view data) {
  std::array<char, 16> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", data.size());
  return std::string(size.data()) + std::string(data) + "\r\n";
}

struct Connection {
  explicit Connection(std::uint64_t serial_) : serial(serial_) {}
  MessageReader reader{MessageReader::Kind::request};
  std::string body;
  std::uint64_t serial;  ///< tells a descriptor's users apart in the queue of due tokens
  bool streaming = false;
  std::uint64_t tokens = 0;  ///< of the stream so far
  bool at_work = false;      ///< holds a slot
};

/// How the slots work; `slots` 0: each reply at once.
struct Slots {
  std::size_t slots = 0;
  double mean_ns = 0;
  std::string spread;  ///< exponential, uniform (0.5 to 1.5 of the mean), or none
};

/// Times of service whose mean over any few dozen is nearly exact: their quantiles follow the
/// golden ratio instead of chance, so that the capacity of one run is that of the next.
class Service {
 public:
  explicit Service(const Slots& slots) : mean_(slots.mean_ns), spread_(slots.spread) {}
  std::int64_t next() noexcept {
    quantile_ += 0.6180339887498949;
    quantile_ -= std::floor(quantile_);
    double times = 1;
    if (spread_ == "uniform") times = 0.5 + quantile_;
    // At most four times the mean, made longer by what that cuts off.
    if (spread_ == "exponential") {
      times = std::min(4.0, -std::log(1 - quantile_)) / (1 - std::exp(-4.0));
    }
    return static_cast<std::int64_t>(mean_ * times);
  }

 private:
  double mean_;
  double quantile_ = 0;
  std::string spread_;
};

struct Due {
  std::int64_t at;
  int fd;
  std::uint64_t serial;
  bool reply;  ///< a slot's work is done; else: the next token of a stream
  bool operator>(const Due& other) const noexcept { return at > other.at; }
};

class Upstream {
 public:
  Upstream(int listener, double rate, std::uint64_t tokens, const Slots& slots)
      : tokens_(tokens),
        slots_(slots.slots),
        service_(slots),
        listener_(listener),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
        interval_(rate > 0 ? static_cast<std::int64_t>(1e9 / rate) : 0) {
    // The stamp has a fixed width, so a token is one memcpy into this chunk.
    const auto text =
        std::string(kEventHead) + R"("content":"@0000000000000000000;")" + std::string(kEventTail);
    token_ = in_chunk(text);
    stamp_at_ = token_.find('@') + 1;
    opening_ = std::string(kStreamHead) +
               in_chunk(std::string(kEventHead) + R"("role":"assistant","content":"")" +
                        std::string(kEventTail));
    ending_ = in_chunk(std::string(kEventHead) + std::string(kStopTail)) +
              in_chunk("data: [DONE]\n\n") + in_chunk("");
    watch(listener_);
    watch(timer_);
  }

  [[noreturn]] void serve() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_)
          accept_all();
        else if (fd == timer_)
          send_due();
        else
          read_from(fd);
      }
    }
  }

 private:
  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      tune(fd);
      const auto slot = static_cast<std::size_t>(fd);
      if (slot >= connections_.size()) connections_.resize(slot + 1024);
      connections_[slot] = std::make_unique<Connection>(++serial_);
      watch(fd);
    }
  }

  void drop(int fd) {
    auto& connection = connections_[static_cast<std::size_t>(fd)];
    if (!connection) return;
    const bool worked = connection->at_work;
    connection.reset();
    ::close(fd);
    if (worked) next_work();
  }

  void work(int fd, std::uint64_t serial) {
    connections_[static_cast<std::size_t>(fd)]->at_work = true;
    due_.push({now_ns() + service_.next(), fd, serial, true});
    arm();
  }

  /// A slot became free: whoever has waited longest and is still there gets it.
  void next_work() {
    while (!line_.empty()) {
      const auto [fd, serial] = line_.front();
      line_.pop_front();
      const auto& connection = connections_[static_cast<std::size_t>(fd)];
      if (connection && connection->serial == serial) return work(fd, serial);
    }
    --working_;
  }

  bool take_slot(int fd, const Connection& connection) {
    if (working_ < slots_) {
      ++working_;
      work(fd, connection.serial);
    } else {
      line_.emplace_back(fd, connection.serial);
    }
    return true;
  }

  void read_from(int fd) {
    if (!connections_[static_cast<std::size_t>(fd)]) return;  // dropped by an event before this one
    const auto size = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (size <= 0) {
      if (size == 0 || errno != EAGAIN) drop(fd);
      return;
    }
    auto& connection = *connections_[static_cast<std::size_t>(fd)];
    std::string_view in(buffer_.data(), static_cast<std::size_t>(size));
    while (!in.empty()) {
      const auto used =
          connection.reader.feed(in, [&](std::string_view part) { connection.body.append(part); });
      in.remove_prefix(used);
      if (connection.reader.broken()) return drop(fd);
      if (!connection.reader.done()) return;
      if (!answer(fd, connection)) return drop(fd);
      connection.reader.restart();
      connection.body.clear();
    }
  }

  bool answer(int fd, Connection& connection) {
    const auto path = connection.reader.path();
    if (!connection.reader.is_post()) {
      return put(fd, path.ends_with("/models") ? models_ : missing_);
    }
    if (!path.ends_with("/chat/completions")) return put(fd, missing_);
    const std::string_view body = connection.body;
    const bool stream =
        body.find("\"stream\":true") != body.npos || body.find("\"stream\": true") != body.npos;
    if (!stream && slots_ > 0) return take_slot(fd, connection);
    if (!stream) return put(fd, reply_);
    connection.streaming = true;
    connection.tokens = 1;
    if (!put(fd, opening_) || !put_token(fd)) return false;
    if (interval_ == 0) return tokens_ == 0 || put(fd, ending_);
    // Phases follow the golden ratio, so that streams do not fire together however they arrived.
    const auto phase = static_cast<double>(connection.serial) * 0.6180339887498949;
    const auto part = phase - static_cast<double>(static_cast<std::uint64_t>(phase));
    due_.push({now_ns() + interval_ / 4 +
                   static_cast<std::int64_t>(static_cast<double>(interval_) * part),
               fd, connection.serial, false});
    arm();
    return true;
  }

  void send_due() {
    std::uint64_t expired = 0;
    if (::read(timer_, &expired, sizeof expired) < 0 && errno != EAGAIN) fail("timer");
    armed_for_ = 0;
    const auto now = now_ns();
    while (!due_.empty() && due_.top().at <= now) {
      auto next = due_.top();
      due_.pop();
      const auto& connection = connections_[static_cast<std::size_t>(next.fd)];
      if (!connection || connection->serial != next.serial) continue;
      if (next.reply) {
        connection->at_work = false;
        next_work();
        if (!put(next.fd, reply_)) drop(next.fd);
        continue;
      }
      const bool last = tokens_ > 0 && ++connection->tokens >= tokens_;
      if (!put_token(next.fd) || (last && !put(next.fd, ending_))) {
        drop(next.fd);
        continue;
      }
      if (last) continue;
      next.at += interval_;
      due_.push(next);
    }
    arm();
  }

  void arm() {
    if (due_.empty() || due_.top().at == armed_for_) return;
    armed_for_ = due_.top().at;
    itimerspec when{};
    when.it_value.tv_sec = armed_for_ / 1'000'000'000;
    when.it_value.tv_nsec = armed_for_ % 1'000'000'000;
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  bool put_token(int fd) {
    auto stamp = static_cast<std::uint64_t>(now_ns());
    for (std::size_t i = 19; i-- > 0; stamp /= 10) {
      token_[stamp_at_ + i] = static_cast<char>('0' + stamp % 10);
    }
    return put(fd, token_);
  }

  /// A peer that does not read until its buffers are full is dropped: none of ours does that.
  static bool put(int fd, std::string_view data) noexcept {
    return ::send(fd, data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(data.size());
  }

  const std::uint64_t tokens_;  ///< of each stream; 0: without end
  const std::size_t slots_;
  Service service_;
  std::size_t working_ = 0;
  std::deque<std::pair<int, std::uint64_t>> line_;  ///< who waits for a slot
  int listener_;
  int epoll_;
  int timer_;
  std::int64_t interval_;
  std::int64_t armed_for_ = 0;
  std::uint64_t serial_ = 0;
  std::string reply_ = json_reply("200 OK", kReplyBody);
  std::string models_ = json_reply("200 OK", kModelsBody);
  std::string missing_ = json_reply("404 Not Found", kMissingBody);
  std::string opening_;
  std::string ending_;
  std::string token_;
  std::size_t stamp_at_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::array<char, 65536> buffer_{};
};

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv,
                            "usage: upstream [--port N] [--rate TOKENS_PER_SECOND [--tokens N]]\n"
                            "                [--slots N --service-ms M [--spread "
                            "exponential|uniform|none]]");
  lift_descriptor_limit();
  auto port = static_cast<std::uint16_t>(arguments.number("port", 0));
  const int listener = listen_on(port);
  std::printf("{\"port\":%u}\n", unsigned{port});
  std::fflush(stdout);
  const Slots slots{.slots = static_cast<std::size_t>(arguments.number("slots", 0)),
                    .mean_ns = arguments.number("service-ms", 1) * 1e6,
                    .spread = arguments.text("spread", "none")};
  auto upstream =
      std::make_unique<Upstream>(listener, arguments.number("rate", 0),
                                 static_cast<std::uint64_t>(arguments.number("tokens", 0)), slots);
  upstream->serve();
}
