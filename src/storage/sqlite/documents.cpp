// The verbs of documents: each one operation of the writer or one read.
#include "storage/sqlite/documents.h"

#include <limits>

#include "storage/document_rules.h"
#include "storage/sqlite/document_rows.h"
#include "storage/sqlite/document_search.h"
#include "storage/sqlite/document_undo.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr const char* kListAll = MAINSTAY_DOCUMENT
    "WHERE d.tenant = ? AND d.state = 0 AND d.n < ? AND c.name IS NOT NULL "
    "ORDER BY d.n DESC LIMIT ?";
constexpr const char* kListOne = MAINSTAY_DOCUMENT
    "WHERE d.collection = ? AND d.state = 0 AND d.n < ? ORDER BY d.n DESC LIMIT ?";
#define MAINSTAY_UNFINISHED                                                                        \
  "SELECT d.id, c.name, d.title, d.source, d.media_type, d.sha256, d.size, d.chunks, "             \
  "d.created, d.tags, d.state, d.n, d.tenant, d.collection, d.checkpoint, d.indexed, "             \
  "d.retitled, d.folded, d.accepted, t.name FROM document AS d CROSS JOIN collection AS c ON c.n " \
  "= "                                                                                             \
  "d.collection "                                                                                  \
  "CROSS JOIN tenant AS t ON t.n = d.tenant "
constexpr const char* kUnfinished = MAINSTAY_UNFINISHED
    "WHERE d.state = 1 AND d.created < ? AND c.name IS NOT NULL ORDER BY d.created LIMIT ?";
#undef MAINSTAY_UNFINISHED
constexpr const char* kChunks =
    "SELECT text, begin_at, end_at, heading, page FROM chunk WHERE n >= ? AND n < ? "
    "ORDER BY n LIMIT ?";
constexpr const char* kAppended = "UPDATE document SET chunks = ?, checkpoint = ? WHERE n = ?";
constexpr const char* kFinish =
    "UPDATE document SET state = 0, sha256 = ?, size = ?, checkpoint = '' WHERE n = ?";
constexpr const char* kCollections =
    "SELECT c.name, c.documents, c.chunks, c.bytes, "
    "(SELECT max(d.created) FROM document AS d WHERE d.collection = c.n AND d.state = 0) "
    "FROM collection AS c WHERE c.tenant = ? AND c.name IS NOT NULL ORDER BY c.name";
constexpr const char* kRename = "UPDATE collection SET name = ? WHERE n = ?";
constexpr const char* kForsake = "UPDATE collection SET name = NULL WHERE n = ?";
constexpr const char* kDocumentsOf = "SELECT documents FROM collection WHERE n = ?";

/// Where the document goes. Errors: as Documents::add().
Status place(Connection& db, const NewDocument& document, DocumentRow& row) {
  row.info.collection = document.collection;
  row.collection = document.collection_number;
  if (row.collection == 0) {
    row.collection = collection_made(db, row.tenant, document.collection);
    return done();
  }
  auto name = collection_name(db, row.tenant, row.collection);
  if (!name) return unknown_collection();
  row.info.collection = std::move(*name);
  return done();
}

Result<DocumentRow> new_row(Connection& db, const TenantId& tenant, const NewDocument& document,
                            DocumentState state, WallTime now) {
  DocumentRow row;
  row.tenant = tenant_made(db, tenant);
  auto placed = place(db, document, row);
  if (!placed.ok()) return placed.error();
  row.indexed = document.title;
  row.accepted = document.accepted == WallTime{} ? now : document.accepted;
  DocumentInfo& info = row.info;
  info.id = document.id;
  info.title = document.title;
  info.source = document.source;
  info.media_type = document.media_type;
  info.sha256 = document.sha256;
  info.size = document.size;
  info.chunks = document.chunks.size();
  info.created = now;
  info.tags = document.tags;
  info.state = state;
  return row;
}

/// What makes the row needless, as the answer of its verb: the same content of its source, or one
/// that was accepted later.
std::optional<Added> there_already(Connection& db, const DocumentRow& row,
                                   const std::string& sha256, WallTime now) {
  Added added;
  if (auto same = same_content(db, row.collection, row.info.source, sha256)) {
    accept_again(db, *same, row.accepted);
    added.document = std::move(same->info);
    added.existed = true;
    return added;
  }
  for (auto& each : same_source(db, row.collection, row.info.source)) {
    if (!stays(each.accepted, row.accepted, now)) continue;
    added.document = std::move(each.info);
    added.superseded = true;
    return added;
  }
  return std::nullopt;
}

