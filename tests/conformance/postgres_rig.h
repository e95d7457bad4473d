// Stores on PostgreSQL: one cluster for all tests of a program, a database for each.
// Used by postgres_*.cpp.
#pragma once

#include "conformance/back_ends.h"
#include "conformance/postgres_server.h"
#include "storage/postgres/open.h"

namespace mainstay::storage {

inline PostgresServer& shared_postgres() {
  static PostgresServer server;
  return server;
}

/// A database with stores on it, documents and jobs in memory; times are short.
class OnPostgres : public testing::Test {
 protected:
  explicit OnPostgres(PostgresServer& server = shared_postgres())
      : server_(server), database_(server.new_database()) {
    settings_.acquire_timeout = std::chrono::milliseconds(600);
    settings_.connect_timeout = std::chrono::milliseconds(2000);
    settings_.statement_timeout = std::chrono::milliseconds(500);
    settings_.patience = std::chrono::milliseconds(200);
    settings_.retry_cap = std::chrono::milliseconds(100);
    settings_.start_timeout = std::chrono::milliseconds(5000);
  }
  ~OnPostgres() override {
    stores_.reset();
    server_.drop_database(database_);
  }
  Result<std::unique_ptr<Stores>> try_open(const std::string& url) {
    StorageSettings storage = ground_.settings;
    storage.postgres_url = Secret(url);
    return postgres::open(storage, settings_, ground_.clock, ground_.random, *ground_.log,
                          ground_.metrics, memory::open(ground_.clock));
  }
  std::string url() const { return server_.url(database_); }
  Stores& stores() {
    if (!stores_) {
      auto opened = try_open(url());
      if (!opened.ok()) throw std::runtime_error(opened.error().detail);
      stores_ = std::move(*opened);
    }
    return *stores_;
  }
  Conversations& talk() { return stores().conversations(); }
  Deadline in(Duration d) { return Deadline::in(ground_.clock, d); }
  Status append(Turn turn) {
    return ground_.run(talk().append(ann_, std::move(turn), ground_.soon()));
  }
  Result<ConversationInfo> get(const std::string& id) {
    return ground_.run(talk().get(ann_, ConversationId(id), ground_.soon()));
  }
  Co<bool> pause(Duration d) {
    auto out = co_await sleep(ground_.clock, d);
    co_return out;
  }
  /// Looks again until `holds`; false when it never does.
  template <class Condition>
  bool comes_true(Condition holds) {
    for (int i = 0; i < 500; ++i) {
      if (holds()) return true;
      ground_.run(pause(std::chrono::milliseconds(20)));
    }
    return false;
  }
  std::int64_t gauge(const char* name, const char* help) {
    return ground_.metrics.gauge(name, help).value();
  }
  std::int64_t open_connections() {
    return gauge("mainstay_postgres_connections", "Connections to PostgreSQL.");
  }
  std::int64_t busy() {
    return gauge("mainstay_postgres_connections_busy", "Connections with a statement.");
  }
  std::int64_t waiting() {
    return gauge("mainstay_postgres_waiting", "Statements that wait for a connection.");
  }
  std::uint64_t connects() {
    return ground_.metrics.counter("mainstay_postgres_connects_total", "Connections made.").value();
  }

  Ground ground_;
  PostgresServer& server_;
  const std::string database_;
  PostgresSettings settings_;
  std::unique_ptr<Stores> stores_;
  const Owner ann_ = owner_of("clinic", "ann");
};

}  // namespace mainstay::storage
