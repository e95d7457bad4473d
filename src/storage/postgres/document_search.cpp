// A question becomes stems, those that nobody holds become near ones, and one statement finds,
// filters, ranks and reads the best. ts_rank of one stem is its weighted number of times, of which
// the n-th counts 1 / (n * n); BM25 is made of that.
#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "base/text.h"
#include "storage/document_rules.h"
#include "storage/postgres/document_rows.h"
#include "storage/postgres/documents.h"
#include "storage/postgres/index_words.h"
#include "storage/spelling.h"
#include "storage/words.h"

namespace mainstay::storage::postgres {
namespace {

/// Holders are counted up to here: enough to tell a common word from a rare one.
constexpr std::int64_t kHeldMax = 256;
/// Near words whose holders are counted.
constexpr std::size_t kNearbyMax = 16;
/// Words with the most trigrams in common whose distance is computed.
constexpr std::int64_t kComparedMax = 512;

constexpr const char* kAsked = R"sql(
SELECT h.held,
  (SELECT n FROM mainstay.collection WHERE tenant = $1 AND name = $3),
  (SELECT n FROM mainstay.document_shown WHERE id = $4 AND tenant = $1 AND state = 0),
  (SELECT coalesce(sum(chunks), 0)::bigint FROM mainstay.collection
    WHERE tenant = $1 AND name IS NOT NULL)
FROM mainstay.held($1, $2, 1) h ORDER BY h.at)sql";

constexpr const char* kHeld = "SELECT held FROM mainstay.held($1, $2, $3) ORDER BY at";

// Without places every gram counts the same: the words with the most of them come first.
constexpr const char* kAlike = R"sql(
SELECT text FROM mainstay.word WHERE tenant = $1 AND grams @@ $2::tsquery
ORDER BY ts_rank('{1,1,1,1}', grams, $3::tsquery) DESC, text LIMIT $4)sql";

/// Parameters: those of the filter; 7 the query, 8 and 9 the chunks from and to, 10 the collection
/// (0: any), 11 chunks of the tenant, 12 how many are wanted, from 13 on the stems.
std::string find_sql(std::size_t stems) {
  std::string ranks;
  std::string held;
  std::string score;
  for (std::size_t i = 1; i <= stems; ++i) {
    const std::string n = std::to_string(i);
    // Weights of text, mark, title, heading as 1, 0, 2, 3; pi * pi / 6 is what ts_rank divides by.
    ranks += ", 4.934802 * ts_rank('{0.33333334,0,0.6666667,1}', w.words, $" +
             std::to_string(i + 12) + "::tsquery)::float8 AS r" + n;
    held += ", count(*) FILTER (WHERE r" + n + " > 0) AS h" + n;
    score += (i > 1 ? " + " : "") + ("ln(1 + (chunks - h" + n + " + 0.5) / (h" + n + " + 0.5))") +
             " * r" + n + " * 2.2 / (r" + n + " + 1.2 * (0.25 + 0.75 * length / average))";
  }
  return "WITH hit AS MATERIALIZED (SELECT w.n, w.length::float8 AS length" + ranks +
         " FROM mainstay.chunk_words w JOIN mainstay.document d ON d.n = w.n >> 24 "
         "JOIN mainstay.collection c ON c.n = d.collection "
         "WHERE w.words @@ $7::tsquery AND w.n >= $8 AND w.n < $9 "
         "AND ($10 = 0 OR d.collection = $10) AND " MAINSTAY_DOCUMENT_FILTER
         "), total AS (SELECT greatest($11, count(*))::float8 AS chunks, "
         "greatest(1, avg(length)) AS average" +
         held + " FROM hit), best AS (SELECT n, " + score +
         " AS score FROM hit CROSS JOIN total ORDER BY score DESC, n LIMIT $12) "
         "SELECT b.n, d.id, o.name, d.title, d.source, c.heading, c.begin_at, c.end_at, c.text, "
         "c.page, b.score FROM best b JOIN mainstay.chunk c ON c.n = b.n "
         "JOIN mainstay.document d ON d.n = b.n >> 24 "
         "JOIN mainstay.collection o ON o.n = d.collection ORDER BY b.score DESC, b.n";
}

/// More stems than words: each of a few mistyped ones may stand for several.
constexpr std::size_t kStemsMax = kSearchWordsMax + kCorrectedMax * kInsteadMax;

}  // namespace

/// One question on its way.
struct PostgresDocuments::Question {
  PassageQuery asked;
  std::string mark;       ///< of what the filter lets through
  std::int64_t from = 0;  ///< chunks, where one document is meant
  std::int64_t to = std::numeric_limits<std::int64_t>::max();
  std::int64_t collection = 0;
  std::int64_t chunks = 0;
  std::vector<std::string> words;  ///< while they are looked up
  std::vector<std::uint64_t> held;
  std::vector<std::string> stems;  ///< searched for, each once
  std::vector<Correction> corrected;
  bool nothing = false;  ///< the filter names what is not there

  void want(std::string root) {
    if (stems.size() == kStemsMax) return;
    if (std::find(stems.begin(), stems.end(), root) == stems.end())
      stems.push_back(std::move(root));
  }
};

const std::string& find_query(std::size_t stems) {
  static const auto all = [] {
    std::array<std::string, kStemsMax + 1> out;
    for (std::size_t i = 1; i <= kStemsMax; ++i) out[i] = find_sql(i);
    return out;
  }();
  return all.at(stems);
}

