// Reading documents, chunks and collections; and whether others have changed them.
#include <limits>

#include "storage/document_rules.h"
#include "storage/postgres/document_rows.h"
#include "storage/postgres/documents.h"

namespace mainstay::storage::postgres {
namespace {

/// How often a process looks whether another one has changed documents, and how long after a look
/// it takes nothing for unchanged any more.
constexpr std::chrono::milliseconds kWatchEvery{1'000};
constexpr std::chrono::milliseconds kWatchAgain{5'000};  ///< after a look that failed
constexpr std::chrono::milliseconds kWatchHolds{2'500};

constexpr const char* kGet = "SELECT '', true, " MAINSTAY_DOCUMENT_COLUMNS
                             " FROM mainstay.document_shown s WHERE s.id = $1 AND s.tenant = $2";

constexpr const char* kList = R"sql(
WITH place AS (SELECT n FROM mainstay.document_shown WHERE id = $3 AND tenant = $1),
at AS (SELECT CASE $3 WHEN '' THEN 9223372036854775807
  ELSE coalesce((SELECT n FROM place), nullif($4::bigint, 0)) END AS n)
SELECT '', (SELECT n FROM at) IS NOT NULL, )sql" MAINSTAY_DOCUMENT_COLUMNS R"sql(
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT * FROM mainstay.document_shown
  WHERE tenant = $1 AND state = 0 AND n < (SELECT n FROM at)
  ORDER BY n DESC LIMIT $2) s ON true ORDER BY s.n DESC)sql";

constexpr const char* kListOf = R"sql(
WITH place AS (SELECT n FROM mainstay.document_shown WHERE id = $3 AND tenant = $1),
at AS (SELECT CASE $3 WHEN '' THEN 9223372036854775807
  ELSE coalesce((SELECT n FROM place), nullif($4::bigint, 0)) END AS n)
SELECT '', (SELECT n FROM at) IS NOT NULL, )sql" MAINSTAY_DOCUMENT_COLUMNS R"sql(
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT * FROM mainstay.document_shown
  WHERE collection_n = (SELECT n FROM mainstay.collection WHERE tenant = $1 AND name = $5)
    AND state = 0 AND n < (SELECT n FROM at)
  ORDER BY n DESC LIMIT $2) s ON true ORDER BY s.n DESC)sql";

// Upkeep abandons what is old and has no job here. Another process's jobs are unknown to it where
// they are not shared, so an ingest that goes on is never old.
constexpr const char* kIngesting =
    "SELECT '', true, " MAINSTAY_DOCUMENT_COLUMNS
    ", s.tenant FROM mainstay.document_shown s WHERE s.state = 1 AND s.touched < $1 "
    "ORDER BY s.touched, s.n LIMIT $2";

constexpr const char* kChunks = R"sql(
WITH d AS (SELECT n FROM mainstay.document_shown WHERE id = $1 AND tenant = $2 AND state = 0)
SELECT EXISTS (SELECT FROM d), c.text, c.begin_at, c.end_at, c.heading, c.page
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT * FROM mainstay.chunk WHERE n >= ((SELECT n FROM d) << 24) + $3
    AND n < ((SELECT n FROM d) + 1) << 24 ORDER BY n LIMIT $4) c ON true ORDER BY c.n)sql";

constexpr const char* kThumbnail =
    "SELECT d.thumbnail FROM mainstay.document d JOIN mainstay.collection c ON c.n = d.collection "
    "WHERE d.id = $1 AND d.tenant = $2 AND d.state = 0 AND c.name IS NOT NULL";

constexpr const char* kCollections = R"sql(
SELECT c.name, c.documents, c.chunks, c.bytes, (SELECT d.created FROM mainstay.document d
  WHERE d.collection = c.n AND d.state = 0 ORDER BY d.created DESC LIMIT 1)
FROM mainstay.collection c WHERE c.tenant = $1 AND c.name IS NOT NULL ORDER BY c.name)sql";

constexpr const char* kPassages = R"sql(
SELECT c.n, d.id, o.name, d.title, d.source, c.heading, c.begin_at, c.end_at, c.text, c.page,
  0::float8
