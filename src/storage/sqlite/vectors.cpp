// Puts in slices, loads on demand, scans on the readers' threads.
#include "storage/sqlite/vectors.h"

#include <algorithm>

namespace mainstay::storage::sqlite {
namespace {

/// Candidates by code that are scored again by their floats (measured: 40 of 10 lose nothing).
constexpr std::size_t kRerankMin = 40;
constexpr std::size_t kRerankFactor = 4;
/// One commit of a put: it must not hold up other writers for long.
constexpr std::size_t kPutRows = 1024;
constexpr std::size_t kPutBytes = 2U << 20;
/// One read of a load.
constexpr std::size_t kLoadRows = 8192;
constexpr std::size_t kLoadBytes = 1U << 20;
/// A search that meets rows which went meanwhile begins again, so often.
constexpr int kTries = 3;

Error no_room() {
  return Error::say(Errc::unavailable, "vector_memory",
                    "The vectors do not fit into knowledge.vector_memory; search by words, or "
                    "raise it.");
}

Error out_of_time() {
  return Error::say(Errc::deadline, "read_timeout", "Reading the stored data took too long.");
}

PackedVector packed(NewVector vector) {
  to_unit_length(vector.values);
  return {vector.chunk, pack(encode(vector.values)), pack(vector.values)};
}

/// Ends the turn of a loader that is cancelled or fails.
class LoadTurn {
 public:
  explicit LoadTurn(SpaceIndex& index) : index_(index) {}
  ~LoadTurn() { index_.given_up(); }
  LoadTurn(const LoadTurn&) = delete;
  LoadTurn& operator=(const LoadTurn&) = delete;

