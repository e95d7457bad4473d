// What a file is, told by its content; its name decides only between kinds of text.
// Used by ingest.cpp and api.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::knowledge {

enum class FileType { text, markdown, html, csv, json_lines, pdf };

/// Bytes of a file's start that type_of() wants.
inline constexpr std::size_t kTypeHead = 4096;

/// `format`: what the sender says it is (text, markdown, html, csv, jsonl, pdf or one of their
/// media types); empty: nothing. `name`: of the file. Errors: invalid "invalid_value" (no such
/// format), unsupported "unsupported_file_type" (what it is instead), "format_mismatch".
Result<FileType> type_of(std::string_view head, std::string_view name, std::string_view format);

const char* media_type(FileType type) noexcept;

}  // namespace mainstay::knowledge
