// One SQLite connection with its prepared statements, and the exception that carries SQLite's codes
// to the edge of this inner room. Used only inside storage/sqlite; each connection by one thread at
// a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/error.h"

namespace mainstay::storage::sqlite {

class Tokenizer;

/// What SQLite answered. Thrown by Connection and Query, caught by Writer, Readers and open().
class Failure : public std::exception {
 public:
  Failure(int extended_code, int system_errno, std::string what)
      : code_(extended_code), errno_(system_errno), what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }
  int code() const noexcept { return code_ & 0xff; }
  int extended() const noexcept { return code_; }
  /// No room on the disk or in the quota, or it is read-only: nothing was written, and it may pass.
  bool disk_full() const noexcept;
  /// The file or the device failed: nothing written later can be trusted.
  bool broken() const noexcept;

 private:
  int code_;
  int errno_;
  std::string what_;
};

/// disk_full "disk_full", corrupt "database_corrupt", unavailable "storage_failed" or
/// "database_busy", deadline "read_timeout", conflict "already_exists", else internal.
Error to_error(const Failure& failure);

enum class Mode { read, write };

/// The text of a statement that lives as long as the program and is run often: found by its
/// address.
struct Literal {
  const char* text;
};

/// A value of a BLOB column.
struct Blob {
  std::string_view bytes;
};

/// Owns the handle. Statements are prepared once for each SQL text and kept.
class Connection {
 public:
  /// Throws Failure. `write` creates the file when it is missing.
  Connection(const std::string& path, Mode mode, Duration busy_timeout);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs statements without parameters. Throws Failure.
  void run(const std::string& sql);
  /// The first column of the first row as a number, 0 without a row. Throws Failure.
  std::int64_t number(const std::string& sql);
  std::string text(const std::string& sql);
  /// Statements stop with SQLITE_INTERRUPT once `by` has passed.
  void limit(const Clock& clock, Deadline by);
  std::int64_t last_rowid() const { return sqlite3_last_insert_rowid(db_); }
  std::int64_t changes() const { return sqlite3_changes64(db_); }
  bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
  sqlite3* handle() noexcept { return db_; }
  Tokenizer& tokenizer() noexcept { return *tokenizer_; }
  [[noreturn]] void fail(const std::string& doing);
  /// The system's error behind the last failure; 0: none is known.
  int system_errno() const noexcept;

 private:
  friend class Query;
  sqlite3_stmt* prepared(std::string_view sql);
  sqlite3_stmt* prepared(Literal sql);
  void close() noexcept;
  std::unique_ptr<Tokenizer> tokenizer_;
  sqlite3* db_ = nullptr;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
  std::unordered_map<const char*, sqlite3_stmt*> literals_;  ///< those of them that were Literals
  const Clock* clock_ = nullptr;
  TimePoint until_ = TimePoint::max();
};

/// One run of a prepared statement; resets it at the end. Every call may throw Failure.
class Query {
 public:
  Query(Connection& db, std::string_view sql) : db_(db), statement_(db.prepared(sql)) {}
  Query(Connection& db, Literal sql) : db_(db), statement_(db.prepared(sql)) {}
  ~Query() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  template <class... Values>
  Query& bind(const Values&... values) {
    int at = 0;
    (put(++at, values), ...);
    return *this;
  }
  /// As bind(), but texts are not copied: they stay as they are until this object is gone.
  template <class... Values>
  Query& bind_lasting(const Values&... values) {
    lasting_ = true;
    return bind(values...);
  }
  /// The next parameters, for a statement of many rows; texts as in bind_lasting().
  template <class... Values>
  Query& bind_row(const Values&... values) {
    lasting_ = true;
    (put(++bound_, values), ...);
    return *this;
  }
  /// For a function of ours that takes it back by its type; it outlives the query.
  Query& bind_pointer(int at, void* pointer, const char* type);
  /// True when there is a row to read.
  bool step();
  void finish() {
    while (step()) {
    }
  }
  std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }
  std::uint64_t count(int column) { return static_cast<std::uint64_t>(number(column)); }
  double real(int column) { return sqlite3_column_double(statement_, column); }
  std::string text(int column);
  /// Until the next step().
  std::string_view blob(int column);

 private:
  template <class Value>
  void put(int at, const Value& value) {
    if constexpr (std::is_integral_v<Value>) {
      put_number(at, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_same_v<Value, Blob>) {
      put_blob(at, value.bytes);
    } else {
      put_text(at, value);
    }
  }
  void put_number(int at, std::int64_t value);
  void put_text(int at, std::string_view value);
  void put_blob(int at, std::string_view value);
  Connection& db_;
  sqlite3_stmt* statement_;
  bool lasting_ = false;
  int bound_ = 0;  ///< parameters that bind_row() has filled
};

}  // namespace mainstay::storage::sqlite
