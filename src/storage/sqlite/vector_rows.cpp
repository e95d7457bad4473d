// The statements themselves.
#include "storage/sqlite/vector_rows.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "storage/space_index.h"

namespace mainstay::storage::sqlite {
namespace {

static_assert(kChunkBits == 24, "kMissing has it");

constexpr int kBuilding = static_cast<int>(SpaceState::building);
constexpr int kServing = static_cast<int>(SpaceState::serving);
constexpr int kLeaving = static_cast<int>(SpaceState::leaving);
/// Rows that one step of a removal takes: a few milliseconds of the writer.
constexpr std::int64_t kSlice = 512;
/// Chunks that one read looks through for those without a vector: some ten milliseconds.
constexpr std::int64_t kMissingSlice = 8192;
/// Text that one answer of missing_rows holds at most, but for its last row.
constexpr std::size_t kMissingBytes = 4U << 20;

#define MAINSTAY_SPACE "SELECT n, model, dimension, state, vectors FROM vector_space "
constexpr Literal kSpaces{MAINSTAY_SPACE "ORDER BY n"};
constexpr Literal kSpace{MAINSTAY_SPACE "WHERE n = ?"};
constexpr Literal kSame{MAINSTAY_SPACE "WHERE model = ? AND dimension = ?"};
#undef MAINSTAY_SPACE
constexpr Literal kAlive{"SELECT 1 FROM chunk WHERE n = ?"};
constexpr Literal kAllAlive{"SELECT count(*) FROM chunk WHERE n BETWEEN ? AND ?"};
constexpr Literal kOlder{"SELECT n FROM vector WHERE chunk = ? AND space = ?"};
constexpr Literal kErase{"DELETE FROM vector WHERE n = ?"};
constexpr Literal kInsert{
    "INSERT INTO vector (n, chunk, space, code, content) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (chunk, space) DO NOTHING"};
constexpr Literal kInsertFloats{"INSERT INTO vector_floats (n, floats) VALUES (?, ?)"};
constexpr Literal kCount{"UPDATE vector_space SET vectors = vectors + ? WHERE n = ?"};
constexpr Literal kSliceEnd{"SELECT n FROM chunk WHERE n > ? ORDER BY n LIMIT 1 OFFSET ?"};
constexpr Literal kMissing{
    "SELECT chunk.n, document.title, chunk.heading, chunk.text FROM chunk "
    "JOIN document ON document.n = (chunk.n >> 24) "
    "WHERE chunk.n > ?1 AND chunk.n <= ?4 AND document.state <> 2 AND NOT EXISTS "
    "(SELECT 1 FROM vector WHERE vector.chunk = chunk.n AND vector.space = ?2) "
    "ORDER BY chunk.n LIMIT ?3"};
constexpr Literal kLoad{"SELECT n, chunk, code, space FROM vector WHERE n > ? ORDER BY n LIMIT ?"};
constexpr Literal kHighest{"SELECT max(n) FROM vector"};
constexpr Literal kFloats{"SELECT floats FROM vector_floats WHERE n = ?"};
constexpr Literal kInUse{"SELECT 1 FROM vector WHERE content = ? AND content <> 0 LIMIT 1"};
constexpr Literal kOfSpace{
    "SELECT n, chunk FROM vector WHERE chunk > ? AND space = ? ORDER BY chunk LIMIT ?"};

VectorSpace space_of(Query& row) {
  VectorSpace out;
  out.number = row.number(0);
  out.model = row.text(1);
  out.dimension = static_cast<std::uint32_t>(row.number(2));
  out.state = static_cast<SpaceState>(row.number(3));
  out.vectors = row.count(4);
  return out;
}

bool alive(Connection& db, std::int64_t chunk) {
  Query query(db, kAlive);
  query.bind(chunk);
  return query.step();
}

/// Whether these are chunks one after the other that are all there: the usual case, which one walk
/// answers.
bool all_alive(Connection& db, const std::vector<PackedVector>& vectors) {
  for (std::size_t i = 1; i < vectors.size(); ++i) {
    if (vectors[i].chunk != vectors[i - 1].chunk + 1) return false;
  }
  if (vectors.empty()) return true;
  Query query(db, kAllAlive);
  query.bind(vectors.front().chunk, vectors.back().chunk);
  return query.step() && query.count(0) == vectors.size();
}

std::optional<std::int64_t> older(Connection& db, std::int64_t chunk, std::int64_t space) {
  Query query(db, kOlder);
  query.bind(chunk, space);
  if (!query.step()) return std::nullopt;
  return query.number(0);
}

/// False: the chunk has a vector in this space.
bool insert_code(Connection& db, std::int64_t number, std::int64_t space,
                 const PackedVector& vector) {
  Query(db, kInsert)
      .bind_lasting(number, vector.chunk, space, Blob{vector.code}, vector.content)
      .finish();
  return db.changes() > 0;
}

std::int64_t highest(Connection& db) {
  Query query(db, kHighest);
  return query.step() ? query.number(0) : 0;
}

/// Tells, of candidates that come best first by their codes, when those left cannot be among the
/// nearest any more: by as much as codes and floats were apart so far, four times over.
class Settled {
 public:
  explicit Settled(std::size_t nearest) : nearest_(nearest) {}
  void add(float by_code, float by_floats) {
    error_ = std::max(error_, std::abs(by_code - by_floats));
    best_.push_back(by_floats);
    std::push_heap(best_.begin(), best_.end(), std::greater<>());
    if (best_.size() > nearest_) {
      std::pop_heap(best_.begin(), best_.end(), std::greater<>());
      best_.pop_back();
    }
    ++seen_;
  }
  bool before(float by_code) const {
    if (seen_ < std::max(nearest_, kFew)) return false;
    return by_code + kTimes * error_ < best_.front();
  }

