// What every back end of documents says of wrong arguments, and how it keeps tags.
// Used by the back ends of documents.
#pragma once

#include <string>
#include <vector>

#include "storage/documents.h"

namespace mainstay::storage {

/// Sorts the tags and drops repetitions. Errors: as Documents::add().
Status check_document(NewDocument& document);
/// The same of the tags in it. Errors: as Documents::update().
Status check_changes(DocumentChanges& changes);
/// Sorts the filter's tags and drops repetitions.
void tidy(std::vector<std::string>& tags);
/// Errors: too_large.
Status check_append(const std::vector<Chunk>& chunks, const std::string& checkpoint);
/// Whether `tags` (tidy) has all of `wanted` (tidy).
bool has_tags(const std::vector<std::string>& tags, const std::vector<std::string>& wanted);

/// Whether content accepted at `there` stays before one accepted at `comes`. A moment that has not
/// come yet is of a clock that was set back since: it counts for nothing.
constexpr bool stays(WallTime there, WallTime comes, WallTime now) noexcept {
  return there > comes && there <= now;
}

/// Writes what stands in for mistyped words as the passages write it; what none of them holds, as
/// its stem.
void write_as_found(Found& found);

Error unknown_document();
Error unknown_collection();
Error document_id_taken();
Error collection_name_taken();
Error chunks_missing();
Error too_many_chunks();
Error same_content_elsewhere();
Error document_large();
Error document_changed();

/// Words that one search looks for. A wide OR is what makes a search slow (measured: 9 to 775 ms
/// over 1.5 million chunks).
inline constexpr std::size_t kSearchWordsMax = 24;
/// passages() gives at most so many.
inline constexpr std::size_t kPassagesMax = 10'000;

}  // namespace mainstay::storage
