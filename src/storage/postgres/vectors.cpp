// Puts in slices, reads what is new before each search, scans on threads of its own.
#include "storage/postgres/vectors.h"

#include <algorithm>
#include <limits>

namespace mainstay::storage::postgres {
namespace {

/// One commit of a put: it must not hold up others for long.
constexpr std::size_t kPutRows = 512;
constexpr std::size_t kPutBytes = 2U << 20;
/// One answer of the floats.
constexpr std::size_t kRankBytes = 8U << 20;
/// Rows that one step of a removal takes.
constexpr std::int64_t kSlice = 2048;
/// Scans at once, and those that wait; each has a caller that waits, with a deadline.
constexpr std::size_t kScanThreads = 2;
constexpr std::size_t kScanQueue = 4096;

#define MAINSTAY_SPACE "SELECT n, model, dimension, state, vectors FROM mainstay.vector_space "
constexpr const char* kSpaces = MAINSTAY_SPACE "ORDER BY n";
#undef MAINSTAY_SPACE
constexpr const char* kMake =
    "INSERT INTO mainstay.vector_space AS s (model, dimension, state, vectors, numbers) "
    "VALUES ($1, $2, 0, 0, 0) ON CONFLICT (model, dimension) DO UPDATE "
    "SET state = CASE s.state WHEN 2 THEN 0 ELSE s.state END "
    "RETURNING n, model, dimension, state, vectors";
constexpr const char* kServe =
    "UPDATE mainstay.vector_space SET state = CASE n WHEN $1 THEN 1 ELSE 0 END "
    "WHERE (n = $1 OR state = 1) "
    "AND EXISTS (SELECT FROM mainstay.vector_space WHERE n = $1 AND state <> 2) RETURNING n";
constexpr const char* kPut = "SELECT mainstay.put_vectors($1, $2, $3, $4, $5)";
// Some chunks after the given one, those that lack a vector, with at most 4 MB of text but for the
// first.
constexpr const char* kMissing = R"sql(
WITH slice AS (SELECT n FROM mainstay.chunk WHERE n > $2 ORDER BY n OFFSET 8192 LIMIT 1)
SELECT EXISTS (SELECT FROM mainstay.vector_space WHERE n = $1 AND state <> 2),
  (SELECT n FROM slice), m.n, m.title, m.heading, m.text
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT c.n, d.title, c.heading, c.text,
    sum(octet_length(c.text)) OVER (ORDER BY c.n) - octet_length(c.text) AS before
  FROM mainstay.chunk c JOIN mainstay.document_shown d ON d.n = c.n >> 24
  WHERE c.n > $2 AND c.n <= coalesce((SELECT n FROM slice), 9223372036854775807)
    AND NOT EXISTS (SELECT FROM mainstay.chunk_vector v WHERE v.chunk = c.n AND v.space = $1)
  ORDER BY c.n LIMIT $3) m ON m.before < 4194304 ORDER BY m.n)sql";
// To make a vector costs a model's time or money: one process at a time is told what lacks one.
constexpr const char* kFill =
    "UPDATE mainstay.vector_space SET filler = $2, filling = clock_timestamp() + interval '1 "
    "minute' "
    "WHERE n = $1 AND (filler = $2 OR filling < clock_timestamp()) RETURNING n";
constexpr const char* kLoad = R"sql(
SELECT s.vectors, v.n, v.chunk, v.code FROM mainstay.vector_space s LEFT JOIN LATERAL (
  SELECT n, chunk, code FROM mainstay.chunk_vector WHERE space = $1 AND n > $2
  ORDER BY n LIMIT $3) v ON true WHERE s.n = $1 AND s.state <> 2 ORDER BY v.n)sql";
constexpr const char* kFloats =
    "SELECT n, floats FROM mainstay.chunk_vector WHERE space = $1 AND n = ANY ($2)";
