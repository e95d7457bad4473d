// What upkeep does with documents in slices: what is gone is removed, and texts that an older
// version cut into words are cut anew.
#include "storage/postgres/documents.h"
#include "storage/postgres/index_words.h"

namespace mainstay::storage::postgres {
namespace {

/// What one sweep() removes at most: short beside the writes that wait for it.
constexpr std::int64_t kChunksSlice = 128;
constexpr std::int64_t kDocumentsSlice = 256;

constexpr const char* kSweep = "SELECT mainstay.sweep_documents($1, $2)";
constexpr const char* kIndexAnew =
    "SELECT mainstay.index_anew($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

struct CutAnew {
  IndexedTitle title;
  IndexedChunks chunks;
};

}  // namespace

const std::string& old_words_query() {
  static const std::string query =
      "WITH first AS (SELECT n >> 24 AS d FROM mainstay.chunk_words WHERE folding < 2 "
      "ORDER BY n LIMIT 1) "
      "SELECT w.n, c.heading, c.text, d.n, d.title FROM first "
      "JOIN mainstay.document d ON d.n = first.d "
      "JOIN mainstay.chunk_words w ON w.n >= first.d << 24 AND w.n < (first.d + 1) << 24 "
      "AND w.folding < 2 JOIN mainstay.chunk c ON c.n = w.n ORDER BY w.n LIMIT $1";
  return query;
}

Co<Result<bool>> PostgresDocuments::sweep(Deadline by) {
  Statement statement("sweep_documents", kSweep);
  statement.number(kChunksSlice).number(kDocumentsSlice);
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!rows.ok()) co_return rows.error();
  if (rows->truth(0, 0)) co_return true;
  co_return co_await index_anew(by);
}

/// Chunks of the first document that has old ones; false when there is none.
Co<Result<bool>> PostgresDocuments::index_anew(Deadline by) {
  Statement look("old_words", old_words_query().c_str());
  look.number(kChunksSlice);
  auto rows = co_await client_.ask(std::move(look), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  if (rows->size() == 0) co_return false;
  std::vector<std::int64_t> numbers;
  std::vector<Chunk> chunks;
  for (int row = 0; row < rows->size(); ++row) {
    numbers.push_back(rows->number(row, 0));
    chunks.push_back({rows->text(row, 2), 0, 0, rows->text(row, 1), {}});
  }
  std::string title = rows->text(0, 4);
  auto work = [chunks = std::move(chunks), title]() mutable -> Result<CutAnew> {
    return CutAnew{indexed_title(title), indexed(std::move(chunks))};
  };
  auto cut = co_await offload(clock_, cutters_, std::move(work), by);
  if (!cut.ok()) co_return cut.error();
  Statement put("index_anew", kIndexAnew);
  put.number(rows->number(0, 3)).bytes(std::move(title)).text(cut->title.words);
  put.numbers(numbers).numbers(cut->chunks.lengths).texts(cut->chunks.words);
  const SpelledWords& spelled = cut->chunks.spelled;
  put.texts(spelled.words).texts(spelled.stems).numbers(spelled.places).count(vocabulary_max_);
  auto done = co_await client_.ask(std::move(put), Repeat::write, by);
  if (!done.ok()) co_return done.error();
  co_return true;
}

}  // namespace mainstay::storage::postgres
