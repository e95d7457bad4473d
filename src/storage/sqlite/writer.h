// The one thread that writes to one database file: group commit, checkpoints, and what happens when
// the disk says no. Used inside storage/sqlite.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/event.h"
#include "base/result.h"
#include "config/settings.h"
#include "storage/sqlite/connection.h"
#include "storage/stores.h"
#include "storage/verb_figures.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage::sqlite {

/// What a database and its users share; all outlive the stores.
struct Surroundings {
  Clock& clock;
  Log& log;
  Metrics& metrics;
  StorageSettings settings;
  std::string name;  ///< of the database, for logs and metrics
};

/// Work with a queue and an order of its own that rides in the writer's transactions: many small
/// pieces, no savepoint and no answer of the writer's for each. All calls come from the writer's
/// thread; take() and urgent() hold the writer's lock.
class Rider {
 public:
  virtual ~Rider() = default;
  /// Whether something waits that prepare() should look at now.
  virtual bool urgent() const noexcept = 0;
  /// When prepare() should look at the latest, by the clock that the writer has.
  virtual TimePoint wakes() const noexcept = 0;
  /// Takes over what was handed in.
  virtual void take() = 0;
  /// Does what needs no transaction; true when apply() has something to do. `last`: the store is
  /// closing, nothing may be left for later.
  virtual bool prepare(bool last) = 0;
  /// Inside the transaction, until `until` at the latest; gives whether it wrote. May throw, which
  /// undoes the whole transaction.
  virtual bool apply(Connection& db, TimePoint until) = 0;
  /// After COMMIT, or with the error after everything was undone. `again`: it may be tried again.
  virtual void settled(const std::shared_ptr<const Error>& error, bool again) noexcept = 0;
  /// Nothing will be written any more: answers all that wait.
  virtual void closed(const std::shared_ptr<const Error>& why) noexcept = 0;
};

/// Owns the only connection that writes and checkpoints. A batch is whatever waits while the last
/// commit runs. An operation is answered only after its COMMIT returned. Thread-safe.
class Writer {
 public:
  Writer(std::unique_ptr<Connection> db, Surroundings around);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Runs `work(Connection&)` (returns Result<T> or Status) on the writer thread, inside a
  /// savepoint of the batch's transaction: an error undoes this operation alone. `work` owns what
  /// it touches and may run twice. `verb` is a constant word for metrics.
  /// Errors: those of `work`; unavailable "write_queue_full", "storage_closed", "storage_failed",
  /// "database_busy", "out_of_memory"; disk_full; corrupt; deadline (the write may still happen).
  template <class Work>
  Co<std::invoke_result_t<Work&, Connection&>> write(const char* verb, Work work, Deadline by);

  /// From now on `rider` rides along; it outlives close(). Before the first operation.
  void carry(Rider& rider);
  /// Calls `push` under the lock that Rider::take() is called under, and wakes the writer. `push`
  /// gives false when its queue is full. Errors: as write() before the work.
  template <class Push>
  Status hand(Push&& push);
  /// Counts an operation of the rider as if it were one of write(). On the writer's thread.
  void count(const char* verb, Duration took, const Error* error) noexcept;

  /// Finishes what is queued, checkpoints, closes. Errors: of the checkpoint.
  Status close();

  std::uint64_t commits() const noexcept { return commits_.load(std::memory_order_relaxed); }
  std::uint64_t operations() const noexcept { return operations_.load(std::memory_order_relaxed); }
  std::uint64_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }
  std::size_t waiting() const;
  std::vector<OperationTiming> timings() const { return figures_.timings(); }
  const std::string& database() const noexcept { return around_.name; }
  /// Why nothing can be written any more; empty while it can.
  std::string why_not() const;
  /// The disk failed a read, a write or a sync: nothing it says later can be trusted.
  bool lost() const;

 private:
  struct Operation {
    const char* verb;
    Deadline by;
    TimePoint queued;
    std::function<bool(Connection&)> apply;    ///< true: keep what it did
    std::function<void(const Error*)> finish;  ///< null: answer with what apply found
    std::shared_ptr<const Error> error;        ///< shared: telling a whole batch allocates nothing
  };
  using Batch = std::vector<Operation>;

  Status submit(Operation operation);
  Status open_for_more() const;
  static Error full_error();
  void work();
  bool take(Batch& batch);
  bool idle() const;
  void commit(Batch& batch, bool riding);
  void commit_once(Batch& batch, bool riding);
  void settle(const std::shared_ptr<const Error>& error, bool riding, bool again) noexcept;
  bool apply_one(Operation& operation);
  void undo() noexcept;
  void answer(Batch& batch);
  void report(const char* verb, Duration took, const Error* error);
  void say_closed() noexcept;
  std::shared_ptr<const Error> boxed(const std::exception& what) const noexcept;
  void checkpoint();
  void break_down(const Failure& failure);
  void give_back(Batch& batch, std::size_t from);

  /// Made before anything can fail, so that the lack of memory can be told without any.
  const std::shared_ptr<const Error> no_memory_;
  std::shared_ptr<const Error> spare_;  ///< becomes `broken_` when a better one has no room
  Surroundings around_;
  VerbFigures figures_;
  std::unique_ptr<Connection> db_;
  Rider* rider_ = nullptr;
  int wal_pages_ = 0;
  Counter& commits_total_;
  Counter& slow_total_;
  Gauge& queue_gauge_;
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<std::uint64_t> failures_{0};
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Operation> queue_;
  bool stopping_ = false;
  std::shared_ptr<const Error> broken_;
  Status closed_;
  std::thread thread_;  // lint: thread the single writer of one database file lives as long as it
};

template <class Push>
Status Writer::hand(Push&& push) {
  {
    std::lock_guard lock(mutex_);
    auto open = open_for_more();
    if (!open.ok()) return open;
    if (!push()) return full_error();
  }
  ready_.notify_one();
  return done();
}

template <class Work>
Co<std::invoke_result_t<Work&, Connection&>> Writer::write(const char* verb, Work work,
                                                           Deadline by) {
  using Outcome = std::invoke_result_t<Work&, Connection&>;
  struct Shared {
    Shared(Clock& clock, Work w) : finished(clock), work(std::move(w)) {}
    Event finished;
    Work work;
    std::optional<Outcome> found;  // writer thread only, until `outcome` is set
    std::mutex mutex;
    std::optional<Outcome> outcome;
  };
  auto shared = std::make_shared<Shared>(around_.clock, std::move(work));
  const TimePoint now = around_.clock.now();
  const auto seen = shared->finished.version();
  Operation operation{verb, by.sooner(now, around_.settings.operation_timeout), now, {}, {}, {}};
  const Deadline until = operation.by;
  operation.apply = [shared](Connection& db) {
    shared->found.emplace(shared->work(db));
    return shared->found->ok();
  };
  operation.finish = [shared](const Error* error) {
    {
      std::lock_guard lock(shared->mutex);
      if (error != nullptr)
        shared->outcome.emplace(*error);
      else
        shared->outcome = std::move(shared->found);
    }
    shared->finished.notify();
  };
  auto accepted = submit(std::move(operation));
  if (!accepted.ok()) co_return accepted.error();
  [[maybe_unused]] auto woken = co_await shared->finished.wait(seen, until);
  std::lock_guard lock(shared->mutex);
  if (!shared->outcome) {
    co_return Error::say(Errc::deadline, "write_timeout",
                         "Storing took too long; it may still happen.");
  }
  co_return std::move(*shared->outcome);
}

}  // namespace mainstay::storage::sqlite