 private:
  SpaceIndex& index_;
};

/// One search on a reader's thread.
Result<Ranked> search_now(Connection& db, const VectorSearch& asked, const SpaceIndex& index,
                          const Clock& clock, Deadline by) {
  // The view first, then the first row read: what the view has was committed before.
  const auto view = index.view();
  std::vector<ScanQuery> queries;
  queries.reserve(asked.queries.size());
  for (const auto& query : asked.queries) queries.emplace_back(query);
  const std::size_t keep = std::max<std::size_t>(kRerankMin, kRerankFactor * asked.nearest);
  const auto found = scan(*view, queries, *asked.documents, keep, best_kernel(), clock, by);
  if (!found) return out_of_time();
  return rank_rows(db, asked.queries, *found, asked.nearest);
}

}  // namespace

SqliteVectors::SqliteVectors(Writer& writer, Readers& readers, Clock& clock,
                             const VectorLimits& limits)
    : writer_(writer), readers_(readers), clock_(clock) {
  memory_.most = limits.memory;
}

Co<Result<std::vector<VectorSpace>>> SqliteVectors::spaces(Deadline by) {
  auto work = [](Connection& db) -> Result<std::vector<VectorSpace>> { return read_spaces(db); };
  co_return co_await readers_.read("vector_spaces", std::move(work), by);
}

Co<Result<VectorSpace>> SqliteVectors::make(std::string model, std::uint32_t dimension,
                                            Deadline by) {
  auto checked = check_dimension(dimension);
  if (!checked.ok()) co_return checked.error();
  auto work = [model = std::move(model), dimension](Connection& db) {
    return make_space(db, model, dimension);
  };
  co_return co_await writer_.write("make_space", std::move(work), by);
}

Co<Status> SqliteVectors::serve(std::int64_t space, Deadline by) {
  auto work = [space](Connection& db) { return serve_space(db, space); };
  co_return co_await writer_.write("serve_space", std::move(work), by);
}

Co<Result<SqliteVectors::Index>> SqliteVectors::index_of(std::int64_t space, Deadline by) {
  {
    std::lock_guard lock(mutex_);
    const auto known = indexes_.find(space);
    if (known != indexes_.end()) co_return known->second;
  }
  auto work = [space](Connection& db) -> Result<VectorSpace> {
    const auto found = read_space(db, space);
    if (!found || found->state == SpaceState::leaving) return unknown_space();
    return *found;
  };
  auto found = co_await readers_.read("vector_space", std::move(work), by);
  if (!found.ok()) co_return found.error();
  std::lock_guard lock(mutex_);
  Index& index = indexes_[space];
  if (!index) index = std::make_shared<SpaceIndex>(clock_, found->dimension, memory_);
  co_return index;
}

Co<Result<std::uint64_t>> SqliteVectors::put(std::int64_t space, std::vector<NewVector> vectors,
                                             Deadline by) {
  auto index = co_await index_of(space, by);
  if (!index.ok()) co_return index.error();
  const std::uint32_t dimension = (*index)->dimension;
  for (const auto& vector : vectors) {
    auto checked = check_vector(vector.values, dimension);
    if (!checked.ok()) co_return checked.error();
  }
  const std::size_t row_bytes = dimension * (sizeof(float) + 1);
  const std::size_t rows = std::clamp<std::size_t>(kPutBytes / row_bytes, 1, kPutRows);
  std::uint64_t stored = 0;
  for (std::size_t at = 0; at < vectors.size(); at += rows) {
    std::vector<PackedVector> slice;
    const std::size_t end = std::min(vectors.size(), at + rows);
    slice.reserve(end - at);
    for (std::size_t i = at; i < end; ++i) slice.push_back(packed(std::move(vectors[i])));
    auto put = co_await put_slice(*index, space, std::move(slice), by);
    if (!put.ok()) co_return put.error();
    stored += *put;
  }
  co_return stored;
}

Co<Result<std::uint64_t>> SqliteVectors::put_slice(Index index, std::int64_t space,
                                                   std::vector<PackedVector> slice, Deadline by) {
  // Told to the index by the writer's work itself would be too early: it is not committed yet.
  auto rows = std::make_shared<const std::vector<PackedVector>>(std::move(slice));
  auto work = [this, rows, space](Connection& db) {
    return put_rows(db, space, *rows, next_number_);
  };
  auto put = co_await writer_.write("put_vectors", std::move(work), by);
  if (!put.ok()) co_return put.error();
  std::vector<LoadedRows::Row> added;
  added.reserve(rows->size());
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const std::int64_t number = put->numbers[i];
    if (number != 0) added.push_back({number, (*rows)[i].chunk, (*rows)[i].code});
  }
  const std::uint64_t stored = added.size();
  index->apply(std::move(added), std::move(put->replaced));
  co_return stored;
}

Co<Result<std::vector<ChunkToEmbed>>> SqliteVectors::missing(std::int64_t space, std::int64_t after,
                                                             std::uint32_t limit, Deadline by) {
  const std::uint32_t most = std::min(limit, kMissingMax);
  std::vector<ChunkToEmbed> out;
  for (bool last = false; !last && out.empty();) {
    auto work = [space, after, most](Connection& db) {
      return missing_rows(db, space, after, most);
    };
    auto slice = co_await readers_.read("missing_vectors", std::move(work), by);
    if (!slice.ok()) co_return slice.error();
    out = std::move(slice->chunks);
    after = slice->upto;
    last = slice->last;
  }
  co_return out;
}

Co<Status> SqliteVectors::load(Index index, std::int64_t space, Deadline by) {
  const LoadTurn turn(*index);
  loads_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t rows =
      std::clamp<std::size_t>(kLoadBytes / (index->dimension + 64), 64, kLoadRows);
  for (bool last = false; !last;) {
    const std::int64_t after = index->loaded_to();
    auto work = [space, after, rows](Connection& db) -> Result<LoadedRows> {
      return load_rows(db, space, after, rows);
    };
    auto slice = co_await readers_.read("load_vectors", std::move(work), by);
    if (!slice.ok()) co_return slice.error();
    last = slice->last;
    if (!index->loaded(*slice)) co_return no_room();
  }
  co_return done();
}

