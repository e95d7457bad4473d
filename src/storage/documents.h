// Face: documents of any size, their chunks, and word search over them. Back ends: memory, sqlite,
// postgres.
// Used by knowledge and models/extractive (through knowledge). Documents belong to a tenant.
#pragma once

#include <cstdint>
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
  std::string heading;                     ///< path of headings above it, " > " between them
  std::optional<std::uint32_t> page = {};  ///< on which it begins, from 1; where there are pages
  std::string terms = {};                  ///< of `text`, for a store that takes_terms(), or empty
};

/// Every chunk has a number for life: its document's number and its place there, from 0. Numbers
/// are never used again.
inline constexpr int kChunkBits = 24;
inline constexpr std::uint64_t kChunksMax = 1ULL << kChunkBits;  ///< of one document
constexpr std::int64_t chunk_number(std::int64_t document, std::uint64_t seq) {
  return (document << kChunkBits) | static_cast<std::int64_t>(seq);
}
constexpr std::int64_t document_number(std::int64_t chunk) {
  return chunk >> kChunkBits;
}

inline constexpr std::size_t kTagsMax = 16;           ///< of one document
inline constexpr std::size_t kTagBytesMax = 64;       ///< of one tag, at least 1
inline constexpr std::size_t kAppendChunks = 4096;    ///< of one append()
inline constexpr std::size_t kAppendBytes = 4 << 20;  ///< texts and headings of one append()
inline constexpr std::size_t kCheckpointBytes = 4096;
inline constexpr std::size_t kThumbnailMax = 128 * 1024;
/// Chunks of a document that is given other tags or another collection in one step. As many as
/// come in one step: vectors that clients give with them are nowhere else, and a document that is
/// made anew loses its own.
inline constexpr std::uint64_t kChangedAtOnce = kAppendChunks;

/// What the stores allow of documents; app fills it from [knowledge].
struct DocumentLimits {
  std::uint64_t vocabulary_max = 1'000'000;  ///< words that mistyped ones are corrected to
};

enum class DocumentState {
  ready,      ///< listed and found
  ingesting,  ///< between begin() and finish(): only get() and ingesting() see it
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
  std::vector<std::string> tags = {};  ///< short words; kept sorted, each once
  std::string thumbnail = {};          ///< a JPEG of at most kThumbnailMax bytes; empty: none
  /// Of hold_collection(): the document goes there, whatever it is called by now. 0: by its name.
  std::int64_t collection_number = 0;
  /// When its content was asked for: of two contents the later one stays, in whichever order they
  /// are stored. Zero: now.
  WallTime accepted = {};
};

/// How a document takes the place of another one, whose id, source and time of creation stay.
struct Takeover {
  DocumentId as;
  std::int64_t copied = 0;         ///< it has the chunks of the document of this number; 0: its own
  std::string title = {};          ///< empty: that of the other one
  bool brings_tags = false;        ///< those of begin(); else they are to be the other one's
  bool brings_collection = false;  ///< likewise
};

/// What is to be another about a document; what is not set stays.
struct DocumentChanges {
  std::optional<std::string> title = {};
  std::optional<std::vector<std::string>> tags = {};
  std::optional<CollectionName> collection = {};
};

struct DocumentInfo {
  DocumentId id;
  CollectionName collection;
  std::string title;
  std::string source;
  std::string media_type;
  std::string sha256;
  Bytes size;
  std::uint64_t chunks = 0;  ///< so far, while it is ingesting
  WallTime created;          ///< when it was begun or added
  std::vector<std::string> tags = {};
  DocumentState state = DocumentState::ready;
  std::int64_t number = 0;  ///< grows with each new document
};

struct Added {
  DocumentInfo document;
  bool existed = false;     ///< the same content was in the collection already
  bool replaced = false;    ///< an older content of the same source was replaced
  bool superseded = false;  ///< a content accepted later is there and stays: `document`
};

/// Where an ingest goes on.
struct Begun {
  /// Ingesting: go on with its chunk number document.chunks. Ready: there is nothing to do, it was
  /// finished before or (existed) this is the same content under another id.
  DocumentInfo document;
  std::string checkpoint;  ///< of the last append(); empty: from the start
  bool existed = false;
};

struct PageOfDocuments {
  std::vector<DocumentInfo> items;
  bool more = false;
};

struct CollectionInfo {
  CollectionName name;
  std::uint64_t documents = 0;  ///< ready ones; so are the other figures
  std::uint64_t chunks = 0;
  Bytes size;
  std::optional<WallTime> newest;  ///< when the newest was begun; none: empty
};

