// Documents, chunks and their index as rows; how they come and how they go.
#include "storage/sqlite/document_rows.h"

#include <algorithm>

#include "storage/sqlite/tokenizer.h"

namespace mainstay::storage::sqlite {
namespace {

/// What one sweep() removes at most: short beside the writes that wait for it.
constexpr std::int64_t kChunksSlice = 128;
constexpr std::size_t kBytesSlice = 256 * 1024;
constexpr std::uint32_t kWordsSlice = 512;
constexpr std::int64_t kDocumentsSlice = 256;
/// Documents of at most so many chunks go at once.
constexpr std::uint64_t kChunksAtOnce = 32;

constexpr const char* kTenant = "SELECT n FROM tenant WHERE name = ?";
constexpr const char* kCollection = "SELECT n FROM collection WHERE tenant = ? AND name = ?";
constexpr const char* kCollectionName =
    "SELECT name FROM collection WHERE n = ? AND tenant = ? AND name IS NOT NULL";
constexpr const char* kById = MAINSTAY_DOCUMENT "WHERE d.id = ?";
constexpr const char* kSameContent = MAINSTAY_DOCUMENT
    "WHERE d.collection = ? AND d.sha256 = ? AND d.source = ? AND d.sha256 <> '' AND d.state = 0";
constexpr const char* kSameSource =
    MAINSTAY_DOCUMENT "WHERE d.collection = ? AND d.source = ? AND d.source <> '' AND d.state = 0";
constexpr const char* kInsertDocument =
    "INSERT INTO document (id, tenant, collection, state, title, source, media_type, sha256, size, "
    "chunks, created, tags, checkpoint, indexed, retitled, folded, accepted) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, 0, ?, ?)";
constexpr const char* kInsertChunk =
    "INSERT INTO chunk (n, begin_at, end_at, page, heading, text) VALUES (?, ?, ?, ?, ?, ?)";
constexpr const char* kIndex =
    "INSERT INTO words (rowid, title, heading, text, scope) VALUES (?, ?, ?, ?, ?)";
constexpr const char* kUnindex =
    "INSERT INTO words (words, rowid, title, heading, text, scope) "
    "VALUES ('delete', ?, ?, ?, ?, ?)";
constexpr const char* kSlice =
    "SELECT n, heading, text FROM chunk WHERE n >= ? AND n < ? ORDER BY n LIMIT ?";
constexpr const char* kFirstChunk = "SELECT n FROM chunk WHERE n >= ? AND n < ? ORDER BY n LIMIT 1";
constexpr const char* kDropChunks = "DELETE FROM chunk WHERE n >= ? AND n <= ?";
constexpr const char* kDropDocument = "DELETE FROM document WHERE n = ?";
constexpr const char* kHide =
    "UPDATE document SET id = NULL, state = 2, checkpoint = '' WHERE n = ?";
constexpr const char* kCount =
    "UPDATE collection SET documents = documents + ?, chunks = chunks + ?, bytes = bytes + ? "
    "WHERE n = ?";
constexpr const char* kRetitle =
    "UPDATE document SET title = ?, indexed = ?, retitled = ? WHERE n = ?";
constexpr const char* kMove = "UPDATE document SET collection = ?, tags = ? WHERE n = ?";
constexpr const char* kName =
    "UPDATE document SET id = ?, source = ?, created = ?, accepted = ? WHERE n = ?";
constexpr const char* kAccept = "UPDATE document SET accepted = max(accepted, ?) WHERE n = ?";
constexpr const char* kPutThumbnail = "INSERT INTO thumbnail (document, bytes) VALUES (?, ?)";
constexpr const char* kThumbnail = "SELECT bytes FROM thumbnail WHERE document = ?";
constexpr const char* kGone = MAINSTAY_DOCUMENT
    "WHERE d.n = (SELECT n FROM document WHERE state = 2 AND n > 0 ORDER BY n LIMIT 1)";
constexpr const char* kOldWords = MAINSTAY_DOCUMENT
    "WHERE d.n = (SELECT n FROM document WHERE folded < 16777216 AND n > 0 ORDER BY n LIMIT 1)";
static_assert(kChunksMax == 16777216);
constexpr const char* kFolded = "UPDATE document SET folded = ? WHERE n = ?";
constexpr const char* kGoneCollection =
    "SELECT n FROM collection WHERE name IS NULL AND n > 0 LIMIT 1";
constexpr const char* kOfCollection =
    "SELECT n FROM document WHERE collection = ? AND state = ? LIMIT ?";
constexpr const char* kDropCollection = "DELETE FROM collection WHERE n = ?";

std::string scope_of(const DocumentRow& row) {
  std::string out = tenant_mark(row.tenant) + collection_mark(row.collection);
  for (const auto& tag : row.info.tags) out += tag_mark(tag);
  return out;
}

/// A text as the index is given it: none begins like a mark or like terms.
std::string_view unmarked(std::string_view text) {
  while (!text.empty() && (text.front() == kMark || text.front() == kTerms)) text.remove_prefix(1);
  return text;
}

/// A chunk of the document in the index; `sql` puts it in or takes it out. `terms`: those of
/// `text`, or empty.
void index_row(Connection& db, const char* sql, const DocumentRow& row, std::int64_t n,
               std::string_view title, std::string_view heading, std::string_view text,
               std::string_view scope, std::string_view terms = {}) {
  const auto seq = static_cast<std::uint64_t>(n - chunk_number(row.info.number, 0));
  const Folding folding = seq < row.folded ? Folding::today : Folding::first;
  const bool cut = folding == Folding::today && terms.starts_with(kTerms);
  const std::string_view words = cut ? terms : unmarked(text);
  db.tokenizer().fold_as(folding);
  Query(db, Literal{sql})
      .bind_lasting(n, unmarked(title), unmarked(heading), words, scope)
      .finish();
}

std::optional<DocumentRow> one_row(Query& query) {
  if (!query.step()) return std::nullopt;
  return row_of(query);
}

std::optional<std::int64_t> one_number(Query& query) {
  if (!query.step()) return std::nullopt;
  return query.number(0);
}

/// A chunk as its index was made from.
struct IndexedChunk {
  std::int64_t n = 0;
  std::string heading;
  std::string text;
};

/// Chunks in [from, to), some at a time.
std::vector<IndexedChunk> slice_of(Connection& db, std::int64_t from, std::int64_t to,
                                   std::int64_t limit) {
  std::vector<IndexedChunk> out;
  std::size_t bytes = 0;
  Query query(db, Literal{kSlice});
  query.bind(from, to, limit);
  while (bytes < kBytesSlice && query.step()) {
    out.push_back({query.number(0), query.text(1), query.text(2)});
    bytes += out.back().text.size() + out.back().heading.size();
  }
  return out;
}

const std::string& indexed_title(const DocumentRow& row, std::int64_t chunk) {
  const auto seq = static_cast<std::uint64_t>(chunk - chunk_number(row.info.number, 0));
  return seq < row.retitled ? row.info.title : row.indexed;
}

std::optional<std::int64_t> first_chunk(Connection& db, std::int64_t from, std::int64_t to) {
  Query query(db, Literal{kFirstChunk});
  query.bind(from, to);
  return one_number(query);
}

/// True: more of the document is left.
bool sweep_document(Connection& db, Vocabulary& vocabulary, const DocumentRow& row) {
  const std::int64_t from = chunk_number(row.info.number, 0);
  const std::int64_t end = chunk_number(row.info.number + 1, 0);
  const std::int64_t begin = first_chunk(db, from, end).value_or(end);
  if (!vocabulary.release(db, from, begin, kWordsSlice)) return true;
  const auto chunks = slice_of(db, begin, end, kChunksSlice);
  if (chunks.empty()) {
    Query(db, Literal{kDropDocument}).bind(row.info.number).finish();
    return false;
  }
  const std::string scope = scope_of(row);
  for (const auto& chunk : chunks) {
    index_row(db, kUnindex, row, chunk.n, indexed_title(row, chunk.n), chunk.heading, chunk.text,
              scope);
  }
  Query(db, Literal{kDropChunks}).bind(begin, chunks.back().n).finish();
  return true;
}

/// Hides documents of a collection that is gone; false when it has none any more.
bool hide_some(Connection& db, std::int64_t collection) {
  std::vector<std::int64_t> found;
  for (const auto state : {RowState::ready, RowState::ingesting}) {
    Query query(db, Literal{kOfCollection});
    query.bind(collection, static_cast<int>(state), kDocumentsSlice);
    while (query.step()) found.push_back(query.number(0));
  }
  for (const auto n : found) Query(db, Literal{kHide}).bind(n).finish();
  return !found.empty();
}

/// What an older version cut into words; false when there is none.
bool index_some_anew(Connection& db, Vocabulary& vocabulary) {
  std::optional<DocumentRow> row;
  {
    Query query(db, Literal{kOldWords});
    row = one_row(query);
  }
  if (!row) return false;
  DocumentRow next = *row;
  next.folded = kChunksMax;
  const std::string scope = scope_of(*row);
  const std::int64_t end = chunk_number(row->info.number + 1, 0);
  const auto chunks = slice_of(db, chunk_number(row->info.number, row->folded), end, kChunksSlice);
  for (const auto& chunk : chunks) {
    const std::string& title = indexed_title(*row, chunk.n);
    index_row(db, kUnindex, *row, chunk.n, title, chunk.heading, chunk.text, scope);
    db.tokenizer().note_words();
    index_row(db, kIndex, next, chunk.n, title, chunk.heading, chunk.text, scope);
    vocabulary.keep(db, chunk.n);
  }
  const std::uint64_t folded = chunks.empty() ? kChunksMax : row->folded + chunks.size();
  Query(db, Literal{kFolded}).bind(folded, row->info.number).finish();
  return true;
}

}  // namespace

std::string tenant_mark(std::int64_t tenant) {
  return kMark + ("t" + std::to_string(tenant));
}

std::string collection_mark(std::int64_t collection) {
  return kMark + ("c" + std::to_string(collection));
}

std::string tag_mark(const std::string& tag) {
  return kMark + ("g" + tag);
}

std::string tags_text(const std::vector<std::string>& tags) {
  std::string out;
  for (const auto& tag : tags) out += "\n" + tag + "\n";
  return out;
}

std::vector<std::string> tags_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at + 1), text.size());
    out.push_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return out;
}

