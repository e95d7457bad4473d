// Documents that become another one: new content under the same name, another title, other tags.
#include <algorithm>

#include "storage/document_rules.h"
#include "storage/memory/documents.h"

namespace mainstay::storage::memory {

/// Whether another document than `but` stands in the way of this content of the source.
bool MemoryDocuments::is_elsewhere(const TenantId& tenant, const DocumentInfo& info,
                                   const std::string& sha256, std::int64_t but) const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& entry) {
    const DocumentInfo& each = entry.second.info;
    return entry.first != but && entry.second.tenant == tenant &&
           each.state == DocumentState::ready && each.collection == info.collection &&
           each.source == info.source && (!each.source.empty() || each.sha256 == sha256);
  });
}

Result<Added> MemoryDocuments::finish_as_now(const TenantId& tenant, const DocumentId& id,
                                             const Takeover& place, std::string sha256,
                                             Bytes size) {
  const auto old = find_now(tenant, place.as);
  const auto found = find_now(tenant, id);
  if (old == all_.end() || old->second.info.state != DocumentState::ready) {
    return unknown_document();
  }
  if (found == all_.end() && old->second.info.sha256 == sha256) {
    return Added{old->second.info, false, true};
  }
  if (found == all_.end() || found->second.info.state != DocumentState::ingesting) {
    return unknown_document();
  }
  DocumentInfo& info = found->second.info;
  const DocumentInfo before = old->second.info;
  const bool later = stays(old->second.accepted, found->second.accepted, clock_.wall());
  if (place.copied == 0 && later) {
    all_.erase(found);
    return Added{before, false, false, true};
  }
  const bool copied =
      place.copied == 0 || (place.copied == before.number && info.chunks == before.chunks);
  const bool tags = place.brings_tags || info.tags == before.tags;
  const bool collection = place.brings_collection || info.collection == before.collection;
  if (!copied || !tags || !collection) return document_changed();
  info.source = before.source;
  if (is_elsewhere(tenant, info, sha256, before.number)) return same_content_elsewhere();
  if (place.copied != 0) found->second.accepted = old->second.accepted;
  all_.erase(old);
  info.created = before.created;
  info.id = place.as;
  info.sha256 = std::move(sha256);
  info.size = size;
  info.title = place.title.empty() ? before.title : place.title;
  info.state = DocumentState::ready;
  found->second.checkpoint.clear();
  changed();
  return Added{info, false, true};
}

Result<DocumentInfo> MemoryDocuments::update_now(const TenantId& tenant, const DocumentId& id,
                                                 DocumentChanges changes) {
  const auto found = find_now(tenant, id);
  if (found == all_.end() || found->second.info.state != DocumentState::ready) {
    return unknown_document();
  }
  DocumentInfo next = found->second.info;
  if (changes.tags) next.tags = std::move(*changes.tags);
  if (changes.title) next.title = std::move(*changes.title);
  const bool moves = changes.collection && *changes.collection != next.collection;
  if (moves) next.collection = *changes.collection;
  const bool marked_anew = moves || next.tags != found->second.info.tags;
  if (moves && is_elsewhere(tenant, next, next.sha256, next.number)) {
    return same_content_elsewhere();
  }
  if (marked_anew && next.chunks > kChangedAtOnce) return document_large();
  collection_made(tenant, next.collection);
  found->second.info = next;
  changed();
  return next;
}

Co<Result<Added>> MemoryDocuments::finish_as(TenantId tenant, DocumentId id, Takeover place,
                                             std::string sha256, Bytes size, Deadline) {
  std::lock_guard lock(mutex_);
  co_return finish_as_now(tenant, id, place, std::move(sha256), size);
}

Co<Result<DocumentInfo>> MemoryDocuments::update(TenantId tenant, DocumentId id,
                                                 DocumentChanges changes, Deadline) {
  auto good = check_changes(changes);
  if (!good.ok()) co_return good.error();
  std::lock_guard lock(mutex_);
  co_return update_now(tenant, id, std::move(changes));
}

Co<Result<std::string>> MemoryDocuments::thumbnail(TenantId tenant, DocumentId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find_now(tenant, id);
  if (found == all_.end() || found->second.info.state != DocumentState::ready) {
    co_return unknown_document();
  }
  co_return found->second.thumbnail;
}

}  // namespace mainstay::storage::memory
