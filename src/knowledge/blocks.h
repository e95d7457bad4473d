// The structure of a text: headings, paragraphs, list items, table rows, code.
// Used by the chunker; HTML becomes Markdown first (html.h).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::knowledge {

enum class Format { text, markdown, html };

enum class BlockKind { heading, paragraph, item, table, code };

/// Bytes [begin, end) of the text.
struct Block {
  BlockKind kind = BlockKind::paragraph;
  int level = 0;  ///< of a heading, 1 to 6
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string heading;  ///< of a heading: its words
};

/// Where a text stands between two pieces of it that are read one after the other.
struct BlockState {
  bool begun = false;      ///< a byte order mark and front matter stand at the start alone
  bool fenced = false;     ///< inside a block of code
  std::string fence;       ///< that ends it
  bool commented = false;  ///< inside an HTML comment
};

/// Blocks in order; blank lines, rulers and front matter are in none. Plain text has no headings.
/// `text` goes on where the piece before it ended, and ends with a line.
std::vector<Block> blocks_of(std::string_view text, Format format, BlockState& state);
/// Of a whole text.
std::vector<Block> blocks_of(std::string_view text, Format format);

/// The first heading, else the first words of the text; at most 120 bytes.
std::string title_of(std::string_view text, const std::vector<Block>& blocks);

}  // namespace mainstay::knowledge
