// Resolve, connect, write, read; a wait that is too long is given up with its connection.
#include "models/wyoming/link.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <charconv>
#include <vector>

#include "models/provider_error.h"
#include "net/client_pool.h"

namespace mainstay::models::wyoming {
namespace {

using net::upstream_error;

Error cancelled() {
  return Error::log(Errc::cancelled, "upstream call cancelled");
}

/// A name's addresses, as the system finds them.
struct Found {
  error_code failed;
  std::vector<asio::ip::tcp::endpoint> endpoints;
  bool late = false;
};

Co<Found> look_up(Address to) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver(executor);
  Found out;
  auto [failed, entries] =
      co_await resolver.async_resolve(to.host, std::to_string(to.port), use_co);
  out.failed = failed;
  for (const auto& entry : entries) out.endpoints.push_back(entry.endpoint());
  co_return out;
}

Co<Found> look_up_by(Address to, Alarm& alarm, Deadline by) {
  using namespace asio::experimental::awaitable_operators;
  auto work = look_up(std::move(to));
  auto late = alarm.wait_until(by.at());
  auto first = co_await (std::move(work) || std::move(late));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  Found out;
  out.late = true;
  co_return out;
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  constexpr std::string_view kScheme = "tcp://";
  Address out;
  const auto colon = text.rfind(':');
  if (text.starts_with(kScheme) && colon != std::string_view::npos && colon > kScheme.size()) {
    std::string_view host = text.substr(kScheme.size(), colon - kScheme.size());
    std::string_view port = text.substr(colon + 1);
    if (port.ends_with('/')) port.remove_suffix(1);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    const bool fits = failed == std::errc() && end == port.data() + port.size() && out.port > 0;
    out.host = host;
    if (fits && !host.empty() && host.find_first_of(" /@?#") == std::string_view::npos) return out;
  }
  return Error::say(Errc::invalid, "bad_address",
                    "The address of a Wyoming server is tcp://HOST:PORT.", "base_url");
}

Link::Link(Executor executor, Address to, Clock& clock)
    : to_(std::move(to)), clock_(clock), socket_(executor), alarm_(clock.alarm(executor)) {}

Co<Result<std::unique_ptr<Link>>> Link::open(Address to, Clock& clock, Deadline by) {
  const auto executor = co_await asio::this_coro::executor;
  auto link = std::make_unique<Link>(executor, std::move(to), clock);
  auto connected = co_await link->connect(by);
  if (!connected.ok()) co_return connected.error();
  co_return link;
}

Error Link::failure(const Waited& how, const char* if_late) const {
  if (how.late) return upstream_error(Errc::deadline, if_late, to_.shown() + ": " + if_late);
  if (how.failed == asio::error::operation_aborted) return cancelled();
  if (how.failed == asio::error::eof) {
    return upstream_error(Errc::bad_upstream, "upstream_truncated", to_.shown() + " closed");
  }
  return upstream_error(Errc::bad_upstream, "upstream_reset",
                        to_.shown() + ": " + how.failed.message());
}

Co<Link::Waited> Link::within(Co<Waited> work, Deadline by) {
  using namespace asio::experimental::awaitable_operators;
  auto late = alarm_->wait_until(by.at());
  auto first = co_await (std::move(work) || std::move(late));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  Waited out;
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  out.late = cancellation.cancelled() == asio::cancellation_type::none;
  if (!out.late) out.failed = asio::error::operation_aborted;
  co_return out;
}

Co<Link::Waited> Link::connect_to(asio::ip::tcp::endpoint where) {
  Waited out;
  auto [failed] = co_await socket_.async_connect(where, use_co);
  out.failed = failed;
  co_return out;
}

Co<Link::Waited> Link::write_some(const std::string& bytes, std::size_t at) {
  Waited out;
  const auto rest = asio::buffer(bytes.data() + at, bytes.size() - at);
  auto [failed, wrote] = co_await socket_.async_write_some(rest, use_co);
  out.failed = failed;
  out.bytes = wrote;
  co_return out;
}

Co<Link::Waited> Link::read_some() {
  Waited out;
  auto [failed, got] = co_await socket_.async_read_some(asio::buffer(buffer_), use_co);
  out.failed = failed;
  out.bytes = got;
  co_return out;
}

Co<Status> Link::connect(Deadline by) {
  auto found = co_await look_up_by(to_, *alarm_, by);
  if (found.failed == asio::error::operation_aborted) co_return cancelled();
  if (found.late || found.failed || found.endpoints.empty()) {
    co_return upstream_error(Errc::unavailable, "upstream_unresolved",
                             to_.shown() + ": " + found.failed.message());
  }
  Waited how;
  for (const auto& where : found.endpoints) {
    error_code ignored;
    socket_.close(ignored);
    auto work = connect_to(where);
    how = co_await within(std::move(work), by);
    if (how.late || how.failed == asio::error::operation_aborted) break;
    if (how.failed) continue;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    co_return done();
  }
  if (how.late || how.failed == asio::error::operation_aborted) {
    co_return failure(how, "upstream_connect_timeout");
  }
  co_return upstream_error(Errc::unavailable, "upstream_refused",
                           to_.shown() + ": " + how.failed.message());
}

Co<Status> Link::send(std::string bytes, Deadline by) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    auto work = write_some(bytes, at);
    auto how = co_await within(std::move(work), by);
    if (how.late || how.failed) co_return failure(how, "upstream_stalled");
    at += how.bytes;
  }
  co_return done();
}

Co<Result<net::WyomingEvent>> Link::next(Deadline by) {
  for (;;) {
    auto event = parser_.next(unread_);
    if (!event.ok()) {
      co_return not_understood(to_.shown() + ": " + event.error().detail);
    }
    if (event->has_value()) co_return std::move(**event);
    auto work = read_some();
    auto how = co_await within(std::move(work), by);
    if (how.late || how.failed) co_return failure(how, "upstream_stalled");
    unread_ = std::string_view(buffer_.data(), how.bytes);
  }
}

}  // namespace mainstay::models::wyoming