// A lookup each: as a join it might read the whole table.
constexpr const char* kInUse =
    "SELECT c FROM unnest($1::bigint[]) c WHERE (SELECT true FROM mainstay.chunk_vector v "
    "WHERE v.content = c AND v.content <> 0 LIMIT 1)";
constexpr const char* kDrop = "SELECT mainstay.drop_space($1, $2)";
VectorSpace space_in(const Rows& rows, int row) {
  return VectorSpace{rows.number(row, 0), rows.text(row, 1),
                     static_cast<std::uint32_t>(rows.number(row, 2)),
                     static_cast<SpaceState>(rows.number(row, 3)), rows.count(row, 4)};
}

struct Packed {
  std::vector<std::int64_t> chunks;
  std::vector<std::string> codes;
  std::vector<std::string> floats;
  std::vector<std::int64_t> contents;
};

Packed packed(std::vector<NewVector> vectors) {
  Packed out;
  for (auto& vector : vectors) {
    to_unit_length(vector.values);
    out.chunks.push_back(vector.chunk);
    out.codes.push_back(pack(encode(vector.values)));
    out.floats.emplace_back(bytes_of(vector.values));
    out.contents.push_back(vector.content);
  }
  return out;
}

}  // namespace

/// One search on its way; shared with the threads that scan.
struct PostgresVectors::Scan {
  VectorSearch asked;
  std::shared_ptr<const IndexView> view;
  std::vector<std::vector<Candidate>> found;  ///< of each query
  Hits hits;
  std::vector<std::int64_t> lost;  ///< numbers of candidates that have no row any more

  Status look(const Clock& clock, Deadline by) {
    auto best = find_candidates(*view, asked, clock, by);
    if (!best) return vectors_too_late();
    found = std::move(*best);
    hits.assign(asked.queries.size(), {});
    return done();
  }

  /// Exact scores of the candidates of some queries.
  void score(const Rows& rows, std::size_t first, std::size_t count) {
    std::map<std::int64_t, int> row_of;
    for (int row = 0; row < rows.size(); ++row) row_of[rows.number(row, 0)] = row;
    std::vector<float> floats;
    for (std::size_t q = first; q < first + count; ++q) {
      const auto& query = asked.queries[q];
      for (const auto& candidate : found[q]) {
        const auto row = row_of.find(candidate.number);
        if (row == row_of.end() ||
            !unpack_floats(rows.view(row->second, 1), query.size(), floats)) {
          lost.push_back(candidate.number);
          continue;
        }
        hits[q].push_back({candidate.chunk, dot(query.data(), floats.data(), floats.size())});
      }
      keep_best(hits[q], asked.nearest);
    }
  }
};

std::vector<std::string> vector_queries() {
  return {kMissing, kLoad, kFloats, kInUse};
}

PostgresVectors::PostgresVectors(Client& client, Clock& clock, Random& random,
                                 const VectorLimits& limits)
    : client_(client),
      clock_(clock),
      own_name_(make_id("", clock, random)),
      indexes_(clock, limits),
      scanners_("vectors", kScanThreads, kScanQueue) {}

Co<Result<std::vector<VectorSpace>>> PostgresVectors::spaces(Deadline by) {
  auto rows = co_await client_.ask(Statement("vector_spaces", kSpaces), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<VectorSpace> out;
  for (int row = 0; row < rows->size(); ++row) out.push_back(space_in(*rows, row));
  co_return out;
}

Co<Result<VectorSpace>> PostgresVectors::make(std::string model, std::uint32_t dimension,
                                              Deadline by) {
  auto checked = check_dimension(dimension);
  if (!checked.ok()) co_return checked.error();
  Statement statement("make_space", kMake);
  statement.text(std::move(model)).number(dimension);
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!rows.ok()) co_return rows.error();
  co_return space_in(*rows, 0);
}

Co<Status> PostgresVectors::serve(std::int64_t space, Deadline by) {
  Statement statement("serve_space", kServe);
  statement.number(space);
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!rows.ok()) co_return rows.error();
  if (rows->size() == 0) co_return unknown_space();
  co_return done();
}

