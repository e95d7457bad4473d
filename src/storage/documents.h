// Face: documents, their chunks, and word search over them. Back ends: memory, sqlite.
// Used by knowledge and models/extractive (through knowledge). Documents belong to a tenant.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"

namespace mainstay::storage {

/// A piece of a document; begin and end are byte offsets into the document's extracted text.
struct Chunk {
  std::string text;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string heading;  ///< path of headings above it, " > " between them
};

struct NewDocument {
  DocumentId id;
  CollectionName collection;
  std::string title;
  std::string source;      ///< file name or address; identifies it for replacing
  std::string media_type;  ///< text/plain text/markdown text/html
  std::string sha256;      ///< hex, of the bytes as received
  Bytes size;
  std::vector<Chunk> chunks;
};

struct DocumentInfo {
  DocumentId id;
  CollectionName collection;
  std::string title;
  std::string source;
  std::string media_type;
  std::string sha256;
  Bytes size;
  std::uint64_t chunks = 0;
  WallTime created;
};

struct Added {
  DocumentInfo document;
  bool existed = false;   ///< the same content was in the collection already
  bool replaced = false;  ///< an older content of the same source was replaced
};

struct PageOfDocuments {
  std::vector<DocumentInfo> items;
  bool more = false;
};

/// A found passage. Score: higher is better; comparable within one result only.
struct Passage {
  DocumentId document;
  CollectionName collection;
  std::string title;
  std::string source;
  std::string heading;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string text;
  double score = 0;
};

struct PassageQuery {
  TenantId tenant;
  std::string text;                          ///< a question in plain words
  std::optional<CollectionName> collection;  ///< none: all of the tenant's
  std::uint32_t limit = 10;
};

/// Any loop may call; no call blocks it. Errors of every verb as in conversations.h.
class Documents {
 public:
  virtual ~Documents() = default;
  /// Stores document and chunks in one transaction. Same tenant, collection and sha256: nothing
  /// changes (existed). Same non-empty source, other content: replaced in the same transaction.
  virtual Co<Result<Added>> add(TenantId tenant, NewDocument document, Deadline by) = 0;
  /// Newest first, after the given id.
  virtual Co<Result<PageOfDocuments>> list(TenantId tenant,
                                           std::optional<CollectionName> collection,
                                           DocumentId after, std::uint32_t limit, Deadline by) = 0;
  /// Errors: not_found.
  virtual Co<Result<DocumentInfo>> get(TenantId tenant, DocumentId id, Deadline by) = 0;
  /// Chunks in order, from index `from`.
  virtual Co<Result<std::vector<Chunk>>> chunks(TenantId tenant, DocumentId id, std::uint64_t from,
                                                std::uint32_t limit, Deadline by) = 0;
  /// Gone: rows and index. Errors: not_found.
  virtual Co<Status> erase(TenantId tenant, DocumentId id, Deadline by) = 0;
  /// BM25 over the chunks' words and headings (Porter stems). Any text is a valid query.
  virtual Co<Result<std::vector<Passage>>> search(PassageQuery query, Deadline by) = 0;
};

}  // namespace mainstay::storage