FROM unnest($2::bigint[]) WITH ORDINALITY AS a (n, at) JOIN mainstay.chunk c ON c.n = a.n
JOIN mainstay.document d ON d.n = a.n >> 24 JOIN mainstay.collection o ON o.n = d.collection
WHERE d.tenant = $1 AND d.state = 0 AND o.name IS NOT NULL ORDER BY a.at)sql";

constexpr const char* kVisible =
    "SELECT d.n FROM mainstay.document d JOIN mainstay.collection c ON c.n = d.collection "
    "WHERE " MAINSTAY_DOCUMENT_FILTER "ORDER BY d.n";

constexpr const char* kChanges =
    "SELECT coalesce(sum(changes), 0)::bigint, count(*), coalesce(max(n), 0) "
    "FROM mainstay.collection";

constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();

}  // namespace

void put_filter(Statement& out, const TenantId& tenant, const DocumentFilter& filter) {
  out.text(tenant.text()).bytes(filter.collection ? filter.collection->text() : "");
  out.byte_texts(filter.tags);
  out.number(filter.created_from ? micros(*filter.created_from) : -kEver);
  out.number(filter.created_to ? micros(*filter.created_to) : kEver);
  out.text(filter.document ? filter.document->text() : "");
}

std::vector<Passage> passages_in(const Rows& rows) {
  std::vector<Passage> out;
  for (int row = 0; row < rows.size(); ++row) {
    Passage each;
    each.number = rows.number(row, 0);
    each.document = DocumentId(rows.text(row, 1));
    each.collection = CollectionName(rows.text(row, 2));
    each.title = rows.text(row, 3);
    each.source = rows.text(row, 4);
    each.heading = rows.text(row, 5);
    each.begin = rows.count(row, 6);
    each.end = rows.count(row, 7);
    each.text = rows.text(row, 8);
    if (rows.number(row, 9) > 0) each.page = static_cast<std::uint32_t>(rows.number(row, 9));
    each.score = rows.real(row, 10);
    out.push_back(std::move(each));
  }
  return out;
}

std::vector<std::string> document_queries() {
  return {kGet, kList, kListOf, kIngesting, kChunks, kThumbnail, kCollections, kPassages, kVisible};
}

