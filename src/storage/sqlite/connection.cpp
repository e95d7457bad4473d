// Connection and Query over the C interface, and how SQLite's codes become ours.
#include "storage/sqlite/connection.h"

#include <cerrno>

#include "storage/sqlite/joined_writes.h"
#include "storage/sqlite/memory.h"
#include "storage/sqlite/tokenizer.h"

namespace mainstay::storage::sqlite {
namespace {

/// Virtual-machine steps between looks at the clock; about a tenth of a millisecond.
constexpr int kStepsBetweenLooks = 2000;

}  // namespace

bool Failure::disk_full() const noexcept {
  if (code() == SQLITE_FULL || code() == SQLITE_READONLY) return true;
  if (code() != SQLITE_IOERR) return false;
  // A failed sync stays fatal even with ENOSPC: what it should have secured may be gone.
  if (extended() == SQLITE_IOERR_FSYNC || extended() == SQLITE_IOERR_DIR_FSYNC) return false;
  if (extended() == SQLITE_IOERR_SHMSIZE) return true;
  return errno_ == ENOSPC || errno_ == EDQUOT || errno_ == EROFS;
}

bool Failure::broken() const noexcept {
  if (disk_full()) return false;
  return code() == SQLITE_IOERR || code() == SQLITE_CORRUPT || code() == SQLITE_NOTADB;
}

Error to_error(const Failure& failure) {
  Error error;
  if (failure.disk_full()) {
    error = Error::say(Errc::disk_full, "disk_full",
                       "There is no room left on the disk that holds the data, or it is read-only; "
                       "mend that and try again.");
  } else if (failure.code() == SQLITE_CORRUPT || failure.code() == SQLITE_NOTADB) {
    error = Error::say(Errc::corrupt, "database_corrupt",
                       "Stored data failed its check; restore the data directory from a backup.");
  } else if (failure.code() == SQLITE_IOERR) {
    error = Error::say(Errc::unavailable, "storage_failed",
                       "The disk that holds the data reported an error; nothing more is stored.");
  } else if (failure.code() == SQLITE_BUSY || failure.code() == SQLITE_LOCKED) {
    error = Error::say(Errc::unavailable, "database_busy",
                       "Another program holds the database; try again.");
    error.retry_after = std::chrono::seconds(1);
  } else if (failure.code() == SQLITE_CONSTRAINT) {
    error = Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
  } else if (failure.code() == SQLITE_INTERRUPT) {
    error = Error::say(Errc::deadline, "read_timeout", "Reading the stored data took too long.");
  } else {
    error = Error::log(Errc::internal, "");
  }
  error.detail = failure.what();
  return error;
}

Connection::Connection(const std::string& path, Mode mode, Duration busy_timeout)
    : tokenizer_(std::make_unique<Tokenizer>()) {
  count_memory();
  const int how =
      mode == Mode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const char* const files = mode == Mode::write ? joined_writes() : nullptr;
  if (sqlite3_open_v2(path.c_str(), &db_, how | SQLITE_OPEN_NOMUTEX, files) != SQLITE_OK) {
    Failure failure(sqlite3_extended_errcode(db_), sqlite3_system_errno(db_),
                    "open " + path + ": " + sqlite3_errmsg(db_));
    sqlite3_close(db_);
    throw failure;
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, static_cast<int>(millis(busy_timeout)));
  // Only the writer checkpoints: with two connections that do, SQLite before 3.51.3 can lose pages.
  if (mode == Mode::read) sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (const int code = tokenizer_->attach(db_); code != SQLITE_OK) {
    Failure failure(code, 0, "attach the tokenizer to " + path);
    close();
    throw failure;
  }
}

Connection::~Connection() {
  close();
}

void Connection::close() noexcept {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  statements_.clear();
  literals_.clear();
  sqlite3_close(db_);
  db_ = nullptr;
}

int Connection::system_errno() const noexcept {
  // What SQLite does after a failed write may have replaced the thread's errno; the file that could
  // not be written, in practice the WAL, remembers its own.
  if (sqlite3_extended_errcode(db_) == SQLITE_IOERR_WRITE) {
    sqlite3_file* wal = nullptr;
    int last = 0;
    if (sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
        wal != nullptr && wal->pMethods != nullptr &&
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &last) == SQLITE_OK &&
        last != 0) {
      return last;
    }
  }
  return sqlite3_system_errno(db_);
}

void Connection::fail(const std::string& doing) {
  throw Failure(sqlite3_extended_errcode(db_), system_errno(), doing + ": " + sqlite3_errmsg(db_));
}

void Connection::run(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

std::int64_t Connection::number(const std::string& sql) {
  Query query(*this, sql);
  return query.step() ? query.number(0) : 0;
}

std::string Connection::text(const std::string& sql) {
  Query query(*this, sql);
  return query.step() ? query.text(0) : std::string();
}

void Connection::limit(const Clock& clock, Deadline by) {
  clock_ = &clock;
  until_ = by.at();
  const auto look = [](void* self) {
    const auto* me = static_cast<Connection*>(self);
    return me->clock_->now() >= me->until_ ? 1 : 0;
  };
  sqlite3_progress_handler(db_, kStepsBetweenLooks, look, this);
}

sqlite3_stmt* Connection::prepared(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  std::string key(sql);
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, key.c_str(), static_cast<int>(key.size()), SQLITE_PREPARE_PERSISTENT,
                         &statement, nullptr) != SQLITE_OK) {
    fail(key);
  }
  statements_.emplace(std::move(key), statement);
  return statement;
}

sqlite3_stmt* Connection::prepared(Literal sql) {
  const auto found = literals_.find(sql.text);
  if (found != literals_.end()) return found->second;
  sqlite3_stmt* statement = prepared(std::string_view(sql.text));
  literals_.emplace(sql.text, statement);
  return statement;
}

bool Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  db_.fail(sqlite3_sql(statement_));
}

std::string Query::text(int column) {
  const auto* data = sqlite3_column_text(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

std::string_view Query::blob(int column) {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), size);
}

void Query::put_blob(int at, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
  if (sqlite3_bind_blob64(statement_, at, data, value.size(),
                          lasting_ ? SQLITE_STATIC : SQLITE_TRANSIENT) != SQLITE_OK) {
    db_.fail("bind");
  }
}

Query& Query::bind_pointer(int at, void* pointer, const char* type) {
  if (sqlite3_bind_pointer(statement_, at, pointer, type, nullptr) != SQLITE_OK) db_.fail("bind");
  return *this;
}

void Query::put_number(int at, std::int64_t value) {
  if (sqlite3_bind_int64(statement_, at, value) != SQLITE_OK) db_.fail("bind");
}

void Query::put_text(int at, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
  if (sqlite3_bind_text64(statement_, at, data, value.size(),
                          lasting_ ? SQLITE_STATIC : SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK) {
    db_.fail("bind");
  }
}

}  // namespace mainstay::storage::sqlite