/// Hides older contents of the same source; whether there were any.
bool replace_older(Connection& db, Vocabulary& vocabulary, const DocumentRow& row) {
  const auto older = same_source(db, row.collection, row.info.source);
  for (const auto& each : older) make_gone(db, vocabulary, each);
  return !older.empty();
}

Result<Added> add_document(Connection& db, Vocabulary& vocabulary, const TenantId& tenant,
                           const NewDocument& document, WallTime now) {
  Added added;
  auto made = new_row(db, tenant, document, DocumentState::ready, now);
  if (!made.ok()) return made.error();
  DocumentRow& row = *made;
  if (auto there = there_already(db, row, document.sha256, now)) return std::move(*there);
  added.replaced = replace_older(db, vocabulary, row);
  if (taken_id(db, document.id)) return document_id_taken();
  row.info.number = insert_document(db, row);
  put_thumbnail(db, row.info.number, document.thumbnail);
  insert_chunks(db, vocabulary, row, 0, document.chunks);
  count_in(db, row);
  added.document = std::move(row.info);
  return added;
}

Result<Begun> begin_document(Connection& db, const TenantId& tenant, const NewDocument& head,
                             WallTime now) {
  Begun begun;
  if (auto row = taken_id(db, head.id)) {
    if (row->tenant != tenant_number(db, tenant)) return document_id_taken();
    begun.document = std::move(row->info);
    begun.checkpoint = std::move(row->checkpoint);
    return begun;
  }
  auto made = new_row(db, tenant, head, DocumentState::ingesting, now);
  if (!made.ok()) return made.error();
  DocumentRow& row = *made;
  if (auto same = same_content(db, row.collection, head.source, head.sha256)) {
    accept_again(db, *same, row.accepted);
    begun.document = std::move(same->info);
    begun.existed = true;
    return begun;
  }
  row.info.chunks = 0;
  row.info.number = insert_document(db, row);
  put_thumbnail(db, row.info.number, head.thumbnail);
  begun.document = std::move(row.info);
  return begun;
}

struct Part {
  TenantId tenant;
  DocumentId id;
  std::uint64_t first = 0;
  std::vector<Chunk> chunks;
  std::string checkpoint;
};

/// The document, if it is being ingested.
Result<DocumentRow> unfinished(Connection& db, const TenantId& tenant, const DocumentId& id) {
  auto row = document_of(db, tenant, id);
  if (!row || row->info.state != DocumentState::ingesting) return unknown_document();
  return std::move(*row);
}

/// May run twice: the part stays as it is.
Result<std::uint64_t> append_part(Connection& db, Vocabulary& vocabulary, const Part& part) {
  auto row = unfinished(db, part.tenant, part.id);
  if (!row.ok()) return row.error();
  const std::uint64_t stored = row->info.chunks;
  if (part.first > stored) return chunks_missing();
  const std::uint64_t end = part.first + part.chunks.size();
  if (end < stored || (end == stored && !part.chunks.empty())) return stored;
  if (end > kChunksMax) return too_many_chunks();
  const auto known = static_cast<std::ptrdiff_t>(stored - part.first);
  if (known == 0) {
    insert_chunks(db, vocabulary, *row, stored, part.chunks);
  } else {
    const std::vector<Chunk> rest(part.chunks.begin() + known, part.chunks.end());
    insert_chunks(db, vocabulary, *row, stored, rest);
  }
  Query(db, Literal{kAppended}).bind(end, part.checkpoint, row->info.number).finish();
  return end;
}

struct End {
  TenantId tenant;
  DocumentId id;
  std::string sha256;
  Bytes size;
  std::string title;
  WallTime now;
};

Result<Added> finish_document(Connection& db, Vocabulary& vocabulary, const End& end) {
  Added added;
  auto row = document_of(db, end.tenant, end.id);
  if (!row) return unknown_document();
  if (row->info.state == DocumentState::ready) {
    added.document = std::move(row->info);
    return added;
  }
  if (auto there = there_already(db, *row, end.sha256, end.now)) {
    make_gone(db, vocabulary, *row);
    return std::move(*there);
  }
  added.replaced = replace_older(db, vocabulary, *row);
  if (!end.title.empty() && end.title != row->info.title) {
    retitle(db, vocabulary, *row, end.title);
  }
  Query(db, Literal{kFinish}).bind(end.sha256, end.size.value, row->info.number).finish();
  row->info.sha256 = end.sha256;
  row->info.size = end.size;
  row->info.state = DocumentState::ready;
  count_in(db, *row);
  added.document = std::move(row->info);
  return added;
}

