// One client's byte stream, plain or TLS, tried first and waited for only when it would block.
// Used by the listener's connections, on their loop.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string_view>

#include "base/co.h"
#include "base/result.h"
#include "config/settings.h"

struct ssl_st;
struct ssl_ctx_st;

namespace mainstay::net {

struct SslFree {
  void operator()(ssl_st* ssl) const noexcept;
  void operator()(ssl_ctx_st* context) const noexcept;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, SslFree>;

/// A server context for the certificate and key of `settings`: TLS 1.2 or newer, ALPN http/1.1.
/// Errors: invalid, with the file's name.
Result<TlsContext> make_tls_context(const ServerSettings& settings);

/// Whether upstream.ca_file holds certificates; ok when it is not set. Errors: invalid
/// "bad_certificate".
Status check_ca_file(const UpstreamSettings& settings);

/// TLS runs over OpenSSL's socket BIO rather than asio::ssl::stream: the same try-first calls then
/// serve both kinds, and a ping can be sent from outside the coroutine.
class Transport {
 public:
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  using Wait = asio::socket_base::wait_type;
  enum class State : std::uint8_t { ok, wait, closed };
  struct Done {
    State state;
    std::size_t bytes;
  };

  /// Takes `fd`, already non-blocking. `tls` may be null.
  Transport(Executor executor, int fd, bool v6, ssl_ctx_st* tls);

  bool tls() const noexcept { return ssl_ != nullptr; }
  Socket& socket() noexcept { return socket_; }
  int fd() noexcept { return socket_.native_handle(); }
  /// What to wait for after State::wait.
  Wait want() const noexcept { return want_; }
  Done handshake_now();
  Done read_now(char* to, std::size_t size);
  /// Sends from `a`, then `b`, then `c`, moving their starts; ok when all are empty.
  State write_now(std::string_view& a, std::string_view& b, std::string_view& c);
  /// True when the peer has closed its side or the connection is broken. Costs a system call.
  bool peer_gone(bool& has_bytes);
  /// Discards what has arrived, at most `budget` bytes, of which it leaves the rest. True at the
  /// end of the stream, or when the budget is used up.
  bool discard_now(std::size_t& budget);
  /// Tells the peer that nothing follows.
  void shut_write();
  void close(bool reset);

 private:
  Done after(int result);
  Socket socket_;
  std::unique_ptr<ssl_st, SslFree> ssl_;
  Wait want_ = Wait::wait_read;
  bool broken_ = false;  ///< TLS failed: no close_notify may be sent
};

}  // namespace mainstay::net