std::optional<std::int64_t> tenant_number(Connection& db, const TenantId& tenant) {
  Query query(db, Literal{kTenant});
  query.bind(tenant.text());
  return one_number(query);
}

std::int64_t tenant_made(Connection& db, const TenantId& tenant) {
  if (const auto found = tenant_number(db, tenant)) return *found;
  Query(db, "INSERT INTO tenant (name) VALUES (?)").bind(tenant.text()).finish();
  return db.last_rowid();
}

std::optional<std::int64_t> collection_number(Connection& db, std::int64_t tenant,
                                              const CollectionName& name) {
  Query query(db, Literal{kCollection});
  query.bind(tenant, name.text());
  return one_number(query);
}

std::optional<CollectionName> collection_name(Connection& db, std::int64_t tenant,
                                              std::int64_t number) {
  Query query(db, Literal{kCollectionName});
  query.bind(number, tenant);
  if (!query.step()) return std::nullopt;
  return CollectionName(query.text(0));
}

std::int64_t collection_made(Connection& db, std::int64_t tenant, const CollectionName& name) {
  if (const auto found = collection_number(db, tenant, name)) return *found;
  Query(db,
        "INSERT INTO collection (tenant, name, documents, chunks, bytes) VALUES (?, ?, 0, 0, 0)")
      .bind(tenant, name.text())
      .finish();
  return db.last_rowid();
}

