// Which documents a search may look at, for an index that does not know them itself.
// Used by library.cpp alone.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "storage/document_set.h"
#include "storage/documents.h"

namespace mainstay::knowledge {

using DocumentSetPtr = std::shared_ptr<const storage::DocumentSet>;

/// The sets of the last few filters, kept as long as no document comes or goes. Any loop may call;
/// the documents outlive it.
class VisibleDocuments {
 public:
  explicit VisibleDocuments(storage::Documents& documents) : documents_(documents) {}
  /// Errors: as Documents::visible().
  Co<Result<DocumentSetPtr>> of(TenantId tenant, storage::DocumentFilter filter, Deadline by);

 private:
  struct Seen {
    std::uint64_t version = 0;
    DocumentSetPtr documents;
  };
  storage::Documents& documents_;
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;  ///< by tenant and filter
};

}  // namespace mainstay::knowledge