Co<Result<std::uint64_t>> PostgresVectors::put(std::int64_t space, std::vector<NewVector> vectors,
                                               Deadline by) {
  auto index = co_await indexes_.of(*this, space, by);
  if (!index.ok()) co_return index.error();
  const std::uint32_t dimension = (*index)->dimension;
  auto checked = check_put(vectors, dimension);
  if (!checked.ok()) co_return checked.error();
  const std::size_t row_bytes = dimension * (sizeof(float) + 1);
  const std::size_t rows = std::clamp<std::size_t>(kPutBytes / row_bytes, 1, kPutRows);
  std::uint64_t stored = 0;
  for (std::size_t at = 0; at < vectors.size(); at += rows) {
    const auto from = vectors.begin() + static_cast<std::ptrdiff_t>(at);
    const auto to = from + static_cast<std::ptrdiff_t>(std::min(rows, vectors.size() - at));
    std::vector<NewVector> slice(std::make_move_iterator(from), std::make_move_iterator(to));
    auto work = [slice = std::move(slice)]() mutable -> Result<Packed> {
      return packed(std::move(slice));
    };
    auto ready = co_await offload(clock_, scanners_, std::move(work), by);
    if (!ready.ok()) co_return ready.error();
    Statement statement("put_vectors", kPut);
    statement.number(space).numbers(ready->chunks);
    statement.byte_texts(ready->codes).byte_texts(ready->floats).numbers(ready->contents);
    auto put = co_await client_.ask(std::move(statement), Repeat::write, by);
    if (!put.ok()) co_return put.error();
    if (put->number(0, 0) < 0) {
      indexes_.unload(space);
      co_return unknown_space();
    }
    stored += put->count(0, 0);
  }
  co_return stored;
}

Co<Result<std::vector<ChunkToEmbed>>> PostgresVectors::missing(std::int64_t space,
                                                               std::int64_t after,
                                                               std::uint32_t limit, Deadline by) {
  std::vector<ChunkToEmbed> out;
  for (bool last = false; !last && out.empty();) {
    Statement statement("missing_vectors", kMissing);
    statement.number(space).number(after).number(std::min(limit, kMissingMax));
    auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
    if (!rows.ok()) co_return rows.error();
    if (!rows->truth(0, 0)) co_return unknown_space();
    last = rows->null(0, 1);
    after = rows->number(0, 1);
    for (int row = 0; row < rows->size() && !rows->null(row, 2); ++row) {
      out.push_back(
          {rows->number(row, 2), rows->text(row, 3), rows->text(row, 4), rows->text(row, 5)});
    }
  }
  if (out.empty()) co_return out;
  Statement statement("fill_space", kFill);
  statement.number(space).text(own_name_);
  auto mine = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!mine.ok()) co_return mine.error();
  if (mine->size() == 0) {
    co_return Error::log(Errc::unavailable, "another process makes the vectors of this space");
  }
  co_return out;
}

/// Reads what was put since the last time.
Co<Status> PostgresVectors::refresh(Index index, std::int64_t space, Deadline by) {
  auto turn = co_await index->turn(by);
  if (!turn.ok()) co_return turn.error();
  if (index->full()) co_return vectors_do_not_fit();
  if (index->loaded_to() == 0) indexes_.loads.fetch_add(1, std::memory_order_relaxed);
  const std::size_t most = rows_of_load(index->dimension);
  for (bool anew = false;;) {
    Statement statement("load_vectors", kLoad);
    statement.number(space).number(index->loaded_to()).count(most);
    auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
    if (!rows.ok()) co_return rows.error();
    if (rows->size() == 0) {
      indexes_.unload(space);
      co_return unknown_space();
    }
    std::vector<IndexRow> fresh;
    for (int row = 0; row < rows->size() && !rows->null(row, 1); ++row) {
      const auto code = rows->view(row, 3);
      if (code.size() != packed_code_size(index->dimension)) continue;
      fresh.push_back({rows->number(row, 1), rows->number(row, 2), code});
    }
    const std::int64_t upto = fresh.empty() ? index->loaded_to() : fresh.back().number;
    if (!index->add(fresh, upto)) co_return vectors_do_not_fit();
    if (static_cast<std::size_t>(rows->size()) == most) continue;
    if (anew || !index->stale(rows->count(0, 0))) co_return done();
    anew = true;
    index->start_over();
  }
}

