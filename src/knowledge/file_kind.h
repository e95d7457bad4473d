// What a text really is: files of other kinds sent in a document's place, told by their content.
// Used by file_type.cpp and api (documents).
#pragma once

#include <string_view>

namespace mainstay::knowledge {

/// "a PDF file", "a zip archive (Office documents are some)", ...; empty for text. Looks at the
/// first bytes only, also through base64, and at how many control characters there are.
std::string_view file_kind(std::string_view text) noexcept;
/// Its mark and behind it what no text has: the screen's size and colours as bytes.
bool is_gif(std::string_view head) noexcept;
/// Its byte order mark begins it.
bool is_utf16(std::string_view head) noexcept;

}  // namespace mainstay::knowledge
