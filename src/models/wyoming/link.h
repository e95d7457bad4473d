// One TCP connection to a Wyoming server: events out, events in, each wait with its deadline.
// Used by provider.cpp alone.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/result.h"
#include "net/wyoming_frames.h"

namespace mainstay::models::wyoming {

/// Where a server is.
struct Address {
  std::string host;
  std::uint16_t port = 0;
  /// "tcp://HOST:PORT", an IPv6 host in brackets. Errors: invalid with a sentence.
  static Result<Address> parse(std::string_view text);
  std::string shown() const { return host + ":" + std::to_string(port); }
};

/// Belongs to the loop that opened it; destroying it closes the connection.
class Link {
 public:
  /// Errors: unavailable "upstream_unresolved", "upstream_refused"; deadline
  /// "upstream_connect_timeout"; cancelled.
  static Co<Result<std::unique_ptr<Link>>> open(Address to, Clock& clock, Deadline by);
  Link(Executor executor, Address to, Clock& clock);

  /// Sends all of it. Errors: deadline "upstream_stalled"; bad_upstream "upstream_reset";
  /// cancelled.
  Co<Status> send(std::string bytes, Deadline by);
  /// The next event. Errors: deadline "upstream_stalled"; bad_upstream "upstream_truncated" (it
  /// closed), "upstream_reset", "upstream_bad_reply"; cancelled.
  Co<Result<net::WyomingEvent>> next(Deadline by);

 private:
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  /// How a wait for the socket ended.
  struct Waited {
    bool late = false;
    error_code failed;
    std::size_t bytes = 0;
  };
  Co<Status> connect(Deadline by);
  Co<Waited> connect_to(asio::ip::tcp::endpoint where);
  Co<Waited> write_some(const std::string& bytes, std::size_t at);
  Co<Waited> read_some();
  /// Whichever comes first.
  Co<Waited> within(Co<Waited> work, Deadline by);
  Error failure(const Waited& how, const char* if_late) const;

  const Address to_;
  Clock& clock_;
  Socket socket_;
  std::unique_ptr<Alarm> alarm_;
  net::WyomingParser parser_;
  std::array<char, 16 * 1024> buffer_{};
  std::string_view unread_;  ///< of buffer_
};

}  // namespace mainstay::models::wyoming
