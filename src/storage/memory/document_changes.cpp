// Documents that become another one: new content under the same name, another title, other tags.
#include <algorithm>

#include "storage/document_rules.h"
#include "storage/memory/documents.h"

namespace mainstay::storage::memory {

Result<Added> MemoryDocuments::finish_as_now(const TenantId& tenant, const DocumentId& id,
                                             const DocumentId& as, std::string sha256, Bytes size,
                                             std::string title) {
  const auto old = find_now(tenant, as);
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
  const auto* same = same_content(tenant, info.collection, info.source, sha256);
  if (same != nullptr && same->info.id != as) return same_content_elsewhere();
  info.created = old->second.info.created;
  all_.erase(old);
  for (const auto n : same_source(tenant, info)) all_.erase(n);
  info.id = as;
  info.sha256 = std::move(sha256);
  info.size = size;
  if (!title.empty()) info.title = std::move(title);
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
  if (marked_anew && next.chunks > kChangedAtOnce) return document_large();
  if (moves && (same_content(tenant, next.collection, next.source, next.sha256) != nullptr ||
                !same_source(tenant, next).empty())) {
    return same_content_elsewhere();
  }
  collections_.emplace(tenant, next.collection);
  found->second.info = next;
  changed();
  return next;
}

Co<Result<Added>> MemoryDocuments::finish_as(TenantId tenant, DocumentId id, DocumentId as,
                                             std::string sha256, Bytes size, std::string title,
                                             Deadline) {
  std::lock_guard lock(mutex_);
  co_return finish_as_now(tenant, id, as, std::move(sha256), size, std::move(title));
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