DocumentRow row_of(Query& query) {
  DocumentRow out;
  out.info.id = DocumentId(query.text(0));
  out.info.collection = CollectionName(query.text(1));
  out.info.title = query.text(2);
  out.info.source = query.text(3);
  out.info.media_type = query.text(4);
  out.info.sha256 = query.text(5);
  out.info.size = Bytes{query.count(6)};
  out.info.chunks = query.count(7);
  out.info.created = wall_from_micros(query.number(8));
  out.info.tags = tags_of(query.text(9));
  out.info.state = query.number(10) == static_cast<int>(RowState::ready) ? DocumentState::ready
                                                                         : DocumentState::ingesting;
  out.info.number = query.number(11);
  out.tenant = query.number(12);
  out.collection = query.number(13);
  out.checkpoint = query.text(14);
  out.indexed = query.text(15);
  out.retitled = query.count(16);
  out.folded = query.count(17);
  out.accepted = wall_from_micros(query.number(18));
  return out;
}

std::optional<DocumentRow> taken_id(Connection& db, const DocumentId& id) {
  std::optional<DocumentRow> found;
  {
    Query query(db, Literal{kById});
    query.bind(id.text());
    found = one_row(query);
  }
  if (!found || !found->info.collection.empty()) return found;
  Query(db, Literal{kHide}).bind(found->info.number).finish();
  return std::nullopt;
}

