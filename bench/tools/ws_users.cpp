// Users on WebSockets, each with one message that goes through the job queue: all connect and
// attach, then all ask at once (or spread over --spread seconds), and each waits for the end of its
// own job. Checks that the tokens each saw are those of its answer. Prints one JSON object.
// Started by bench/suites/jobs_users.py.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "arguments.h"
#include "histogram.h"
#include "wire.h"

namespace mainstay::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using Socket = beast::websocket::stream<tcp::socket>;
constexpr auto kUse = asio::as_tuple(asio::use_awaitable);

struct Options {
  unsigned short port = 0;
  double spread = 0;
  double patience = 60;
};

class Users {
 public:
  Users(Options options, std::vector<std::string> tokens)
      : options_(options), tokens_(std::move(tokens)), start_(io_), over_(io_) {}

  void go() {
    start_.expires_at(Clock::time_point::max());
    over_.expires_after(std::chrono::seconds(120));
    over_.async_wait([this](boost::system::error_code) { io_.stop(); });
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      asio::co_spawn(io_, one(i), [this](std::exception_ptr thrown) {
        failed_ += thrown != nullptr;
        if (++ended_ == tokens_.size()) over_.cancel();
      });
    }
    io_.run();
    std::printf(
        "{\"users\":%zu,\"connected\":%llu,\"accepted\":%llu,\"answered\":%llu,\"wrong\":%llu,"
        "\"failed\":%llu,\"connect_s\":%.3f,\"accept_p99_ms\":%.2f,\"p50_ms\":%.2f,"
        "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
        tokens_.size(), connected_, accepted_, answered_, wrong_, failed_, connect_seconds_,
        accepts_.at_us(0.99) / 1e3, answers_.at_us(0.5) / 1e3, answers_.at_us(0.99) / 1e3,
        answers_.max_us() / 1e3);
    if (!first_trouble_.empty()) std::fprintf(stderr, "%s\n", first_trouble_.c_str());
  }

 private:
  asio::awaitable<void> one(std::size_t me) {
    Socket socket(io_);
    const tcp::endpoint server(asio::ip::address_v4::loopback(), options_.port);
    auto [refused] = co_await socket.next_layer().async_connect(server, kUse);
    if (refused) co_return trouble("connect: " + refused.message());
    const std::string token = tokens_[me];
    socket.set_option(
        beast::websocket::stream_base::decorator([token](beast::websocket::request_type& request) {
          request.set("Authorization", "Bearer " + token);
        }));
    socket.read_message_max(4 << 20);
    auto [unheard] = co_await socket.async_handshake("127.0.0.1", "/v1/ws", kUse);
    if (unheard) co_return trouble("handshake: " + unheard.message());
    Json ready = co_await read(socket);
    if (word(ready, "type") != "ready") co_return trouble("instead of ready: " + ready.dump());
    ++connected_;
    co_await all_there(me);
    const auto begin = Clock::now();
    const std::string question = "{\"type\":\"chat\",\"id\":\"1\",\"key\":\"k-" +
                                 std::to_string(me) +
                                 "\",\"messages\":[{\"role\":\"user\",\"content\":\"Question " +
                                 std::to_string(me) + "\"}]}";
    auto [unsent, sent] = co_await socket.async_write(asio::buffer(question), kUse);
    if (unsent) co_return trouble("write: " + unsent.message());
    co_await hear(socket, begin);
    [[maybe_unused]] auto [unclosed] =
        co_await socket.async_close(beast::websocket::close_code::normal, kUse);
  }

  /// Until all have connected; then, where wanted, until it is this user's turn.
  asio::awaitable<void> all_there(std::size_t me) {
    if (connected_ == tokens_.size()) {
      connect_seconds_ = std::chrono::duration<double>(Clock::now() - begin_).count();
      std::printf("{\"connected\":%llu}\n", connected_);
      std::fflush(stdout);
      // Half a second for whoever measures the memory of sockets at rest.
      start_.expires_after(std::chrono::milliseconds(500));
    }
    while (start_.expiry() > Clock::now()) {
      [[maybe_unused]] auto [woken] = co_await start_.async_wait(kUse);
    }
    if (options_.spread <= 0) co_return;
    const double share = static_cast<double>(me) / static_cast<double>(tokens_.size());
    asio::steady_timer turn(io_);
    turn.expires_after(
        std::chrono::microseconds(static_cast<std::int64_t>(1e6 * options_.spread * share)));
    [[maybe_unused]] auto [late] = co_await turn.async_wait(kUse);
  }

  asio::awaitable<void> hear(Socket& socket, Clock::time_point begin) {
    std::string job, text;
    for (;;) {
      Json said = co_await read(socket);
      const std::string type = word(said, "type");
      if (type.empty() || type == "error" || type == "missed") {
        co_return trouble("instead of an answer: " + said.dump());
      }
      if (type == "accepted") {
        job = word(said, "job");
        ++accepted_;
        accepts_.add((Clock::now() - begin).count());
      }
      if (type != "event") continue;
      const std::string event = word(said, "event");
      const Json& data = said["data"];
      if (event == "token") text += word(data, "text");
      if (event != "succeeded" && event != "dead") continue;
      ++answered_;
      answers_.add((Clock::now() - begin).count());
      const Json* content = &data["result"];
      std::string whole;
      if (content->contains("choices")) {
        whole = word((*content)["choices"][0]["message"], "content");
      }
      const bool mine = job.empty() || word(said, "job") == job;
      if (event == "dead" || !mine || whole.empty() || whole != text) {
        ++wrong_;
        trouble("a wrong answer: " + said.dump().substr(0, 400) + " after '" + text + "'");
      }
      co_return;
    }
  }

  asio::awaitable<Json> read(Socket& socket) {
    beast::flat_buffer buffer;
    auto [failed, size] = co_await socket.async_read(buffer, kUse);
    if (failed) co_return Json{{"type", ""}, {"failed", failed.message()}};
    co_return Json::parse(beast::buffers_to_string(buffer.data()), nullptr, false);
  }
  static std::string word(const Json& from, const char* name) {
    return from.is_object() && from.contains(name) && from[name].is_string()
               ? from[name].get<std::string>()
               : std::string();
  }
  void trouble(const std::string& what) {
    ++failed_;
    if (first_trouble_.empty()) first_trouble_ = what;
  }

  const Options options_;
  const std::vector<std::string> tokens_;
  asio::io_context io_{1};
  asio::steady_timer start_;
  asio::steady_timer over_;
  const Clock::time_point begin_ = Clock::now();
  double connect_seconds_ = 0;
  unsigned long long connected_ = 0, accepted_ = 0, answered_ = 0, wrong_ = 0, failed_ = 0;
  std::size_t ended_ = 0;
  std::string first_trouble_;
  Histogram accepts_, answers_;
};

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv,
                            "usage: ws_users --port N --tokens FILE [--spread SECONDS]");
  lift_descriptor_limit();
  Options options;
  options.port = static_cast<unsigned short>(arguments.number("port", 0));
  options.spread = arguments.number("spread", 0);
  std::vector<std::string> tokens;
  std::ifstream file(arguments.text("tokens", ""));
  for (std::string line; std::getline(file, line);) tokens.push_back(line);
  if (tokens.empty()) return 2;
  Users(options, std::move(tokens)).go();
  return 0;
}
