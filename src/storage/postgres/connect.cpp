// How a connection comes to be: name, socket, password, and what the server must promise.
#include "storage/postgres/connection.h"

namespace mainstay::storage::postgres {
namespace {

constexpr std::int64_t kVersionMin = 120000;
constexpr std::size_t kAddressesMax = 8;

// One round trip: sets what this session needs and tells what the server is. synchronous_commit is
// raised only where somebody turned it off: a stronger setting stays. To compile a search would
// take longer than to run it.
constexpr const char* kGreeting =
    "SELECT set_config('statement_timeout', $1, false), "
    "CASE WHEN current_setting('synchronous_commit') = 'off' "
    "THEN set_config('synchronous_commit', 'on', false) END, "
    "current_setting('server_version_num')::bigint, current_setting('fsync') = 'on', "
    "current_setting('full_page_writes') = 'on', current_setting('server_encoding'), "
    "pg_is_in_recovery(), set_config('jit', 'off', false)";

Error misconfigured(const std::string& sentence) {
  return Error::say(Errc::invalid, "postgres_misconfigured", sentence, "storage.postgres_url");
}

void no_notices(void*, const char*) {}

/// libpq keeps no SQLSTATE of a failed connecting; its message has it: "FATAL:  28P01: …".
std::string state_in(const std::string& text) {
  const auto at = text.rfind(":  ");
  if (at == std::string::npos || at + 9 > text.size() || text[at + 8] != ':') return "";
  return text.substr(at + 3, 5);
}

}  // namespace

/// The host's addresses as libpq takes them, "a,b"; empty when it must look itself.
Co<std::string> Connection::resolve(const Address& address, Deadline by) {
  if (address.host.empty()) co_return std::string();
  using Found = asio::ip::tcp::resolver::results_type;
  auto found = std::make_shared<Found>();
  const auto start = [&](auto ring) {
    const auto take = [ring, found](error_code failed, const Found& all) {
      if (!failed) *found = all;
      ring();
    };
    resolver_.async_resolve(address.host, address.port, take);
  };
  const auto cancel = [this] { resolver_.cancel(); };
  [[maybe_unused]] auto in_time = co_await bell_.rung(start, cancel, by);
  std::string out;
  std::size_t count = 0;
  for (const auto& entry : *found) {
    if (++count > kAddressesMax) break;
    out += (out.empty() ? "" : ",") + entry.endpoint().address().to_string();
  }
  co_return out;
}

Co<Status> Connection::begin(const Address& address, Deadline by) {
  auto addresses = co_await resolve(address, by);
  if (!address.host.empty() && addresses.empty()) {
    failure_ = Failure::lost;
    co_return unavailable("postgres: the name " + address.host + " cannot be resolved");
  }
  std::string hosts = address.host;
  for (const char c : addresses) {
    if (c == ',') hosts += "," + address.host;
  }
  std::vector<const char*> names{"dbname"};
  std::vector<const char*> values{address.url.c_str()};
  if (!addresses.empty()) {
    names.insert(names.end(), {"host", "hostaddr"});
    values.insert(values.end(), {hosts.c_str(), addresses.c_str()});
  }
  names.insert(names.end(), {"client_encoding", "fallback_application_name", nullptr});
  values.insert(values.end(), {"UTF8", "mainstay", nullptr});
  handle_ = PQconnectStartParams(names.data(), values.data(), 1);
  if (handle_ == nullptr) co_return broken("connecting");
  PQsetNoticeProcessor(handle_, no_notices, nullptr);
  PQsetErrorVerbosity(handle_, PQERRORS_VERBOSE);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(handle_) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
    if (!watch_socket()) co_return broken("connecting");
    const auto what =
        next == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    auto in_time = co_await bell_.ready(descriptor_, what, by);
    if (!in_time) {
      failure_ = Failure::lost;
      lost_ = true;
      co_return unavailable("postgres: connecting to " + address.shown + " took too long");
    }
    next = PQconnectPoll(handle_);
    if (next == PGRES_POLLING_FAILED) break;
  }
  if (PQstatus(handle_) == CONNECTION_OK && next == PGRES_POLLING_OK) {
    if (!watch_socket() || PQsetnonblocking(handle_, 1) != 0) co_return broken("connecting");
    co_return done();
  }
  co_return refused(address);
}

/// Why connecting failed: no connection left, not let in, or nobody there.
Error Connection::refused(const Address& address) {
  const std::string why = said();
  Error error = broken("connecting to " + address.shown);
  const std::string state = state_in(why.substr(0, why.find("\nLOCATION")));
  if (!state.empty()) failure_ = failure_of(state);
  if (why.find("no password supplied") != std::string::npos) failure_ = Failure::hopeless;
  if (failure_ == Failure::crowded) return busy(error.detail);
  if (failure_ != Failure::hopeless) {
    failure_ = Failure::lost;
    return error;
  }
  Error denied = Error::say(Errc::denied, "postgres_denied",
                            "PostgreSQL at " + address.shown +
                                " does not let us in; mend user, password and database of "
                                "'storage.postgres_url', or the server's pg_hba.conf.",
                            "storage.postgres_url");
  denied.detail = error.detail;
  return denied;
}

Co<Status> Connection::greet(const PostgresSettings& settings, Deadline by) {
  Statement greeting("greet", kGreeting);
  greeting.text(std::to_string(settings.statement_timeout.count()));
  auto got = co_await run(greeting, false, by);
  if (!got.ok()) co_return got.error();
  failure_ = Failure::hopeless;
  if (got->number(0, 2) < kVersionMin) {
    co_return misconfigured("PostgreSQL is too old; install version 12 or newer.");
  }
  if (!got->truth(0, 3) || !got->truth(0, 4)) {
    co_return misconfigured(
        "PostgreSQL would lose what it accepted in a crash; set 'fsync = on' and "
        "'full_page_writes = on' in postgresql.conf and reload it.");
  }
  if (got->text(0, 5) != "UTF8") {
    co_return misconfigured("The database's encoding is " + got->text(0, 5) +
                            "; make one with 'createdb -E UTF8 -T template0 NAME'.");
  }
  if (got->truth(0, 6)) {
    failure_ = Failure::lost;
    co_return unavailable("postgres: this server is a standby");
  }
  failure_ = Failure::none;
  co_return done();
}

Co<Status> Connection::connect(const Address& address, const PostgresSettings& settings,
                               Deadline by) {
  made_ = clock_.now();
  const Deadline until = by.sooner(made_, settings.connect_timeout);
  auto begun = co_await begin(address, until);
  if (!begun.ok()) co_return begun;
  co_return co_await greet(settings, until);
}

}  // namespace mainstay::storage::postgres
