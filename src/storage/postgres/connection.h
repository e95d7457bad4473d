// One connection to PostgreSQL: libpq without blocking, its socket watched by Asio.
// Used by pool.h and schema.h. Everything here runs on the client's one thread.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/bell.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/result.h"
#include "config/settings.h"
#include "storage/postgres/address.h"
#include "storage/postgres/errors.h"
#include "storage/postgres/statement.h"

namespace mainstay::storage::postgres {

/// One statement at a time. After a statement that did not end in time, or whose caller went away,
/// the connection must be thrown away: alive() says so.
class Connection {
 public:
  Connection(Executor executor, Clock& clock);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Resolves, connects, authenticates, and looks whether the server may hold our data. `failure()`
  /// tells what kind of error it was. Errors: unavailable; denied "postgres_denied"; invalid
  /// "postgres_misconfigured".
  Co<Status> connect(const Address& address, const PostgresSettings& settings, Deadline by);
  /// `statement` is read before the first wait alone. Errors: those of errors.h; deadline.
  Co<Result<Rows>> run(const Statement& statement, bool writes, Deadline by);
  /// Several statements without parameters, each with its own outcome; the last rows are given.
  Co<Result<Rows>> script(std::string sql, Deadline by);

  /// Of the last connect() or run().
  Failure failure() const noexcept { return failure_; }
  /// Whether the server may have seen anything of the last statement.
  bool sent() const noexcept { return sent_; }
  bool alive() const noexcept;
  /// Looks at the socket, without waiting: false when the server has ended the connection.
  bool quiet();
  TimePoint made() const noexcept { return made_; }
  TimePoint used() const noexcept { return used_; }

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  Co<Status> begin(const Address& address, Deadline by);
  Co<Status> greet(const PostgresSettings& settings, Deadline by);
  Co<std::string> resolve(const Address& address, Deadline by);
  Co<Status> flush(bool writes, Deadline by);
  Co<Result<Rows>> collect(bool writes, Deadline by);
  bool watch_socket();
  Error broken(const std::string& doing);
  Error refused(const Address& address);
  Error wrong(const std::string& state, const std::string& detail, bool writes);
  std::string said() const;

  Executor executor_;
  Clock& clock_;
  Bell bell_;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver_;
  PGconn* handle_ = nullptr;
  Descriptor descriptor_;  ///< a duplicate: libpq closes its own
  Failure failure_ = Failure::none;
  bool sent_ = false;
  bool running_ = false;  ///< a statement is under way; still so when its coroutine was destroyed
  bool lost_ = false;
  TimePoint made_{};
  TimePoint used_{};
};

}  // namespace mainstay::storage::postgres
