// Documents and word search over SQLite and its FTS5. Used by storage/sqlite/open.cpp.
#pragma once

#include <atomic>
#include <memory>

#include "storage/documents.h"
#include "storage/gone_places.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/vocabulary.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

class SqliteDocuments final : public Documents {
 public:
  SqliteDocuments(Writer& writer, Readers& readers, Clock& clock, const DocumentLimits& limits = {})
      : writer_(writer),
        readers_(readers),
        clock_(clock),
        vocabulary_(std::make_shared<Vocabulary>(limits.vocabulary_max)) {}
  bool takes_terms() const noexcept override { return true; }
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
  std::uint64_t version() const noexcept override {
    return version_->load(std::memory_order_acquire);
  }

 private:
  /// Counts the version on when the operation that holds it is over, whoever waits for it.
  std::shared_ptr<void> change() const;
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
  /// Shared with operations, which may outlive this object unrun.
  std::shared_ptr<Vocabulary> vocabulary_;
  std::shared_ptr<std::atomic<std::uint64_t>> version_ =
      std::make_shared<std::atomic<std::uint64_t>>(1);
  using Gone = GonePlaces<std::int64_t>;
  std::shared_ptr<Gone> gone_ = std::make_shared<Gone>();  ///< numbers, by tenant
};

/// The texts of the queries whose plans a test looks at.
std::vector<std::string> document_queries();

}  // namespace mainstay::storage::sqlite
