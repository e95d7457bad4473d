// Documents that become another one: new content under the same name, another title, other tags.
#include <algorithm>

#include "storage/document_rules.h"
#include "storage/sqlite/document_rows.h"
#include "storage/sqlite/document_undo.h"
#include "storage/sqlite/documents.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr const char* kFinish =
    "UPDATE document SET state = 0, sha256 = ?, size = ?, checkpoint = '' WHERE n = ?";

struct End {
  TenantId tenant;
  DocumentId id;
  Takeover place;
  std::string sha256;
  Bytes size;
  WallTime now;
};

/// Ready, of this tenant.
std::optional<DocumentRow> ready_row(Connection& db, const TenantId& tenant, const DocumentId& id) {
  auto row = document_of(db, tenant, id);
  if (row && row->info.state != DocumentState::ready) row.reset();
  return row;
}

/// Whether another document than `but` stands in the way of this content of the row's source.
bool is_elsewhere(Connection& db, const DocumentRow& row, const std::string& sha256,
                  std::int64_t but) {
  const auto same = same_content(db, row.collection, row.info.source, sha256);
  if (same && same->info.number != but) return true;
  const auto all = same_source(db, row.collection, row.info.source);
  return std::any_of(all.begin(), all.end(),
                     [but](const DocumentRow& each) { return each.info.number != but; });
}

/// Whether the old document is another one than that which the row was made for.
bool has_changed(const DocumentRow& old, const DocumentRow& row, const Takeover& place) {
  const bool copied =
      place.copied == 0 || (place.copied == old.info.number && row.info.chunks == old.info.chunks);
  const bool tags = place.brings_tags || row.info.tags == old.info.tags;
  const bool collection = place.brings_collection || row.collection == old.collection;
  return !copied || !tags || !collection;
}

Result<Added> finish_as_now(Connection& db, Vocabulary& vocabulary, const End& end) {
  auto old = ready_row(db, end.tenant, end.place.as);
  if (!old) return unknown_document();
  auto row = document_of(db, end.tenant, end.id);
  if (!row && old->info.sha256 == end.sha256) return Added{std::move(old->info), false, true};
  if (!row || row->info.state != DocumentState::ingesting) return unknown_document();
  if (end.place.copied == 0 && stays(old->accepted, row->accepted, end.now)) {
    make_gone(db, vocabulary, *row);
    return Added{std::move(old->info), false, false, true};
  }
  if (has_changed(*old, *row, end.place)) return document_changed();
  row->info.source = old->info.source;
  if (is_elsewhere(db, *row, end.sha256, old->info.number)) return same_content_elsewhere();
  make_gone(db, vocabulary, *old);
  const std::string& title = end.place.title.empty() ? old->info.title : end.place.title;
  if (title != row->info.title) retitle(db, vocabulary, *row, title);
  Query(db, Literal{kFinish}).bind(end.sha256, end.size.value, row->info.number).finish();
  row->info.id = end.place.as;
  row->info.created = old->info.created;
  if (end.place.copied != 0) row->accepted = old->accepted;
  row->info.sha256 = end.sha256;
  row->info.size = end.size;
  row->info.state = DocumentState::ready;
  name_row(db, *row);
  count_in(db, *row);
  return Added{std::move(row->info), false, true};
}

/// The row in its other collection. Errors: as Documents::update().
Status move_to(Connection& db, DocumentRow& row, const CollectionName& collection) {
  row.collection = collection_made(db, row.tenant, collection);
  row.info.collection = collection;
  if (is_elsewhere(db, row, row.info.sha256, row.info.number)) return same_content_elsewhere();
  return done();
}

struct Change {
  TenantId tenant;
  DocumentId id;
  DocumentChanges to;
};

Result<DocumentInfo> update_now(Connection& db, Vocabulary& vocabulary, const Change& change) {
  auto row = ready_row(db, change.tenant, change.id);
  if (!row) return unknown_document();
  DocumentRow next = *row;
  if (change.to.tags) next.info.tags = *change.to.tags;
  const bool moves = change.to.collection && *change.to.collection != row->info.collection;
  const bool marked_anew = moves || next.info.tags != row->info.tags;
  if (moves) {
    auto moved = move_to(db, next, *change.to.collection);
    if (!moved.ok()) return moved.error();
  }
  if (marked_anew && row->info.chunks > kChangedAtOnce) return document_large();
  if (marked_anew) {
    count_out(db, *row);
    rescope(db, *row, next);
    count_in(db, next);
  }
  if (change.to.title && *change.to.title != next.info.title) {
    retitle(db, vocabulary, next, *change.to.title);
  }
  return std::move(next.info);
}

}  // namespace

Co<Result<Added>> SqliteDocuments::finish_as(TenantId tenant, DocumentId id, Takeover place,
                                             std::string sha256, Bytes size, Deadline by) {
  End end{std::move(tenant), std::move(id), std::move(place),
          std::move(sha256), size,          clock_.wall()};
  auto work = [end = std::move(end), vocabulary = vocabulary_, changed = change()](Connection& db) {
    return undoing(db, [&] { return finish_as_now(db, *vocabulary, end); });
  };
  auto added = co_await writer_.write("finish_document", std::move(work), by);
  version_->fetch_add(1);
  co_return added;
}

Co<Result<DocumentInfo>> SqliteDocuments::update(TenantId tenant, DocumentId id,
                                                 DocumentChanges changes, Deadline by) {
  auto good = check_changes(changes);
  if (!good.ok()) co_return good.error();
  Change wanted{std::move(tenant), std::move(id), std::move(changes)};
  auto work = [wanted = std::move(wanted), vocabulary = vocabulary_,
               changed = change()](Connection& db) {
    return undoing(db, [&] { return update_now(db, *vocabulary, wanted); });
  };
  auto updated = co_await writer_.write("update_document", std::move(work), by);
  version_->fetch_add(1);
  co_return updated;
}

Co<Result<std::string>> SqliteDocuments::thumbnail(TenantId tenant, DocumentId id, Deadline by) {
  auto work = [tenant = std::move(tenant),
               id = std::move(id)](Connection& db) -> Result<std::string> {
    auto row = ready_row(db, tenant, id);
    if (!row) return unknown_document();
    return thumbnail_of(db, row->info.number);
  };
  co_return co_await readers_.read("thumbnail", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
