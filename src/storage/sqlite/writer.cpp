// The writer thread: take what waits, apply each in a savepoint, commit once, answer, checkpoint.
#include "storage/sqlite/writer.h"

#include <pthread.h>

#include <new>

namespace mainstay::storage::sqlite {
namespace {

/// A batch ends after this long even when more waits (measured: best throughput at 2,048 or 5 ms).
constexpr Duration kBatchTime = std::chrono::milliseconds(5);
/// Pages in the WAL that call for a checkpoint; SQLite's own default measured best.
constexpr int kCheckpointPages = 1000;
constexpr Duration kSlow = std::chrono::milliseconds(500);
/// How often what must not be left undone is tried when an allocation fails meanwhile.
constexpr int kTries = 3;
/// Operations for which a batch has room before it allocates.
constexpr std::size_t kReadyBatch = 64;

Error closed_error() {
  return Error::say(Errc::unavailable, "storage_closed", "The store is closing.");
}

Error no_memory_error() {
  Error error = Error::say(Errc::unavailable, "out_of_memory",
                           "The server is short of memory; nothing was done. Try again.");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

Error unsaid_error() {
  return Error::say(Errc::unavailable, "storage_failed",
                    "The disk that holds the data reported an error; nothing more is stored.");
}

Error late_error() {
  return Error::say(Errc::deadline, "write_timeout",
                    "Storing waited too long; nothing was stored.");
}

}  // namespace

Error Writer::full_error() {
  Error error =
      Error::say(Errc::unavailable, "write_queue_full", "Too many writes are waiting; try again.");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

Writer::Writer(std::unique_ptr<Connection> db, Surroundings around)
    : no_memory_(std::make_shared<const Error>(no_memory_error())),
      spare_(std::make_shared<const Error>(unsaid_error())),
      around_(std::move(around)),
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
    auto open = open_for_more();
    if (!open.ok()) return open;
    if (queue_.size() >= around_.settings.write_queue_max) return full_error();
    queue_.push_back(std::move(operation));
    queue_gauge_.set(static_cast<std::int64_t>(queue_.size()));
  }
  ready_.notify_one();
  return done();
}

/// Under the lock.
Status Writer::open_for_more() const {
  if (broken_) return *broken_;
  if (stopping_) return closed_error();
  return done();
}

void Writer::carry(Rider& rider) {
  {
    std::lock_guard lock(mutex_);
    rider_ = &rider;
  }
  ready_.notify_one();
}

/// Nothing may leave this function: an exception out of a thread ends the process.
void Writer::work() {
  Batch batch;
  batch.reserve(kReadyBatch);
  while (take(batch)) {
    const bool riding = rider_ != nullptr && rider_->prepare(false);
    if (riding || !batch.empty()) commit(batch, riding);
    answer(batch);
    batch.clear();
    if (batch.capacity() > kReadyBatch) {
      try {
        Batch fresh;
        fresh.reserve(kReadyBatch);
        batch.swap(fresh);
      } catch (const std::bad_alloc&) {
        // The large one serves as well.
      }
    }
    if (wal_pages_ >= kCheckpointPages) checkpoint();
  }
  while (rider_ != nullptr && rider_->prepare(true)) commit(batch, true);
  say_closed();
  if (broken_) {
    // Closing must not write either: a sync that failed once may falsely succeed now.
    sqlite3_db_config(db_->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return;
  }
  try {
    Query(*db_, "PRAGMA wal_checkpoint(TRUNCATE)").finish();
  } catch (const std::exception& e) {
    try {
      closed_ = *boxed(e);
    } catch (const std::bad_alloc&) {
      around_.log.error("storage.close", {{"database", around_.name}, {"why", "out of memory"}});
    }
  }
}

void Writer::say_closed() noexcept {
  if (rider_ == nullptr) return;
  try {
    rider_->closed(broken_ ? broken_ : std::make_shared<const Error>(closed_error()));
  } catch (const std::bad_alloc&) {
    rider_->closed(no_memory_);
  }
}

/// Under the lock.
bool Writer::idle() const {
  return !stopping_ && queue_.empty() && (rider_ == nullptr || !rider_->urgent());
}

/// What waits, into an empty batch; as much as there is memory for. False: nothing will come.
bool Writer::take(Batch& batch) {
  std::unique_lock lock(mutex_);
  while (idle()) {
    const TimePoint until = rider_ == nullptr ? TimePoint::max() : rider_->wakes();
    const TimePoint now = around_.clock.now();
    if (until <= now) break;
    if (until == TimePoint::max()) {
      ready_.wait(lock);
    } else {
      ready_.wait_for(lock, until - now);
    }
  }
  const bool more = !stopping_ || !queue_.empty() || (rider_ != nullptr && rider_->urgent());
  if (rider_ != nullptr) rider_->take();
  try {
    while (!queue_.empty() && batch.size() < around_.settings.batch_max) {
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  } catch (const std::bad_alloc&) {
    // The first kReadyBatch found room, the rest stays where it is.
  }
  queue_gauge_.set(static_cast<std::int64_t>(queue_.size()));
  return more;
}

/// Operations that found no time in this batch go back to the front of the queue; those for which
/// the queue has no memory stay in the batch.
void Writer::give_back(Batch& batch, std::size_t from) {
  std::lock_guard lock(mutex_);
  try {
    while (batch.size() > from) {
      queue_.push_front(std::move(batch.back()));
      batch.pop_back();
    }
  } catch (const std::bad_alloc&) {
    // Order is kept: what stays was before what went back.
  }
}

/// The client's error for an exception of a library; without memory it says just that.
std::shared_ptr<const Error> Writer::boxed(const std::exception& what) const noexcept {
  try {
    if (const auto* failure = dynamic_cast<const Failure*>(&what)) {
      if (failure->code() == SQLITE_NOMEM) return no_memory_;
      return std::make_shared<const Error>(to_error(*failure));
    }
    if (dynamic_cast<const std::bad_alloc*>(&what) != nullptr) return no_memory_;
    return std::make_shared<const Error>(Error::log(Errc::internal, what.what()));
  } catch (const std::exception&) {
    return no_memory_;
  }
}

void Writer::settle(const std::shared_ptr<const Error>& error, bool riding, bool again) noexcept {
  if (riding) rider_->settled(error, again);
}

void Writer::commit(Batch& batch, bool riding) {
  if (broken_) {  // by an earlier batch: these were queued before it was known
    for (auto& operation : batch) operation.error = broken_;
    settle(broken_, riding, false);
    return;
  }
  try {
    commit_once(batch, riding);
    settle(nullptr, riding, false);
    return;
  } catch (const Failure& failure) {
    undo();
    const auto error = boxed(failure);
    for (auto& operation : batch) operation.error = error;
    if (failure.broken()) break_down(failure);
    settle(error, riding, !failure.broken());
    if (!failure.disk_full() || batch.size() <= 1) return;
  } catch (const std::exception& e) {
    undo();
    const auto error = boxed(e);
    for (auto& operation : batch) operation.error = error;
    settle(error, riding, true);
    return;
  }
  // No room for all of them: small ones may still fit.
  try {
    Batch single;
    single.reserve(1);
    for (auto& operation : batch) {
      single.clear();
      single.push_back(std::move(operation));
      single.front().error.reset();
      commit(single, false);
      operation = std::move(single.front());
    }
  } catch (const std::bad_alloc&) {
    // Each keeps the error it has.
  }
}

void Writer::commit_once(Batch& batch, bool riding) {
  const TimePoint start = around_.clock.now();
  Query(*db_, "BEGIN IMMEDIATE").finish();
  bool changed = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const TimePoint now = around_.clock.now();
    if (i > 0 && now - start >= kBatchTime) {
      give_back(batch, i);
      if (i >= batch.size()) break;
    }
    if (batch[i].by.passed(now)) {
      batch[i].error = std::make_shared<const Error>(late_error());
      continue;
    }
    changed = apply_one(batch[i]) || changed;
  }
  if (riding) changed = rider_->apply(*db_, start + kBatchTime) || changed;
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
    operation.error = boxed(failure);
  } catch (const std::exception& e) {
    operation.error = boxed(e);
  }
  if (!keep) Query(*db_, "ROLLBACK TO operation").finish();
  Query(*db_, "RELEASE operation").finish();
  return keep;
}

void Writer::undo() noexcept {
  for (int tries = 0; tries < kTries && db_->in_transaction(); ++tries) {
    sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Writer::answer(Batch& batch) {
  const TimePoint now = around_.clock.now();
  for (auto& operation : batch) {
    const Duration took = now - operation.queued;
    operations_.fetch_add(1, std::memory_order_relaxed);
    if (operation.error) failures_.fetch_add(1, std::memory_order_relaxed);
    try {
      report(operation.verb, took, operation.error.get());
    } catch (const std::exception&) {
      // A figure is missing; the answer must not be.
    }
    // A caller that cannot be told at all is answered by its own deadline.
    for (int tries = 0; tries < kTries; ++tries) {
      try {
        operation.finish(operation.error.get());
        break;
      } catch (const std::bad_alloc&) {
        continue;
      }
    }
  }
}

void Writer::report(const char* verb, Duration took, const Error* error) {
  figures_.finished(verb, took);
  if (took > kSlow) {
    slow_total_.add();
    around_.log.warn("storage.slow",
                     {{"database", around_.name}, {"operation", verb}, {"took_ms", took}});
  }
  if (error == nullptr) return;
  around_.log.error("storage.failed", {{"database", around_.name},
                                       {"operation", verb},
                                       {"reason", error->reason},
                                       {"why", error->detail}});
  figures_.failed(error->reason);
}

void Writer::count(const char* verb, Duration took, const Error* error) noexcept {
  operations_.fetch_add(1, std::memory_order_relaxed);
  if (error != nullptr) failures_.fetch_add(1, std::memory_order_relaxed);
  try {
    report(verb, took, error);
  } catch (const std::exception&) {
    // A figure is missing; the answer must not be.
  }
}

void Writer::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  wal_pages_ = 0;  // the hook tells the new number at the next commit
  if (code == SQLITE_OK || code == SQLITE_BUSY) return;
  try {
    const Failure failure(sqlite3_extended_errcode(db_->handle()),
                          sqlite3_system_errno(db_->handle()),
                          std::string("checkpoint: ") + sqlite3_errmsg(db_->handle()));
    around_.log.error("storage.checkpoint", {{"database", around_.name}, {"why", failure.what()}});
    if (failure.broken()) break_down(failure);
  } catch (const std::bad_alloc&) {
    // The next commit calls for a checkpoint again, and sees what the disk says then.
  }
}

/// After a failed write or sync nothing stored later can be trusted: the store stays read-only.
void Writer::break_down(const Failure& failure) {
  auto error = boxed(failure);
  if (error == no_memory_) error = spare_;
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
