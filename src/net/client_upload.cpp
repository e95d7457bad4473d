// Blocks of a file to a socket, each only once the one before it is on its way.
#include "net/client_upload.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

namespace mainstay::net {
namespace {

constexpr std::size_t kBlock = 128 * 1024;

Error late(const Conn& conn, std::string_view reason) {
  return upstream_error(Errc::deadline, reason,
                        conn.origin->authority + ": it takes no more of the upload");
}

/// Writes all of `bytes`. False: the peer takes no more.
Co<Result<bool>> put(Conn& conn, const std::string& bytes, CallTimers timers, Deadline by) {
  Clock& clock = conn.budget->clock();
  std::size_t at = 0;
  while (at < bytes.size()) {
    error_code failed;
    at += conn.socket.write_some(asio::buffer(bytes.data() + at, bytes.size() - at), failed);
    if (!failed) continue;
    if (failed != asio::error::would_block && failed != asio::error::try_again) co_return false;
    const Deadline until = by.sooner(clock.now(), timers.write);
    conn.arm(until.at());
    auto [waited] = co_await conn.socket.async_wait(Socket::wait_write, use_co);
    conn.disarm();
    if (!waited) continue;
    if (conn.expired) {
      co_return late(conn, until.at() == by.at() ? "upstream_timeout" : "upstream_stalled");
    }
    if (waited == asio::error::operation_aborted) {
      co_return Error::log(Errc::cancelled, "upstream call cancelled");
    }
    co_return false;
  }
  co_return true;
}

}  // namespace

Co<Status> upload(Conn& conn, const Call& call, CallTimers timers, Deadline by) {
  conn.wrote_all = false;
  const std::uint64_t size = call.source->size();
  std::uint64_t at = 0;
  while (at < size) {
    auto block = co_await call.source->read(at, kBlock, by);
    if (!block.ok()) co_return block.error();
    if (block->empty()) co_return Error::log(Errc::corrupt, "a file to send is short");
    auto sent = co_await put(conn, *block, timers, by);
    if (!sent.ok()) co_return sent.error();
    if (!*sent) co_return done();
    at += block->size();
  }
  auto sent = co_await put(conn, call.tail, timers, by);
  if (!sent.ok()) co_return sent.error();
  conn.wrote_all = *sent;
  co_return done();
}

}  // namespace mainstay::net
