// Opening, lending and taking back of reading connections.
#include "storage/sqlite/readers.h"

#include <future>

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
  readers_.busy_.fetch_add(1, std::memory_order_relaxed);
}

Readers::Borrowed::~Borrowed() {
  readers_.busy_.fetch_sub(1, std::memory_order_relaxed);
  db_->limit(readers_.around_.clock, Deadline::never());
  if (sqlite3_exec(db_->handle(), "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) {
    sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  if (db_->in_transaction()) return;  // unusable: closed instead of given back
  std::lock_guard lock(readers_.mutex_);
  readers_.idle_.push_back(std::move(db_));
}

std::uint32_t Readers::open() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(idle_.size()) + busy();
}

Readers::Pages Readers::pages(Duration for_at_most) {
  auto answer = std::make_shared<std::promise<Pages>>();
  auto ready = answer->get_future();
  const Deadline until = Deadline::in(around_.clock, for_at_most);
  const bool queued = pool_.submit([this, answer, until] {
    Pages found;
    try {
      Borrowed db(*this, until);
      found.size = static_cast<std::uint64_t>((*db).number("PRAGMA page_size"));
      found.count = static_cast<std::uint64_t>((*db).number("PRAGMA page_count"));
      found.unused = static_cast<std::uint64_t>((*db).number("PRAGMA freelist_count"));
    } catch (const Failure& failure) {
      around_.log.warn("storage.figures", {{"database", around_.name}, {"why", failure.what()}});
    }
    answer->set_value(found);
  });
  if (!queued || ready.wait_for(for_at_most) != std::future_status::ready) return {};
  return ready.get();
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
