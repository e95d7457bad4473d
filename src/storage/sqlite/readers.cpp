// Opening, lending and taking back of reading connections.
#include "storage/sqlite/readers.h"

namespace mainstay::storage::sqlite {

Readers::Readers(std::string path, OffloadPool& pool, Surroundings around)
    : path_(std::move(path)),
      pool_(pool),
      around_(std::move(around)),
      figures_(around_.metrics, around_.name) {}

std::unique_ptr<Connection> Readers::take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto db = std::move(idle_.back());
      idle_.pop_back();
      return db;
    }
  }
  auto db = std::make_unique<Connection>(path_, Mode::read, around_.settings.busy_timeout);
  db->run("PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
  const auto cache_kib = around_.settings.reader_cache.value / 1024;
  db->run("PRAGMA cache_size = -" + std::to_string(cache_kib));
  return db;
}

Readers::Borrowed::Borrowed(Readers& readers, Deadline until)
    : readers_(readers), db_(readers.take()) {
  // A reader that stays open keeps the WAL from shrinking.
  const Clock& clock = readers_.around_.clock;
  db_->limit(clock, until.sooner(clock.now(), readers_.around_.settings.read_timeout));
  Query(*db_, "BEGIN").finish();
}

Readers::Borrowed::~Borrowed() {
  db_->limit(readers_.around_.clock, Deadline::never());
  if (sqlite3_exec(db_->handle(), "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) {
    sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  if (db_->in_transaction()) return;  // unusable: closed instead of given back
  std::lock_guard lock(readers_.mutex_);
  readers_.idle_.push_back(std::move(db_));
}

void Readers::report(const char* verb, TimePoint since, const Error* error) {
  figures_.finished(verb, around_.clock.now() - since);
  if (error == nullptr) return;
  figures_.failed(error->reason);
  around_.log.error("storage.failed", {{"database", around_.name},
                                       {"operation", verb},
                                       {"reason", error->reason},
                                       {"why", error->detail}});
}

void Readers::name_error(Error& error) {
  if (error.code == Errc::unavailable) {
    error.reason = "read_queue_full";
    error.message = "Too many reads are waiting; try again.";
    error.retry_after = std::chrono::seconds(1);
  } else if (error.code == Errc::deadline) {
    error.reason = "read_timeout";
    error.message = "Reading the stored data took too long.";
  }
}

void Readers::close() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

}  // namespace mainstay::storage::sqlite
