// PostgreSQL as the stores see it: statements go in, rows come out. Holds the connections and the
// thread that drives them. Used by the stores of this room.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>

#include "base/event.h"
#include "storage/postgres/pool.h"
#include "storage/verb_figures.h"

namespace mainstay::storage::postgres {

/// What may be done with a statement when its answer is lost.
enum class Repeat : std::uint8_t {
  read,   ///< reads alone
  write,  ///< writes; doing it twice is as doing it once
  once,   ///< writes; never sent a second time
};

/// Whether opening changes the database.
enum class Schema : std::uint8_t {
  migrate,
  look,  ///< refuses a schema that we could not use, and changes nothing
};

/// Thread-safe. Each statement is a transaction of its own: what needs several steps is a function
/// in the database (schema.cpp), so that a connection that breaks leaves nothing half-done.
class Client {
 public:
  /// Connects, checks the server and brings the schema up to date; blocks, at most
  /// settings.start_timeout. Errors: invalid "postgres_url_invalid", "postgres_misconfigured",
  /// "database_newer", "database_foreign"; denied "postgres_denied"; unavailable
  /// "database_unavailable". References outlive it.
  static Result<std::unique_ptr<Client>> open(const StorageSettings& storage,
                                              const PostgresSettings& settings, Clock& clock,
                                              Random& random, Log& log, Metrics& metrics,
                                              Schema schema = Schema::migrate);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Runs a statement, from any loop. Errors: unavailable "database_unavailable", "database_busy",
  /// "storage_closed"; deadline "read_timeout", "write_timeout" (it may still happen); conflict
  /// "already_exists"; disk_full "database_full"; corrupt; internal.
  Co<Result<Rows>> ask(Statement statement, Repeat repeat, Deadline by);
  /// Runs background work on the connections' thread until it ends or close() cancels it.
  void spawn(const char* task, Co<> work);
  /// Ends connections and thread; calls under way fail. Blocks. Later calls fail at once.
  void close();
  /// Any thread, as the next two.
  bool reachable() const noexcept { return pool_.up(); }
  const PoolFigures& figures() const noexcept { return setup_.figures; }
  const VerbFigures& verbs() const noexcept { return verbs_; }
  const PostgresSettings& settings() const noexcept { return setup_.settings; }
  /// Host, port and database, without password.
  const std::string& server() const noexcept { return setup_.address.shown; }

 private:
  struct Asked;
  Client(PoolSetup setup, const StorageSettings& storage);
  Status start(Schema schema);
  Co<> begin(Schema schema, std::shared_ptr<std::promise<Status>> out, Deadline by);
  Co<Status> connect_and_look(Schema schema, Deadline by);
  Co<> serve(std::shared_ptr<Asked> asked);
  Co<Result<Rows>> work(std::shared_ptr<Asked> asked);

  PoolSetup setup_;
  const Duration operation_timeout_;
  VerbFigures verbs_;
  asio::io_context io_{1};
  asio::executor_work_guard<Executor> guard_;
  TaskGroup tasks_;
  Pool pool_;
  std::atomic<bool> closed_{false};
  std::thread thread_;  // lint: thread drives all PostgreSQL connections, so that none needs a lock
};

}  // namespace mainstay::storage::postgres
