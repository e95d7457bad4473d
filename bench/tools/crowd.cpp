// Clients as people are: they arrive at a rate whatever the server does, lose patience, try again
// when they are told to come back, and leave. `--phase RATE:SECONDS` says how many arrive a second,
// one phase after the other. Prints one JSON object with one entry for each phase. One thread,
// epoll. Started by bench/suites/overload.py and soak/run.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "arguments.h"
#include "histogram.h"
#include "request.h"
#include "wire.h"

namespace mainstay::bench {
namespace {

constexpr const char* kUsage =
    "usage: crowd --port N --phase RATE:SECONDS [--phase RATE:SECONDS]... [--patience S]\n"
    "             [--attempts N] [--path P] [--get 1] [--stream 1] [--even 1] [--first-user N] "
    "[--users N]\n"
    "             [--seed N] [--header 'Name: value']...";
constexpr double kSecond = 1e9;

struct Plan {
  std::uint16_t port;
  std::int64_t patience;  ///< ns
  unsigned attempts;
  unsigned first_user;
  unsigned users;
  bool even;  ///< one after the other at the same distance, else by chance (Poisson)
};

/// What became of those who arrived in a phase; times in ns.
struct Phase {
  double rate = 0;
  std::int64_t length = 0;
  std::int64_t begin = 0;
  std::uint64_t arrived = 0;
  std::uint64_t served = 0;             ///< in time
  std::uint64_t served_within = 0;      ///< by anybody, while the phase lasted
  std::uint64_t refused = 0;            ///< and would not or could not try again
  std::uint64_t left = 0;               ///< their patience was over
  std::uint64_t broken = 0;             ///< a wrong status, a cut reply
  std::uint64_t attempts = 0;           ///< requests sent
  std::int64_t last_unserved = -1;      ///< arrival of the last who was not, from the begin
  std::array<std::uint64_t, 6> seen{};  ///< replies 1xx to 5xx
  Histogram latency{};                  ///< from the arrival to the whole answer
};

struct Client {
  std::int64_t arrived = 0;
  std::size_t phase = 0;
  unsigned user = 0;
  unsigned attempts = 0;
  int fd = -1;
  bool done = false;
};

struct Connection {
  MessageReader reader{MessageReader::Kind::reply};
  std::size_t client = 0;
  bool busy = false;
};

enum class What : std::uint8_t { arrival, again, patience };
struct Event {
  std::int64_t at;
  What what;
  std::size_t client;
  bool operator>(const Event& other) const noexcept { return at > other.at; }
};

class Crowd {
 public:
  Crowd(Plan plan, Request request, std::vector<Phase> phases, unsigned seed)
      : plan_(plan),
        request_(std::move(request)),
        phases_(std::move(phases)),
        chance_(seed),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  void run() {
    std::int64_t at = now_ns();
    for (auto& phase : phases_) {
      phase.begin = at;
      at += phase.length;
    }
    end_ = at;
    events_.push({now_ns(), What::arrival, 0});
    while (open_ > 0 || now_ns() < end_) turn();
  }

  void print() const {
    std::printf("{\"phases\":[");
    for (std::size_t i = 0; i < phases_.size(); ++i) {
      const Phase& p = phases_[i];
      std::printf(
          "%s{\"seconds\":%.3f,\"arrived\":%llu,\"served\":%llu,\"served_within\":%llu,"
          "\"refused\":%llu,\"left\":%llu,\"broken\":%llu,\"attempts\":%llu,"
          "\"status_4xx\":%llu,\"status_5xx\":%llu,\"last_unserved\":%.3f,"
          "\"p50_us\":%.1f,\"p95_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}",
          i == 0 ? "" : ",", double(p.length) / kSecond, as_ull(p.arrived), as_ull(p.served),
          as_ull(p.served_within), as_ull(p.refused), as_ull(p.left), as_ull(p.broken),
          as_ull(p.attempts), as_ull(p.seen[4]), as_ull(p.seen[5]),
          p.last_unserved < 0 ? -1.0 : double(p.last_unserved) / kSecond, p.latency.at_us(0.5),
          p.latency.at_us(0.95), p.latency.at_us(0.99), p.latency.max_us());
    }
    std::printf("]}\n");
  }