Co<Status> SqliteVectors::make_ready(Index index, std::int64_t space, Deadline by) {
  for (;;) {
    const auto seen = index->changed.version();
    const auto turn = index->turn();
    if (turn == SpaceIndex::Turn::ready) co_return done();
    if (turn == SpaceIndex::Turn::full) co_return no_room();
    if (turn == SpaceIndex::Turn::load) {
      auto loaded = co_await load(index, space, by);
      if (!loaded.ok()) co_return loaded.error();
      continue;
    }
    auto woken = co_await index->changed.wait(seen, by);
    if (!woken) co_return out_of_time();
  }
}

Co<Result<std::vector<std::vector<VectorHit>>>> SqliteVectors::search(VectorSearch search,
                                                                      Deadline by) {
  auto index = co_await index_of(search.space, by);
  if (!index.ok()) co_return index.error();
  auto checked = check_search(search, (*index)->dimension);
  if (!checked.ok()) co_return checked.error();
  std::vector<std::vector<VectorHit>> none(search.queries.size());
  search.nearest = std::min(search.nearest, kNearestMax);
  if (!search.documents || search.nearest == 0 || search.queries.empty()) co_return none;
  auto ready = co_await make_ready(*index, search.space, by);
  if (!ready.ok()) co_return ready.error();
  searches_.fetch_add(1, std::memory_order_relaxed);
  for (auto& query : search.queries) to_unit_length(query);
  const auto asked = std::make_shared<const VectorSearch>(std::move(search));
  for (int tried = 1;; ++tried) {
    auto work = [asked, index = *index, &clock = clock_, by](Connection& db) {
      return search_now(db, *asked, *index, clock, by);
    };
    auto found = co_await readers_.read("search_vectors", std::move(work), by);
    if (!found.ok()) co_return found.error();
    const bool whole = found->lost.empty();
    if (!whole) (*index)->remove(std::move(found->lost));
    if (whole || tried == kTries) co_return std::move(found->hits);
  }
}

Co<Status> SqliteVectors::drop(std::int64_t space, Deadline by) {
  std::optional<std::int64_t> after = -1;
  while (after) {
    auto work = [space, from = *after](Connection& db) { return drop_slice(db, space, from); };
    auto dropped = co_await writer_.write("drop_space", std::move(work), by);
    if (!dropped.ok()) co_return dropped.error();
    after = *dropped;
    unload(space);
  }
  co_return done();
}

void SqliteVectors::unload(std::int64_t space) {
  std::lock_guard lock(mutex_);
  indexes_.erase(space);
}

Co<Status> SqliteVectors::forget(std::vector<std::int64_t> documents, Deadline by) {
  for (const auto document : documents) {
    for (bool more = true; more;) {
      auto work = [document](Connection& db) -> Result<bool> { return forget_slice(db, document); };
      auto gone = co_await writer_.write("forget_vectors", std::move(work), by);
      if (!gone.ok()) co_return gone.error();
      more = *gone;
    }
  }
  std::sort(documents.begin(), documents.end());
  documents.erase(std::unique(documents.begin(), documents.end()), documents.end());
  const DocumentSet set(std::move(documents));
  std::lock_guard lock(mutex_);
  for (auto& [space, index] : indexes_) index->remove(set);
  co_return done();
}

VectorFigures SqliteVectors::figures() const {
  VectorFigures out;
  out.memory = memory_.used.load();
  out.memory_max = memory_.most;
  out.searches = searches_.load(std::memory_order_relaxed);
  out.loads = loads_.load(std::memory_order_relaxed);
  out.kernel = best_kernel().name;
  std::lock_guard lock(mutex_);
  for (const auto& [space, index] : indexes_) {
    const auto figures = index->figures();
    out.rows += figures.rows;
    out.dead += figures.dead;
  }
  return out;
}

}  // namespace mainstay::storage::sqlite
