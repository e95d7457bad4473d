// A look at the Redis server of the settings that changes nothing there: the client of the store
// loads scripts and may have the server write its file anew.
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include "app/wire.h"
#include "storage/redis/reply.h"
#include "storage/redis/url.h"

namespace mainstay::app {
namespace {

using storage::redis::Address;
using storage::redis::Command;
using storage::redis::Parser;
using storage::redis::Reply;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

constexpr std::size_t kReplyMax = 64 << 10;

Error no_answer(const Address& address, const std::string& why) {
  return Error::say(Errc::unavailable, "redis_unavailable",
                    "Redis at " + address.shown() + " does not answer (" + why +
                        "); start it ('systemctl start redis-server') or mend "
                        "'storage.redis_url'.",
                    "storage.redis_url");
}

/// One connection for one PING.
class Probe {
 public:
  Probe(asio::io_context& io, const Address& address)
      : address_(address), resolver_(io.get_executor()), socket_(io.get_executor()) {}

  Co<> run(Status& out) {
    auto connected = co_await connect();
    if (connected.ok()) connected = co_await ping();
    out = std::move(connected);
  }

 private:
  Co<Status> connect() {
    if (!address_.socket.empty()) {
      const asio::local::stream_protocol::endpoint where(address_.socket);
      auto [failed] = co_await socket_.async_connect(where, use_co);
      if (failed) co_return no_answer(address_, failed.message());
      co_return done();
    }
    auto [unknown, found] = co_await resolver_.async_resolve(address_.host, address_.port, use_co);
    if (unknown) co_return no_answer(address_, unknown.message());
    error_code why = asio::error::host_not_found;
    for (const auto& entry : found) {
      error_code ignored;
      socket_.close(ignored);
      const Socket::endpoint_type where(entry.endpoint());
      auto [failed] = co_await socket_.async_connect(where, use_co);
      why = failed;
      if (!why) co_return done();
    }
    co_return no_answer(address_, why.message());
  }

  Co<Status> ping() {
    std::string words;
    std::size_t replies = 1;
    if (!address_.password.empty()) {
      Command auth("AUTH");
      if (!address_.user.empty()) auth.add(address_.user);
      auth.add(address_.password).write_to(words);
      ++replies;
    }
    Command("PING").write_to(words);
    auto [failed, size] = co_await asio::async_write(socket_, asio::buffer(words), use_co);
    if (failed) co_return no_answer(address_, failed.message());
    for (; replies > 0; --replies) {
      auto reply = co_await read_reply();
      if (!reply.ok()) co_return reply.error();
      if (reply->failed()) co_return refused(*reply);
    }
    co_return done();
  }

  Co<Result<Reply>> read_reply() {
    for (;;) {
      auto reply = parser_.next();
      if (!reply.ok()) co_return no_answer(address_, "what answers there is no Redis");
      if (*reply) co_return std::move(**reply);
      auto [failed, size] = co_await socket_.async_read_some(asio::buffer(input_), use_co);
      if (failed) co_return no_answer(address_, failed.message());
      parser_.feed(std::string_view(input_.data(), size));
    }
  }

  Error refused(const Reply& reply) const {
    const bool denied = reply.text.starts_with("NOAUTH") || reply.text.starts_with("WRONGPASS") ||
                        reply.text.find("AUTH") != std::string::npos;
    if (!denied) return no_answer(address_, reply.text);
    return Error::say(Errc::denied, "redis_denied",
                      "Redis does not accept the password of 'storage.redis_url'; write "
                      "redis://:PASSWORD@HOST:6379/0 with the one of its 'requirepass'.",
                      "storage.redis_url");
  }

  const Address& address_;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver_;
  Socket socket_;
  Parser parser_{kReplyMax};
  std::array<char, 4096> input_{};
};

}  // namespace

Status check_redis_url(const StorageSettings& settings) {
  if (settings.redis_url.empty()) return done();
  auto address = storage::redis::parse_address(settings.redis_url);
  return address.ok() ? done() : Status(address.error());
}

Result<std::string> inspect_redis(const Settings& settings, const Clock& clock) {
  auto address = storage::redis::parse_address(settings.storage.redis_url);
  if (!address.ok()) return address.error();
  const TimePoint start = clock.now();
  const Millis most = settings.redis.connect_timeout;
  Status found = no_answer(*address, "no word within " + std::to_string(most.count()) + " ms");
  asio::io_context io(1);
  Probe probe(io, *address);
  asio::co_spawn(io.get_executor(), probe.run(found), [](std::exception_ptr) {});
  io.run_for(most);
  if (!found.ok()) return found.error();
  return "Redis at " + address->shown() + " answered in " +
         std::to_string(millis(clock.now() - start)) + " ms";
}

}  // namespace mainstay::app
