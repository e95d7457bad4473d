// Cuts a text into chunks that can be found and cited: along its structure, then by size.
// Used by library.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "knowledge/blocks.h"
#include "storage/documents.h"

namespace mainstay::knowledge {

struct ChunkSize {
  std::size_t tokens = 256;  ///< at most, as estimate_tokens() counts
  std::size_t overlap = 32;  ///< repeated from the chunk before when a section is cut by size
};

/// A heading that holds where a text stands.
struct HeadingStep {
  int level = 0;
  std::string words;
};
using HeadingPath = std::vector<HeadingStep>;

/// Chunks in order; begin and end are bytes of `text`. A chunk stays within one section (heading);
/// sentences and lines of code are cut only when one alone is larger than a chunk, characters
/// never.
std::vector<storage::Chunk> chunks_of(std::string_view text, const std::vector<Block>& blocks,
                                      ChunkSize size);
/// Of a piece of a text: `path` are the headings above it, and afterwards those at its end.
std::vector<storage::Chunk> chunks_of(std::string_view text, const std::vector<Block>& blocks,
                                      ChunkSize size, HeadingPath& path);

}  // namespace mainstay::knowledge
