// Documents and word search over SQLite and its FTS5. Used by storage/sqlite/open.cpp.
#pragma once

#include "storage/documents.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

class SqliteDocuments final : public Documents {
 public:
  SqliteDocuments(Writer& writer, Readers& readers, Clock& clock)
      : writer_(writer), readers_(readers), clock_(clock) {}
  Co<Result<Added>> add(TenantId tenant, NewDocument document, Deadline by) override;
  Co<Result<PageOfDocuments>> list(TenantId tenant, std::optional<CollectionName> collection,
                                   DocumentId after, std::uint32_t limit, Deadline by) override;
  Co<Result<DocumentInfo>> get(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<std::vector<Chunk>>> chunks(TenantId tenant, DocumentId id, std::uint64_t from,
                                        std::uint32_t limit, Deadline by) override;
  Co<Status> erase(TenantId tenant, DocumentId id, Deadline by) override;
  Co<Result<std::vector<Passage>>> search(PassageQuery query, Deadline by) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
};

/// The FTS5 expression that finds any of a question's telling words; empty when it has no word.
/// Whatever the text, the expression is valid.
std::string match_expression(const std::string& question);

/// The texts of the queries whose plans a test looks at.
std::vector<std::string> document_queries();

}  // namespace mainstay::storage::sqlite
