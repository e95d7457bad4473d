// From a file of any size to a document that can be found: read, cut, stored in bounded pieces;
// goes on after a crash without storing a chunk twice.
// Used by library.cpp (texts) and jobs (files).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "knowledge/extract.h"
#include "storage/documents.h"

namespace mainstay::knowledge {

/// A document as a client describes it.
struct NewFile {
  DocumentId id;  ///< the same for each attempt at it
  CollectionName collection;
  std::string title;   ///< empty: what the file says, its first heading or words
  std::string source;  ///< file name or address; same source, new content: replaced
  std::string format;  ///< empty: by content
  std::optional<std::vector<std::string>> tags = {};
  /// The ready document whose place this one takes, with its id and source, once it is whole;
  /// empty: none. A title, tags and a collection that are not given are then those that it has by
  /// then.
  DocumentId replaces = {};
  std::int64_t collection_number = 0;  ///< as storage::NewDocument has it
  WallTime accepted = {};              ///< likewise
};

struct IngestProgress {
  std::uint64_t bytes = 0;  ///< read so far
  std::uint64_t of = 0;     ///< of the file
  std::uint64_t chunks = 0;
};

/// Who wants to know how far it is.
class IngestWatcher {
 public:
  virtual ~IngestWatcher() = default;
  /// After each stored piece; may wait for a moment.
  virtual Co<> progress(IngestProgress now) = 0;
};

/// One for the process; any loop may call. References outlive it.
class Ingest {
 public:
  Ingest(const ExtractTools& tools, storage::Documents& documents)
      : tools_(tools), documents_(documents) {}
  /// Checks names and lengths: what can be told before anything is read. Errors: invalid, too_large
  /// (fields "collection", "title", "source", "format", "tags").
  static Status check(const NewFile& file);
  /// Reads `source` to its end and stores what it says. A small document is stored in one step; of
  /// a larger one nothing can be seen before it is whole. After an error that another attempt would
  /// meet again, or when `last_attempt`, nothing of it remains; else what is stored waits for the
  /// next attempt. `watcher` may be null. Errors: as check(), Extraction, storage::Documents;
  /// invalid "empty_field" (no words), too_large "document_too_large" (knowledge.document_max).
  Co<Result<storage::Added>> run(TenantId tenant, NewFile file, ByteSource& source,
                                 IngestWatcher* watcher, bool last_attempt, Deadline by);
  /// Makes the document `file.replaces` anew from its own passages, with `file`'s title, tags and
  /// collection; else as run(). Errors: as Documents::chunks() and finish_as().
  Co<Result<storage::Added>> remake(TenantId tenant, NewFile file, IngestWatcher* watcher,
                                    bool last_attempt, Deadline by);

 private:
  struct Work;
  struct Batch;
  Co<Result<storage::Added>> read(Work& work, Deadline by);
  Co<Result<Batch>> next_batch(Work& work, Deadline by);
  Co<Result<storage::Added>> add_whole(Work& work, Deadline by);
  Co<Result<storage::Added>> add_in_pieces(Work& work, Deadline by);
  Co<Status> store_all(Work& work, Deadline by);
  Co<Result<storage::Begun>> go_on(const TenantId& tenant, const storage::NewDocument& head,
                                   const std::string& way, Deadline by);
  Co<> abandon(TenantId tenant, DocumentId id);
  Co<Result<storage::Added>> remake_now(const TenantId& tenant, const NewFile& file,
                                        IngestWatcher* watcher, Deadline by);
  Co<Status> begin(Work& work, Deadline by);
  Co<Status> append(Work& work, Batch batch, Deadline by);
  ExtractTools tools_;
  storage::Documents& documents_;
};

}  // namespace mainstay::knowledge
