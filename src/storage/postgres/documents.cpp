// The verbs of documents: each one statement. What must tell "none" from "not yours" answers with a
// word first.
#include "storage/postgres/documents.h"

#include <algorithm>
#include <limits>

#include "storage/document_rules.h"
#include "storage/postgres/document_rows.h"
#include "storage/postgres/index_words.h"

namespace mainstay::storage::postgres {
namespace {

/// Texts that wait to be cut into words; each has a caller that waits, with a deadline.
constexpr std::size_t kCutQueue = 4096;

constexpr const char* kBegin =
    "SELECT * FROM mainstay.begin_document($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
    "$14, $15)";
constexpr const char* kAdd =
    "SELECT * FROM mainstay.add_document($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
    "$14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)";
constexpr const char* kAppend =
    "SELECT said, stored FROM mainstay.append_chunks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
    "$12, $13, $14, $15, $16)";
constexpr const char* kFinish =
    "SELECT * FROM mainstay.finish_document($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
    "$11, $12, $13)";
constexpr const char* kErase = "SELECT mainstay.erase_document($1, $2, $3)";
constexpr const char* kCreate =
    "INSERT INTO mainstay.collection (tenant, name) VALUES ($1, $2) "
    "ON CONFLICT (tenant, name) DO NOTHING RETURNING n";
// The name that is taken stops it; two at once are stopped by the index.
constexpr const char* kRename = R"sql(
WITH renamed AS (UPDATE mainstay.collection SET name = $3 WHERE tenant = $1 AND name = $2
  AND NOT EXISTS (SELECT FROM mainstay.collection WHERE tenant = $1 AND name = $3) RETURNING n)
SELECT EXISTS (SELECT FROM renamed),
  EXISTS (SELECT FROM mainstay.collection WHERE tenant = $1 AND name = $2))sql";
constexpr const char* kForsake =
    "UPDATE mainstay.collection SET name = NULL, changes = changes + 1 "
    "WHERE tenant = $1 AND name = $2 RETURNING documents";

void put_head(Statement& out, const TenantId& tenant, const NewDocument& document,
              const IndexedTitle& title, DocumentState state, WallTime now) {
  out.text(document.id.text()).text(tenant.text()).bytes(document.collection.text());
  out.number(state == DocumentState::ready ? 0 : 1).bytes(document.title).text(title.words);
  out.bytes(document.source).bytes(document.media_type).text(document.sha256);
  out.count(document.size.value).number(micros(now)).byte_texts(document.tags);
  out.bytes(document.thumbnail);
  out.number(micros(document.accepted == WallTime{} ? now : document.accepted));
  out.number(document.collection_number);
}

void put_chunks(Statement& out, const IndexedChunks& chunks, std::uint64_t vocabulary_max) {
  out.numbers(chunks.begins).numbers(chunks.ends).numbers(chunks.pages);
  out.byte_texts(chunks.headings).byte_texts(chunks.texts);
  out.numbers(chunks.lengths).texts(chunks.words);
  out.texts(chunks.spelled.words).texts(chunks.spelled.stems).numbers(chunks.spelled.places);
  out.count(vocabulary_max);
}

/// What a verb refused; nothing when it did not.
Status refusal(const Rows& rows) {
  const std::string said = rows.size() == 0 ? "unknown" : rows.text(0, 0);
  if (said == "ok" || said == "existed" || said == "superseded") return done();
  if (said == "taken") return document_id_taken();
  if (said == "same") return same_content_elsewhere();
  if (said == "large") return document_large();
  if (said == "changed") return document_changed();
  if (said == "nowhere") return unknown_collection();
  if (said == "missing") return chunks_missing();
  if (said == "many") return too_many_chunks();
  return unknown_document();
}

Result<Added> added_in(const Rows& rows) {
  auto good = refusal(rows);
  if (!good.ok()) return good.error();
  Added out;
  out.document = info_in(rows, 0);
  out.existed = rows.text(0, 0) == "existed";
  out.superseded = rows.text(0, 0) == "superseded";
  out.replaced = !out.existed && rows.truth(0, 1);
  return out;
}

struct Cut {
  NewDocument document;
  IndexedTitle title;
  IndexedChunks chunks;
};

}  // namespace

PostgresDocuments::PostgresDocuments(Client& client, Clock& clock, const DocumentLimits& limits)
    : client_(client),
      clock_(clock),
      vocabulary_max_(limits.vocabulary_max),
      cutters_("words", 1, kCutQueue) {}

