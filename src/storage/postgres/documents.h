// Documents and word search in PostgreSQL. Used by storage/postgres/open.cpp.
#pragma once

#include <atomic>
#include <memory>

#include "base/offload.h"
#include "storage/documents.h"
#include "storage/gone_places.h"
#include "storage/postgres/client.h"

namespace mainstay::storage::postgres {

/// Texts are cut into words on a thread of its own; a search ranks in one statement.
class PostgresDocuments final : public Documents {
 public:
  /// References outlive it; the client is closed before this goes.
  PostgresDocuments(Client& client, Clock& clock, const DocumentLimits& limits);
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
  /// What other processes change is seen within kWatchEvery. The first call begins to watch.
  std::uint64_t version() const noexcept override;

 private:
  struct Question;
  Co<Result<bool>> index_anew(Deadline by);
  Co<Result<Added>> finished(TenantId tenant, DocumentId id, Takeover place, std::string sha256,
                             Bytes size, Deadline by);
  Co<Status> gone(const char* verb, TenantId tenant, DocumentId id, std::int64_t state,
                  Deadline by);
  Co<Status> look_up(std::shared_ptr<Question> question, Deadline by);
  Co<Result<std::vector<std::uint64_t>>> held(const Question& question,
                                              std::vector<std::string> stems, std::int64_t most,
                                              Deadline by);
  Co<Status> correct(std::shared_ptr<Question> question, std::string word, Deadline by);
  Co<Result<std::vector<Passage>>> best(const Question& question, Deadline by);
  Co<> watch() const;
  void changed() const noexcept { version_.fetch_add(1); }

  Client& client_;
  Clock& clock_;
  const std::uint64_t vocabulary_max_;
  mutable OffloadPool cutters_;
  mutable std::atomic<std::uint64_t> version_{1};
  mutable std::atomic<bool> watching_{false};
  mutable std::atomic<std::int64_t> watched_at_{0};  ///< steady nanoseconds; 0: not yet
  GonePlaces<std::int64_t> gone_;                    ///< numbers, by tenant
};

/// The texts of the queries whose plans a test looks at; find_query() that of so many stems.
std::vector<std::string> document_queries();
const std::string& find_query(std::size_t stems);
const std::string& old_words_query();

}  // namespace mainstay::storage::postgres
