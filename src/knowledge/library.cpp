// From a client's text to stored chunks: check, extract, cut, store.
#include "knowledge/library.h"

#include <algorithm>

#include "base/text.h"
#include "knowledge/blocks.h"
#include "knowledge/chunker.h"
#include "knowledge/html.h"

namespace mainstay::knowledge {
namespace {

constexpr std::size_t kTitleMax = 512;
constexpr std::size_t kSourceMax = 2048;

Result<Format> format_of(const std::string& name) {
  const std::string lower = lower_ascii(name);
  if (lower == "text" || lower == "txt" || lower == "text/plain") return Format::text;
  if (lower == "markdown" || lower == "md" || lower == "text/markdown") return Format::markdown;
  if (lower == "html" || lower == "htm" || lower == "text/html") return Format::html;
  return Error::say(Errc::invalid, "invalid_value", "'format' must be one of text, markdown, html.",
                    "format");
}

const char* media_type(Format format) {
  switch (format) {
    case Format::text:
      return "text/plain";
    case Format::markdown:
      return "text/markdown";
    case Format::html:
      return "text/html";
  }
  return "text/plain";
}

Status check_line(const std::string& value, std::size_t max, const std::string& field) {
  if (value.size() > max) {
    return Error::say(Errc::too_large, "field_too_long",
                      "'" + field + "' may have at most " + std::to_string(max) + " bytes.", field);
  }
  if (!is_utf8(value)) {
    return Error::say(Errc::invalid, "invalid_value", "'" + field + "' is not valid UTF-8.", field);
  }
  if (has_control_characters(value) || value.find_first_of("\r\n") != std::string::npos) {
    return Error::say(Errc::invalid, "control_character",
                      "'" + field + "' must be one line without control characters.", field);
  }
  return done();
}

Error empty_text() {
  return Error::say(Errc::invalid, "empty_field", "'text' holds no words.", "text");
}

Status check_text(const std::string& text, Bytes max) {
  if (text.size() > max.value) {
    return Error::say(Errc::too_large, "document_too_large",
                      "The document is larger than knowledge.document_max (" +
                          std::to_string(max.value) + " bytes); cut it into parts.",
                      "text");
  }
  if (trim(text).empty()) return empty_text();
  if (!is_utf8(text)) {
    return Error::say(Errc::invalid, "invalid_value",
                      "'text' is not valid UTF-8. Binary files cannot be read; convert other "
                      "encodings with iconv.",
                      "text");
  }
  if (text.find('\0') != std::string::npos) {
    return Error::say(Errc::invalid, "control_character",
                      "'text' holds a NUL: it seems to be a binary file.", "text");
  }
  return done();
}

/// Form feeds, escapes and the like become spaces, so that offsets stay as they are.
void blank_controls(std::string& text) {
  for (char& c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && c != '\t' && c != '\n' && c != '\r') || u == 0x7f) c = ' ';
  }
}

struct Order {
  NewText text;
  DocumentId id;
  KnowledgeSettings settings;
};

/// The whole of it, on a pool thread.
Result<storage::NewDocument> prepare(Order& order) {
  NewText& given = order.text;
  auto format = format_of(given.format);
  if (!format.ok()) return format.error();
  auto title_ok = check_line(given.title, kTitleMax, "title");
  if (!title_ok.ok()) return title_ok.error();
  auto source_ok = check_line(given.source, kSourceMax, "source");
  if (!source_ok.ok()) return source_ok.error();
  auto text_ok = check_text(given.text, order.settings.document_max);
  if (!text_ok.ok()) return text_ok.error();

  storage::NewDocument out;
  out.id = order.id;
  out.collection = given.collection;
  if (out.collection.empty()) out.collection = CollectionName(order.settings.default_collection);
  out.source = given.source;
  out.media_type = media_type(*format);
  out.sha256 = sha256_hex(given.text);
  out.size = Bytes{given.text.size()};
  out.title = given.title;
  std::string text = std::move(given.text);
  if (*format == Format::html) {
    auto page = read_html(text);
    if (!page.ok()) return page.error();
    if (out.title.empty()) out.title = page->title;
    text = std::move(page->markdown);
  }
  blank_controls(text);
  const auto blocks = blocks_of(text, *format);
  out.chunks =
      chunks_of(text, blocks, {order.settings.chunk_tokens, order.settings.chunk_overlap_tokens});
  if (out.chunks.empty()) return empty_text();
  if (out.title.empty()) out.title = title_of(text, blocks);
  return out;
}

}  // namespace

Library::Library(const KnowledgeSettings& settings, Clock& clock, Random& random, OffloadPool& pool,
                 storage::Documents& documents)
    : settings_(settings), clock_(clock), random_(random), pool_(pool), documents_(documents) {}

Co<Result<storage::Added>> Library::add(TenantId tenant, NewText text, Deadline by) {
  Order order{std::move(text), DocumentId(make_id("doc_", clock_, random_)), settings_};
  auto work = [order = std::move(order)]() mutable { return prepare(order); };
  auto document = co_await offload(clock_, pool_, std::move(work), by);
  if (!document.ok()) co_return document.error();
  co_return co_await documents_.add(std::move(tenant), std::move(*document), by);
}

Co<Result<std::vector<storage::Passage>>> Library::find(storage::PassageQuery query, Deadline by) {
  query.limit = std::min(query.limit, settings_.search_max);
  if (trim(query.text).empty()) co_return co_await newest(std::move(query), by);
  co_return co_await documents_.search(std::move(query), by);
}

Co<Result<std::vector<storage::Passage>>> Library::newest(storage::PassageQuery query,
                                                          Deadline by) {
  std::vector<storage::Passage> out;
  auto page = co_await documents_.list(query.tenant, query.collection, DocumentId(), 1, by);
  if (!page.ok()) co_return page.error();
  if (page->items.empty()) co_return out;
  const storage::DocumentInfo& info = page->items.front();
  auto chunks = co_await documents_.chunks(query.tenant, info.id, 0, query.limit, by);
  if (!chunks.ok()) co_return chunks.error();
  for (auto& chunk : *chunks) {
    out.push_back({info.id, info.collection, info.title, info.source, std::move(chunk.heading),
                   chunk.begin, chunk.end, std::move(chunk.text), 0});
  }
  co_return out;
}

}  // namespace mainstay::knowledge
