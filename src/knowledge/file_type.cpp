// Signatures first, then what is said, then the name, then the looks of the first line.
#include "knowledge/file_type.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/json.h"
#include "base/text.h"
#include "knowledge/file_kind.h"

namespace mainstay::knowledge {
namespace {

struct Word {
  std::string_view word;
  FileType type;
};

constexpr std::array kFormats = {
    Word{"text", FileType::text},
    Word{"txt", FileType::text},
    Word{"text/plain", FileType::text},
    Word{"markdown", FileType::markdown},
    Word{"md", FileType::markdown},
    Word{"text/markdown", FileType::markdown},
    Word{"html", FileType::html},
    Word{"htm", FileType::html},
    Word{"text/html", FileType::html},
    Word{"csv", FileType::csv},
    Word{"tsv", FileType::csv},
    Word{"text/csv", FileType::csv},
    Word{"jsonl", FileType::json_lines},
    Word{"ndjson", FileType::json_lines},
    Word{"application/jsonl", FileType::json_lines},
    Word{"application/x-ndjson", FileType::json_lines},
    Word{"pdf", FileType::pdf},
    Word{"application/pdf", FileType::pdf},
    Word{"image", FileType::image},
    Word{"image/jpeg", FileType::image},
    Word{"image/png", FileType::image},
    Word{"image/webp", FileType::image},
    Word{"image/gif", FileType::image},
    Word{"image/tiff", FileType::image},
};

std::optional<FileType> named(std::string_view word) {
  const std::string lower = lower_ascii(word);
  for (const auto& known : kFormats) {
    if (known.word == lower) return known.type;
  }
  return std::nullopt;
}

/// Of a file's name, without the dot.
std::string_view extension(std::string_view name) {
  const auto dot = name.find_last_of("./\\");
  return dot == std::string_view::npos || name[dot] != '.' ? std::string_view()
                                                           : name.substr(dot + 1);
}

bool looks_like_html(std::string_view head) {
  const std::string start = lower_ascii(trim(without_byte_order_mark(head)).substr(0, 1024));
  if (start.starts_with("<!doctype html") || start.starts_with("<html")) return true;
  return (start.starts_with("<?xml") || start.starts_with("<!--")) &&
         start.find("<html") != std::string::npos;
}

/// A tag that pages have: a name that ends in .html may be that of the page a text was taken from.
bool has_tags(std::string_view head) {
  constexpr auto kTags = std::to_array<std::string_view>(
      {"</p>",    "</div>",    "</h1>",    "</h2>", "</h3>", "</title>", "</head>",   "</body>",
       "</li>",   "</td>",     "</a>",     "</b>",  "</i>",  "</span>",  "</strong>", "</em>",
       "</font>", "</script>", "</style>", "<br>",  "<br/>", "<br />",   "<p>",       "<hr",
       "<div",    "<table",    "<meta",    "<body", "<head", "<font",    "<!--"});
  const std::string start = lower_ascii(head);
  return std::ranges::any_of(kTags, [&start](auto tag) { return start.find(tag) != start.npos; });
}

/// Each line is an object; one that is cut by the head's end is not read.
bool looks_like_json_lines(std::string_view head) {
  head = without_byte_order_mark(head);
  if (!trim(head).starts_with('{')) return false;
  bool any = false;
  for (auto end = head.find('\n'); end != std::string_view::npos; end = head.find('\n')) {
    const std::string_view line = trim(head.substr(0, end));
    head.remove_prefix(end + 1);
    if (line.empty()) continue;
    auto value = parse_json(line);
    if (!value.ok() || !value->is_object()) return false;
    any = true;
  }
  return any;
}

Error mismatch(std::string_view format, std::string_view is) {
  return Error::say(Errc::invalid, "format_mismatch",
                    "'format' says " + std::string(format) + ", but the file is " +
                        std::string(is) + ". Leave 'format' out or correct it.",
                    "format");
}

}  // namespace

Result<FileType> type_of(std::string_view head, std::string_view name, std::string_view format) {
  std::optional<FileType> said;
  if (!format.empty()) {
    said = named(format);
    if (!said) {
      return Error::say(Errc::invalid, "invalid_value",
                        "'format' must be one of text, markdown, html, csv, jsonl, pdf, image.",
                        "format");
    }
  }
  // Some writers put a few bytes before a PDF's mark; readers look in the first kilobyte.
  const auto in_front = head.substr(0, 1024);
  const bool pdf = in_front.find("%PDF-1.") != std::string_view::npos ||
                   in_front.find("%PDF-2.") != std::string_view::npos;
  if (*image_type(head) != '\0') {
    if (said && *said != FileType::image) return mismatch(format, "a picture");
    return FileType::image;
  }
  if (is_utf16(head)) {
    return Error::say(
        Errc::unsupported, "unsupported_file_type",
        "The file is UTF-16; convert it to UTF-8, for example with iconv -f UTF-16 -t "
        "UTF-8.",
        "file");
  }
  const std::string_view kind = file_kind(head);
  if (pdf && (kind == "a PDF file" || kind == "binary data" || said == FileType::pdf)) {
    if (said && *said != FileType::pdf) return mismatch(format, "a PDF file");
    return FileType::pdf;
  }
  if (!kind.empty()) {
    return Error::say(Errc::unsupported, "unsupported_file_type",
                      "The file is " + std::string(kind) +
                          ", which cannot be read here. Send text, Markdown, HTML, CSV, JSON "
                          "lines, PDF or pictures (JPEG, PNG, WebP, GIF, TIFF).",
                      "file");
  }
  if (said && !is_text(*said)) return mismatch(format, "text");
  if (said) return *said;
  if (looks_like_html(head)) return FileType::html;
  const auto by_name = named(extension(name));
  if (by_name == FileType::html) return has_tags(head) ? FileType::html : FileType::text;
  if (by_name && is_text(*by_name)) return *by_name;
  return looks_like_json_lines(head) ? FileType::json_log : FileType::text;
}

const char* media_type(FileType type) noexcept {
  switch (type) {
    case FileType::text:
      return "text/plain";
    case FileType::markdown:
      return "text/markdown";
    case FileType::html:
      return "text/html";
    case FileType::csv:
      return "text/csv";
    case FileType::json_lines:
    case FileType::json_log:
      return "application/x-ndjson";
    case FileType::pdf:
      return "application/pdf";
    case FileType::image:
      return "image";
  }
  return "text/plain";
}

bool is_text(FileType type) noexcept {
  return type != FileType::pdf && type != FileType::image;
}

const char* image_type(std::string_view head) noexcept {
  using namespace std::string_view_literals;
  if (head.starts_with("\xff\xd8\xff"sv)) return "image/jpeg";
  if (head.starts_with("\x89PNG\r\n\x1a\n"sv)) return "image/png";
  if (head.starts_with("RIFF"sv) && head.size() >= 12 && head.substr(8, 4) == "WEBP"sv)
    return "image/webp";
  if (is_gif(head)) return "image/gif";
  if (head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv)) return "image/tiff";
  return "";
}

}  // namespace mainstay::knowledge
