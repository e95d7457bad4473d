// The first batch is read before anything is stored: it tells the title, and most documents end
// there. While a later one is stored, the one behind it is read already.
#include "knowledge/ingest.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <tuple>

#include "base/text.h"

namespace mainstay::knowledge {
namespace {

constexpr std::size_t kTitleMax = 512;
constexpr std::size_t kSourceMax = 2048;
/// Texts of one commit; small enough not to hold the writer, large enough to be worth a sync.
constexpr std::size_t kBatchBytes = 1 << 20;
/// Times that a slow store is asked for one commit.
constexpr int kPatience = 10;
/// Times that a document is made for one that becomes another one meanwhile.
constexpr int kMadeAnew = 10;
/// Chunks of one step of remake(); together far below what an append() takes.
constexpr std::uint32_t kRemadeAtOnce = 256;

Status check_line(const std::string& value, std::size_t max, const std::string& field) {
  if (value.size() > max) {
    return Error::say(Errc::too_large, "field_too_long",
                      "'" + field + "' may have at most " + std::to_string(max) + " bytes.", field);
  }
  if (!is_utf8(value)) {
    return Error::say(Errc::invalid, "invalid_value", "'" + field + "' is not valid UTF-8.", field);
  }
  if (has_control_characters(value) || value.find_first_of("\r\n") != std::string::npos) {
    return Error::say(Errc::invalid, "control_character",
                      "'" + field + "' must be one line without control characters.", field);
  }
  return done();
}

/// A title that a file gives, as a line.
std::string line_of(std::string_view title) {
  std::string out(cut_utf8(trim(title), kTitleMax));
  for (char& c : out) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) c = ' ';
  }
  return is_utf8(out) ? out : std::string();
}

Error empty_text() {
  return Error::say(Errc::invalid, "empty_field", "The document holds no words.", "text");
}

/// Another attempt would meet it again.
bool is_final(const Error& error) noexcept {
  return error.code == Errc::invalid || error.code == Errc::too_large ||
         error.code == Errc::unsupported || error.code == Errc::unprocessable ||
         error.code == Errc::conflict || error.code == Errc::not_found;
}

/// What it was made for is not so any more: what is stored of it is of no use.
bool is_outdated(const Error& error) noexcept {
  return error.code == Errc::conflict && error.reason == "document_changed";
}

/// What the new document has of the one whose place it takes, unless the file brings its own.
void take_over(storage::NewDocument& head, const NewFile& file, const storage::DocumentInfo& old) {
  if (file.title.empty()) head.title = old.title;
  if (!file.tags) head.tags = old.tags;
  if (file.collection.empty()) head.collection = old.collection;
  head.source = old.source;
}

storage::Takeover takeover_of(const NewFile& file) {
  storage::Takeover out;
  out.as = file.replaces;
  out.title = file.title;
  out.brings_tags = file.tags.has_value();
  out.brings_collection = !file.collection.empty();
  return out;
}

/// One commit of an append().
struct Piece {
  DocumentId document;
  std::uint64_t from = 0;
  std::vector<storage::Chunk> chunks;
  std::string way;
};

/// For another try, which is rare: it can do without terms, and memory is short.
std::vector<storage::Chunk> without_terms(const std::vector<storage::Chunk>& chunks) {
  std::vector<storage::Chunk> out;
  out.reserve(chunks.size());
  for (const auto& chunk : chunks) {
    out.push_back({chunk.text, chunk.begin, chunk.end, chunk.heading, chunk.page});
  }
  return out;
}

/// A disk that is slow for a while is no reason to read the file anew: a call may be repeated.
Co<Result<std::uint64_t>> store_patiently(storage::Documents& documents, const Clock& clock,
                                          TenantId tenant, Piece piece, Deadline by) {
  for (int tries = 1;; ++tries) {
    std::vector<storage::Chunk> handed = std::move(piece.chunks);
    piece.chunks = without_terms(handed);
    auto stored = co_await documents.append(tenant, piece.document, piece.from, std::move(handed),
                                            piece.way, by);
    const bool slow = !stored.ok() && stored.error().code == Errc::deadline;
    if (!slow || tries == kPatience || by.passed(clock.now())) co_return stored;
  }
}

}  // namespace