 private:
  static constexpr std::size_t kFew = 10;
  static constexpr float kTimes = 4;
  const std::size_t nearest_;
  std::size_t seen_ = 0;
  float error_ = 0;
  std::vector<float> best_;  ///< a heap of as many as are asked for, the worst in front
};

}  // namespace

std::vector<VectorSpace> read_spaces(Connection& db) {
  std::vector<VectorSpace> out;
  Query query(db, kSpaces);
  while (query.step()) out.push_back(space_of(query));
  return out;
}

std::optional<VectorSpace> read_space(Connection& db, std::int64_t space) {
  Query query(db, kSpace);
  query.bind(space);
  if (!query.step()) return std::nullopt;
  return space_of(query);
}

Result<VectorSpace> make_space(Connection& db, const std::string& model, std::uint32_t dimension) {
  std::optional<VectorSpace> found;
  {
    Query same(db, kSame);
    same.bind(model, dimension);
    if (same.step()) found = space_of(same);
  }
  if (found && found->state != SpaceState::leaving) return *found;
  if (found) {
    Query(db, "UPDATE vector_space SET state = ? WHERE n = ?")
        .bind(kBuilding, found->number)
        .finish();
    found->state = SpaceState::building;
    return *found;
  }
  Query(db, "INSERT INTO vector_space (model, dimension, state, vectors) VALUES (?, ?, ?, 0)")
      .bind(model, dimension, kBuilding)
      .finish();
  return VectorSpace{db.last_rowid(), model, dimension, SpaceState::building, 0};
}

Status serve_space(Connection& db, std::int64_t space) {
  const auto found = read_space(db, space);
  if (!found || found->state == SpaceState::leaving) return unknown_space();
  Query(db, "UPDATE vector_space SET state = ? WHERE state = ? AND n <> ?")
      .bind(kBuilding, kServing, space)
      .finish();
  Query(db, "UPDATE vector_space SET state = ? WHERE n = ?").bind(kServing, space).finish();
  return done();
}

Result<PutRows> put_rows(Connection& db, std::int64_t space,
                         const std::vector<PackedVector>& vectors, std::int64_t& next_number) {
  const auto found = read_space(db, space);
  if (!found || found->state == SpaceState::leaving) return unknown_space();
  if (next_number == 0) next_number = highest(db) + 1;
  PutRows out;
  const bool all = all_alive(db, vectors);
  for (const auto& vector : vectors) {
    if (!all && !alive(db, vector.chunk)) continue;
    const std::int64_t number = next_number++;
    if (!insert_code(db, number, space, vector)) {
      const auto old = older(db, vector.chunk, space);
      if (old) {
        Query(db, kErase).bind(*old).finish();
        out.replaced.push_back(*old);
      }
      insert_code(db, number, space, vector);
    }
    Query(db, kInsertFloats).bind_lasting(number, Blob{bytes_of(vector.floats)}).finish();
    ++out.stored;
  }
  Query(db, kCount).bind(static_cast<std::int64_t>(out.stored), space).finish();
  std::sort(out.replaced.begin(), out.replaced.end());
  return out;
}

Result<MissingRows> missing_rows(Connection& db, std::int64_t space, std::int64_t after,
                                 std::uint32_t limit) {
  const auto found = read_space(db, space);
  if (!found || found->state == SpaceState::leaving) return unknown_space();
  MissingRows out;
  {
    Query slice(db, kSliceEnd);
    slice.bind(after, kMissingSlice);
    out.upto = slice.step() ? slice.number(0) : std::numeric_limits<std::int64_t>::max();
    out.last = out.upto == std::numeric_limits<std::int64_t>::max();
  }
  std::size_t bytes = 0;
  Query query(db, kMissing);
  query.bind(after, space, limit, out.upto);
  while (query.step()) {
    if (bytes >= kMissingBytes) {
      out.last = false;
      out.upto = out.chunks.back().chunk;
      break;
    }
    out.chunks.push_back({query.number(0), query.text(1), query.text(2), query.text(3)});
    const ChunkToEmbed& chunk = out.chunks.back();
    bytes += chunk.title.size() + chunk.heading.size() + chunk.text.size();
  }
  return out;
}

Result<LoadedRows> load_rows(Connection& db, std::int64_t space, std::int64_t after,
                             std::size_t limit) {
  const auto found = read_space(db, space);
  if (!found || found->state == SpaceState::leaving) return unknown_space();
  LoadedRows out;
  out.stored = found->vectors;
  out.upto = after;
  std::size_t seen = 0;
  Query query(db, kLoad);
  query.bind(after, limit);
  while (query.step()) {
    ++seen;
    out.upto = query.number(0);
    if (query.number(3) != space) continue;
    out.rows.push_back({query.number(0), query.number(1), std::string(query.blob(2))});
  }
  out.last = seen < limit;
  return out;
}

Ranked rank_rows(Connection& db, const std::vector<std::vector<float>>& queries,
                 const std::vector<std::vector<Candidate>>& candidates, std::uint32_t nearest) {
  Ranked out;
  std::vector<float> floats;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::vector<VectorHit> hits;
    Settled settled(nearest);
    for (const auto& candidate : candidates[q]) {
      if (settled.before(candidate.score)) break;
      Query query(db, kFloats);
      query.bind(candidate.number);
      if (!query.step() || !unpack_floats(query.blob(0), queries[q].size(), floats)) {
        out.lost.push_back(candidate.number);
        continue;
      }
      const float score = dot(queries[q].data(), floats.data(), floats.size());
      settled.add(candidate.score, score);
      hits.push_back({candidate.chunk, score});
    }
    keep_best(hits, nearest);
    out.hits.push_back(std::move(hits));
  }
  std::sort(out.lost.begin(), out.lost.end());
  return out;
}