Status abandon_document(Connection& db, Vocabulary& vocabulary, const TenantId& tenant,
                        const DocumentId& id) {
  auto row = unfinished(db, tenant, id);
  if (!row.ok()) return row.error();
  make_gone(db, vocabulary, *row);
  return done();
}

Status erase_document(Connection& db, Vocabulary& vocabulary, const TenantId& tenant,
                      const DocumentId& id) {
  const auto row = document_of(db, tenant, id);
  if (!row) return unknown_document();
  make_gone(db, vocabulary, *row);
  return done();
}

Result<PageOfDocuments> page(Connection& db, const TenantId& tenant,
                             const std::optional<CollectionName>& collection,
                             const DocumentId& after, std::uint32_t limit,
                             const GonePlaces<std::int64_t>& gone) {
  PageOfDocuments out;
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (!after.empty()) {
    const auto last = document_of(db, tenant, after);
    const auto erased = gone.find(Owner{tenant, {}}, after.text());
    if (!last && !erased) return unknown_document();
    before = last ? last->info.number : *erased;
  }
  const auto owner = tenant_number(db, tenant);
  if (!owner) return out;
  std::int64_t of = *owner;
  if (collection) {
    const auto found = collection_number(db, *owner, *collection);
    if (!found) return out;
    of = *found;
  }
  Query query(db, Literal{collection ? kListOne : kListAll});
  query.bind(of, before, std::int64_t(limit) + 1);
  while (query.step()) {
    if (out.items.size() == limit)
      out.more = true;
    else
      out.items.push_back(row_of(query).info);
  }
  return out;
}

Result<std::vector<Chunk>> chunks_of(Connection& db, const TenantId& tenant, const DocumentId& id,
                                     std::uint64_t from, std::uint32_t limit) {
  const auto row = document_of(db, tenant, id);
  if (!row || row->info.state != DocumentState::ready) return unknown_document();
  std::vector<Chunk> out;
  if (from >= kChunksMax) return out;
  const std::int64_t number = row->info.number;
  Query query(db, Literal{kChunks});
  query.bind(chunk_number(number, from), chunk_number(number + 1, 0), limit);
  while (query.step()) {
    Chunk chunk{query.text(0), query.count(1), query.count(2), query.text(3), {}};
    if (query.number(4) > 0) chunk.page = static_cast<std::uint32_t>(query.number(4));
    out.push_back(std::move(chunk));
  }
  return out;
}

Result<std::vector<CollectionInfo>> collections_of(Connection& db, const TenantId& tenant) {
  std::vector<CollectionInfo> out;
  const auto owner = tenant_number(db, tenant);
  if (!owner) return out;
  Query query(db, Literal{kCollections});
  query.bind(*owner);
  while (query.step()) {
    CollectionInfo each;
    each.name = CollectionName(query.text(0));
    each.documents = query.count(1);
    each.chunks = query.count(2);
    each.size = Bytes{query.count(3)};
    if (each.documents > 0) each.newest = wall_from_micros(query.number(4));
    out.push_back(std::move(each));
  }
  return out;
}

Result<std::int64_t> collection_named(Connection& db, const TenantId& tenant,
                                      const CollectionName& name) {
  const auto owner = tenant_number(db, tenant);
  if (!owner) return unknown_collection();
  const auto found = collection_number(db, *owner, name);
  if (!found) return unknown_collection();
  return *found;
}

Status rename(Connection& db, const TenantId& tenant, const CollectionName& from,
              const CollectionName& to) {
  auto found = collection_named(db, tenant, from);
  if (!found.ok()) return found.error();
  if (from == to) return done();
  if (collection_named(db, tenant, to).ok()) return collection_name_taken();
  Query(db, Literal{kRename}).bind(to.text(), *found).finish();
  return done();
}

/// The collection is nobody's from now on; gives how many ready documents it had.
Result<std::uint64_t> forsake(Connection& db, const TenantId& tenant, const CollectionName& name) {
  auto found = collection_named(db, tenant, name);
  if (!found.ok()) return found.error();
  std::uint64_t documents = 0;
  {
    Query query(db, Literal{kDocumentsOf});
    query.bind(*found);
    if (query.step()) documents = query.count(0);
  }
  Query(db, Literal{kForsake}).bind(*found).finish();
  return documents;
}

}  // namespace

std::shared_ptr<void> SqliteDocuments::change() const {
  return {nullptr, [version = version_](void*) { version->fetch_add(1); }};
}

