// The rules of documents, written as plainly as possible.
#include "storage/memory/documents.h"

#include <algorithm>

#include "storage/document_rules.h"
#include "storage/memory/document_search.h"

namespace mainstay::storage::memory {

MemoryDocuments::All::iterator MemoryDocuments::find_now(const TenantId& tenant,
                                                         const DocumentId& id) {
  return std::find_if(all_.begin(), all_.end(), [&](const auto& entry) {
    return entry.second.tenant == tenant && entry.second.info.id == id;
  });
}

MemoryDocuments::Document* MemoryDocuments::same_content(const TenantId& tenant,
                                                         const CollectionName& collection,
                                                         const std::string& source,
                                                         const std::string& sha256) {
  if (sha256.empty()) return nullptr;
  for (auto& [n, each] : all_) {
    if (each.tenant == tenant && each.info.collection == collection &&
        each.info.state == DocumentState::ready && each.info.source == source &&
        each.info.sha256 == sha256) {
      return &each;
    }
  }
  return nullptr;
}

std::vector<std::int64_t> MemoryDocuments::same_source(const TenantId& tenant,
                                                       const DocumentInfo& info) const {
  std::vector<std::int64_t> out;
  if (info.source.empty()) return out;
  for (const auto& [n, each] : all_) {
    if (each.tenant == tenant && each.info.collection == info.collection &&
        each.info.state == DocumentState::ready && each.info.source == info.source) {
      out.push_back(n);
    }
  }
  return out;
}

std::optional<Added> MemoryDocuments::there_already(const TenantId& tenant,
                                                    const DocumentInfo& head,
                                                    const std::string& sha256, WallTime accepted) {
  if (auto* same = same_content(tenant, head.collection, head.source, sha256)) {
    same->accepted = std::max(same->accepted, accepted);
    return Added{same->info, true};
  }
  for (const auto n : same_source(tenant, head)) {
    const Document& each = all_.at(n);
    if (stays(each.accepted, accepted, clock_.wall())) return Added{each.info, false, false, true};
  }
  return std::nullopt;
}

bool MemoryDocuments::taken(const DocumentId& id, const std::vector<std::int64_t>& but_for) const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& entry) {
    return entry.second.info.id == id &&
           std::find(but_for.begin(), but_for.end(), entry.first) == but_for.end();
  });
}

std::int64_t MemoryDocuments::collection_made(const TenantId& tenant, const CollectionName& name) {
  const auto [at, made] = collections_.try_emplace({tenant, name}, next_collection_);
  if (made) ++next_collection_;
  return at->second;
}

Status MemoryDocuments::place(const TenantId& tenant, NewDocument& head) const {
  if (head.collection_number == 0) return done();
  for (const auto& [name, number] : collections_) {
    if (name.first != tenant || number != head.collection_number) continue;
    head.collection = name.second;
    return done();
  }
  return unknown_collection();
}

DocumentInfo MemoryDocuments::insert(const TenantId& tenant, NewDocument document,
                                     DocumentState state) {
  const WallTime accepted = document.accepted == WallTime{} ? clock_.wall() : document.accepted;
  DocumentInfo info{
      document.id,         document.collection,      document.title, document.source,
      document.media_type, document.sha256,          document.size,  document.chunks.size(),
      clock_.wall(),       std::move(document.tags), state,          next_++};
  collection_made(tenant, info.collection);
  all_.emplace(
      info.number,
      Document{
          tenant, info, {}, std::move(document.chunks), std::move(document.thumbnail), accepted});
  return info;
}

