// The queries of documents: one function for each verb, run on the writer or on a reader.
#include "storage/sqlite/documents.h"

#include "storage/words.h"

namespace mainstay::storage::sqlite {
namespace {

/// A wide OR is what makes a search slow (measured: 9 to 775 ms over 1.5 million chunks).
constexpr std::size_t kSearchWordsMax = 24;

#define MAINSTAY_DOCUMENT_COLUMNS                                                            \
  "SELECT id, collection, title, source, media_type, sha256, size, chunks, created, n FROM " \
  "document "
constexpr const char* kGet = MAINSTAY_DOCUMENT_COLUMNS "WHERE id = ? AND tenant = ?";
constexpr const char* kSame =
    MAINSTAY_DOCUMENT_COLUMNS "WHERE tenant = ? AND collection = ? AND sha256 = ?";
constexpr const char* kListAll =
    MAINSTAY_DOCUMENT_COLUMNS "WHERE tenant = ? AND n < ? ORDER BY n DESC LIMIT ?";
constexpr const char* kListOne = MAINSTAY_DOCUMENT_COLUMNS
    "WHERE tenant = ? AND collection = ? AND n < ? ORDER BY n DESC LIMIT ?";
#undef MAINSTAY_DOCUMENT_COLUMNS
constexpr const char* kFind = "SELECT n FROM document WHERE id = ? AND tenant = ?";
constexpr const char* kSameSource =
    "SELECT n FROM document WHERE tenant = ? AND collection = ? AND source = ?";
constexpr const char* kChunks =
    "SELECT text, begin_at, end_at, heading FROM chunk WHERE document = ? AND seq >= ? "
    "ORDER BY seq LIMIT ?";
constexpr const char* kUnindex =
    "INSERT INTO words (words, rowid, title, heading, text) "
    "SELECT 'delete', chunk.n, document.title, chunk.heading, chunk.text "
    "FROM document JOIN chunk ON chunk.document = document.n WHERE document.n = ?";
constexpr const char* kEraseChunks = "DELETE FROM chunk WHERE document = ?";
constexpr const char* kErase = "DELETE FROM document WHERE n = ?";
#define MAINSTAY_SEARCH                                                                       \
  "SELECT document.id, document.collection, document.title, document.source, chunk.heading, " \
  "chunk.begin_at, chunk.end_at, chunk.text, words.rank FROM words "                          \
  "JOIN chunk ON chunk.n = words.rowid JOIN document ON document.n = chunk.document "         \
  "WHERE words MATCH ? AND document.tenant = ? "
constexpr const char* kSearchAll = MAINSTAY_SEARCH "ORDER BY words.rank LIMIT ?";
constexpr const char* kSearchOne =
    MAINSTAY_SEARCH "AND document.collection = ? ORDER BY words.rank LIMIT ?";
#undef MAINSTAY_SEARCH

Error unknown() {
  return Error::say(Errc::not_found, "unknown_document", "There is no such document.", "document");
}

DocumentInfo info_of(Query& row) {
  return DocumentInfo{DocumentId(row.text(0)),
                      CollectionName(row.text(1)),
                      row.text(2),
                      row.text(3),
                      row.text(4),
                      row.text(5),
                      Bytes{row.count(6)},
                      row.count(7),
                      wall_from_micros(row.number(8))};
}

/// The row number; not_found for another tenant's.
Result<std::int64_t> find(Connection& db, const TenantId& tenant, const DocumentId& id) {
  Query query(db, kFind);
  query.bind(id.text(), tenant.text());
  if (!query.step()) return unknown();
  return query.number(0);
}

void erase_rows(Connection& db, std::int64_t n) {
  Query(db, kUnindex).bind(n).finish();
  Query(db, kEraseChunks).bind(n).finish();
  Query(db, kErase).bind(n).finish();
}

void insert_rows(Connection& db, const TenantId& tenant, const NewDocument& document,
                 const DocumentInfo& info) {
  Query(db,
        "INSERT INTO document (id, tenant, collection, title, source, media_type, sha256, size, "
        "chunks, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(info.id.text(), tenant.text(), info.collection.text(), info.title, info.source,
            info.media_type, info.sha256, info.size.value, info.chunks, micros(info.created))
      .finish();
  const std::int64_t n = db.last_rowid();
  std::int64_t seq = 0;
  for (const auto& chunk : document.chunks) {
    Query(db,
          "INSERT INTO chunk (document, seq, begin_at, end_at, heading, text) "
          "VALUES (?, ?, ?, ?, ?, ?)")
        .bind(n, seq++, chunk.begin, chunk.end, chunk.heading, chunk.text)
        .finish();
    Query(db, "INSERT INTO words (rowid, title, heading, text) VALUES (?, ?, ?, ?)")
        .bind(db.last_rowid(), info.title, chunk.heading, chunk.text)
        .finish();
  }
}

Result<Added> add_document(Connection& db, const TenantId& tenant, const NewDocument& document,
                           WallTime now) {
  Added added;
  {
    Query same(db, kSame);
    same.bind(tenant.text(), document.collection.text(), document.sha256);
    if (same.step()) {
      added.document = info_of(same);
      added.existed = true;
      return added;
    }
  }
  std::vector<std::int64_t> older;
  if (!document.source.empty()) {
    Query query(db, kSameSource);
    query.bind(tenant.text(), document.collection.text(), document.source);
    while (query.step()) older.push_back(query.number(0));
  }
  for (const auto n : older) erase_rows(db, n);
  added.replaced = !older.empty();
  added.document = DocumentInfo{document.id,     document.collection,    document.title,
                                document.source, document.media_type,    document.sha256,
                                document.size,   document.chunks.size(), now};
  insert_rows(db, tenant, document, added.document);
  return added;
}

Result<PageOfDocuments> page(Connection& db, const TenantId& tenant,
                             const std::optional<CollectionName>& collection,
                             const DocumentId& after, std::uint32_t limit) {
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (!after.empty()) {
    auto found = find(db, tenant, after);
    if (!found.ok()) return found.error();
    before = *found;
  }
  const std::int64_t one_more = std::int64_t(limit) + 1;
  Query query(db, collection ? kListOne : kListAll);
  if (collection)
    query.bind(tenant.text(), collection->text(), before, one_more);
  else
    query.bind(tenant.text(), before, one_more);
  PageOfDocuments out;
  while (query.step()) {
    if (out.items.size() == limit)
      out.more = true;
    else
      out.items.push_back(info_of(query));
  }
  return out;
}

Result<std::vector<Passage>> find_passages(Connection& db, const PassageQuery& asked) {
  std::vector<Passage> out;
  const std::string match = match_expression(asked.text);
  if (match.empty() || asked.limit == 0) return out;
  Query query(db, asked.collection ? kSearchOne : kSearchAll);
  if (asked.collection) {
    query.bind(match, asked.tenant.text(), asked.collection->text(), asked.limit);
  } else {
    query.bind(match, asked.tenant.text(), asked.limit);
  }
  while (query.step()) {
    Passage passage;
    passage.document = DocumentId(query.text(0));
    passage.collection = CollectionName(query.text(1));
    passage.title = query.text(2);
    passage.source = query.text(3);
    passage.heading = query.text(4);
    passage.begin = query.count(5);
    passage.end = query.count(6);
    passage.text = query.text(7);
    passage.score = -query.real(8);  // FTS5 gives the best the lowest
    out.push_back(std::move(passage));
  }
  return out;
}

}  // namespace

std::string match_expression(const std::string& question) {
  std::string out;
  for (const auto& word : search_words(question, kSearchWordsMax)) {
    if (!out.empty()) out += " OR ";
    out += '"';
    out += word;  // letters and digits only
    out += '"';
  }
  return out;
}

std::vector<std::string> document_queries() {
  return {kGet,    kSame,  kListAll,     kListOne, kFind,      kSameSource,
          kChunks, kErase, kEraseChunks, kUnindex, kSearchAll, kSearchOne};
}

Co<Result<Added>> SqliteDocuments::add(TenantId tenant, NewDocument document, Deadline by) {
  const WallTime now = clock_.wall();
  auto work = [tenant = std::move(tenant), document = std::move(document), now](Connection& db) {
    return add_document(db, tenant, document, now);
  };
  co_return co_await writer_.write("add_document", std::move(work), by);
}

Co<Result<PageOfDocuments>> SqliteDocuments::list(TenantId tenant,
                                                  std::optional<CollectionName> collection,
                                                  DocumentId after, std::uint32_t limit,
                                                  Deadline by) {
  auto work = [tenant = std::move(tenant), collection = std::move(collection),
               after = std::move(after),
               limit](Connection& db) { return page(db, tenant, collection, after, limit); };
  co_return co_await readers_.read("list_documents", std::move(work), by);
}

Co<Result<DocumentInfo>> SqliteDocuments::get(TenantId tenant, DocumentId id, Deadline by) {
  auto work = [tenant = std::move(tenant),
               id = std::move(id)](Connection& db) -> Result<DocumentInfo> {
    Query query(db, kGet);
    query.bind(id.text(), tenant.text());
    if (!query.step()) return unknown();
    return info_of(query);
  };
  co_return co_await readers_.read("get_document", std::move(work), by);
}

Co<Result<std::vector<Chunk>>> SqliteDocuments::chunks(TenantId tenant, DocumentId id,
                                                       std::uint64_t from, std::uint32_t limit,
                                                       Deadline by) {
  auto work = [tenant = std::move(tenant), id = std::move(id), from,
               limit](Connection& db) -> Result<std::vector<Chunk>> {
    auto found = find(db, tenant, id);
    if (!found.ok()) return found.error();
    std::vector<Chunk> out;
    Query query(db, kChunks);
    query.bind(*found, from, limit);
    while (query.step()) {
      out.push_back(Chunk{query.text(0), query.count(1), query.count(2), query.text(3)});
    }
    return out;
  };
  co_return co_await readers_.read("chunks", std::move(work), by);
}

Co<Status> SqliteDocuments::erase(TenantId tenant, DocumentId id, Deadline by) {
  auto work = [tenant = std::move(tenant), id = std::move(id)](Connection& db) -> Status {
    auto found = find(db, tenant, id);
    if (!found.ok()) return found.error();
    erase_rows(db, *found);
    return done();
  };
  co_return co_await writer_.write("erase_document", std::move(work), by);
}

Co<Result<std::vector<Passage>>> SqliteDocuments::search(PassageQuery asked, Deadline by) {
  auto work = [asked = std::move(asked)](Connection& db) { return find_passages(db, asked); };
  co_return co_await readers_.read("search", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
