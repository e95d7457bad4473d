// What a file is, told by its content; its name decides only between kinds of text.
// Used by ingest.cpp and api.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::knowledge {

enum class FileType {
  text,
  markdown,
  html,
  csv,
  json_lines,
  json_log,  ///< JSON lines by their looks alone: others may follow, as in a log
  pdf,
  image
};

/// Bytes of a file's start that type_of() wants.
inline constexpr std::size_t kTypeHead = 4096;

/// `format`: what the sender says (text, markdown, html, csv, jsonl, pdf, image or one of their
/// media types); empty: nothing. `name`: of the file. Errors: invalid "invalid_value" (no such
/// format), unsupported "unsupported_file_type" (what it is instead), "format_mismatch".
Result<FileType> type_of(std::string_view head, std::string_view name, std::string_view format);

/// Of a picture: image_type().
const char* media_type(FileType type) noexcept;
/// "image/jpeg" and the like by how the file begins; empty: it is none of those that are read.
const char* image_type(std::string_view head) noexcept;
/// Whether a text of this type may come as a text, not as a file.
bool is_text(FileType type) noexcept;

}  // namespace mainstay::knowledge
