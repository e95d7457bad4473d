// How FTS5 cuts texts into words (as storage/words.h does), which of them it may not know yet, and
// how found rows are ranked. Used inside storage/sqlite: every connection has one.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "storage/terms.h"

namespace mainstay::storage::sqlite {

/// In the index: marks of a row that no text can hold, each with this byte before it. In an
/// expression: a string that begins so is one mark. (What begins with kTerms was cut before.)
inline constexpr char kMark = '\x01';
/// In an expression: a string that begins so is a stem, taken as it is.
inline constexpr char kStem = '\x02';
/// BM25 of the rows that one query finds. Columns weigh title 2, heading 3, text 1; phrases before
/// `first` are marks and score nothing. For the SQL function mainstay_rank.
struct Ranking {
  int first = 0;
  std::vector<std::uint64_t> held;  ///< rows that hold each phrase from `first` on
  /// Rows that cannot score more get a score below it without a look at their length.
  double least = -std::numeric_limits<double>::infinity();

  // Found at the first row.
  std::vector<double> rarity;
  double average = 0;
};

/// What one phrase of that rarity adds to a row's score at most.
double most_of(double rarity) noexcept;

/// The tokenizer of one connection with its memory of words. Lives as long as the connection.
class Tokenizer {
 public:
  /// Registers tokenizer and ranking with the connection; it outlives the handle. Gives SQLite's
  /// code.
  int attach(sqlite3* db);

  /// How texts are cut that are indexed or taken out of the index from now on.
  void fold_as(Folding folding) noexcept { folding_ = folding; }
  /// While a text is indexed between these two, words that may be new to the spelling are noted.
  void note_words() noexcept { noting_ = true; }
  /// The words noted since; each is taken as known from now on.
  std::vector<std::string> take_noted();
  /// What was taken as known may not be any more: something was undone or removed. A rollback of
  /// the whole transaction does this by itself, that of a savepoint does not.
  void forget() noexcept;
  /// Another one after each forget().
  std::uint32_t epoch() const noexcept { return epoch_; }

 private:
  using Take = int (*)(void*, int, const char*, int, int, int);
  static int tokenize(Fts5Tokenizer* self, void* context, int flags, const char* text, int size,
                      Take take);
  int cut(std::string_view text, void* context, Take take);
  int replay(std::string_view terms, void* context, Take take);
  static int marks(std::string_view text, void* context, Take take);
  std::string_view stem_of(const std::string& word);

  bool is_known(std::uint64_t hash);
  StemMemory stems_;
  std::vector<std::uint64_t> known_;  ///< hashes of words that the spelling has, with the epoch
  std::uint32_t epoch_ = 1;
  Folding folding_ = Folding::today;
  bool noting_ = false;
  std::vector<std::string> noted_;
  Word word_;
  std::string long_;
};

}  // namespace mainstay::storage::sqlite