std::vector<std::int64_t> contents_of_vectors(Connection& db,
                                              const std::vector<std::int64_t>& contents) {
  std::vector<std::int64_t> out;
  for (const auto content : contents) {
    Query query(db, kInUse);
    query.bind(content);
    if (query.step()) out.push_back(content);
  }
  return out;
}

Result<std::optional<std::int64_t>> drop_slice(Connection& db, std::int64_t space,
                                               std::int64_t after) {
  if (!read_space(db, space)) return unknown_space();
  Query(db, "UPDATE vector_space SET state = ? WHERE n = ?").bind(kLeaving, space).finish();
  std::vector<std::int64_t> numbers;
  {
    Query query(db, kOfSpace);
    query.bind(after, space, kSlice);
    while (query.step()) {
      numbers.push_back(query.number(0));
      after = query.number(1);
    }
  }
  for (const auto number : numbers) Query(db, kErase).bind(number).finish();
  if (!numbers.empty()) return std::optional<std::int64_t>(after);
  Query(db, "DELETE FROM vector_space WHERE n = ?").bind(space).finish();
  return std::optional<std::int64_t>();
}

std::vector<std::string> vector_queries() {
  return {kSpace.text,  kSame.text,    kAlive.text,   kAllAlive.text, kSliceEnd.text,
          kOlder.text,  kErase.text,   kMissing.text, kLoad.text,     kHighest.text,
          kFloats.text, kOfSpace.text, kInUse.text};
}

}  // namespace mainstay::storage::sqlite
