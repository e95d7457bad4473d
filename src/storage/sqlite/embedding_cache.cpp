// Statements of the embedding table. The sums stand in a row of their own, so that nothing is
// counted anew; use is known to the hour.
#include "storage/sqlite/embedding_cache.h"

#include <algorithm>
#include <cstring>

#include "storage/vector_math.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr Literal kFind{"SELECT n, floats, used FROM embedding WHERE key = ?"};
constexpr Literal kInsert{
    "INSERT INTO embedding (key, used, floats, content) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (key) DO NOTHING"};
constexpr Literal kTouch{"UPDATE embedding SET used = ? WHERE n = ?"};
constexpr Literal kSums{"SELECT entries, bytes FROM embedding_sum WHERE one = 1"};
constexpr Literal kAdd{
    "UPDATE embedding_sum SET entries = entries + ?, bytes = bytes + ? WHERE one = 1"};
constexpr Literal kOldest{"SELECT n FROM embedding ORDER BY used, n LIMIT ?"};
constexpr Literal kErase{"DELETE FROM embedding WHERE n = ? RETURNING length(floats)"};
constexpr Literal kContentsAfter{
    "SELECT n, content, used FROM embedding WHERE n > ? ORDER BY n LIMIT ?"};
/// Rows that go together when there are too many, and uses remembered until they are written down.
constexpr std::int64_t kEvict = 256;
constexpr std::size_t kTouchedMax = 4096;

struct Found {
  std::vector<std::optional<std::vector<float>>> values;
  std::vector<std::int64_t> used;  ///< rows whose hour of use is an older one
};

std::int64_t hour_of(WallTime at) {
  return std::chrono::duration_cast<std::chrono::hours>(at.time_since_epoch()).count();
}

std::string_view bytes_of(const EmbeddingKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

Found find_now(Connection& db, const std::vector<EmbeddingKey>& keys, std::int64_t hour) {
  Found out;
  out.values.resize(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Query query(db, kFind);
    query.bind_lasting(Blob{bytes_of(keys[i])});
    if (!query.step()) continue;
    const auto blob = query.blob(1);
    std::vector<float> values;
    if (!unpack_floats(blob, blob.size() / sizeof(float), values)) continue;
    out.values[i] = std::move(values);
    if (query.number(2) < hour) out.used.push_back(query.number(0));
  }
  return out;
}

struct Sums {
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
};

Sums sums_of(Connection& db) {
  Query query(db, kSums);
  if (!query.step()) return {};
  return {query.number(0), query.number(1)};
}

/// Gives what they were; those that are gone already are passed over.
Sums erase_rows(Connection& db, const std::vector<std::int64_t>& rows) {
  Sums gone;
  for (const auto row : rows) {
    Query erase(db, kErase);
    erase.bind(row);
    if (!erase.step()) continue;
    ++gone.entries;
    gone.bytes += erase.number(0);
    erase.finish();
  }
  return gone;
}

/// The least lately used go; gives what they were.
Sums evict(Connection& db) {
  std::vector<std::int64_t> rows;
  {
    Query oldest(db, kOldest);
    oldest.bind(kEvict);
    while (oldest.step()) rows.push_back(oldest.number(0));
  }
  return erase_rows(db, rows);
}

Status keep_now(Connection& db, const std::vector<KeptEmbedding>& embeddings,
                const std::vector<std::int64_t>& used, std::int64_t hour,
                const VectorLimits& limits) {
  for (const auto row : used) Query(db, kTouch).bind(hour, row).finish();
  Sums added;
  for (const auto& each : embeddings) {
    const std::string_view floats = storage::bytes_of(each.values);
    Query(db, kInsert)
        .bind_lasting(Blob{bytes_of(each.key)}, hour, Blob{floats}, each.content)
        .finish();
    if (db.changes() == 0) continue;
    ++added.entries;
    added.bytes += static_cast<std::int64_t>(floats.size());
  }
  Sums sums = sums_of(db);
  const auto above = [&] {
    return sums.entries + added.entries > static_cast<std::int64_t>(limits.cache_entries) ||
           sums.bytes + added.bytes > static_cast<std::int64_t>(limits.cache_bytes);
  };
  while (above()) {
    const Sums gone = evict(db);
    if (gone.entries == 0) break;
    added.entries -= gone.entries;
    added.bytes -= gone.bytes;
  }
  Query(db, kAdd).bind(added.entries, added.bytes).finish();
  return done();
}

}  // namespace

std::vector<std::string> embedding_queries() {
  return {kFind.text, kTouch.text, kSums.text, kAdd.text, kErase.text, kContentsAfter.text};
}

void SqliteEmbeddingCache::touch(std::vector<std::int64_t> used) {
  std::lock_guard lock(mutex_);
  const std::size_t room = kTouchedMax - std::min(kTouchedMax, touched_.size());
  used.resize(std::min(used.size(), room));
  touched_.insert(touched_.end(), used.begin(), used.end());
}

std::vector<std::int64_t> SqliteEmbeddingCache::touched() {
  std::lock_guard lock(mutex_);
  return std::exchange(touched_, {});
}

Co<Result<std::vector<std::optional<std::vector<float>>>>> SqliteEmbeddingCache::find(
    std::vector<EmbeddingKey> keys, Deadline by) {
  auto work = [keys = std::move(keys), hour = hour_of(clock_.wall())](
                  Connection& db) -> Result<Found> { return find_now(db, keys, hour); };
  auto found = co_await readers_.read("find_embeddings", std::move(work), by);
  if (!found.ok()) co_return found.error();
  touch(std::move(found->used));
  co_return std::move(found->values);
}

Co<Status> SqliteEmbeddingCache::keep(std::vector<KeptEmbedding> embeddings, Deadline by) {
  auto work = [embeddings = std::move(embeddings), used = touched(), hour = hour_of(clock_.wall()),
               limits = limits_](Connection& db) {
    return keep_now(db, embeddings, used, hour, limits);
  };
  co_return co_await writer_.write("keep_embeddings", std::move(work), by);
}

Co<Result<KeptContents>> SqliteEmbeddingCache::contents(std::int64_t after, WallTime since,
                                                        std::uint32_t limit, Deadline by) {
  auto work = [after, hour = hour_of(since), limit](Connection& db) -> Result<KeptContents> {
    KeptContents out;
    out.upto = after;
    std::uint32_t seen = 0;
    Query query(db, kContentsAfter);
    query.bind(after, limit);
    for (; query.step(); ++seen) {
      out.upto = query.number(0);
      if (query.number(1) == 0 || query.number(2) >= hour) continue;
      out.rows.push_back({query.number(0), query.number(1)});
    }
    out.last = seen < limit;
    return out;
  };
  co_return co_await readers_.read("embedding_contents", std::move(work), by);
}

Co<Status> SqliteEmbeddingCache::erase(std::vector<std::int64_t> rows, Deadline by) {
  auto work = [rows = std::move(rows)](Connection& db) -> Status {
    const Sums gone = erase_rows(db, rows);
    Query(db, kAdd).bind(-gone.entries, -gone.bytes).finish();
    return done();
  };
  co_return co_await writer_.write("erase_embeddings", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