std::optional<DocumentRow> document_of(Connection& db, const TenantId& tenant,
                                       const DocumentId& id) {
  const auto owner = tenant_number(db, tenant);
  if (!owner) return std::nullopt;
  Query query(db, Literal{kById});
  query.bind(id.text());
  auto found = one_row(query);
  if (found && (found->tenant != *owner || found->info.collection.empty())) return std::nullopt;
  return found;
}

std::optional<DocumentRow> same_content(Connection& db, std::int64_t collection,
                                        const std::string& source, const std::string& sha256) {
  Query query(db, Literal{kSameContent});
  query.bind(collection, sha256, source);
  return one_row(query);
}

std::vector<DocumentRow> same_source(Connection& db, std::int64_t collection,
                                     const std::string& source) {
  std::vector<DocumentRow> out;
  Query query(db, Literal{kSameSource});
  query.bind(collection, source);
  while (query.step()) out.push_back(row_of(query));
  return out;
}

std::int64_t insert_document(Connection& db, const DocumentRow& row) {
  const DocumentInfo& info = row.info;
  const RowState state = info.state == DocumentState::ready ? RowState::ready : RowState::ingesting;
  Query(db, Literal{kInsertDocument})
      .bind(info.id.text(), row.tenant, row.collection, static_cast<int>(state), info.title,
            info.source, info.media_type, info.sha256, info.size.value, info.chunks,
            micros(info.created), tags_text(info.tags), row.indexed, row.folded,
            micros(row.accepted))
      .finish();
  return db.last_rowid();
}

void insert_chunks(Connection& db, Vocabulary& vocabulary, const DocumentRow& row,
                   std::uint64_t first, const std::vector<Chunk>& chunks) {
  const std::string scope = scope_of(row);
  std::int64_t n = chunk_number(row.info.number, first);
  for (const auto& chunk : chunks) {
    Query(db, Literal{kInsertChunk})
        .bind_lasting(n, chunk.begin, chunk.end, chunk.page.value_or(0), chunk.heading, chunk.text)
        .finish();
    db.tokenizer().note_words();
    index_row(db, kIndex, row, n, indexed_title(row, n), chunk.heading, chunk.text, scope,
              chunk.terms);
    vocabulary.keep(db, n);
    ++n;
  }
}

void retitle(Connection& db, Vocabulary& vocabulary, DocumentRow& row, const std::string& title) {
  DocumentRow next = row;
  next.info.title = title;
  next.retitled = std::min(kRetitled, row.info.chunks);
  const std::string scope = scope_of(row);
  std::int64_t from = chunk_number(row.info.number, 0);
  const std::int64_t end = chunk_number(row.info.number, next.retitled);
  while (from < end) {
    for (const auto& chunk : slice_of(db, from, end, kChunksSlice)) {
      index_row(db, kUnindex, row, chunk.n, indexed_title(row, chunk.n), chunk.heading, chunk.text,
                scope);
      db.tokenizer().note_words();
      index_row(db, kIndex, row, chunk.n, indexed_title(next, chunk.n), chunk.heading, chunk.text,
                scope);
      vocabulary.keep(db, chunk.n);
      from = chunk.n + 1;
    }
  }
  Query(db, Literal{kRetitle}).bind(title, next.indexed, next.retitled, row.info.number).finish();
  row = std::move(next);
}

void rescope(Connection& db, const DocumentRow& row, const DocumentRow& to) {
  const std::string before = scope_of(row);
  const std::string after = scope_of(to);
  const std::int64_t end = chunk_number(row.info.number + 1, 0);
  std::int64_t from = chunk_number(row.info.number, 0);
  for (;;) {
    const auto chunks = slice_of(db, from, end, kChunksSlice);
    if (chunks.empty()) break;
    for (const auto& chunk : chunks) {
      const std::string& title = indexed_title(row, chunk.n);
      index_row(db, kUnindex, row, chunk.n, title, chunk.heading, chunk.text, before);
      index_row(db, kIndex, row, chunk.n, title, chunk.heading, chunk.text, after);
    }
    from = chunks.back().n + 1;
  }
  Query(db, Literal{kMove}).bind(to.collection, tags_text(to.info.tags), row.info.number).finish();
}