Co<Result<Added>> PostgresDocuments::add(TenantId tenant, NewDocument document, Deadline by) {
  auto good = check_document(document);
  if (!good.ok()) co_return good.error();
  auto work = [document = std::move(document)]() mutable -> Result<Cut> {
    Cut out;
    out.chunks = indexed(std::move(document.chunks));
    out.title = indexed_title(document.title);
    out.document = std::move(document);
    SpelledWords& known = out.chunks.spelled;
    for (std::size_t i = 0; i < out.title.spelled.words.size(); ++i) {
      if (out.chunks.begins.empty()) break;
      known.words.push_back(std::move(out.title.spelled.words[i]));
      known.stems.push_back(std::move(out.title.spelled.stems[i]));
      known.places.push_back(0);
    }
    return out;
  };
  auto cut = co_await offload(clock_, cutters_, std::move(work), by);
  if (!cut.ok()) co_return cut.error();
  Statement statement("add_document", kAdd);
  put_head(statement, tenant, cut->document, cut->title, DocumentState::ready, clock_.wall());
  put_chunks(statement, cut->chunks, vocabulary_max_);
  auto rows = co_await client_.ask(std::move(statement), Repeat::once, by);
  changed();
  if (!rows.ok()) co_return rows.error();
  co_return added_in(*rows);
}

Co<Result<Begun>> PostgresDocuments::begin(TenantId tenant, NewDocument head, Deadline by) {
  auto good = check_document(head);
  if (!good.ok()) co_return good.error();
  Statement statement("begin_document", kBegin);
  const IndexedTitle title = indexed_title(head.title);
  put_head(statement, tenant, head, title, DocumentState::ingesting, clock_.wall());
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!rows.ok()) co_return rows.error();
  auto allowed = refusal(*rows);
  if (!allowed.ok()) co_return allowed.error();
  Begun out;
  out.document = info_in(*rows, 0);
  out.existed = rows->text(0, 0) == "existed";
  if (!out.existed) out.checkpoint = rows->text(0, kCheckpointColumn);
  co_return out;
}

Co<Result<std::uint64_t>> PostgresDocuments::append(TenantId tenant, DocumentId id,
                                                    std::uint64_t first_seq,
                                                    std::vector<Chunk> chunks,
                                                    std::string checkpoint, Deadline by) {
  auto good = check_append(chunks, checkpoint);
  if (!good.ok()) co_return good.error();
  auto work = [chunks = std::move(chunks)]() mutable -> Result<IndexedChunks> {
    return indexed(std::move(chunks));
  };
  auto cut = co_await offload(clock_, cutters_, std::move(work), by);
  if (!cut.ok()) co_return cut.error();
  Statement statement("append_chunks", kAppend);
  statement.text(id.text()).text(tenant.text()).count(first_seq).bytes(std::move(checkpoint));
  statement.number(micros(clock_.wall()));
  put_chunks(statement, *cut, vocabulary_max_);
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!rows.ok()) co_return rows.error();
  auto allowed = refusal(*rows);
  if (!allowed.ok()) co_return allowed.error();
  co_return rows->count(0, 1);
}

Co<Result<Added>> PostgresDocuments::finished(TenantId tenant, DocumentId id, Takeover place,
                                              std::string sha256, Bytes size, Deadline by) {
  IndexedTitle cut = indexed_title(place.title);
  Statement statement("finish_document", kFinish);
  statement.text(id.text()).text(place.as.text()).text(tenant.text()).text(std::move(sha256));
  statement.count(size.value).bytes(std::move(place.title)).text(std::move(cut.words));
  statement.texts(cut.spelled.words).texts(cut.spelled.stems).count(vocabulary_max_);
  statement.number(place.copied);
  statement.number((place.brings_tags ? 2 : 0) | (place.brings_collection ? 4 : 0));
  statement.number(micros(clock_.wall()));
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  changed();
  if (!rows.ok()) co_return rows.error();
  co_return added_in(*rows);
}

Co<Result<Added>> PostgresDocuments::finish(TenantId tenant, DocumentId id, std::string sha256,
                                            Bytes size, std::string title, Deadline by) {
  Takeover none;
  none.title = std::move(title);
  co_return co_await finished(std::move(tenant), std::move(id), std::move(none), std::move(sha256),
                              size, by);
}