/// Which documents; what is not set does not narrow.
struct DocumentFilter {
  std::optional<CollectionName> collection;
  std::vector<std::string> tags;         ///< a document has all of them
  std::optional<WallTime> created_from;  ///< this moment and later
  std::optional<WallTime> created_to;    ///< before this moment
  std::optional<DocumentId> document;
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
  std::int64_t number = 0;  ///< the chunk's, for fusion
  std::optional<std::uint32_t> page = {};
};

struct PassageQuery : DocumentFilter {
  TenantId tenant;
  std::string text;  ///< a question in plain words
  std::uint32_t limit = 10;
  bool forgiving = true;  ///< a word that no document holds stands for the nearest that some hold
};

/// A word of a question that no document of the tenant holds, and what was searched for instead:
/// at most three words, as documents write them where that is known.
struct Correction {
  std::string word;
  std::vector<std::string> instead;
};

struct Found {
  std::vector<Passage> passages;  ///< best first
  std::vector<Correction> corrected;
};

/// Any loop may call; no call blocks it. Errors of every verb as in conversations.h.
/// A collection comes to be with its first document and stays when that goes, until it is erased.
class Documents {
 public:
  virtual ~Documents() = default;
  /// Whether an append() is cheaper when its chunks have terms (terms.h); they are never needed.
  virtual bool takes_terms() const noexcept { return false; }
  /// Stores document and chunks in one transaction: for small texts (up to about kAppendBytes).
  /// Same tenant, collection, source and sha256: nothing changes (existed), the title and the tags
  /// neither. Same non-empty source, other content: replaced in the same transaction. The same
  /// content of another source is a document of its own. A content of the source that was accepted
  /// later is there: superseded, and nothing changes. Errors: conflict "already_exists" (the id);
  /// not_found "unknown_collection" (of its number); invalid "invalid_value" (tags); too_large
  /// (more than kChunksMax chunks).
  virtual Co<Result<Added>> add(TenantId tenant, NewDocument document, Deadline by) = 0;

  /// Begins a document of any size, or finds where its ingest stopped (same id). `head.chunks` is
  /// empty; sha256 and size may be (a sha256 that is known saves the work when the content is there
  /// already). `head.title` is what search reads as the title of the chunks: have it by now if it
  /// can be had. Errors: as add().
  virtual Co<Result<Begun>> begin(TenantId tenant, NewDocument head, Deadline by) = 0;
  /// Stores chunks from number `first_seq` on, in one commit; gives how many the document has now.
  /// What is stored already is passed over, so that a call may be repeated. `checkpoint` is any
  /// short text that tells the caller where its extraction stands; it is kept with the last chunk.
  /// Errors: not_found (unknown, finished or gone: begin() tells); conflict "chunks_missing"
  /// (first_seq is beyond what is stored); too_large (kAppendChunks, kAppendBytes,
  /// kCheckpointBytes, kChunksMax).
  virtual Co<Result<std::uint64_t>> append(TenantId tenant, DocumentId id, std::uint64_t first_seq,
                                           std::vector<Chunk> chunks, std::string checkpoint,
                                           Deadline by) = 0;
  /// Makes the document visible; an older content of the same source is gone in the same moment.
  /// The same content of this source there already: existed, and what was appended goes; so it does
  /// when one that was accepted later is there (superseded). An empty
  /// `title` keeps that of begin(); another one is shown from now on, but searched in the first
  /// kRetitled chunks alone. Of a document that is ready: the same answer again. Errors: not_found.
  virtual Co<Result<Added>> finish(TenantId tenant, DocumentId id, std::string sha256, Bytes size,
                                   std::string title, Deadline by) = 0;
  /// Makes the unfinished document `id` visible under the name `place.as`, in the place of the
  /// ready document of that name, which is gone in the same moment. When that one's content was
  /// accepted later it stays, and what was appended goes: superseded. Repeated: the same answer
  /// again. Errors: not_found (`id`, or `as` is not there or not ready); conflict "same_content"
  /// (another document of the collection has the same source, or the same content where none has a
  /// source); conflict "document_changed" (what it was made from is not so any more: begin it
  /// anew).
  virtual Co<Result<Added>> finish_as(TenantId tenant, DocumentId id, Takeover place,
                                      std::string sha256, Bytes size, Deadline by) = 0;
  /// Changes what is known of a ready document. Errors: not_found; invalid "invalid_value" (tags);
  /// conflict "same_content" (of the same source, or of the same content where none has a source,
  /// in the other collection),
  /// "document_large" (other tags or another collection for one of more than kChangedAtOnce
  /// chunks: make it anew with begin() and finish_as()).
  virtual Co<Result<DocumentInfo>> update(TenantId tenant, DocumentId id, DocumentChanges changes,
                                          Deadline by) = 0;
  /// Of a ready document; empty: it has none. Errors: not_found.
  virtual Co<Result<std::string>> thumbnail(TenantId tenant, DocumentId id, Deadline by) = 0;
  /// Nothing of an unfinished document remains. Errors: not_found (unknown or finished).
  virtual Co<Status> abandon(TenantId tenant, DocumentId id, Deadline by) = 0;
  /// Documents of all tenants that were begun before `before` and not finished, oldest first: for
  /// upkeep, which abandons those whose job is gone.
  struct Unfinished {
    TenantId tenant;
    DocumentInfo document;
  };
  virtual Co<Result<std::vector<Unfinished>>> ingesting(WallTime before, std::uint32_t limit,
                                                        Deadline by) = 0;