Result<Added> MemoryDocuments::add_now(const TenantId& tenant, NewDocument document) {
  Added added;
  auto placed = place(tenant, document);
  if (!placed.ok()) return placed.error();
  DocumentInfo head;
  head.collection = document.collection;
  head.source = document.source;
  const WallTime accepted = document.accepted == WallTime{} ? clock_.wall() : document.accepted;
  if (auto there = there_already(tenant, head, document.sha256, accepted)) {
    return std::move(*there);
  }
  const auto older = same_source(tenant, head);
  if (taken(document.id, older)) return document_id_taken();
  for (const auto n : older) all_.erase(n);
  added.replaced = !older.empty();
  added.document = insert(tenant, std::move(document), DocumentState::ready);
  changed();
  return added;
}

Result<Begun> MemoryDocuments::begin_now(const TenantId& tenant, NewDocument head) {
  Begun begun;
  const auto known = find_now(tenant, head.id);
  if (known != all_.end()) {
    begun.document = known->second.info;
    begun.checkpoint = known->second.checkpoint;
    return begun;
  }
  if (taken(head.id, {})) return document_id_taken();
  auto placed = place(tenant, head);
  if (!placed.ok()) return placed.error();
  if (auto* same = same_content(tenant, head.collection, head.source, head.sha256)) {
    same->accepted =
        std::max(same->accepted, head.accepted == WallTime{} ? clock_.wall() : head.accepted);
    begun.document = same->info;
    begun.existed = true;
    return begun;
  }
  head.chunks.clear();
  begun.document = insert(tenant, std::move(head), DocumentState::ingesting);
  return begun;
}

Result<std::uint64_t> MemoryDocuments::append_now(const TenantId& tenant, const DocumentId& id,
                                                  std::uint64_t first, std::vector<Chunk> chunks,
                                                  std::string checkpoint) {
  const auto found = find_now(tenant, id);
  if (found == all_.end() || found->second.info.state != DocumentState::ingesting) {
    return unknown_document();
  }
  Document& document = found->second;
  const std::uint64_t stored = document.chunks.size();
  if (first > stored) return chunks_missing();
  const std::uint64_t end = first + chunks.size();
  if (end < stored || (end == stored && !chunks.empty())) return stored;
  if (end > kChunksMax) return too_many_chunks();
  for (std::size_t i = stored - first; i < chunks.size(); ++i) {
    document.chunks.push_back(std::move(chunks[i]));
  }
  document.info.chunks = end;
  document.checkpoint = std::move(checkpoint);
  return end;
}

Result<Added> MemoryDocuments::finish_now(const TenantId& tenant, const DocumentId& id,
                                          std::string sha256, Bytes size, std::string title) {
  Added added;
  const auto found = find_now(tenant, id);
  if (found == all_.end()) return unknown_document();
  DocumentInfo& info = found->second.info;
  if (info.state == DocumentState::ready) {
    added.document = info;
    return added;
  }
  if (auto there = there_already(tenant, info, sha256, found->second.accepted)) {
    all_.erase(found);
    return std::move(*there);
  }
  const auto older = same_source(tenant, info);
  for (const auto n : older) all_.erase(n);
  added.replaced = !older.empty();
  info.sha256 = std::move(sha256);
  info.size = size;
  if (!title.empty()) info.title = std::move(title);
  info.state = DocumentState::ready;
  found->second.checkpoint.clear();
  changed();
  added.document = info;
  return added;
}

Status MemoryDocuments::rename_now(const TenantId& tenant, const CollectionName& from,
                                   const CollectionName& to) {
  if (!collections_.contains({tenant, from})) return unknown_collection();
  if (from == to) return done();
  if (collections_.contains({tenant, to})) return collection_name_taken();
  auto node = collections_.extract({tenant, from});
  node.key().second = to;
  collections_.insert(std::move(node));
  for (auto& [n, each] : all_) {
    if (each.tenant == tenant && each.info.collection == from) each.info.collection = to;
  }
  return done();
}

std::uint64_t MemoryDocuments::erase_all(const TenantId& tenant, const CollectionName& name) {
  std::uint64_t ready = 0;
  for (auto at = all_.begin(); at != all_.end();) {
    const Document& each = at->second;
    const bool goes = each.tenant == tenant && each.info.collection == name;
    if (goes && each.info.state == DocumentState::ready) ++ready;
    at = goes ? all_.erase(at) : std::next(at);
  }
  collections_.erase({tenant, name});
  changed();
  return ready;
}