/// Scores the candidates of queries [first, first + count) by their floats.
Co<Status> PostgresVectors::rank(std::shared_ptr<Scan> scan, std::size_t first, std::size_t count,
                                 Deadline by) {
  std::vector<std::int64_t> numbers;
  for (std::size_t q = first; q < first + count; ++q) {
    for (const auto& candidate : scan->found[q]) numbers.push_back(candidate.number);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.empty()) co_return done();
  Statement statement("search_vectors", kFloats);
  statement.number(scan->asked.space).numbers(numbers);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  auto work = [scan, rows = std::move(*rows), first, count]() -> Status {
    scan->score(rows, first, count);
    return done();
  };
  co_return co_await offload(clock_, scanners_, std::move(work), by);
}

Co<Result<std::vector<std::vector<VectorHit>>>> PostgresVectors::search(VectorSearch search,
                                                                        Deadline by) {
  auto index = co_await indexes_.of(*this, search, by);
  if (!index.ok()) co_return index.error();
  auto checked = check_search(search, (*index)->dimension);
  if (!checked.ok()) co_return checked.error();
  Hits none(search.queries.size());
  search.nearest = std::min(search.nearest, kNearestMax);
  if (!search.documents || search.nearest == 0 || search.queries.empty()) co_return none;
  indexes_.searches.fetch_add(1, std::memory_order_relaxed);
  for (auto& query : search.queries) to_unit_length(query);
  const std::size_t bytes = candidates_of(search.nearest) * (*index)->dimension * sizeof(float);
  const std::size_t together = std::max<std::size_t>(1, kRankBytes / bytes);
  auto scan = std::make_shared<Scan>();
  search.space = (*index)->space.number;
  scan->asked = std::move(search);
  for (int tried = 1;; ++tried) {
    auto ready = co_await refresh(*index, scan->asked.space, by);
    if (!ready.ok()) co_return ready.error();
    scan->view = (*index)->view();
    scan->lost.clear();
    auto work = [scan, &clock = clock_, by] { return scan->look(clock, by); };
    auto looked = co_await offload(clock_, scanners_, std::move(work), by);
    if (!looked.ok()) co_return looked.error();
    const std::size_t queries = scan->found.size();
    for (std::size_t first = 0; first < queries; first += together) {
      auto ranked = co_await rank(scan, first, std::min(together, queries - first), by);
      if (!ranked.ok()) co_return ranked.error();
    }
    if (scan->lost.empty()) co_return std::move(scan->hits);
    std::sort(scan->lost.begin(), scan->lost.end());
    (*index)->remove(scan->lost);
    if (tried == kSearchTries) co_return std::move(scan->hits);
  }
}

Co<Result<std::vector<std::int64_t>>> PostgresVectors::contents_in_use(
    std::vector<std::int64_t> contents, Deadline by) {
  Statement statement("vector_contents", kInUse);
  statement.numbers(contents);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<std::int64_t> out;
  for (int row = 0; row < rows->size(); ++row) out.push_back(rows->number(row, 0));
  co_return out;
}

Co<Status> PostgresVectors::drop(std::int64_t space, Deadline by) {
  for (std::int64_t left = 1; left > 0;) {
    Statement statement("drop_space", kDrop);
    statement.number(space).number(kSlice);
    auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
    if (!rows.ok()) co_return rows.error();
    indexes_.unload(space);
    left = rows->number(0, 0);
    if (left < 0) co_return unknown_space();
  }
  co_return done();
}

}  // namespace mainstay::storage::postgres