Co<Result<Added>> PostgresDocuments::finish_as(TenantId tenant, DocumentId id, Takeover place,
                                               std::string sha256, Bytes size, Deadline by) {
  co_return co_await finished(std::move(tenant), std::move(id), std::move(place), std::move(sha256),
                              size, by);
}

Co<Result<DocumentInfo>> PostgresDocuments::update(TenantId tenant, DocumentId id,
                                                   DocumentChanges changes, Deadline by) {
  auto good = check_changes(changes);
  if (!good.ok()) co_return good.error();
  const IndexedTitle title = indexed_title(changes.title.value_or(""));
  Statement statement("update_document",
                      "SELECT * FROM mainstay.update_document($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                      "$10, $11)");
  statement.text(id.text()).text(tenant.text());
  statement.number((changes.title ? 1 : 0) | (changes.tags ? 2 : 0) | (changes.collection ? 4 : 0));
  statement.bytes(changes.title.value_or("")).text(title.words);
  statement.texts(title.spelled.words).texts(title.spelled.stems).count(vocabulary_max_);
  statement.byte_texts(changes.tags.value_or(std::vector<std::string>()));
  statement.bytes(changes.collection ? changes.collection->text() : "").count(kChangedAtOnce);
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  changed();
  if (!rows.ok()) co_return rows.error();
  auto allowed = refusal(*rows);
  if (!allowed.ok()) co_return allowed.error();
  co_return info_in(*rows, 0);
}

/// `state` 1: an unfinished one alone.
Co<Status> PostgresDocuments::gone(const char* verb, TenantId tenant, DocumentId id,
                                   std::int64_t state, Deadline by) {
  Statement statement(verb, kErase);
  statement.text(id.text()).text(tenant.text()).number(state);
  auto rows = co_await client_.ask(std::move(statement), Repeat::once, by);
  changed();
  if (!rows.ok()) co_return rows.error();
  if (!rows->truth(0, 0)) co_return unknown_document();
  co_return done();
}

Co<Status> PostgresDocuments::abandon(TenantId tenant, DocumentId id, Deadline by) {
  co_return co_await gone("abandon_document", std::move(tenant), std::move(id), 1, by);
}

Co<Status> PostgresDocuments::erase(TenantId tenant, DocumentId id, Deadline by) {
  auto known = co_await get(tenant, id, by);
  if (!known.ok()) co_return known.error();
  gone_.put(Owner{tenant, {}}, id.text(), known->number);
  co_return co_await gone("erase_document", std::move(tenant), std::move(id), 0, by);
}

Co<Status> PostgresDocuments::create_collection(TenantId tenant, CollectionName name, Deadline by) {
  Statement statement("create_collection", kCreate);
  statement.text(tenant.text()).bytes(name.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::once, by);
  if (!rows.ok()) co_return rows.error();
  if (rows->size() == 0) co_return collection_name_taken();
  co_return done();
}

Co<Result<std::int64_t>> PostgresDocuments::hold_collection(TenantId tenant, CollectionName name,
                                                            Deadline by) {
  Statement statement("hold_collection", "SELECT k FROM mainstay.collection_locked($1, $2)");
  statement.text(tenant.text()).bytes(name.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!rows.ok()) co_return rows.error();
  co_return rows->number(0, 0);
}

Co<Status> PostgresDocuments::rename_collection(TenantId tenant, CollectionName from,
                                                CollectionName to, Deadline by) {
  Statement statement("rename_collection", kRename);
  statement.text(tenant.text()).bytes(from.text()).bytes(to.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::once, by);
  if (!rows.ok() && rows.error().code == Errc::conflict) co_return collection_name_taken();
  if (!rows.ok()) co_return rows.error();
  if (!rows->truth(0, 1)) co_return unknown_collection();
  if (!rows->truth(0, 0) && from != to) co_return collection_name_taken();
  changed();
  co_return done();
}

Co<Result<std::uint64_t>> PostgresDocuments::erase_collection(TenantId tenant, CollectionName name,
                                                              Deadline by) {
  Statement statement("erase_collection", kForsake);
  statement.text(tenant.text()).bytes(name.text());
  auto rows = co_await client_.ask(std::move(statement), Repeat::once, by);
  changed();
  if (!rows.ok()) co_return rows.error();
  if (rows->size() == 0) co_return unknown_collection();
  co_return rows->count(0, 0);
}

}  // namespace mainstay::storage::postgres
