// Documents in plain containers with a straightforward BM25. Used by storage/memory/open.cpp.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "storage/documents.h"
#include "storage/gone_places.h"
#include "storage/vectors.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits. Search reads every chunk: for tests and small sets.
class MemoryDocuments final : public Documents {
 public:
  explicit MemoryDocuments(Clock& clock) : clock_(clock) {}
  Co<Result<Added>> add(TenantId tenant, NewDocument document, Deadline by) override;
  Co<Result<Begun>> begin(TenantId tenant, NewDocument head, Deadline by) override;
  Co<Result<std::uint64_t>> append(TenantId tenant, DocumentId id, std::uint64_t first_seq,
                                   std::vector<Chunk> chunks, std::string checkpoint,
                                   Deadline by) override;
  Co<Result<Added>> finish(TenantId tenant, DocumentId id, std::string sha256, Bytes size,
                           std::string title, Deadline by) override;
  Co<Result<Added>> finish_as(TenantId tenant, DocumentId id, Takeover place, std::string sha256,
                              Bytes size, Deadline by) override;
  Co<Result<DocumentInfo>> update(TenantId tenant, DocumentId id, DocumentChanges changes,
                                  Deadline by) override;
  Co<Result<std::string>> thumbnail(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Status> abandon(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<std::vector<Unfinished>>> ingesting(WallTime before, std::uint32_t limit,
                                                Deadline by) override;
  Co<Result<PageOfDocuments>> list(TenantId tenant, std::optional<CollectionName> collection,
                                   DocumentId after, std::uint32_t limit, Deadline by) override;
  Co<Result<DocumentInfo>> get(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<std::vector<Chunk>>> chunks(TenantId tenant, DocumentId id, std::uint64_t from,
                                        std::uint32_t limit, Deadline by) override;
  Co<Status> erase(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<bool>> sweep(Deadline by) override;
  Co<Result<std::vector<CollectionInfo>>> collections(TenantId tenant, Deadline by) override;
  Co<Status> create_collection(TenantId tenant, CollectionName name, Deadline by) override;
  Co<Result<std::int64_t>> hold_collection(TenantId tenant, CollectionName name,
                                           Deadline by) override;
  Co<Status> rename_collection(TenantId tenant, CollectionName from, CollectionName to,
                               Deadline by) override;
  Co<Result<std::uint64_t>> erase_collection(TenantId tenant, CollectionName name,
                                             Deadline by) override;
  Co<Result<Found>> find(PassageQuery query, Deadline by) override;
  Co<Result<std::vector<Passage>>> passages(TenantId tenant, std::vector<std::int64_t> numbers,
                                            Deadline by) override;
  Co<Result<std::vector<std::int64_t>>> visible(TenantId tenant, DocumentFilter filter,
                                                Deadline by) override;
  std::uint64_t version() const noexcept override { return version_.load(); }

  struct Document {
    TenantId tenant;
    DocumentInfo info;
    std::string checkpoint;
    std::vector<Chunk> chunks;
    std::string thumbnail = {};
    WallTime accepted = {};  ///< when its content was asked for
  };
  /// Chunks of all documents with numbers after the given one, in order; for MemoryVectors.
  std::vector<ChunkToEmbed> chunks_after(std::int64_t after, std::uint32_t limit) const;
  bool has_chunk(std::int64_t chunk) const;

 private:
  using All = std::map<std::int64_t, Document>;
  Result<Added> add_now(const TenantId& tenant, NewDocument document);
  Result<Begun> begin_now(const TenantId& tenant, NewDocument head);
  Result<std::uint64_t> append_now(const TenantId& tenant, const DocumentId& id,
                                   std::uint64_t first, std::vector<Chunk> chunks,
                                   std::string checkpoint);
  Result<Added> finish_now(const TenantId& tenant, const DocumentId& id, std::string sha256,
                           Bytes size, std::string title);
  Result<Added> finish_as_now(const TenantId& tenant, const DocumentId& id, const Takeover& place,
                              std::string sha256, Bytes size);
  Result<DocumentInfo> update_now(const TenantId& tenant, const DocumentId& id,
                                  DocumentChanges changes);
  Status rename_now(const TenantId& tenant, const CollectionName& from, const CollectionName& to);
  std::uint64_t erase_all(const TenantId& tenant, const CollectionName& name);
  std::int64_t collection_made(const TenantId& tenant, const CollectionName& name);
  /// Puts the name that its collection has now into the head. Errors: as add().
  Status place(const TenantId& tenant, NewDocument& head) const;
  DocumentInfo insert(const TenantId& tenant, NewDocument document, DocumentState state);
  /// What makes a document of this `head` needless, as its verb answers; `accepted`: its content.
  std::optional<Added> there_already(const TenantId& tenant, const DocumentInfo& head,
                                     const std::string& sha256, WallTime accepted);
  bool is_elsewhere(const TenantId& tenant, const DocumentInfo& info, const std::string& sha256,
                    std::int64_t but) const;
  Document* same_content(const TenantId& tenant, const CollectionName& collection,
                         const std::string& source, const std::string& sha256);
  std::vector<std::int64_t> same_source(const TenantId& tenant, const DocumentInfo& info) const;
  bool taken(const DocumentId& id, const std::vector<std::int64_t>& but_for) const;
  All::iterator find_now(const TenantId& tenant, const DocumentId& id);
  Found search_now(const PassageQuery& query) const;
  void changed() { version_.fetch_add(1); }
  GonePlaces<std::int64_t> gone_;  ///< numbers, by tenant

  Clock& clock_;
  mutable std::mutex mutex_;
  All all_;                                                                  ///< by number
  std::map<std::pair<TenantId, CollectionName>, std::int64_t> collections_;  ///< their numbers
  std::int64_t next_ = 1;
  std::int64_t next_collection_ = 1;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace mainstay::storage::memory