Found MemoryDocuments::search_now(const PassageQuery& query) const {
  std::vector<const Document*> mine;
  for (const auto& [n, each] : all_) {
    if (each.tenant == query.tenant && each.info.state == DocumentState::ready) {
      mine.push_back(&each);
    }
  }
  return found_in(mine, query);
}

Co<Result<Added>> MemoryDocuments::add(TenantId tenant, NewDocument document, Deadline) {
  auto good = check_document(document);
  if (!good.ok()) co_return good.error();
  std::lock_guard lock(mutex_);
  co_return add_now(tenant, std::move(document));
}

Co<Result<Begun>> MemoryDocuments::begin(TenantId tenant, NewDocument head, Deadline) {
  auto good = check_document(head);
  if (!good.ok()) co_return good.error();
  std::lock_guard lock(mutex_);
  co_return begin_now(tenant, std::move(head));
}

Co<Result<std::uint64_t>> MemoryDocuments::append(TenantId tenant, DocumentId id,
                                                  std::uint64_t first_seq,
                                                  std::vector<Chunk> chunks, std::string checkpoint,
                                                  Deadline) {
  auto good = check_append(chunks, checkpoint);
  if (!good.ok()) co_return good.error();
  std::lock_guard lock(mutex_);
  co_return append_now(tenant, id, first_seq, std::move(chunks), std::move(checkpoint));
}

Co<Result<Added>> MemoryDocuments::finish(TenantId tenant, DocumentId id, std::string sha256,
                                          Bytes size, std::string title, Deadline) {
  std::lock_guard lock(mutex_);
  co_return finish_now(tenant, id, std::move(sha256), size, std::move(title));
}

Co<Status> MemoryDocuments::abandon(TenantId tenant, DocumentId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find_now(tenant, id);
  if (found == all_.end() || found->second.info.state != DocumentState::ingesting) {
    co_return unknown_document();
  }
  all_.erase(found);
  co_return done();
}

Co<Result<std::vector<Documents::Unfinished>>> MemoryDocuments::ingesting(WallTime before,
                                                                          std::uint32_t limit,
                                                                          Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<Unfinished> out;
  for (const auto& [n, each] : all_) {
    if (out.size() == limit) break;
    if (each.info.state != DocumentState::ingesting || each.info.created >= before) continue;
    out.push_back({each.tenant, each.info});
  }
  co_return out;
}

Co<Result<PageOfDocuments>> MemoryDocuments::list(TenantId tenant,
                                                  std::optional<CollectionName> collection,
                                                  DocumentId after, std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  auto end = all_.end();
  if (!after.empty()) {
    end = find_now(tenant, after);
    const auto gone = gone_.find(Owner{tenant, {}}, after.text());
    if (end == all_.end() && !gone) co_return unknown_document();
    if (end == all_.end()) end = all_.lower_bound(*gone);
  }
  PageOfDocuments out;
  for (auto at = std::make_reverse_iterator(end); at != all_.rend(); ++at) {
    const Document& each = at->second;
    if (each.tenant != tenant || each.info.state != DocumentState::ready) continue;
    if (collection && each.info.collection != *collection) continue;
    if (out.items.size() == limit)
      out.more = true;
    else
      out.items.push_back(each.info);
  }
  co_return out;
}

Co<Result<DocumentInfo>> MemoryDocuments::get(TenantId tenant, DocumentId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find_now(tenant, id);
  if (found == all_.end()) co_return unknown_document();
  co_return found->second.info;
}

