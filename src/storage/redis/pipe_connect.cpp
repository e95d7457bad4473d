// How a connection comes to be: name, socket, password, database, checks, scripts.
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "storage/redis/check.h"
#include "storage/redis/pipe.h"

namespace mainstay::storage::redis {
namespace {

Error not_connected(const Address& address, const std::string& why) {
  return Error::log(Errc::unavailable, "redis at " + address.shown() + ": " + why);
}

/// Between two looks at how far the rewrite is.
constexpr Duration kRewriteLook = std::chrono::milliseconds(10);
constexpr int kProbes = 3;  ///< without an answer before a connection counts as lost

Error greeting_failed(const Address& address, const Reply& reply) {
  const bool denied = reply.text.starts_with("NOAUTH") || reply.text.starts_with("WRONGPASS") ||
                      reply.text.find("invalid password") != std::string::npos ||
                      reply.text.find("AUTH") != std::string::npos;
  if (!denied) return not_connected(address, reply.text);
  Error error = Error::say(Errc::denied, "redis_denied",
                           "Redis does not accept the password of 'storage.redis_url'; write "
                           "redis://:PASSWORD@HOST:6379/0 with the one of its 'requirepass'.",
                           "storage.redis_url");
  error.detail = "redis at " + address.shown() + ": " + reply.text;
  return error;
}

/// Probes of the kernel for an idle connection, whose loss nothing else would show; the server
/// sees no command.
void keep_alive(int fd, const RedisSettings& settings) {
  const auto seconds = [](Duration time) {
    return std::max(1, static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count()));
  };
  const int on = 1;
  const int idle = seconds(settings.check_interval);
  const int between = seconds(settings.reply_timeout / kProbes);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

}  // namespace

Co<Status> Pipe::connect_unix() {
  const asio::local::stream_protocol::endpoint where(setup_.address.socket);
  auto [failed] = co_await socket_.async_connect(where, use_co);
  if (failed) co_return not_connected(setup_.address, failed.message());
  co_return done();
}

Co<Status> Pipe::connect() {
  const auto& address = setup_.address;
  if (!address.socket.empty()) {
    auto local = co_await connect_unix();
    if (!local.ok()) co_return local;
    co_return co_await greet();
  }
  auto [unresolved, found] = co_await resolver_.async_resolve(address.host, address.port, use_co);
  if (unresolved) co_return not_connected(address, unresolved.message());
  error_code failed = asio::error::host_not_found;
  for (const auto& entry : found) {
    error_code ignored;
    socket_.close(ignored);
    const Socket::endpoint_type where(entry.endpoint());
    auto [refused] = co_await socket_.async_connect(where, use_co);
    failed = refused;
    if (!failed || stopping_) break;
  }
  if (failed) co_return not_connected(address, failed.message());
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  keep_alive(socket_.native_handle(), setup_.settings);
  co_return co_await greet();
}

Co<Result<Reply>> Pipe::read_reply() {
  while (true) {
    auto reply = parser_->next();
    if (!reply.ok()) co_return reply.error();
    if (*reply) co_return std::move(**reply);
    auto [failed, size] = co_await socket_.async_read_some(asio::buffer(input_), use_co);
    if (failed) {
      co_return not_connected(setup_.address, why_.empty() ? failed.message() : why_);
    }
    parser_->feed(std::string_view(input_.data(), size));
  }
}

Co<Status> Pipe::greet() {
  const auto& address = setup_.address;
  std::string hello;
  std::size_t simple = 0;  // replies that only must not be errors
  if (!address.password.empty()) {
    Command auth("AUTH");
    if (!address.user.empty()) auth.add(address.user);
    auth.add(address.password).write_to(hello);
    ++simple;
  }
  Command("SELECT").add(address.database).write_to(hello);
  Command("CLIENT").add("SETNAME").add("mainstay-" + name_).write_to(hello);
  simple += 2;
  Command("INFO").write_to(hello);
  Command("CONFIG")
      .add("GET")
      .add("appendonly")
      .add("appendfsync")
      .add("no-appendfsync-on-rewrite")
      .add("maxmemory-policy")
      .add("save")
      .add("stop-writes-on-bgsave-error")
      .write_to(hello);
  for (const auto& script : setup_.scripts) {
    Command("SCRIPT").add("LOAD").add(script).write_to(hello);
  }
  auto [failed, size] = co_await asio::async_write(socket_, asio::buffer(hello), use_co);
  if (failed) co_return not_connected(address, failed.message());
  for (std::size_t i = 0; i < simple; ++i) {
    auto reply = co_await read_reply();
    if (!reply.ok()) co_return reply.error();
    if (reply->failed()) co_return greeting_failed(address, *reply);
  }
  auto info = co_await read_reply();
  if (!info.ok()) co_return info.error();
  auto config = co_await read_reply();
  if (!config.ok()) co_return config.error();
  auto fit = check_server(*info, *config, setup_.durability);
  if (!fit.ok()) co_return fit;
  const std::string warning = check_snapshots(*config);
  if (!warning.empty() && !std::exchange(setup_.snapshots_told, true)) {
    setup_.log.warn("redis.snapshots", {{"sentence", warning}});
  }
  for (std::size_t i = 0; i < setup_.scripts.size(); ++i) {
    auto loaded = co_await read_reply();
    if (!loaded.ok()) co_return loaded.error();
    if (loaded->failed()) co_return not_connected(address, loaded->text);
  }
  if (rewritten(*info)) co_return done();
  co_return co_await rewrite();
}

/// Nothing is written to a server that has just started before its append-only file is a new one;
/// check.h says why. Ends with the time for connecting; the next try waits for the same rewrite.
Co<Status> Pipe::rewrite() {
  std::string words;
  Command("BGREWRITEAOF").write_to(words);
  for (bool first = true;; first = false) {
    Command("INFO").add("persistence").write_to(words);
    auto [failed, size] = co_await asio::async_write(socket_, asio::buffer(words), use_co);
    if (failed) co_return not_connected(setup_.address, failed.message());
    if (first) {
      auto begun = co_await read_reply();
      if (!begun.ok()) co_return begun.error();
      auto may = check_rewrite(*begun);
      if (!may.ok()) co_return may;
    }
    auto info = co_await read_reply();
    if (!info.ok()) co_return info.error();
    if (rewritten(*info)) co_return done();
    words.clear();
    [[maybe_unused]] auto slept = co_await sleep(setup_.clock, kRewriteLook);
  }
}

}  // namespace mainstay::storage::redis
