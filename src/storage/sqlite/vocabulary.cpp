// Rows of the spelling: words, and the trigrams that find the near ones.
#include "storage/sqlite/vocabulary.h"

#include <algorithm>

#include "storage/spelling.h"
#include "storage/sqlite/tokenizer.h"

namespace mainstay::storage::sqlite {
namespace {

/// Entries of the trigram index that one mistyped word may read.
constexpr std::size_t kEntriesMax = 400'000;
/// Words with the most trigrams in common whose distance is computed.
constexpr std::size_t kComparedMax = 512;

constexpr const char* kCount = "SELECT count(*) FROM word";
constexpr const char* kKeep = "INSERT OR IGNORE INTO word (text, witness) VALUES (?, ?)";
constexpr const char* kKeepGrams = "INSERT INTO spelling (rowid, text) VALUES (?, ?)";
constexpr const char* kWitnessed =
    "SELECT n, text FROM word WHERE witness >= ? AND witness < ? LIMIT ?";
constexpr const char* kLastHolder =
    "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT 1";
constexpr const char* kWitness = "UPDATE word SET witness = ? WHERE n = ?";
constexpr const char* kDropGrams =
    "INSERT INTO spelling (spelling, rowid, text) VALUES ('delete', ?, ?)";
constexpr const char* kDrop = "DELETE FROM word WHERE n = ?";
constexpr const char* kAlike = "SELECT rowid FROM spelling WHERE spelling MATCH ?";
constexpr const char* kText = "SELECT text FROM word WHERE n = ?";

std::string padded(std::string_view word) {
  return "^" + std::string(word) + "$";
}

struct Shared {
  std::int64_t n = 0;
  std::size_t grams = 0;
};

/// Words by the trigrams they share with `word`, the most first.
std::vector<Shared> by_trigrams(Connection& db, const std::string& word) {
  std::vector<std::int64_t> entries;
  for (const auto& gram : trigrams_of(word)) {
    Query query(db, kAlike);
    query.bind(fts_string(gram));
    while (entries.size() < kEntriesMax && query.step()) entries.push_back(query.number(0));
  }
  std::sort(entries.begin(), entries.end());
  std::vector<Shared> out;
  for (std::size_t i = 0; i < entries.size();) {
    std::size_t end = i;
    while (end < entries.size() && entries[end] == entries[i]) ++end;
    out.push_back({entries[i], end - i});
    i = end;
  }
  const auto more = [](const Shared& a, const Shared& b) {
    return a.grams != b.grams ? a.grams > b.grams : a.n < b.n;
  };
  if (out.size() > kComparedMax) {
    std::nth_element(out.begin(), out.begin() + kComparedMax, out.end(), more);
    out.resize(kComparedMax);
  }
  return out;
}

}  // namespace

std::string fts_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += c;
    out += c;
  }
  out += '"';
  return out;
}

std::uint64_t& Vocabulary::count(Connection& db) {
  if (!count_ || epoch_ != db.tokenizer().epoch()) {
    count_ = static_cast<std::uint64_t>(db.number(kCount));
    epoch_ = db.tokenizer().epoch();
  }
  return *count_;
}

void Vocabulary::keep(Connection& db, std::int64_t chunk) {
  const auto noted = db.tokenizer().take_noted();
  if (noted.empty()) return;
  std::uint64_t& words = count(db);
  for (const auto& word : noted) {
    if (words >= max_) return;
    Query(db, Literal{kKeep}).bind_lasting(word, chunk).finish();
    if (db.changes() == 0) continue;
    ++words;
    const std::int64_t n = db.last_rowid();
    Query(db, Literal{kKeepGrams}).bind(n, padded(word)).finish();
  }
}

bool Vocabulary::release(Connection& db, std::int64_t from, std::int64_t to, std::uint32_t limit) {
  struct Row {
    std::int64_t n = 0;
    std::string text;
  };
  std::vector<Row> rows;
  {
    Query query(db, Literal{kWitnessed});
    query.bind(from, to, limit);
    while (query.step()) rows.push_back({query.number(0), query.text(1)});
  }
  std::uint64_t dropped = 0;
  for (const auto& row : rows) {
    std::optional<std::int64_t> holder;
    {
      Query query(db, Literal{kLastHolder});
      query.bind(fts_string(kStem + stem(row.text)));
      if (query.step()) holder = query.number(0);
    }
    if (holder) {
      Query(db, Literal{kWitness}).bind(*holder, row.n).finish();
      continue;
    }
    Query(db, Literal{kDropGrams}).bind(row.n, padded(row.text)).finish();
    Query(db, Literal{kDrop}).bind(row.n).finish();
    ++dropped;
  }
  if (dropped > 0) {
    // Counted afresh it would lack them already.
    const bool known = count_ && epoch_ == db.tokenizer().epoch();
    const std::uint64_t left = known ? *count_ - std::min(*count_, dropped) : count(db);
    db.tokenizer().forget();
    count_ = left;
    epoch_ = db.tokenizer().epoch();
  }
  return rows.size() < limit;
}

std::vector<SpelledAlike> spelled_alike(Connection& db, const std::string& word) {
  std::vector<SpelledAlike> out;
  if (!is_spelled(word)) return out;
  const std::u32string letters = letters_of(word);
  const std::size_t tolerance = spelling_tolerance(letters.size());
  for (const auto& shared : by_trigrams(db, word)) {
    Query query(db, Literal{kText});
    query.bind(shared.n);
    if (!query.step()) continue;
    std::string text = query.text(0);
    const std::size_t distance = spelling_distance(letters, letters_of(text), tolerance);
    if (distance <= tolerance) out.push_back({std::move(text), distance});
  }
  return out;
}

std::vector<std::string> vocabulary_queries() {
  return {kWitnessed, kLastHolder, kWitness, kDrop, kAlike, kText};
}

}  // namespace mainstay::storage::sqlite