Co<Result<std::vector<Chunk>>> MemoryDocuments::chunks(TenantId tenant, DocumentId id,
                                                       std::uint64_t from, std::uint32_t limit,
                                                       Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find_now(tenant, id);
  if (found == all_.end() || found->second.info.state != DocumentState::ready) {
    co_return unknown_document();
  }
  std::vector<Chunk> out;
  const auto& all = found->second.chunks;
  for (std::size_t i = from; i < all.size() && out.size() < limit; ++i) out.push_back(all[i]);
  co_return out;
}

Co<Status> MemoryDocuments::erase(TenantId tenant, DocumentId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find_now(tenant, id);
  if (found == all_.end()) co_return unknown_document();
  gone_.put(Owner{tenant, {}}, id.text(), found->first);
  all_.erase(found);
  changed();
  co_return done();
}

Co<Result<bool>> MemoryDocuments::sweep(Deadline) {
  co_return false;
}

Co<Result<std::vector<CollectionInfo>>> MemoryDocuments::collections(TenantId tenant, Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<CollectionInfo> out;
  for (const auto& [of, number] : collections_) {
    const auto& [owner, name] = of;
    if (owner != tenant) continue;
    CollectionInfo info;
    info.name = name;
    for (const auto& [n, each] : all_) {
      if (each.tenant != tenant || each.info.collection != name) continue;
      if (each.info.state != DocumentState::ready) continue;
      ++info.documents;
      info.chunks += each.info.chunks;
      info.size.value += each.info.size.value;
      info.newest = std::max(info.newest.value_or(each.info.created), each.info.created);
    }
    out.push_back(std::move(info));
  }
  co_return out;
}

Co<Status> MemoryDocuments::create_collection(TenantId tenant, CollectionName name, Deadline) {
  std::lock_guard lock(mutex_);
  if (collections_.contains({tenant, name})) co_return collection_name_taken();
  collection_made(tenant, name);
  co_return done();
}

Co<Result<std::int64_t>> MemoryDocuments::hold_collection(TenantId tenant, CollectionName name,
                                                          Deadline) {
  std::lock_guard lock(mutex_);
  co_return collection_made(tenant, name);
}

Co<Status> MemoryDocuments::rename_collection(TenantId tenant, CollectionName from,
                                              CollectionName to, Deadline) {
  std::lock_guard lock(mutex_);
  co_return rename_now(tenant, from, to);
}

Co<Result<std::uint64_t>> MemoryDocuments::erase_collection(TenantId tenant, CollectionName name,
                                                            Deadline) {
  std::lock_guard lock(mutex_);
  if (!collections_.contains({tenant, name})) co_return unknown_collection();
  co_return erase_all(tenant, name);
}

Co<Result<Found>> MemoryDocuments::find(PassageQuery query, Deadline) {
  tidy(query.tags);
  std::lock_guard lock(mutex_);
  co_return search_now(query);
}

Co<Result<std::vector<Passage>>> MemoryDocuments::passages(TenantId tenant,
                                                           std::vector<std::int64_t> numbers,
                                                           Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<Passage> out;
  for (const auto n : numbers) {
    if (out.size() == kPassagesMax) break;
    const auto found = all_.find(document_number(n));
    if (found == all_.end() || found->second.tenant != tenant) continue;
    const Document& document = found->second;
    const auto seq = static_cast<std::uint64_t>(n - chunk_number(document.info.number, 0));
    if (document.info.state != DocumentState::ready || seq >= document.chunks.size()) continue;
    out.push_back(passage_of(document.info, document.chunks[seq], seq));
  }
  co_return out;
}

Co<Result<std::vector<std::int64_t>>> MemoryDocuments::visible(TenantId tenant,
                                                               DocumentFilter filter, Deadline) {
  tidy(filter.tags);
  std::lock_guard lock(mutex_);
  std::vector<std::int64_t> out;
  for (const auto& [n, each] : all_) {
    if (each.tenant == tenant && each.info.state == DocumentState::ready &&
        lets_through(filter, each.info)) {
      out.push_back(n);
    }
  }
  co_return out;
}

}  // namespace mainstay::storage::memory
