// The documents of all tenants: put in as text, found as passages.
// Used by api and (as PassageSource) by models' built-in answerer and assistant.
#pragma once

#include <string>

#include "base/offload.h"
#include "config/settings.h"
#include "models/passages.h"
#include "storage/documents.h"

namespace mainstay::knowledge {

/// A document as a client gives it.
struct NewText {
  CollectionName collection;
  std::string title;            ///< empty: the first heading or line
  std::string source;           ///< file name or address; same source, new content: replaced
  std::string format = "text";  ///< text markdown html
  std::string text;
};

/// Any loop may call. References outlive it.
class Library final : public models::PassageSource {
 public:
  Library(const KnowledgeSettings& settings, Clock& clock, Random& random, OffloadPool& pool,
          storage::Documents& documents);
  /// Extracts, cuts into chunks (on the pool) and stores. Errors: invalid (named fields: "text",
  /// "format", "title"), too_large, unavailable, deadline, and storage's.
  Co<Result<storage::Added>> add(TenantId tenant, NewText text, Deadline by);
  Co<Result<std::vector<storage::Passage>>> find(storage::PassageQuery query, Deadline by) override;

 private:
  /// What an empty query gives: the beginning of the newest document.
  Co<Result<std::vector<storage::Passage>>> newest(storage::PassageQuery query, Deadline by);
  const KnowledgeSettings settings_;
  Clock& clock_;
  Random& random_;
  OffloadPool& pool_;
  storage::Documents& documents_;
};

}  // namespace mainstay::knowledge