/// What the tenant's visible chunks hold of the words, and what the filter's names stand for.
Co<Status> PostgresDocuments::look_up(std::shared_ptr<Question> question, Deadline by) {
  const PassageQuery& asked = question->asked;
  const std::string all = tenant_mark(asked.tenant);
  std::vector<std::string> queries;
  for (const auto& word : question->words) queries.push_back(all + " & " + lexeme(stem(word)));
  Statement statement("search", kAsked);
  statement.text(asked.tenant.text()).texts(queries);
  statement.bytes(asked.collection ? asked.collection->text() : "");
  statement.text(asked.document ? asked.document->text() : "");
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  question->mark = all;
  for (int row = 0; row < rows->size(); ++row) question->held.push_back(rows->count(row, 0));
  if (rows->size() == 0) co_return done();
  question->chunks = rows->number(0, 3);
  if (asked.collection) {
    question->nothing = rows->null(0, 1);
    question->collection = rows->number(0, 1);
    question->mark = collection_mark(question->collection);
  }
  if (asked.document) {
    question->nothing = question->nothing || rows->null(0, 2);
    question->from = chunk_number(rows->number(0, 2), 0);
    question->to = chunk_number(rows->number(0, 2) + 1, 0);
  }
  co_return done();
}

Co<Result<std::vector<std::uint64_t>>> PostgresDocuments::held(const Question& question,
                                                               std::vector<std::string> stems,
                                                               std::int64_t most, Deadline by) {
  const std::string all = tenant_mark(question.asked.tenant);
  for (auto& each : stems) each = all + " & " + lexeme(each);
  Statement statement("search_holders", kHeld);
  statement.text(question.asked.tenant.text()).texts(stems).number(most);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<std::uint64_t> out;
  for (int row = 0; row < rows->size(); ++row) out.push_back(rows->count(row, 0));
  co_return out;
}

/// What stands in for a word that nobody holds.
Co<Status> PostgresDocuments::correct(std::shared_ptr<Question> question, std::string word,
                                      Deadline by) {
  const std::u32string letters = letters_of(word);
  const std::size_t tolerance = spelling_tolerance(letters.size());
  const std::string grams = any_of(trigrams_of(word));
  Statement statement("search_spelling", kAlike);
  statement.text(question->asked.tenant.text());
  statement.text(tenant_mark(question->asked.tenant) + " & " + grams).text(grams);
  statement.number(kComparedMax);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<Nearby> near;
  for (int row = 0; row < rows->size(); ++row) {
    std::string text = rows->text(row, 0);
    const std::size_t distance = spelling_distance(letters, letters_of(text), tolerance);
    if (distance <= tolerance) near.push_back({std::move(text), distance, 0});
  }
  std::sort(near.begin(), near.end(), [](const Nearby& a, const Nearby& b) {
    return std::tie(a.distance, a.word) < std::tie(b.distance, b.word);
  });
  std::vector<std::string> stems;
  for (const auto& each : near) stems.push_back(stem(each.word));
  std::vector<std::uint64_t> counts;
  for (std::size_t at = 0; at < stems.size(); at += kNearbyMax) {
    const auto first = stems.begin() + static_cast<std::ptrdiff_t>(at);
    const auto size = std::min(kNearbyMax, stems.size() - at);
    std::vector<std::string> some(first, first + static_cast<std::ptrdiff_t>(size));
    auto more = co_await held(*question, std::move(some), kHeldMax, by);
    if (!more.ok()) co_return more.error();
    counts.insert(counts.end(), more->begin(), more->end());
    const bool found = std::any_of(more->begin(), more->end(), [](auto n) { return n > 0; });
    if (found) break;
  }
  counts.resize(near.size(), 0);
  for (std::size_t i = 0; i < near.size(); ++i) near[i].held = counts[i];
  Correction correction{std::move(word), stand_ins(std::move(near))};
  if (correction.instead.empty()) co_return done();
  for (const auto& instead : correction.instead) question->want(stem(instead));
  question->corrected.push_back(std::move(correction));
  co_return done();
}

Co<Result<std::vector<Passage>>> PostgresDocuments::best(const Question& question, Deadline by) {
  const PassageQuery& asked = question.asked;
  Statement statement("search_passages", find_query(question.stems.size()).c_str());
  put_filter(statement, asked.tenant, asked);
  statement.text(question.mark + " & " + any_of(question.stems));
  statement.number(question.from).number(question.to);
  statement.number(question.collection).number(question.chunks).number(asked.limit);
  for (const auto& root : question.stems) statement.text(lexeme(root));
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  co_return passages_in(*rows);
}

Co<Result<Found>> PostgresDocuments::find(PassageQuery query, Deadline by) {
  Found out;
  tidy(query.tags);
  auto question = std::make_shared<Question>();
  for (auto& word : search_words(query.text, kSearchWordsMax)) {
    if (is_utf8(word)) question->words.push_back(std::move(word));
  }
  if (query.limit == 0 || question->words.empty()) co_return out;
  question->asked = std::move(query);
  auto known = co_await look_up(question, by);
  if (!known.ok()) co_return known.error();
  if (question->nothing) co_return out;
  std::size_t tried = 0;
  for (std::size_t i = 0; i < question->held.size(); ++i) {
    std::string word = question->words[i];
    if (question->held[i] > 0) {
      question->want(stem(word));
      continue;
    }
    if (!question->asked.forgiving || !is_spelled(word) || ++tried > kCorrectedMax) continue;
    auto corrected = co_await correct(question, std::move(word), by);
    if (!corrected.ok()) co_return corrected.error();
  }
  if (question->stems.empty()) co_return out;
  auto passages = co_await best(*question, by);
  if (!passages.ok()) co_return passages.error();
  out.passages = std::move(*passages);
  out.corrected = std::move(question->corrected);
  write_as_found(out);
  co_return out;
}

}  // namespace mainstay::storage::postgres
