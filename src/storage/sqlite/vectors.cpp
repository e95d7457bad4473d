// Puts in slices, reads what is new before each search, scans on the readers' threads.
#include "storage/sqlite/vectors.h"

#include <algorithm>

namespace mainstay::storage::sqlite {
namespace {

/// One commit of a put: it must not hold up other writers for long.
constexpr std::size_t kPutRows = 1024;
constexpr std::size_t kPutBytes = 2U << 20;

PackedVector packed(NewVector vector) {
  to_unit_length(vector.values);
  std::string code = pack(encode(vector.values));
  return {vector.chunk, std::move(code), std::move(vector.values), vector.content};
}

/// One search on a reader's thread.
Result<Ranked> search_now(Connection& db, const VectorSearch& asked, const SpaceIndex& index,
                          const Clock& clock, Deadline by) {
  // The view first, then the first row read: what the view has was committed before.
  const auto view = index.view();
  const auto found = find_candidates(*view, asked, clock, by);
  if (!found) return vectors_too_late();
  return rank_rows(db, asked.queries, *found, asked.nearest);
}

}  // namespace

SqliteVectors::SqliteVectors(Writer& writer, Readers& readers, Clock& clock,
                             const VectorLimits& limits)
    : writer_(writer), readers_(readers), clock_(clock), indexes_(clock, limits) {}

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

Co<Result<std::uint64_t>> SqliteVectors::put(std::int64_t space, std::vector<NewVector> vectors,
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
  auto work = [this, rows = std::move(slice), space](Connection& db) {
    return put_rows(db, space, rows, next_number_);
  };
  auto put = co_await writer_.write("put_vectors", std::move(work), by);
  if (!put.ok()) co_return put.error();
  // Rows that a load has read meanwhile in spite of this are noticed by their floats.
  if (!put->replaced.empty()) index->remove(put->replaced);
  index->was_put();
  co_return put->stored;
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

/// Reads what was put since the last time. Who puts is this process alone.
Co<Status> SqliteVectors::refresh(Index index, std::int64_t space, Deadline by) {
  if (index->fresh()) co_return done();
  auto turn = co_await index->turn(by);
  if (!turn.ok()) co_return turn.error();
  if (index->fresh()) co_return done();
  const std::uint64_t puts = index->puts();
  if (index->full()) co_return vectors_do_not_fit();
  if (index->loaded_to() == 0) indexes_.loads.fetch_add(1, std::memory_order_relaxed);
  const std::size_t most = rows_of_load(index->dimension);
  for (bool anew = false;;) {
    auto work = [space, after = index->loaded_to(), most](Connection& db) {
      return load_rows(db, space, after, most);
    };
    auto slice = co_await readers_.read("load_vectors", std::move(work), by);
    if (!slice.ok()) {
      if (slice.error().code == Errc::not_found) indexes_.unload(space);
      co_return slice.error();
    }
    std::vector<IndexRow> fresh;
    fresh.reserve(slice->rows.size());
    for (const auto& row : slice->rows) {
      if (row.code.size() != packed_code_size(index->dimension)) continue;
      fresh.push_back({row.number, row.chunk, row.code});
    }
    if (!index->add(fresh, slice->upto)) co_return vectors_do_not_fit();
    if (!slice->last) continue;
    if (anew || !index->stale(slice->stored)) break;
    anew = true;
    index->start_over();
  }
  index->has_read(puts);
  co_return done();
}

Co<Result<std::vector<std::vector<VectorHit>>>> SqliteVectors::search(VectorSearch search,
                                                                      Deadline by) {
  auto index = co_await indexes_.of(*this, search, by);
  if (!index.ok()) co_return index.error();
  auto checked = check_search(search, (*index)->dimension);
  if (!checked.ok()) co_return checked.error();
  std::vector<std::vector<VectorHit>> none(search.queries.size());
  search.nearest = std::min(search.nearest, kNearestMax);
  if (!search.documents || search.nearest == 0 || search.queries.empty()) co_return none;
  indexes_.searches.fetch_add(1, std::memory_order_relaxed);
  for (auto& query : search.queries) to_unit_length(query);
  const auto asked = std::make_shared<const VectorSearch>(std::move(search));
  for (int tried = 1;; ++tried) {
    auto ready = co_await refresh(*index, (*index)->space.number, by);
    if (!ready.ok()) co_return ready.error();
    auto work = [asked, index = *index, &clock = clock_, by](Connection& db) {
      return search_now(db, *asked, *index, clock, by);
    };
    auto found = co_await readers_.read("search_vectors", std::move(work), by);
    if (!found.ok()) co_return found.error();
    const bool whole = found->lost.empty();
    if (!whole) (*index)->remove(found->lost);
    if (whole || tried == kSearchTries) co_return std::move(found->hits);
  }
}

Co<Result<std::vector<std::int64_t>>> SqliteVectors::contents_in_use(
    std::vector<std::int64_t> contents, Deadline by) {
  auto work = [contents =
                   std::move(contents)](Connection& db) -> Result<std::vector<std::int64_t>> {
    return contents_of_vectors(db, contents);
  };
  co_return co_await readers_.read("vector_contents", std::move(work), by);
}

Co<Status> SqliteVectors::drop(std::int64_t space, Deadline by) {
  std::optional<std::int64_t> after = -1;
  while (after) {
    auto work = [space, from = *after](Connection& db) { return drop_slice(db, space, from); };
    auto dropped = co_await writer_.write("drop_space", std::move(work), by);
    if (!dropped.ok()) co_return dropped.error();
    after = *dropped;
    indexes_.unload(space);
  }
  co_return done();
}

}  // namespace mainstay::storage::sqlite
