// Documents in plain containers with a straightforward BM25. Used by storage/memory/open.cpp.
#pragma once

#include <map>
#include <mutex>

#include "storage/documents.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits. Search reads every chunk: for tests and small sets.
class MemoryDocuments final : public Documents {
 public:
  explicit MemoryDocuments(Clock& clock) : clock_(clock) {}
  Co<Result<Added>> add(TenantId tenant, NewDocument document, Deadline by) override;
  Co<Result<PageOfDocuments>> list(TenantId tenant, std::optional<CollectionName> collection,
                                   DocumentId after, std::uint32_t limit, Deadline by) override;
  Co<Result<DocumentInfo>> get(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<std::vector<Chunk>>> chunks(TenantId tenant, DocumentId id, std::uint64_t from,
                                        std::uint32_t limit, Deadline by) override;
  Co<Status> erase(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<std::vector<Passage>>> search(PassageQuery query, Deadline by) override;

 private:
  struct Document {
    TenantId tenant;
    DocumentInfo info;
    std::vector<Chunk> chunks;
  };
  using All = std::map<std::uint64_t, Document>;
  Result<Added> add_now(const TenantId& tenant, NewDocument document);
  All::const_iterator find(const TenantId& tenant, const DocumentId& id) const;
  std::vector<Passage> search_now(const PassageQuery& query) const;

  Clock& clock_;
  mutable std::mutex mutex_;
  All all_;  ///< by order of arrival
  std::uint64_t next_ = 1;
};

}  // namespace mainstay::storage::memory
