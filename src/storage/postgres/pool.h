// The connections to one PostgreSQL server: some are kept, more are made when needed, all are
// bounded. Used by client.h. Everything here runs on the client's one thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "base/random.h"
#include "base/task_group.h"
#include "storage/postgres/connection.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage::postgres {

/// What the connections count. Gauges are read by any thread.
struct PoolFigures {
  explicit PoolFigures(Metrics& metrics);
  Metrics& metrics;
  Gauge& open;     ///< connected
  Gauge& busy;     ///< of these, with a statement
  Gauge& waiting;  ///< statements without a connection
  Counter& connects;
  Counter& breaks;
  Counter& refused;  ///< statements that got no connection in time
};

/// What the pool and its users share; everything outlives it.
struct PoolSetup {
  Address address;
  PostgresSettings settings;
  Clock& clock;
  Random& random;
  Log& log;
  PoolFigures figures;
};

/// After a failed connecting with no other connection left the pool is down: callers wait for
/// settings.patience from that moment on, later ones are refused at once, and one task tries to
/// connect until it is up again. When the server has no connection left for us we make do with
/// those that we have.
class Pool {
 public:
  Pool(PoolSetup& setup, Executor executor, TaskGroup& tasks);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A connection in use; goes back, or away when it is not alive, at the end.
  class Lent {
   public:
    Lent(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Lent() { pool_.take_back(std::move(connection_)); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    Connection& connection() { return *connection_; }

   private:
    Pool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// Errors: unavailable "database_unavailable", "database_busy" (acquire_timeout passed).
  Co<Result<std::unique_ptr<Lent>>> take(Deadline by);
  /// Connects until it succeeds or cannot; for the start. Errors: those of Connection::connect().
  Co<Status> start(Deadline by);
  void stop();
  /// Any thread. Why it is down; empty: it is not.
  bool up() const noexcept { return up_.load(std::memory_order_relaxed); }

 private:
  struct Waiter;
  class PassOn;
  std::size_t connections() const { return idle_.size() + lent_; }
  bool may_open() const;
  Co<std::unique_ptr<Connection>> usable();
  Co<Result<std::unique_ptr<Connection>>> open(Deadline by);
  Co<> wait(Deadline by);
  Co<> mend();
  void take_back(std::unique_ptr<Connection> connection);
  void learn(const Connection& connection, const Error& error, Deadline by);
  void wake(bool all);
  void show();
  std::unique_ptr<Lent> lend(std::unique_ptr<Connection> connection);

  PoolSetup& setup_;
  Executor executor_;
  TaskGroup& tasks_;
  std::vector<std::unique_ptr<Connection>> idle_;  ///< the last one was used last
  std::deque<std::shared_ptr<Waiter>> waiting_;
  std::size_t lent_ = 0;
  std::size_t opening_ = 0;
  bool stopping_ = false;
  bool mending_ = false;
  std::atomic<bool> up_{false};
  TimePoint down_at_{};
  TimePoint crowded_until_{};  ///< the server had no connection for us: no other try before
  Error trouble_ = unavailable("postgres: not connected yet");
};

}  // namespace mainstay::storage::postgres
