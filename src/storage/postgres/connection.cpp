// Statements over a connection: send, wait for the socket, read, never longer than the deadline.
#include "storage/postgres/connection.h"

#include <fcntl.h>
#include <poll.h>

namespace mainstay::storage::postgres {
namespace {

/// What an idle connection may have to say at once; more is not an idle connection.
constexpr int kReadsMax = 16;

}  // namespace

Connection::Connection(Executor executor, Clock& clock)
    : executor_(executor),
      clock_(clock),
      bell_(clock, executor),
      resolver_(executor),
      descriptor_(executor) {}

Connection::~Connection() {
  resolver_.cancel();
  error_code ignored;
  descriptor_.close(ignored);
  PQfinish(handle_);
}

std::string Connection::said() const {
  std::string out = handle_ != nullptr ? PQerrorMessage(handle_) : "no memory";
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

Error Connection::broken(const std::string& doing) {
  lost_ = true;
  failure_ = Failure::lost;
  return unavailable("postgres: " + doing + ": " + said());
}

Error Connection::wrong(const std::string& state, const std::string& detail, bool writes) {
  failure_ = failure_of(state);
  if (failure_ == Failure::lost) lost_ = true;
  return error_of(state, detail, writes);
}

bool Connection::alive() const noexcept {
  return handle_ != nullptr && !lost_ && !running_ && PQstatus(handle_) == CONNECTION_OK;
}

/// An idle connection has little to say: a changed setting, or the server's farewell and its end,
/// each of which is read by itself.
bool Connection::quiet() {
  for (int i = 0; i < kReadsMax; ++i) {
    if (!alive()) return false;
    pollfd waiting{PQsocket(handle_), POLLIN, 0};
    if (::poll(&waiting, 1, 0) == 0) return PQisBusy(handle_) == 0;
    if (PQconsumeInput(handle_) == 0 || PQisBusy(handle_) != 0) break;
  }
  lost_ = true;
  return false;
}

/// libpq may use another socket after each step of connecting, so it is taken anew.
bool Connection::watch_socket() {
  const int socket = PQsocket(handle_);
  if (socket < 0) return false;
  const int copy = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  error_code failed;
  descriptor_.close(failed);
  descriptor_.assign(copy, failed);
  return !failed;
}

Co<Status> Connection::flush(bool writes, Deadline by) {
  for (;;) {
    const int left = PQflush(handle_);
    sent_ = true;
    if (left < 0) co_return broken("sending");
    if (left == 0) co_return done();
    auto in_time = co_await bell_.ready(descriptor_, Descriptor::wait_write, by);
    if (!in_time) {
      lost_ = true;
      co_return too_late(writes);
    }
  }
}

/// Reads up to the end of the statement; the first error is the statement's.
Co<Result<Rows>> Connection::collect(bool writes, Deadline by) {
  Rows rows;
  std::optional<Error> error;
  for (;;) {
    while (PQisBusy(handle_) != 0) {
      auto in_time = co_await bell_.ready(descriptor_, Descriptor::wait_read, by);
      if (!in_time) {
        lost_ = true;
        co_return too_late(writes);
      }
      if (PQconsumeInput(handle_) == 0) co_return broken("reading");
    }
    PGresult* const result = PQgetResult(handle_);
    if (result == nullptr) break;
    Rows got(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      rows = std::move(got);
    } else if (!error) {
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
      error = wrong(state != nullptr ? state : "", message != nullptr ? message : said(), writes);
    }
    if (PQstatus(handle_) != CONNECTION_OK) break;
  }
  if (PQstatus(handle_) != CONNECTION_OK && !error) error = broken("reading");
  if (error) co_return *error;
  co_return rows;
}

Co<Result<Rows>> Connection::run(const Statement& statement, bool writes, Deadline by) {
  failure_ = Failure::none;
  sent_ = false;
  running_ = true;
  if (!statement.send(handle_)) {
    running_ = false;
    co_return broken("sending");
  }
  auto flushed = co_await flush(writes, by);
  if (!flushed.ok()) co_return flushed.error();
  auto rows = co_await collect(writes, by);
  running_ = false;
  used_ = clock_.now();
  co_return rows;
}

Co<Result<Rows>> Connection::script(std::string sql, Deadline by) {
  failure_ = Failure::none;
  sent_ = false;
  running_ = true;
  if (PQsendQuery(handle_, sql.c_str()) == 0) {
    running_ = false;
    co_return broken("sending");
  }
  auto flushed = co_await flush(true, by);
  if (!flushed.ok()) co_return flushed.error();
  auto rows = co_await collect(true, by);
  running_ = false;
  used_ = clock_.now();
  co_return rows;
}

}  // namespace mainstay::storage::postgres
