// What the back ends of documents share: checks, errors, and search without corrections.
#include "storage/documents.h"

#include <algorithm>

#include "base/text.h"
#include "storage/document_rules.h"
#include "storage/words.h"

namespace mainstay::storage {

Co<Result<std::vector<Passage>>> Documents::search(PassageQuery query, Deadline by) {
  auto found = co_await find(std::move(query), by);
  if (!found.ok()) co_return found.error();
  co_return std::move(found->passages);
}

void tidy(std::vector<std::string>& tags) {
  std::sort(tags.begin(), tags.end());
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
}

Status check_document(NewDocument& document) {
  tidy(document.tags);
  bool good = document.tags.size() <= kTagsMax;
  for (const auto& tag : document.tags) {
    const bool one_line = tag.find_first_of("\r\n\t") == std::string::npos;
    good = good && !tag.empty() && tag.size() <= kTagBytesMax && one_line &&
           !has_control_characters(tag) && is_utf8(tag);
  }
  if (!good) {
    return Error::say(Errc::invalid, "invalid_value",
                      "'tags' may hold at most " + std::to_string(kTagsMax) +
                          " words, each of 1 to " + std::to_string(kTagBytesMax) +
                          " bytes without control characters.",
                      "tags");
  }
  if (document.chunks.size() > kChunksMax) return too_many_chunks();
  if (document.thumbnail.size() > kThumbnailMax) {
    return Error::log(Errc::too_large, "a thumbnail that is none");
  }
  return done();
}

Status check_changes(DocumentChanges& changes) {
  if (!changes.tags) return done();
  NewDocument probe;
  probe.tags = std::move(*changes.tags);
  auto good = check_document(probe);
  changes.tags = std::move(probe.tags);
  return good;
}

Status check_append(const std::vector<Chunk>& chunks, const std::string& checkpoint) {
  std::size_t bytes = 0;
  for (const auto& chunk : chunks) bytes += chunk.text.size() + chunk.heading.size();
  if (chunks.size() <= kAppendChunks && bytes <= kAppendBytes &&
      checkpoint.size() <= kCheckpointBytes) {
    return done();
  }
  return Error::log(Errc::too_large, "append of " + std::to_string(chunks.size()) + " chunks, " +
                                         std::to_string(bytes) + " bytes, checkpoint of " +
                                         std::to_string(checkpoint.size()));
}

bool has_tags(const std::vector<std::string>& tags, const std::vector<std::string>& wanted) {
  return std::includes(tags.begin(), tags.end(), wanted.begin(), wanted.end());
}

namespace {

/// Words of passages that are read to find how a correction is written.
constexpr std::size_t kWordsRead = 20'000;

/// The word itself if a passage has it, else one of its stem, else the stem.
std::string as_found(const std::vector<Passage>& passages, const std::string& word) {
  const std::string root = stem(word);
  std::string other;
  std::size_t read = 0;
  Word each;
  for (const auto& passage : passages) {
    for (const std::string* text : {&passage.text, &passage.heading, &passage.title}) {
      WordCutter cutter(*text);
      while (cutter.next(each)) {
        if (each.text == word) return word;
        if (++read > kWordsRead) return other.empty() ? root : other;
        if (other.empty() && each.text.front() == root.front() && stem(each.text) == root) {
          other = each.text;
        }
      }
    }
  }
  return other.empty() ? root : other;
}

}  // namespace

void write_as_found(Found& found) {
  for (auto& correction : found.corrected) {
    for (auto& word : correction.instead) word = as_found(found.passages, word);
  }
}

Error unknown_document() {
  return Error::say(Errc::not_found, "unknown_document", "There is no such document.", "document");
}

Error unknown_collection() {
  return Error::say(Errc::not_found, "unknown_collection", "There is no such collection.",
                    "collection");
}

Error document_id_taken() {
  return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
}

Error collection_name_taken() {
  return Error::say(Errc::conflict, "already_exists",
                    "There is a collection of this name already; choose another one.",
                    "collection");
}

Error same_content_elsewhere() {
  return Error::say(Errc::conflict, "same_content",
                    "Another document of the collection has the same source, or the same content "
                    "where neither has a source. Delete that one first.");
}

Error document_large() {
  return Error::say(Errc::conflict, "document_large",
                    "The document is too large to be changed in one step.");
}

Error document_changed() {
  return Error::say(Errc::conflict, "document_changed",
                    "The document was changed again and again meanwhile; try again.");
}

Error chunks_missing() {
  return Error::say(Errc::conflict, "chunks_missing",
                    "A part of the document before this one is missing; begin again.");
}

Error too_many_chunks() {
  return Error::say(
      Errc::too_large, "too_many_chunks",
      "The document has more than " + std::to_string(kChunksMax) + " passages; cut it into parts.",
      "text");
}

}  // namespace mainstay::storage
