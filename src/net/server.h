// The HTTP/1.1 listener: one per event loop on a shared port, one coroutine per connection.
// Used by api (Service, Exchange) and app (Server). Knows no route.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/hold.h"
#include "base/result.h"
#include "config/settings.h"
#include "net/http.h"
#include "net/websocket.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::net {

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

/// Head of a request: views into the connection's buffer, valid until the exchange ends.
struct RequestHead {
  std::string_view method;
  std::string_view target;  ///< as sent
  std::string_view path;    ///< target up to '?'; not percent-decoded
  std::string_view query;   ///< after '?'
  std::string_view host;    ///< whom it is for: of an absolute target, else the Host header
  std::span<const HeaderView> headers;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  asio::ip::address peer;
  TimePoint received;  ///< when the head was complete
  /// First value of a header (`name` in lower case), empty when absent.
  std::string_view header(std::string_view name) const noexcept;
  bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
};

/// A whole reply. `content-length`, `date` and `connection` are added by the listener.
struct Response {
  int status = 200;
  std::string_view content_type = "application/json";  ///< static text
  HeaderLines headers;
  std::string body;
};

/// One request and its reply; lives on its connection's loop for the length of Service::serve.
/// After the client has gone every call answers Errc::cancelled.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const RequestHead& head() const noexcept = 0;
  /// Reads the whole body, at most `max` decoded bytes (and never more than server.body_max), with
  /// room for simdjson's padding behind it. Empty when there is none, and at a second call.
  /// Sends "100 Continue" first when asked for. Errors: too_large, deadline (body_timeout or `by`),
  /// invalid (broken chunk), cancelled. After an error the connection closes once the reply is out.
  virtual Co<Result<std::string>> read_body(Bytes max, Deadline by) = 0;
  /// The same body, when all of it has come already and is within `max`; nullopt: nothing was
  /// taken, read_body() it (which also says what may be wrong).
  virtual std::optional<std::string> body_here(Bytes) { return std::nullopt; }
  /// The next piece of the body, for one that must never be whole in memory; empty at its end. At
  /// most `max` bytes in all, the same at each call (server.body_max does not bound them);
  /// body_timeout is for each piece. Not to be mixed with read_body(). Errors: as read_body().
  virtual Co<Result<std::string>> read_piece(Bytes max, Deadline by) { return read_body(max, by); }
  /// Sends the whole reply (head without body for HEAD). Once per exchange.
  virtual Co<Status> reply(Response response) = 0;
  /// Starts a reply of unknown length (chunked); `head.body` is its first piece. Silent streams get
  /// an SSE comment ping when content_type is text/event-stream.
  virtual Co<Status> begin(Response head) = 0;
  /// Sends one piece at once. `piece` must live until this returns.
  virtual Co<Status> write(const std::string& piece) = 0;
  /// Ends the stream cleanly.
  virtual Co<Status> finish() = 0;
  /// Answers "101 Switching Protocols" with these headers beside its own; from then on the
  /// connection is a WebSocket, request_timeout no longer holds, and nothing but the WebSocket may
  /// be used. It lives as long as the exchange. Errors, before anything is sent: invalid
  /// "upgrade_required", "websocket_version", "websocket_key"; unavailable "stopping"; cancelled.
  virtual Co<Result<WebSocket*>> upgrade(HeaderLines headers) = 0;
  /// The reply cannot be completed: closes the connection without the end of the stream.
  virtual void abort() = 0;
  /// This request may last until then, in the place of server.request_timeout: for one whose work
  /// has a bound of its own.
  virtual void allow(TimePoint) {}
  /// True once begin() or reply() was called.
  virtual bool started() const noexcept = 0;
  /// Decides whether the work goes on when the client has gone (default: it is cancelled at once).
  /// Made at the first call, on the loop; the pointer may then be copied anywhere.
  virtual const std::shared_ptr<Hold>& hold() const noexcept = 0;
};

/// What the listener serves; implemented by api. Thread-safe: called on every loop.
class Service {
 public:
  virtual ~Service() = default;
  /// Must reply exactly once (or abort). An escaping exception becomes a bare 500 and a log line.
  virtual Co<> serve(Exchange& exchange) = 0;
  /// Reply for a request that could not be read (bad framing, too many headers, timeout …), for an
  /// escaped exception (Errc::internal) and for a connection above the limit (once, at open()). The
  /// listener sets the status itself where HTTP has a finer one (408, 414, 431, 505 …).
  virtual Response refusal(const Error& error) = 0;
  /// Body of GET /health: no lock, no wait, no allocation beyond the string.
  virtual Response health() = 0;
};

/// Figures of the listener; also in metrics.
struct ServerFigures {
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;
  std::uint64_t busy = 0;  ///< connections with a request being served
  std::uint64_t refused = 0;
  std::uint64_t websockets = 0;  ///< connections that are WebSockets; not counted as busy
};

/// What a machine that runs short of descriptors is spared. Asked for each new connection, reply
/// and sweep, on every loop.
struct Relief {
  bool close_idle = false;  ///< no connection is kept between two requests
  bool refuse_new = false;  ///< a new connection gets the 503 of a full server
};
/// Thread-safe, quick, never throws.
using AskRelief = std::function<Relief()>;

/// Listens on settings.listen on every given loop (SO_REUSEPORT), and on settings.health_listen on
/// a thread of its own. open() and the destructor run on the main thread; the loops run elsewhere.
/// Destroyed before its loops' io_contexts, while they still run (it waits for its connections).
class Server {
 public:
  Server(const ServerSettings& settings, Clock& clock, Log& log, Metrics& metrics, Service& service,
         std::vector<asio::io_context*> loops);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Before open(). What it refers to outlives the server. Health on its own port is not touched.
  void relieve(AskRelief ask);
  /// Binds and starts accepting. Errors: invalid (address, certificate), unavailable (port taken).
  Status open();
  /// Reads the certificate and its key again: new connections get them, open ones keep theirs.
  /// Nothing without TLS. Thread-safe. Errors: invalid (the files do not serve; the old stays).
  Status renew_certificate();
  /// The bound address, "127.0.0.1:41234".
  std::string address() const;
  std::string health_address() const;
  ServerFigures figures() const;
  /// Stops accepting, closes idle connections and WebSockets (1001); running requests go on, with
  /// "connection: close".
  /// Thread-safe.
  void stop_accepting();
  /// After stop_accepting(): names ("GET /path req_id-less peer") of requests still running.
  std::vector<std::string> running() const;
  /// Blocks the calling (main) thread until no request runs or `for_at_most` passed; then cancels
  /// the rest and waits for their end (bounded by a further 2 s). Returns the number cancelled.
  std::size_t drain(Duration for_at_most);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mainstay::net
