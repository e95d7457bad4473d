// The words that documents are spelled with, so that a mistyped one finds its neighbours: kept with
// the chunks in their transactions. Used inside storage/sqlite, by documents.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/sqlite/connection.h"

namespace mainstay::storage::sqlite {

/// The writing side: on the writer's thread only. Each word knows a chunk that holds its stem, the
/// witness; when that goes another is looked for, and without one the word goes.
class Vocabulary {
 public:
  /// At most `max` words; later ones are searched for, but nothing is corrected to them.
  explicit Vocabulary(std::uint64_t max) : max_(max) {}
  /// Keeps the words that the connection's tokenizer noted while it indexed the chunk.
  void keep(Connection& db, std::int64_t chunk);
  /// For up to `limit` words whose witness is in [from, to), which is not indexed any more. True:
  /// there is none left.
  bool release(Connection& db, std::int64_t from, std::int64_t to, std::uint32_t limit);

 private:
  std::uint64_t& count(Connection& db);
  const std::uint64_t max_;
  std::optional<std::uint64_t> count_;
  std::uint32_t epoch_ = 0;
};

/// Words that may have been meant by a mistyped one, within its tolerance; any of them may be held
/// by other tenants' or by hidden documents alone.
struct SpelledAlike {
  std::string word;
  std::size_t distance = 0;
};
std::vector<SpelledAlike> spelled_alike(Connection& db, const std::string& word);

/// The texts of its queries, for the test that looks at plans.
std::vector<std::string> vocabulary_queries();

/// A string of an FTS5 expression.
std::string fts_string(std::string_view text);

}  // namespace mainstay::storage::sqlite