void name_row(Connection& db, const DocumentRow& row) {
  Query(db, Literal{kName})
      .bind(row.info.id.text(), row.info.source, micros(row.info.created), micros(row.accepted),
            row.info.number)
      .finish();
}

void accept_again(Connection& db, const DocumentRow& row, WallTime accepted) {
  Query(db, Literal{kAccept}).bind(micros(accepted), row.info.number).finish();
}

void put_thumbnail(Connection& db, std::int64_t document, const std::string& bytes) {
  if (bytes.empty()) return;
  Query(db, Literal{kPutThumbnail}).bind(document, Blob{bytes}).finish();
}

std::string thumbnail_of(Connection& db, std::int64_t document) {
  Query query(db, Literal{kThumbnail});
  query.bind(document);
  return query.step() ? std::string(query.blob(0)) : std::string();
}

void count_in(Connection& db, const DocumentRow& row) {
  Query(db, Literal{kCount}).bind(1, row.info.chunks, row.info.size.value, row.collection).finish();
}

void count_out(Connection& db, const DocumentRow& row) {
  Query(db, Literal{kCount})
      .bind(-1, -static_cast<std::int64_t>(row.info.chunks),
            -static_cast<std::int64_t>(row.info.size.value), row.collection)
      .finish();
}

void make_gone(Connection& db, Vocabulary& vocabulary, const DocumentRow& row) {
  if (row.info.state == DocumentState::ready) count_out(db, row);
  Query(db, Literal{kHide}).bind(row.info.number).finish();
  if (row.info.chunks > kChunksAtOnce) return;
  while (sweep_document(db, vocabulary, row)) {
  }
}

bool sweep(Connection& db, Vocabulary& vocabulary) {
  std::optional<DocumentRow> gone;
  {
    Query query(db, Literal{kGone});
    gone = one_row(query);
  }
  if (gone) {
    sweep_document(db, vocabulary, *gone);
    return true;
  }
  std::optional<std::int64_t> collection;
  {
    Query query(db, Literal{kGoneCollection});
    collection = one_number(query);
  }
  if (!collection) return index_some_anew(db, vocabulary);
  if (!hide_some(db, *collection)) Query(db, Literal{kDropCollection}).bind(*collection).finish();
  return true;
}

void index_if_empty(Connection& db) {
  if (db.number("SELECT EXISTS (SELECT 1 FROM words_docsize)") != 0) return;
  db.run("UPDATE document SET folded = " + std::to_string(kChunksMax));
  Vocabulary vocabulary(DocumentLimits{}.vocabulary_max);
  std::vector<DocumentRow> rows;
  {
    Query query(db, MAINSTAY_DOCUMENT "ORDER BY d.n");
    while (query.step()) rows.push_back(row_of(query));
  }
  for (const auto& row : rows) {
    const std::string scope = scope_of(row);
    const std::int64_t end = chunk_number(row.info.number + 1, 0);
    std::int64_t from = chunk_number(row.info.number, 0);
    for (;;) {
      const auto chunks = slice_of(db, from, end, kChunksSlice);
      if (chunks.empty()) break;
      for (const auto& chunk : chunks) {
        db.tokenizer().note_words();
        index_row(db, kIndex, row, chunk.n, indexed_title(row, chunk.n), chunk.heading, chunk.text,
                  scope);
        vocabulary.keep(db, chunk.n);
      }
      from = chunks.back().n + 1;
    }
  }
}

std::vector<std::string> document_row_queries() {
  return {kTenant,     kCollection,     kById,         kSameContent,    kSameSource,    kSlice,
          kFirstChunk, kDropChunks,     kDropDocument, kHide,           kCount,         kRetitle,
          kGone,       kGoneCollection, kOfCollection, kDropCollection, kOldWords,      kFolded,
          kMove,       kName,           kAccept,       kThumbnail,      kCollectionName};
}

}  // namespace mainstay::storage::sqlite
