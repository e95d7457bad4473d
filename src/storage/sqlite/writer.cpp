// The writer thread: take what waits, apply each in a savepoint, commit once, answer, checkpoint.
#include "storage/sqlite/writer.h"

#include <pthread.h>

namespace mainstay::storage::sqlite {
namespace {

/// A batch ends after this long even when more waits (measured: best throughput at 2,048 or 5 ms).
constexpr Duration kBatchTime = std::chrono::milliseconds(5);
/// Pages in the WAL that call for a checkpoint; SQLite's own default measured best.
constexpr int kCheckpointPages = 1000;
constexpr Duration kSlow = std::chrono::milliseconds(500);

Error closed_error() {
  return Error::say(Errc::unavailable, "storage_closed", "The store is closing.");
}

Error late_error() {
  return Error::say(Errc::deadline, "write_timeout",
                    "Storing waited too long; nothing was stored.");
}

Error full_error() {
  Error error =
      Error::say(Errc::unavailable, "write_queue_full", "Too many writes are waiting; try again.");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

}  // namespace

void VerbFigures::finished(const char* verb, Duration took) {
  Handles found;
  {
    std::lock_guard lock(mutex_);
    Handles& handles = handles_[verb];
    if (handles.total == nullptr) {
      const Labels labels{{"database", database_}, {"operation", verb}};
      handles.seconds = &metrics_.histogram("mainstay_storage_operation_seconds",
                                            "From the call to the answer.", labels);
      handles.total =
          &metrics_.counter("mainstay_storage_operations_total", "Operations run.", labels);
    }
    found = handles;
  }
  found.seconds->observe(took);
  found.total->add();
}

void VerbFigures::failed(const std::string& reason) {
  metrics_
      .counter("mainstay_storage_failures_total", "Operations the database could not do.",
               {{"database", database_}, {"reason", reason}})
      .add();
}

std::vector<OperationTiming> VerbFigures::timings() const {
  std::lock_guard lock(mutex_);
  std::vector<OperationTiming> out;
  for (const auto& [verb, handles] : handles_) {
    OperationTiming timing{verb, handles.seconds->count(), 0, handles.seconds->quantile(0.5),
                           handles.seconds->quantile(0.99)};
    if (timing.count > 0) {
      timing.mean_seconds = handles.seconds->sum_seconds() / static_cast<double>(timing.count);
    }
    out.push_back(std::move(timing));
  }
  return out;
}

Writer::Writer(std::unique_ptr<Connection> db, Surroundings around)
    : around_(std::move(around)),
      figures_(around_.metrics, around_.name),
      db_(std::move(db)),
      commits_total_(around_.metrics.counter("mainstay_storage_commits_total",
                                             "Transactions committed.",
                                             {{"database", around_.name}})),
      slow_total_(around_.metrics.counter("mainstay_storage_slow_total",
                                          "Operations slower than half a second.",
                                          {{"database", around_.name}})),
      queue_gauge_(around_.metrics.gauge("mainstay_storage_write_queue", "Writes waiting.",
                                         {{"database", around_.name}})) {
  const auto remember = [](void* pages, sqlite3*, const char*, int in_wal) {
    *static_cast<int*>(pages) = in_wal;
    return SQLITE_OK;
  };
  // Replaces SQLite's automatic checkpoint: ours runs after the answers and sees the errors.
  sqlite3_wal_hook(db_->handle(), remember, &wal_pages_);
  thread_ = std::thread([this] { work(); });  // lint: thread see the member
  pthread_setname_np(thread_.native_handle(), ("write-" + around_.name).substr(0, 15).c_str());
}

Writer::~Writer() {
  [[maybe_unused]] auto closed = close();
}

Status Writer::submit(Operation operation) {
  {
    std::lock_guard lock(mutex_);
    if (broken_) return *broken_;
    if (stopping_) return closed_error();
    if (queue_.size() >= around_.settings.write_queue_max) return full_error();
    queue_.push_back(std::move(operation));
    queue_gauge_.set(static_cast<std::int64_t>(queue_.size()));
  }
  ready_.notify_one();
  return done();
}

void Writer::work() {
  for (;;) {
    Batch batch = take();
    if (batch.empty()) break;
    commit(batch);
    answer(batch);
    if (wal_pages_ >= kCheckpointPages) checkpoint();
  }
  if (broken_) {
    // Closing must not write either: a sync that failed once may falsely succeed now.
    sqlite3_db_config(db_->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return;
  }
  try {
    Query(*db_, "PRAGMA wal_checkpoint(TRUNCATE)").finish();
  } catch (const Failure& failure) {
    closed_ = to_error(failure);
  }
}

Writer::Batch Writer::take() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  Batch batch;
  while (!queue_.empty() && batch.size() < around_.settings.batch_max) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_gauge_.set(static_cast<std::int64_t>(queue_.size()));
  return batch;
}

/// Operations that found no time in this batch go back to the front of the queue.
void Writer::give_back(Batch& batch, std::size_t from) {
  std::lock_guard lock(mutex_);
  while (batch.size() > from) {
    queue_.push_front(std::move(batch.back()));
    batch.pop_back();
  }
}

void Writer::commit(Batch& batch) {
  if (broken_) {  // by an earlier batch: these were queued before it was known
    for (auto& operation : batch) operation.error = *broken_;
    return;
  }
  try {
    commit_once(batch);
    return;
  } catch (const Failure& failure) {
    undo();
    for (auto& operation : batch) operation.error = to_error(failure);
    if (failure.broken()) break_down(failure);
    if (!failure.disk_full() || batch.size() == 1) return;
  } catch (const std::exception& e) {
    undo();
    for (auto& operation : batch) operation.error = Error::log(Errc::internal, e.what());
    return;
  }
  // No room for all of them: small ones may still fit.
  for (auto& operation : batch) {
    Batch single;
    operation.error.reset();
    single.push_back(std::move(operation));
    commit(single);
    operation = std::move(single.front());
  }
}

void Writer::commit_once(Batch& batch) {
  const TimePoint start = around_.clock.now();
  db_->run("BEGIN IMMEDIATE");
  bool changed = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const TimePoint now = around_.clock.now();
    if (i > 0 && now - start >= kBatchTime) {
      give_back(batch, i);
      break;
    }
    if (batch[i].by.passed(now)) {
      batch[i].error = late_error();
      continue;
    }
    changed = apply_one(batch[i]) || changed;
  }
  Query(*db_, "COMMIT").finish();
  if (!changed) return;
  commits_.fetch_add(1, std::memory_order_relaxed);
  commits_total_.add();
}

bool Writer::apply_one(Operation& operation) {
  Query(*db_, "SAVEPOINT operation").finish();
  bool keep = false;
  try {
    keep = operation.apply(*db_);
  } catch (const Failure& failure) {
    // Some failures end the whole transaction, and a broken disk must not be written to again.
    if (failure.broken() || failure.disk_full() || !db_->in_transaction()) throw;
    operation.error = to_error(failure);
  } catch (const std::exception& e) {
    operation.error = Error::log(Errc::internal, e.what());
  }
  if (!keep) Query(*db_, "ROLLBACK TO operation").finish();
  Query(*db_, "RELEASE operation").finish();
  return keep;
}

void Writer::undo() noexcept {
  if (db_->in_transaction()) sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Writer::answer(Batch& batch) {
  const TimePoint now = around_.clock.now();
  for (auto& operation : batch) {
    const Duration took = now - operation.queued;
    figures_.finished(operation.verb, took);
    operations_.fetch_add(1, std::memory_order_relaxed);
    if (took > kSlow) {
      slow_total_.add();
      around_.log.warn(
          "storage.slow",
          {{"database", around_.name}, {"operation", operation.verb}, {"took_ms", took}});
    }
    if (operation.error) {
      failures_.fetch_add(1, std::memory_order_relaxed);
      figures_.failed(operation.error->reason);
      around_.log.error("storage.failed", {{"database", around_.name},
                                           {"operation", operation.verb},
                                           {"reason", operation.error->reason},
                                           {"why", operation.error->detail}});
    }
    operation.finish(operation.error ? &*operation.error : nullptr);
  }
}

void Writer::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  wal_pages_ = 0;  // the hook tells the new number at the next commit
  if (code == SQLITE_OK || code == SQLITE_BUSY) return;
  const Failure failure(sqlite3_extended_errcode(db_->handle()),
                        sqlite3_system_errno(db_->handle()),
                        std::string("checkpoint: ") + sqlite3_errmsg(db_->handle()));
  around_.log.error("storage.checkpoint", {{"database", around_.name}, {"why", failure.what()}});
  if (failure.broken()) break_down(failure);
}

/// After a failed write or sync nothing stored later can be trusted: the store stays read-only.
void Writer::break_down(const Failure& failure) {
  Error error = to_error(failure);
  around_.log.error("storage.broken", {{"database", around_.name}, {"why", failure.what()}});
  std::lock_guard lock(mutex_);
  broken_ = std::move(error);
}

Status Writer::close() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  if (!thread_.joinable()) return done();
  thread_.join();
  db_.reset();
  return closed_;
}

std::size_t Writer::waiting() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

bool Writer::lost() const {
  std::lock_guard lock(mutex_);
  return broken_ && broken_->reason == "storage_failed";
}

std::string Writer::why_not() const {
  std::lock_guard lock(mutex_);
  return broken_ ? broken_->reason + ": " + broken_->detail : std::string();
}

}  // namespace mainstay::storage::sqlite
