// HTML as Markdown: what a reader sees, without scripts, styles, navigation and hidden elements.
// Used by library.cpp.
#pragma once

#include <string>

#include "base/result.h"

namespace mainstay::knowledge {

struct Page {
  std::string title;     ///< of the <title> element
  std::string markdown;  ///< headings, paragraphs, lists, tables and code
};

/// Reads any HTML, however broken, in UTF-8 or the character set that it declares; nothing is
/// fetched. Errors: invalid when nothing can be read.
Result<Page> read_html(const std::string& html);

}  // namespace mainstay::knowledge
