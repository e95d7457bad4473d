// One SQL statement with its parameters, and the rows that answer it, both in PostgreSQL's binary
// form: texts may hold any byte where the column is bytea.
// Used inside storage/postgres.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::storage::postgres {

/// A statement ready to be sent. `verb` and `sql` are constants that live as long as the program.
class Statement {
 public:
  Statement(const char* verb, const char* sql) : verb_(verb), sql_(sql) {}
  Statement& text(std::string value);
  Statement& bytes(std::string value);
  Statement& number(std::int64_t value);
  /// Counts beyond the range of bigint become its largest value.
  Statement& count(std::uint64_t value);
  Statement& texts(const std::vector<std::string>& values);
  Statement& byte_texts(const std::vector<std::string>& values);
  Statement& numbers(const std::vector<std::int64_t>& values);

  const char* verb() const noexcept { return verb_; }
  /// Hands it to libpq, which copies it. False: the connection refused it.
  bool send(PGconn* connection) const;

 private:
  struct Parameter {
    Oid type;
    std::string bytes;
  };
  Statement& put(Oid type, std::string bytes);
  const char* verb_;
  const char* sql_;
  std::vector<Parameter> parameters_;
};

/// What a statement answered. Columns are counted from 0; NULL reads as 0 or empty.
class Rows {
 public:
  explicit Rows(PGresult* result = nullptr) : result_(result) {}
  int size() const { return result_ ? PQntuples(result_.get()) : 0; }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string text(int row, int column) const { return std::string(view(row, column)); }
  /// Of smallint, integer and bigint.
  std::int64_t number(int row, int column) const;
  std::uint64_t count(int row, int column) const {
    return static_cast<std::uint64_t>(number(row, column));
  }
  /// Of double precision.
  double real(int row, int column) const;
  /// Of bytea[] and text[] without NULLs.
  std::vector<std::string> texts(int row, int column) const;
  bool truth(int row, int column) const { return view(row, column) == std::string_view("\1", 1); }

  /// Of text and bytea; lasts as long as this object.
  std::string_view view(int row, int column) const;

 private:
  struct Clear {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace mainstay::storage::postgres
