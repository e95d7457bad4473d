// Where sentences begin and end in plain text and Markdown.
// Used by knowledge (never to cut inside one) and by the built-in answerer (to pick some).
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace mainstay::storage {

/// What a span of text is.
enum class SpanKind { prose, item, row, code };

/// One sentence, list item, table row or line of code; bytes [begin, end) of the text, trimmed.
struct Sentence {
  std::size_t begin = 0;
  std::size_t end = 0;
  SpanKind kind = SpanKind::prose;
};

/// In order; headings, column names and markers (fences, rulers) are left out. Single line ends
/// inside a paragraph do not end a sentence.
std::vector<Sentence> sentences_of(std::string_view text);

/// What a line of Markdown says behind the comments that it begins with or ends. `open`: inside one
/// that an earlier line began; from now on, inside one that goes on.
std::string_view behind_comments(std::string_view line, bool& open);

}  // namespace mainstay::storage
