// A text as PostgreSQL's index is given it: stems with weights, and the words as they are spelled.
// Used by documents.cpp and document_search.cpp. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/documents.h"

namespace mainstay::storage::postgres {

/// What one call brings to the vocabulary; places count from the first chunk of the call.
struct SpelledWords {
  std::vector<std::string> words;  ///< each once
  std::vector<std::string> stems;
  std::vector<std::int64_t> places;
};

/// Chunks as parameters of the functions of schema_documents.cpp.
struct IndexedChunks {
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> pages;
  std::vector<std::string> headings;
  std::vector<std::string> texts;
  std::vector<std::int64_t> lengths;
  std::vector<std::string> words;  ///< tsvectors
  SpelledWords spelled;
};

struct IndexedTitle {
  std::string words;  ///< a tsvector
  SpelledWords spelled;
};

IndexedChunks indexed(std::vector<Chunk> chunks);
IndexedTitle indexed_title(std::string_view title);

/// A string of a tsvector or a tsquery.
std::string lexeme(std::string_view text);
/// The query that finds any of the words among what the mark has.
std::string tenant_mark(const TenantId& tenant);
std::string collection_mark(std::int64_t collection);
std::string any_of(const std::vector<std::string>& words);

}  // namespace mainstay::storage::postgres