/// Chunks that are stored together.
struct Ingest::Batch {
  std::vector<storage::Chunk> chunks;
  std::uint64_t from = 0;  ///< number of the first
  bool last = false;
  std::uint64_t bytes_read = 0;  ///< of the file, when it was cut
};

/// One document under way.
struct Ingest::Work {
  TenantId tenant;
  NewFile file;
  ByteSource& source;
  IngestWatcher* watcher;
  FileType type = FileType::text;
  const char* image = "";  ///< the kind of picture
  std::unique_ptr<Extraction> extraction = {};
  Batch first = {};
  std::uint64_t cut = 0;     ///< chunks so far
  std::uint64_t stored = 0;  ///< chunks that are there already
  bool begun = false;        ///< there may be rows of it
  std::optional<storage::Added> ready = {};
  std::optional<storage::DocumentInfo> old = {};  ///< whose place it takes

  std::string title() const {
    if (!file.title.empty()) return file.title;
    std::string own = line_of(extraction->title());
    return own.empty() ? line_of(extraction->cutter().title()) : own;
  }
  storage::NewDocument head() const {
    storage::NewDocument out;
    out.id = file.id;
    out.collection = file.collection;
    out.title = title();
    out.source = file.source;
    out.media_type = *image == '\0' ? media_type(type) : image;
    out.thumbnail = extraction->thumbnail();
    out.size = Bytes{source.size()};
    out.tags = file.tags.value_or(std::vector<std::string>());
    out.collection_number = file.collection_number;
    out.accepted = file.accepted;
    if (old) take_over(out, file, *old);
    return out;
  }
  /// How it is cut: chunks of another way do not fit those that are stored.
  std::string way(const KnowledgeSettings& settings) const {
    return "cut 2 " + std::to_string(settings.chunk_tokens) + "/" +
           std::to_string(settings.chunk_overlap_tokens);
  }
};

Status Ingest::check(const NewFile& file) {
  auto title = check_line(file.title, kTitleMax, "title");
  if (!title.ok()) return title;
  auto source = check_line(file.source, kSourceMax, "source");
  if (!source.ok()) return source;
  if (!file.format.empty()) {
    auto type = type_of({}, {}, file.format);
    if (!type.ok() && type.error().reason == "invalid_value") return type.error();
  }
  const auto tags = file.tags.value_or(std::vector<std::string>());
  if (tags.size() > storage::kTagsMax) {
    return Error::say(Errc::invalid, "out_of_range",
                      "A document may have at most " + std::to_string(storage::kTagsMax) + " tags.",
                      "tags");
  }
  for (const auto& tag : tags) {
    auto fits = check_line(tag, storage::kTagBytesMax, "tags");
    if (!fits.ok()) return fits;
    if (trim(tag).empty()) {
      return Error::say(Errc::invalid, "empty_field", "A tag must not be empty.", "tags");
    }
  }
  return done();
}

Co<Result<storage::Added>> Ingest::run(TenantId tenant, NewFile file, ByteSource& source,
                                       IngestWatcher* watcher, bool last_attempt, Deadline by) {
  auto checked = check(file);
  if (!checked.ok()) co_return checked.error();
  if (file.collection.empty() && file.replaces.empty()) {
    file.collection = CollectionName(tools_.settings.default_collection);
  }
  if (source.size() > tools_.settings.document_max.value) {
    co_return Error::say(Errc::too_large, "document_too_large",
                         "The document is larger than knowledge.document_max (" +
                             std::to_string(tools_.settings.document_max.value) +
                             " bytes); cut it into parts.",
                         "file");
  }
  for (int tries = 1;; ++tries) {
    Work work{tenant, file, source, watcher};
    auto added = co_await read(work, by);
    if (added.ok()) co_return added;
    if (work.begun && (last_attempt || is_final(added.error()))) co_await abandon(tenant, file.id);
    if (!is_outdated(added.error()) || tries == kMadeAnew) co_return added;
  }
}

/// Nothing of an unfinished document remains, however long the attempt took.
Co<> Ingest::abandon(TenantId tenant, DocumentId id) {
  const Deadline soon = Deadline::in(tools_.clock, std::chrono::seconds(10));
  auto gone = co_await documents_.abandon(std::move(tenant), std::move(id), soon);
  static_cast<void>(gone);  // upkeep finds what is left
}

