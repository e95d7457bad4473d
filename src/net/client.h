// The one HTTP client of the program: two transports (plain Asio for http, libcurl for https)
// under one face, one budget of connections and one set of counters.
// Used by models' inner rooms (and later tools, admission). Created once, in app/wire.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"
#include "config/settings.h"
#include "net/body_source.h"
#include "net/http.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::net {

/// One call. `url` is shared and outlives the call (a provider parses it once).
struct Call {
  std::string_view method = "POST";  ///< static text
  std::shared_ptr<const Url> url;
  std::string target;   ///< path and query on that host
  HeaderLines headers;  ///< without host and content-length
  std::string body;
  /// Further bytes of the body, sent behind `body`; null: none.
  std::shared_ptr<const BodySource> source;
  std::string tail;  ///< behind `source`
  /// For addresses that strangers chose: connects to public addresses alone, whatever the name
  /// leads to, over a connection of its own kind and never through the proxy. Else: forbidden
  /// "address_not_public".
  bool public_only = false;
  /// Goes out at most once: no kept connection is used, whose peer may have closed it unseen, and
  /// what a peer closes without a word is not sent again. Its own connection is not kept.
  bool once = false;
};

/// Timers of one call; the whole is bounded by the Deadline given beside it.
struct CallTimers {
  Duration queue = std::chrono::seconds(10);  ///< waiting for a connection
  Duration connect = std::chrono::seconds(2);
  Duration first_byte = std::chrono::seconds(30);  ///< from sent to the reply's head
  Duration between_bytes = std::chrono::seconds(10);
  Duration write = std::chrono::seconds(30);  ///< between two pieces of a `source` that it takes
};

/// What a call took, for Server-Timing.
struct CallTimings {
  Duration queue{};
  Duration connect{};  ///< zero on a reused connection
  Duration first_byte{};
  bool reused = false;
  WallTime at{};  ///< when the reply's head was here
};

/// A reply: its head, and its body in pieces. Destroying it before the end closes the connection
/// (and so cancels the upstream work); destroyed after the end (read, or arrived and unread) it
/// gives the connection back to the pool. Belongs to the loop that called send().
class Reply {
 public:
  virtual ~Reply() = default;
  virtual int status() const noexcept = 0;
  /// First value of a header (`name` in lower case); empty when absent.
  virtual std::string_view header(std::string_view name) const noexcept = 0;
  /// Next piece of the body (chunk framing removed), valid until the next call; empty: the end.
  /// Errors: deadline ("upstream_stalled" or total), bad_upstream ("upstream_truncated": closed
  /// before the end of its framing; "upstream_reset").
  virtual Co<Result<std::string_view>> read(Deadline by) = 0;
  /// The rest of the body, when all of it is here already and not above `max`: most small replies
  /// come in one piece with their head. With room for simdjson's padding behind it. nullopt:
  /// nothing was taken, read() it.
  virtual std::optional<std::string> rest_here(Bytes) { return std::nullopt; }
  /// The caller has all it needs, though the body's end has not come ("[DONE]" before the last
  /// chunk): destroyed after this, the reply waits a moment (500 ms) in the background for its end,
  /// so that the connection can be kept. More body, or no end, closes it.
  virtual void wind_up() noexcept {}
  virtual const CallTimings& timings() const noexcept = 0;
};

/// Counters; `created` stays 1 for the program's life.
struct ClientFigures {
  std::uint64_t clients_created = 0;
  std::uint64_t requests = 0;
  std::uint64_t connections_created = 0;
  std::uint64_t connections_reused = 0;
  std::uint64_t open = 0;
  std::uint64_t idle = 0;
  std::uint64_t waiting = 0;
};

/// Thread-safe: each loop has its own idle connections; the budget is shared.
class Client {
 public:
  virtual ~Client() = default;
  /// Sends a call; the result is the reply's head. No redirect is followed. No retry, but one: a
  /// kept-alive connection that the peer had closed before reading is replaced once, silently.
  /// Errors (all with a reason): unavailable "upstream_pool_full" (budget and queue time spent),
  /// "upstream_refused", "upstream_unresolved"; deadline "upstream_connect_timeout",
  /// "upstream_first_byte_timeout", "upstream_timeout"; bad_upstream "upstream_reset",
  /// "upstream_bad_reply", "upstream_tls_failed".
  virtual Co<Result<std::unique_ptr<Reply>>> send(Call call, CallTimers timers, Deadline by) = 0;
  virtual ClientFigures figures() const = 0;
  /// Closes idle connections and refuses new calls. From the main thread, loops still running.
  virtual void close() = 0;
};

/// The real client over the given loops (Asio transport) and one thread of its own (libcurl).
std::unique_ptr<Client> make_client(const UpstreamSettings& settings, Clock& clock, Log& log,
                                    Metrics& metrics, std::vector<asio::io_context*> loops);

/// Reads the rest of a body, with room for simdjson's padding behind it. Errors as read(), and
/// bad_upstream "upstream_too_large" above `max`.
Co<Result<std::string>> read_all(Reply& reply, Bytes max, Deadline by);

}  // namespace mainstay::net