std::vector<std::string> document_queries() {
  std::vector<std::string> out{kListAll, kListOne, kUnfinished,  kChunks,  kAppended,
                               kFinish,  kRename,  kCollections, kForsake, kDocumentsOf};
  for (const auto& more :
       {document_row_queries(), document_search_queries(), vocabulary_queries()}) {
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

Co<Result<Added>> SqliteDocuments::add(TenantId tenant, NewDocument document, Deadline by) {
  auto good = check_document(document);
  if (!good.ok()) co_return good.error();
  const WallTime now = clock_.wall();
  auto work = [tenant = std::move(tenant), document = std::move(document), now,
               vocabulary = vocabulary_, changed = change()](Connection& db) {
    return undoing(db, [&] { return add_document(db, *vocabulary, tenant, document, now); });
  };
  auto added = co_await writer_.write("add_document", std::move(work), by);
  version_->fetch_add(1);
  co_return added;
}

Co<Result<Begun>> SqliteDocuments::begin(TenantId tenant, NewDocument head, Deadline by) {
  auto good = check_document(head);
  if (!good.ok()) co_return good.error();
  const WallTime now = clock_.wall();
  auto work = [tenant = std::move(tenant), head = std::move(head), now](Connection& db) {
    return begin_document(db, tenant, head, now);
  };
  co_return co_await writer_.write("begin_document", std::move(work), by);
}

Co<Result<std::uint64_t>> SqliteDocuments::append(TenantId tenant, DocumentId id,
                                                  std::uint64_t first_seq,
                                                  std::vector<Chunk> chunks, std::string checkpoint,
                                                  Deadline by) {
  auto good = check_append(chunks, checkpoint);
  if (!good.ok()) co_return good.error();
  Part part{std::move(tenant), std::move(id), first_seq, std::move(chunks), std::move(checkpoint)};
  auto work = [part = std::move(part), vocabulary = vocabulary_](Connection& db) {
    return undoing(db, [&] { return append_part(db, *vocabulary, part); });
  };
  co_return co_await writer_.write("append_chunks", std::move(work), by);
}

Co<Result<Added>> SqliteDocuments::finish(TenantId tenant, DocumentId id, std::string sha256,
                                          Bytes size, std::string title, Deadline by) {
  End end{std::move(tenant), std::move(id), std::move(sha256), size,
          std::move(title),  clock_.wall()};
  auto work = [end = std::move(end), vocabulary = vocabulary_, changed = change()](Connection& db) {
    return undoing(db, [&] { return finish_document(db, *vocabulary, end); });
  };
  auto added = co_await writer_.write("finish_document", std::move(work), by);
  version_->fetch_add(1);
  co_return added;
}

Co<Status> SqliteDocuments::abandon(TenantId tenant, DocumentId id, Deadline by) {
  auto work = [tenant = std::move(tenant), id = std::move(id),
               vocabulary = vocabulary_](Connection& db) {
    return undoing(db, [&] { return abandon_document(db, *vocabulary, tenant, id); });
  };
  co_return co_await writer_.write("abandon_document", std::move(work), by);
}

Co<Result<std::vector<Documents::Unfinished>>> SqliteDocuments::ingesting(WallTime before,
                                                                          std::uint32_t limit,
                                                                          Deadline by) {
  auto work = [before, limit](Connection& db) -> Result<std::vector<Unfinished>> {
    std::vector<Unfinished> out;
    Query query(db, Literal{kUnfinished});
    query.bind(micros(before), limit);
    while (query.step()) out.push_back({TenantId(query.text(19)), row_of(query).info});
    return out;
  };
  co_return co_await readers_.read("list_ingesting", std::move(work), by);
}

Co<Result<PageOfDocuments>> SqliteDocuments::list(TenantId tenant,
                                                  std::optional<CollectionName> collection,
                                                  DocumentId after, std::uint32_t limit,
                                                  Deadline by) {
  auto work = [tenant = std::move(tenant), collection = std::move(collection),
               after = std::move(after), limit, gone = gone_](Connection& db) {
    return page(db, tenant, collection, after, limit, *gone);
  };
  co_return co_await readers_.read("list_documents", std::move(work), by);
}

Co<Result<DocumentInfo>> SqliteDocuments::get(TenantId tenant, DocumentId id, Deadline by) {
  auto work = [tenant = std::move(tenant),
               id = std::move(id)](Connection& db) -> Result<DocumentInfo> {
    auto row = document_of(db, tenant, id);
    if (!row) return unknown_document();
    return std::move(row->info);
  };
  co_return co_await readers_.read("get_document", std::move(work), by);
}

Co<Result<std::vector<Chunk>>> SqliteDocuments::chunks(TenantId tenant, DocumentId id,
                                                       std::uint64_t from, std::uint32_t limit,
                                                       Deadline by) {
  auto work = [tenant = std::move(tenant), id = std::move(id), from, limit](Connection& db) {
    return chunks_of(db, tenant, id, from, limit);
  };
  co_return co_await readers_.read("chunks", std::move(work), by);
}

Co<Status> SqliteDocuments::erase(TenantId tenant, DocumentId id, Deadline by) {
  auto work = [tenant = std::move(tenant), id = std::move(id), vocabulary = vocabulary_,
               gone = gone_, changed = change()](Connection& db) {
    const auto row = document_of(db, tenant, id);
    if (row) gone->put(Owner{tenant, {}}, id.text(), row->info.number);
    return undoing(db, [&] { return erase_document(db, *vocabulary, tenant, id); });
  };
  auto erased = co_await writer_.write("erase_document", std::move(work), by);
  version_->fetch_add(1);
  co_return erased;
}

Co<Result<bool>> SqliteDocuments::sweep(Deadline by) {
  auto work = [vocabulary = vocabulary_](Connection& db) {
    return undoing(db, [&] { return Result<bool>(sqlite::sweep(db, *vocabulary)); });
  };
  co_return co_await writer_.write("sweep_documents", std::move(work), by);
}

Co<Result<std::vector<CollectionInfo>>> SqliteDocuments::collections(TenantId tenant, Deadline by) {
  auto work = [tenant = std::move(tenant)](Connection& db) { return collections_of(db, tenant); };
  co_return co_await readers_.read("list_collections", std::move(work), by);
}

Co<Status> SqliteDocuments::create_collection(TenantId tenant, CollectionName name, Deadline by) {
  auto work = [tenant = std::move(tenant), name = std::move(name)](Connection& db) -> Status {
    const auto owner = tenant_made(db, tenant);
    if (collection_number(db, owner, name)) return collection_name_taken();
    collection_made(db, owner, name);
    return done();
  };
  co_return co_await writer_.write("create_collection", std::move(work), by);
}

Co<Result<std::int64_t>> SqliteDocuments::hold_collection(TenantId tenant, CollectionName name,
                                                          Deadline by) {
  auto work = [tenant = std::move(tenant), name = std::move(name)](Connection& db) {
    return Result<std::int64_t>(collection_made(db, tenant_made(db, tenant), name));
  };
  co_return co_await writer_.write("hold_collection", std::move(work), by);
}

Co<Status> SqliteDocuments::rename_collection(TenantId tenant, CollectionName from,
                                              CollectionName to, Deadline by) {
  auto work = [tenant = std::move(tenant), from = std::move(from),
               to = std::move(to)](Connection& db) { return rename(db, tenant, from, to); };
  co_return co_await writer_.write("rename_collection", std::move(work), by);
}

Co<Result<std::uint64_t>> SqliteDocuments::erase_collection(TenantId tenant, CollectionName name,
                                                            Deadline by) {
  auto work = [tenant = std::move(tenant), name = std::move(name),
               changed = change()](Connection& db) { return forsake(db, tenant, name); };
  auto erased = co_await writer_.write("erase_collection", std::move(work), by);
  version_->fetch_add(1);
  co_return erased;
}

Co<Result<Found>> SqliteDocuments::find(PassageQuery query, Deadline by) {
  tidy(query.tags);
  auto work = [query = std::move(query)](Connection& db) -> Result<Found> {
    return find_passages(db, query);
  };
  co_return co_await readers_.read("search", std::move(work), by);
}

Co<Result<std::vector<Passage>>> SqliteDocuments::passages(TenantId tenant,
                                                           std::vector<std::int64_t> numbers,
                                                           Deadline by) {
  auto work = [tenant = std::move(tenant),
               numbers = std::move(numbers)](Connection& db) -> Result<std::vector<Passage>> {
    return passages_of(db, tenant, numbers);
  };
  co_return co_await readers_.read("passages", std::move(work), by);
}

Co<Result<std::vector<std::int64_t>>> SqliteDocuments::visible(TenantId tenant,
                                                               DocumentFilter filter, Deadline by) {
  tidy(filter.tags);
  auto work = [tenant = std::move(tenant),
               filter = std::move(filter)](Connection& db) -> Result<std::vector<std::int64_t>> {
    return visible_documents(db, tenant, filter);
  };
  co_return co_await readers_.read("visible", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