Co<Result<storage::Added>> Ingest::read(Work& work, Deadline by) {
  auto head = co_await work.source.read(0, kTypeHead, by);
  if (!head.ok()) co_return head.error();
  auto type = type_of(*head, work.file.source, work.file.format);
  if (!type.ok()) co_return type.error();
  work.type = *type;
  work.image = image_type(*head);
  ExtractTools tools = tools_;
  tools.terms = documents_.takes_terms() && work.source.size() > kBatchBytes;
  work.extraction = extraction_of(tools, work.type, work.source, work.file.source);
  auto first = co_await next_batch(work, by);
  if (!first.ok()) co_return first.error();
  if (first->chunks.empty()) co_return empty_text();
  work.first = std::move(*first);
  const bool whole = work.first.last && work.file.replaces.empty();
  if (whole) co_return co_await add_whole(work, by);
  co_return co_await add_in_pieces(work, by);
}

/// Reads until a batch is full or the file ends.
Co<Result<Ingest::Batch>> Ingest::next_batch(Work& work, Deadline by) {
  Cutter& cutter = work.extraction->cutter();
  Batch out;
  while (!out.last && cutter.waiting_bytes() < kBatchBytes) {
    auto more = co_await work.extraction->step(by);
    if (!more.ok()) co_return more.error();
    out.last = !*more;
  }
  out.chunks = cutter.take();
  out.from = work.cut;
  out.bytes_read = work.extraction->bytes_read();
  work.cut += out.chunks.size();
  co_return out;
}

Co<Result<storage::Added>> Ingest::add_whole(Work& work, Deadline by) {
  storage::NewDocument document = work.head();
  document.sha256 = work.extraction->sha256();
  document.chunks = std::move(work.first.chunks);
  work.begun = true;  // by an attempt before this one
  auto added = co_await documents_.add(work.tenant, std::move(document), by);
  if (added.ok() || added.error().reason != "already_exists") co_return added;
  // The attempt before stored it and could not say so.
  auto known = co_await documents_.get(work.tenant, work.file.id, by);
  if (!known.ok()) co_return known.error();
  co_return storage::Added{std::move(*known), true, false};
}

Co<Result<storage::Added>> Ingest::add_in_pieces(Work& work, Deadline by) {
  auto begun = co_await begin(work, by);
  if (!begun.ok()) co_return begun.error();
  if (work.ready) co_return std::move(*work.ready);
  auto stored = co_await store_all(work, by);
  if (!stored.ok()) co_return stored.error();
  std::string sha256 = work.extraction->sha256();
  const Bytes size(work.source.size());
  if (!work.file.replaces.empty()) {
    co_return co_await documents_.finish_as(work.tenant, work.file.id, takeover_of(work.file),
                                            std::move(sha256), size, by);
  }
  co_return co_await documents_.finish(work.tenant, work.file.id, std::move(sha256), size,
                                       work.title(), by);
}

/// Stores each batch while the next one is read: two are in memory at most.
Co<Status> Ingest::store_all(Work& work, Deadline by) {
  using namespace asio::experimental::awaitable_operators;
  Batch batch = std::move(work.first);
  while (!batch.last) {
    auto both = append(work, std::move(batch), by) && next_batch(work, by);
    auto [stored, next] = co_await std::move(both);
    if (!stored.ok()) co_return stored;
    if (!next.ok()) co_return next.error();
    batch = std::move(*next);
  }
  co_return co_await append(work, std::move(batch), by);
}

Co<Status> Ingest::begin(Work& work, Deadline by) {
  if (!work.file.replaces.empty()) {
    auto old = co_await documents_.get(work.tenant, work.file.replaces, by);
    if (!old.ok()) co_return old.error();
    work.old = std::move(*old);
  }
  work.begun = true;
  auto begun = co_await go_on(work.tenant, work.head(), work.way(tools_.settings), by);
  if (!begun.ok()) co_return begun.error();
  work.stored = begun->document.chunks;
  if (begun->document.state == storage::DocumentState::ready) {
    work.ready = storage::Added{std::move(begun->document), true, false};
  }
  co_return done();
}