 private:
  static unsigned long long as_ull(std::uint64_t value) noexcept { return value; }

  std::size_t phase_at(std::int64_t at) const noexcept {
    std::size_t i = 0;
    while (i + 1 < phases_.size() && at >= phases_[i + 1].begin) ++i;
    return i;
  }

  /// Handles what is due, then waits for replies until the next event.
  void turn() {
    while (!events_.empty() && events_.top().at <= now_ns()) {
      const Event event = events_.top();
      events_.pop();
      happen(event);
    }
    const auto next = events_.empty() ? end_ : events_.top().at;
    const auto left = std::max<std::int64_t>(0, next - now_ns());
    timespec wait{};
    wait.tv_sec = left / 1'000'000'000;
    wait.tv_nsec = left % 1'000'000'000;
    std::array<epoll_event, 256> ready{};
    const int n =
        ::epoll_pwait2(epoll_, ready.data(), static_cast<int>(ready.size()), &wait, nullptr);
    for (int i = 0; i < n; ++i) read_from(ready[static_cast<std::size_t>(i)].data.fd);
  }

  void happen(const Event& event) {
    if (event.what == What::arrival) return arrive(event.at);
    Client& client = clients_[event.client];
    if (client.done) return;
    if (event.what == What::again) return send(event.client);
    ++phases_[client.phase].left;
    if (client.fd >= 0) close_connection(client.fd);
    unserved(client);
  }

  /// A phase whose rate is 0 is a pause. Arrivals stop at the end, patience ends the rest.
  void arrive(std::int64_t at) {
    if (at >= end_) return;
    const auto index = phase_at(at);
    Phase& phase = phases_[index];
    if (phase.rate <= 0) {
      events_.push({phase.begin + phase.length, What::arrival, 0});
      return;
    }
    Client client;
    client.arrived = at;
    client.phase = index;
    client.user = plan_.first_user + static_cast<unsigned>(chance_() % plan_.users);
    ++phase.arrived;
    ++open_;
    clients_.push_back(client);
    events_.push({at + plan_.patience, What::patience, clients_.size() - 1});
    const double gap = plan_.even ? 1 : std::exponential_distribution<double>(1)(chance_);
    events_.push({at + static_cast<std::int64_t>(gap * kSecond / phase.rate), What::arrival, 0});
    send(clients_.size() - 1);
  }

  int take_connection() {
    if (!idle_.empty()) {
      const int fd = idle_.back();
      idle_.pop_back();
      return fd;
    }
    const int fd = connect_to(plan_.port);
    if (fd < 0) fail("connect");
    const auto slot = static_cast<std::size_t>(fd);
    if (slot >= connections_.size()) connections_.resize(slot + 256);
    connections_[slot] = std::make_unique<Connection>();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
    return fd;
  }

  void send(std::size_t index) {
    Client& client = clients_[index];
    client.fd = take_connection();
    ++client.attempts;
    ++phases_[client.phase].attempts;
    Connection& connection = *connections_[static_cast<std::size_t>(client.fd)];
    connection.client = index;
    connection.busy = true;
    request_.next();
    request_.from(client.user);
    const auto text = request_.text();
    const auto sent = ::send(client.fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(text.size())) lost(client.fd);
  }

  void read_from(int fd) {
    if (!connections_[static_cast<std::size_t>(fd)]) return;
    Connection& connection = *connections_[static_cast<std::size_t>(fd)];
    const auto size = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return lost(fd);
    std::string_view in(buffer_.data(), static_cast<std::size_t>(size));
    in.remove_prefix(connection.reader.feed(in, [](std::string_view) {}));
    if (connection.reader.broken() || !connection.busy) return lost(fd);
    if (connection.reader.done()) finished(fd, connection);
  }

