// Non-blocking reads and writes over the socket, or over OpenSSL on the same descriptor.
#include "net/transport.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace mainstay::net {
namespace {

std::string last_tls_error() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned in_size, void*) {
  static constexpr std::array<unsigned char, 9> kHttp = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp.data(), kHttp.size(), in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void advance(std::string_view& a, std::size_t& n) {
  const auto step = std::min(a.size(), n);
  a.remove_prefix(step);
  n -= step;
}

}  // namespace

void SslFree::operator()(ssl_st* ssl) const noexcept {
  SSL_free(ssl);
}
void SslFree::operator()(ssl_ctx_st* context) const noexcept {
  SSL_CTX_free(context);
}

Result<TlsContext> make_tls_context(const ServerSettings& settings) {
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Error::log(Errc::internal, "TLS context: " + last_tls_error());
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(raw, settings.tls_certificate.c_str()) != 1) {
    return Error::say(
        Errc::invalid, "bad_certificate",
        "server.tls_certificate: cannot use " + settings.tls_certificate + ": " + last_tls_error());
  }
  if (SSL_CTX_use_PrivateKey_file(raw, settings.tls_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return Error::say(Errc::invalid, "bad_certificate",
                      "server.tls_key: cannot use " + settings.tls_key + ": " + last_tls_error());
  }
  return context;
}

Status check_ca_file(const UpstreamSettings& settings) {
  if (settings.ca_file.empty()) return done();
  const TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error::log(Errc::internal, "TLS context: " + last_tls_error());
  if (SSL_CTX_load_verify_file(context.get(), settings.ca_file.c_str()) == 1) return done();
  return Error::say(Errc::invalid, "bad_certificate",
                    "upstream.ca_file: cannot use " + settings.ca_file + ": " + last_tls_error(),
                    "upstream.ca_file");
}

Transport::Transport(Executor executor, int fd, bool v6, ssl_ctx_st* tls) : socket_(executor) {
  error_code failed;
  socket_.assign(v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd, failed);
  if (failed) {  // the loop's epoll has no room: an unusable socket closes at its first read
    ::close(fd);
    return;
  }
  socket_.native_non_blocking(true, failed);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls == nullptr) return;
  ssl_.reset(SSL_new(tls));
  if (ssl_) SSL_set_fd(ssl_.get(), fd);
}

Transport::Done Transport::after(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      want_ = Wait::wait_read;
      return {State::wait, 0};
    case SSL_ERROR_WANT_WRITE:
      want_ = Wait::wait_write;
      return {State::wait, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {State::closed, 0};
    default:
      broken_ = true;
      ERR_clear_error();
      return {State::closed, 0};
  }
}

Transport::Done Transport::handshake_now() {
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  if (result == 1) return {State::ok, 0};
  return after(result);
}

Transport::Done Transport::read_now(char* to, std::size_t size) {
  if (ssl_) {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), to, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (n > 0) return {State::ok, static_cast<std::size_t>(n)};
    return after(n);
  }
  for (;;) {
    const auto n = ::recv(fd(), to, size, 0);
    if (n > 0) return {State::ok, static_cast<std::size_t>(n)};
    if (n == 0) return {State::closed, 0};
    if (errno == EINTR) continue;
    want_ = Wait::wait_read;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? State::wait : State::closed, 0};
  }
}

Transport::State Transport::write_now(std::string_view& a, std::string_view& b,
                                      std::string_view& c) {
  if (ssl_) {
    for (std::string_view* part : {&a, &b, &c}) {
      while (!part->empty()) {
        ERR_clear_error();
        const int size = static_cast<int>(std::min<std::size_t>(part->size(), 1 << 20));
        const int n = SSL_write(ssl_.get(), part->data(), size);
        if (n <= 0) return after(n).state;
        part->remove_prefix(static_cast<std::size_t>(n));
      }
    }
    return State::ok;
  }
  while (!a.empty() || !b.empty() || !c.empty()) {
    std::array<iovec, 3> parts;
    std::size_t count = 0;
    for (const std::string_view part : {a, b, c}) {
      if (!part.empty()) parts[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const auto n = count == 1 ? ::send(fd(), parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                              : ::sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      want_ = Wait::wait_write;
      return errno == EAGAIN || errno == EWOULDBLOCK ? State::wait : State::closed;
    }
    auto sent = static_cast<std::size_t>(n);
    advance(a, sent);
    advance(b, sent);
    advance(c, sent);
  }
  return State::ok;
}

bool Transport::peer_gone(bool& has_bytes) {
  has_bytes = false;
  if (!socket_.is_open()) return true;
  char byte;
  const auto n = ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n == 0) return true;
  if (n < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  // Bytes hide the end of the stream behind them; the kernel still tells of it.
  has_bytes = true;
  pollfd asked{fd(), POLLRDHUP, 0};
  return ::poll(&asked, 1, 0) == 1 && (asked.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Transport::discard_now(std::size_t& budget) {
  std::array<char, 4096> waste;
  while (budget > 0) {
    const auto done = read_now(waste.data(), std::min(budget, waste.size()));
    if (done.state == State::closed) return true;
    if (done.state == State::wait) return false;
    budget -= done.bytes;
  }
  return true;
}

void Transport::shut_write() {
  if (!socket_.is_open()) return;
  if (ssl_ && !broken_ && SSL_is_init_finished(ssl_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(fd(), SHUT_WR);
}

void Transport::close(bool reset) {
  if (!socket_.is_open()) return;
  if (reset) {
    const linger now{1, 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace mainstay::net