/// Where it stopped; what was stored in another way goes.
Co<Result<storage::Begun>> Ingest::go_on(const TenantId& tenant, const storage::NewDocument& head,
                                         const std::string& way, Deadline by) {
  auto begun = co_await documents_.begin(tenant, head, by);
  if (!begun.ok()) co_return begun.error();
  const bool fits = begun->document.chunks == 0 || begun->checkpoint == way;
  if (fits || begun->document.state == storage::DocumentState::ready) co_return begun;
  auto gone = co_await documents_.abandon(tenant, head.id, by);
  if (!gone.ok()) co_return gone.error();
  co_return co_await documents_.begin(tenant, head, by);
}

/// Stores the batch, but for what is there already. The extraction is not touched here.
Co<Status> Ingest::append(Work& work, Batch batch, Deadline by) {
  std::uint64_t at = batch.from;
  auto next = batch.chunks.begin();
  while (next != batch.chunks.end()) {
    std::vector<storage::Chunk> some;
    std::size_t bytes = 0;
    const std::uint64_t from = at;
    for (; next != batch.chunks.end() && some.size() < storage::kAppendChunks; ++next, ++at) {
      bytes += next->text.size() + next->heading.size();
      if (!some.empty() && bytes > storage::kAppendBytes) break;
      some.push_back(std::move(*next));
    }
    if (at <= work.stored) continue;
    Piece piece{work.file.id, from, std::move(some), work.way(tools_.settings)};
    auto stored =
        co_await store_patiently(documents_, tools_.clock, work.tenant, std::move(piece), by);
    if (!stored.ok()) co_return stored.error();
    work.stored = *stored;
  }
  if (work.watcher != nullptr) {
    const IngestProgress now{batch.bytes_read, work.source.size(), std::max(at, work.stored)};
    co_await work.watcher->progress(now);
  }
  co_return done();
}

Co<Result<storage::Added>> Ingest::remake(TenantId tenant, NewFile file, IngestWatcher* watcher,
                                          bool last_attempt, Deadline by) {
  for (int tries = 1;; ++tries) {
    auto made = co_await remake_now(tenant, file, watcher, by);
    if (made.ok()) co_return made;
    if (last_attempt || is_final(made.error())) co_await abandon(tenant, file.id);
    if (!is_outdated(made.error()) || tries == kMadeAnew) co_return made;
  }
}

Co<Result<storage::Added>> Ingest::remake_now(const TenantId& tenant, const NewFile& file,
                                              IngestWatcher* watcher, Deadline by) {
  auto old = co_await documents_.get(tenant, file.replaces, by);
  if (!old.ok()) co_return old.error();
  auto thumbnail = co_await documents_.thumbnail(tenant, file.replaces, by);
  if (!thumbnail.ok()) co_return thumbnail.error();
  storage::NewDocument head;
  head.id = file.id;
  head.collection = file.collection;
  head.collection_number = file.collection_number;
  head.title = file.title;
  head.tags = file.tags.value_or(std::vector<std::string>());
  take_over(head, file, *old);
  head.media_type = old->media_type;
  head.size = old->size;
  head.thumbnail = std::move(*thumbnail);
  const std::string way = "made of " + std::to_string(old->number);
  auto begun = co_await go_on(tenant, head, way, by);
  if (!begun.ok()) co_return begun.error();
  std::uint64_t at = begun->document.chunks;
  for (;;) {
    auto chunks = co_await documents_.chunks(tenant, file.replaces, at, kRemadeAtOnce, by);
    if (!chunks.ok()) co_return chunks.error();
    if (chunks->empty()) break;
    auto stored = co_await documents_.append(tenant, file.id, at, std::move(*chunks), way, by);
    if (!stored.ok()) co_return stored.error();
    at = *stored;
    if (watcher == nullptr) continue;
    const IngestProgress now{old->chunks == 0 ? 0 : old->size.value * at / old->chunks,
                             old->size.value, at};
    co_await watcher->progress(now);
  }
  // What was copied while the old content became another one is not taken for either.
  storage::Takeover place = takeover_of(file);
  place.copied = old->number;
  co_return co_await documents_.finish_as(tenant, file.id, std::move(place), old->sha256, old->size,
                                          by);
}

}  // namespace mainstay::knowledge