  void finished(int fd, Connection& connection) {
    const std::size_t index = connection.client;
    const int status = connection.reader.status();
    const auto wait = connection.reader.retry_after_ms() * 1'000'000;
    const bool keep = connection.reader.keep_alive();
    connection.busy = false;
    connection.reader.restart();
    if (keep)
      idle_.push_back(fd);
    else
      close_connection(fd);
    Client& client = clients_[index];
    client.fd = -1;
    Phase& phase = phases_[client.phase];
    if (status >= 0 && status < 600) ++phase.seen[static_cast<std::size_t>(status / 100)];
    const auto now = now_ns();
    if (status == 200) {
      phase.latency.add(now - client.arrived);
      ++phase.served;
      if (now < end_) ++phases_[phase_at(now)].served_within;
      client.done = true;
      --open_;
    } else if (status != 429 && status != 503) {
      ++phase.broken;
      unserved(client);
    } else if (client.attempts >= plan_.attempts || wait <= 0 ||
               now + wait >= client.arrived + plan_.patience) {
      ++phase.refused;
      unserved(client);
    } else {
      events_.push({now + wait, What::again, index});
    }
  }

  void lost(int fd) {
    const Connection& connection = *connections_[static_cast<std::size_t>(fd)];
    const bool busy = connection.busy;
    const std::size_t index = connection.client;
    std::erase(idle_, fd);
    close_connection(fd);
    if (!busy) return;
    ++phases_[clients_[index].phase].broken;
    unserved(clients_[index]);
  }

  void unserved(Client& client) {
    client.done = true;
    --open_;
    client.fd = -1;
    Phase& phase = phases_[client.phase];
    phase.last_unserved = std::max(phase.last_unserved, client.arrived - phase.begin);
  }

  void close_connection(int fd) {
    connections_[static_cast<std::size_t>(fd)].reset();
    ::close(fd);
  }

  Plan plan_;
  Request request_;
  std::vector<Phase> phases_;
  std::mt19937 chance_;
  int epoll_;
  std::int64_t end_ = 0;
  std::size_t open_ = 0;  ///< clients who arrived and still hope
  std::vector<Client> clients_;
  std::vector<int> idle_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::array<char, 65536> buffer_{};
};

std::vector<Phase> phases_of(const Arguments& arguments) {
  std::vector<Phase> out;
  for (const auto& text : arguments.all("phase")) {
    char* end = nullptr;
    Phase phase;
    phase.rate = std::strtod(text.c_str(), &end);
    if (*end == ':') {
      phase.length = static_cast<std::int64_t>(std::strtod(end + 1, nullptr) * kSecond);
    }
    out.push_back(phase);
  }
  if (out.empty()) {
    std::fprintf(stderr, "%s\n", kUsage);
    std::exit(2);
  }
  return out;
}

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv, kUsage);
  lift_descriptor_limit();
  const Plan plan{.port = static_cast<std::uint16_t>(arguments.number("port", 0)),
                  .patience = static_cast<std::int64_t>(arguments.number("patience", 10) * kSecond),
                  .attempts = static_cast<unsigned>(arguments.number("attempts", 1)),
                  .first_user = static_cast<unsigned>(arguments.number("first-user", 0)),
                  .users = static_cast<unsigned>(arguments.number("users", 1)),
                  .even = arguments.number("even", 0) != 0};
  const auto path = arguments.text("path", "/v1/chat/completions");
  const auto headers = arguments.all("header");
  Request request = arguments.number("get", 0) != 0
                        ? Request(path, headers)
                        : Request(path, headers, arguments.number("stream", 0) != 0);
  request.start_at(static_cast<std::uint64_t>(now_ns()) % 1'000'000'000'000'000);
  auto crowd = std::make_unique<Crowd>(plan, std::move(request), phases_of(arguments),
                                       static_cast<unsigned>(arguments.number("seed", 1)));
  crowd->run();
  crowd->print();
}