  /// Ready ones, newest first, after the given id, also of one that was erased lately
  /// (gone_places.h).
  virtual Co<Result<PageOfDocuments>> list(TenantId tenant,
                                           std::optional<CollectionName> collection,
                                           DocumentId after, std::uint32_t limit, Deadline by) = 0;
  /// Ready or ingesting. Errors: not_found.
  virtual Co<Result<DocumentInfo>> get(TenantId tenant, DocumentId id, Deadline by) = 0;
  /// Chunks of a ready document in order, from index `from`. Errors: not_found.
  virtual Co<Result<std::vector<Chunk>>> chunks(TenantId tenant, DocumentId id, std::uint64_t from,
                                                std::uint32_t limit, Deadline by) = 0;
  /// Gone for every reader at once, ready or ingesting; its rows go now if they are few, else by
  /// sweep(). Errors: not_found.
  virtual Co<Status> erase(TenantId tenant, DocumentId id, Deadline by) = 0;
  /// Removes a slice of what is gone: rows, index, words of the spelling. Short enough not to hold
  /// up other writers. True: more is left, call again. For upkeep; after a crash it goes on.
  virtual Co<Result<bool>> sweep(Deadline by) = 0;

  /// By name.
  virtual Co<Result<std::vector<CollectionInfo>>> collections(TenantId tenant, Deadline by) = 0;
  /// Makes an empty collection. Errors: conflict "already_exists".
  virtual Co<Status> create_collection(TenantId tenant, CollectionName name, Deadline by) = 0;
  /// Gives the collection's number, for documents that come later; makes it where there is none.
  virtual Co<Result<std::int64_t>> hold_collection(TenantId tenant, CollectionName name,
                                                   Deadline by) = 0;
  /// Errors: not_found "unknown_collection"; conflict "already_exists" (`to`).
  virtual Co<Status> rename_collection(TenantId tenant, CollectionName from, CollectionName to,
                                       Deadline by) = 0;
  /// All its documents are gone at once, ingesting ones too, and swept later. Gives how many ready
  /// ones there were. Errors: not_found "unknown_collection".
  virtual Co<Result<std::uint64_t>> erase_collection(TenantId tenant, CollectionName name,
                                                     Deadline by) = 0;

  /// BM25 over the chunks' words, headings and titles (Porter stems; runs of Chinese, Japanese and
  /// Korean letters by pairs). Any text is a valid query. The filter is applied before ranking.
  virtual Co<Result<Found>> find(PassageQuery query, Deadline by) = 0;
  /// find() without what was corrected.
  Co<Result<std::vector<Passage>>> search(PassageQuery query, Deadline by);
  /// The chunks of these numbers that are visible to the tenant, in the order asked; score 0.
  /// `numbers` has at most 10,000.
  virtual Co<Result<std::vector<Passage>>> passages(TenantId tenant,
                                                    std::vector<std::int64_t> numbers,
                                                    Deadline by) = 0;
  /// Numbers of the ready documents that the filter lets through, sorted: for an index of another
  /// kind to filter by before it ranks.
  virtual Co<Result<std::vector<std::int64_t>>> visible(TenantId tenant, DocumentFilter filter,
                                                        Deadline by) = 0;
  /// Changes at the latest when a call returns that made a document visible or gone. Read it
  /// before visible() to know how long that answer holds. Any thread, at once; not kept over a
  /// restart.
  virtual std::uint64_t version() const noexcept = 0;
};

/// Chunks of a finished document under whose index its final title stands, when that is not the
/// one it was begun with.
inline constexpr std::uint64_t kRetitled = 256;

}  // namespace mainstay::storage