Co<Result<DocumentInfo>> PostgresDocuments::get(TenantId tenant, DocumentId id, Deadline by) {
  Statement statement("get_document", kGet);
  statement.text(id.text()).text(tenant.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  if (rows->size() == 0) co_return unknown_document();
  co_return info_in(*rows, 0);
}

Co<Result<PageOfDocuments>> PostgresDocuments::list(TenantId tenant,
                                                    std::optional<CollectionName> collection,
                                                    DocumentId after, std::uint32_t limit,
                                                    Deadline by) {
  Statement statement("list_documents", collection ? kListOf : kList);
  statement.text(tenant.text()).number(std::int64_t{limit} + 1).text(after.text());
  statement.number(gone_.find(Owner{tenant, {}}, after.text()).value_or(0));
  if (collection) statement.bytes(collection->text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  if (!rows->truth(0, 1)) co_return unknown_document();
  PageOfDocuments out;
  for (int row = 0; row < rows->size() && !rows->null(row, 2); ++row) {
    out.more = out.items.size() == limit;
    if (!out.more) out.items.push_back(info_in(*rows, row));
  }
  co_return out;
}

Co<Result<std::vector<Documents::Unfinished>>> PostgresDocuments::ingesting(WallTime before,
                                                                            std::uint32_t limit,
                                                                            Deadline by) {
  Statement statement("list_ingesting", kIngesting);
  statement.number(micros(before)).number(limit);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<Unfinished> out;
  for (int row = 0; row < rows->size(); ++row) {
    out.push_back({TenantId(rows->text(row, kCheckpointColumn + 1)), info_in(*rows, row)});
  }
  co_return out;
}

Co<Result<std::vector<Chunk>>> PostgresDocuments::chunks(TenantId tenant, DocumentId id,
                                                         std::uint64_t from, std::uint32_t limit,
                                                         Deadline by) {
  Statement statement("chunks", kChunks);
  statement.text(id.text()).text(tenant.text());
  statement.count(std::min(from, kChunksMax)).number(limit);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  if (!rows->truth(0, 0)) co_return unknown_document();
  std::vector<Chunk> out;
  for (int row = 0; row < rows->size() && !rows->null(row, 1); ++row) {
    Chunk chunk{
        rows->text(row, 1), rows->count(row, 2), rows->count(row, 3), rows->text(row, 4), {}};
    if (rows->number(row, 5) > 0) chunk.page = static_cast<std::uint32_t>(rows->number(row, 5));
    out.push_back(std::move(chunk));
  }
  co_return out;
}

Co<Result<std::string>> PostgresDocuments::thumbnail(TenantId tenant, DocumentId id, Deadline by) {
  Statement statement("thumbnail", kThumbnail);
  statement.text(id.text()).text(tenant.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  if (rows->size() == 0) co_return unknown_document();
  co_return rows->text(0, 0);
}

Co<Result<std::vector<CollectionInfo>>> PostgresDocuments::collections(TenantId tenant,
                                                                       Deadline by) {
  Statement statement("list_collections", kCollections);
  statement.text(tenant.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<CollectionInfo> out;
  for (int row = 0; row < rows->size(); ++row) {
    CollectionInfo each;
    each.name = CollectionName(rows->text(row, 0));
    each.documents = rows->count(row, 1);
    each.chunks = rows->count(row, 2);
    each.size = Bytes{rows->count(row, 3)};
    if (each.documents > 0) each.newest = wall_from_micros(rows->number(row, 4));
    out.push_back(std::move(each));
  }
  co_return out;
}

Co<Result<std::vector<Passage>>> PostgresDocuments::passages(TenantId tenant,
                                                             std::vector<std::int64_t> numbers,
                                                             Deadline by) {
  if (numbers.size() > kPassagesMax) numbers.resize(kPassagesMax);
  Statement statement("passages", kPassages);
  statement.text(tenant.text()).numbers(numbers);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  co_return passages_in(*rows);
}

Co<Result<std::vector<std::int64_t>>> PostgresDocuments::visible(TenantId tenant,
                                                                 DocumentFilter filter,
                                                                 Deadline by) {
  tidy(filter.tags);
  Statement statement("visible", kVisible);
  put_filter(statement, tenant, filter);
  auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!rows.ok()) co_return rows.error();
  std::vector<std::int64_t> out;
  out.reserve(static_cast<std::size_t>(rows->size()));
  for (int row = 0; row < rows->size(); ++row) out.push_back(rows->number(row, 0));
  co_return out;
}

/// As long as nothing is known about others, everything may have changed.
std::uint64_t PostgresDocuments::version() const noexcept {
  if (!watching_.exchange(true)) {
    try {
      client_.spawn("postgres documents", watch());
    } catch (const std::exception&) {
      watching_ = false;
    }
  }
  const Duration since = clock_.now().time_since_epoch() - Duration(watched_at_.load());
  if (since > kWatchHolds) changed();
  return version_.load(std::memory_order_acquire);
}

Co<> PostgresDocuments::watch() const {
  std::vector<std::int64_t> last;
  for (;;) {
    const TimePoint began = clock_.now();
    Statement statement("document_changes", kChanges);
    const Deadline by = Deadline::in(clock_, kWatchAgain);
    auto rows = co_await client_.ask(std::move(statement), Repeat::read, by);
    if (rows.ok()) {
      std::vector<std::int64_t> now{rows->number(0, 0), rows->number(0, 1), rows->number(0, 2)};
      if (now != last) changed();
      last = std::move(now);
      watched_at_ = Duration(began.time_since_epoch()).count();
    }
    const Duration pause = rows.ok() ? kWatchEvery : kWatchAgain;
    auto slept = co_await sleep(clock_, pause);
    if (!slept) co_return;
  }
}

}  // namespace mainstay::storage::postgres
