// Connections that only read, one for each thread of a pool, each read bounded in time.
// Used inside storage/sqlite.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/offload.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

/// Read-only connections to one file; opened when first needed. Thread-safe.
class Readers {
 public:
  /// `pool` outlives the readers and has at most settings.readers threads.
  Readers(std::string path, OffloadPool& pool, Surroundings around);

  /// Runs `work(Connection&)` (returns Result<T>) on the pool in one read transaction.
  /// Errors: those of `work`; deadline "read_timeout"; unavailable "read_queue_full"; corrupt.
  template <class Work>
  Co<std::invoke_result_t<Work&, Connection&>> read(const char* verb, Work work, Deadline by) {
    using Outcome = std::invoke_result_t<Work&, Connection&>;
    const TimePoint now = around_.clock.now();
    const Deadline until = by.sooner(now, around_.settings.operation_timeout);
    auto job = [this, verb, work = std::move(work), until, now]() mutable -> Outcome {
      try {
        Borrowed db(*this, until);
        Outcome outcome = work(*db);
        report(verb, now, nullptr);
        return outcome;
      } catch (const Failure& failure) {
        const Error error = to_error(failure);
        report(verb, now, &error);
        return error;
      }
    };
    auto outcome = co_await offload(around_.clock, pool_, std::move(job), until);
    if (!outcome.ok() && outcome.error().reason.empty()) name_error(outcome.error());
    co_return outcome;
  }
  /// Connections open now, and those of them that read.
  std::uint32_t open() const;
  std::uint32_t busy() const noexcept { return busy_.load(std::memory_order_relaxed); }
  std::vector<OperationTiming> timings() const { return figures_.timings(); }
  struct Pages {
    std::uint64_t size = 0;
    std::uint64_t count = 0;
    std::uint64_t unused = 0;
  };
  /// Asks one of the connections, on the pool; blocks the caller, which is not a loop. Zeros when
  /// no answer came in time.
  Pages pages(Duration for_at_most);
  /// Closes the connections. After the pool has stopped.
  void close();

 private:
  /// A connection in a read transaction; ends it and gives the connection back.
  class Borrowed {
   public:
    Borrowed(Readers& readers, Deadline until);
    ~Borrowed();
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    Connection& operator*() { return *db_; }

   private:
    Readers& readers_;
    std::unique_ptr<Connection> db_;
  };

  std::unique_ptr<Connection> take();
  void report(const char* verb, TimePoint since, const Error* error);
  static void name_error(Error& error);
  const std::string path_;
  OffloadPool& pool_;
  Surroundings around_;
  VerbFigures figures_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::atomic<std::uint32_t> busy_{0};
};

}  // namespace mainstay::storage::sqlite
