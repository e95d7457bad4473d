// poppler's C++ interface. Its texts are UTF-16; they are converted here, because its own way goes
// through iconv, which opens files.
#include "decoder/pdf.h"

#include <iconv.h>
#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>
#include <poppler-version.h>

#include <climits>
#include <memory>

#include "base/text.h"

namespace mainstay::decoder {
namespace {

using child::end_with;
using child::send;
using media::Is;

/// One empty page; held open, so that poppler keeps its tables.
constexpr std::string_view kSmallest =
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    "trailer<</Root 1 0 R>>\n%%EOF\n";

void say_nothing(const std::string&, void*) {}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

/// Halves of pairs that stand alone become U+FFFD; byte order marks and NUL go.
std::string utf8_of(const poppler::ustring& text) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint32_t unit = text[i];
    const bool high = unit >= 0xd800 && unit < 0xdc00;
    const bool pair = high && i + 1 < text.size() && text[i + 1] >= 0xdc00 && text[i + 1] < 0xe000;
    if (pair) {
      append_utf8(out, 0x10000 + ((unit - 0xd800) << 10) + (text[i + 1] - 0xdc00U));
      ++i;
    } else if (unit >= 0xd800 && unit < 0xe000) {
      append_utf8(out, 0xfffd);
    } else if (unit != 0 && unit != 0xfeff) {
      append_utf8(out, unit);
    }
  }
  return out;
}

std::unique_ptr<poppler::document> load(std::string_view bytes) {
  return std::unique_ptr<poppler::document>(
      poppler::document::load_from_raw_data(bytes.data(), static_cast<int>(bytes.size())));
}

void send_page(const media::Order& order, int page, std::string_view text) {
  do {
    const auto piece = cut_utf8(text, media::kBodyMax);
    text.remove_prefix(piece.size());
    Json head = media::frame_head(order.item, Is::page);
    head["page"] = page;
    head["more"] = !text.empty();
    send(head, piece);
  } while (!text.empty());
}

}  // namespace

bool warm_pdf() {
  poppler::set_debug_error_function(&say_nothing, nullptr);
  // Kept for the process's life, as the document is: closed, they would be loaded anew.
  static const iconv_t from = ::iconv_open("UTF-16", "UTF-8");
  static const iconv_t to = ::iconv_open("UTF-8", "UTF-16");
  static const auto smallest = load(kSmallest);
  if (!smallest || smallest->pages() != 1) return false;
  const std::unique_ptr<poppler::page> page(smallest->create_page(0));
  if (!page) return false;
  [[maybe_unused]] const auto text = page->text();
  return from != nullptr && to != nullptr;
}

std::string pdf_version() {
  return poppler::version_string();
}

std::optional<Refusal> read_pdf(const media::Order& order, std::string_view bytes) {
  if (bytes.size() > INT_MAX) return Refusal{"pdf_text_too_long", "more than 2 GiB"};
  // Programs that are not PDF readers look at the first kilobyte, as Acrobat does.
  if (bytes.substr(0, 1024).find("%PDF-") == std::string_view::npos) {
    return Refusal{"pdf_damaged", "no %PDF- at its start"};
  }
  const auto document = load(bytes);
  if (!document) return Refusal{"pdf_damaged", "poppler does not open it"};
  if (document->is_locked()) return Refusal{"pdf_encrypted", ""};
  const int pages = document->pages();
  if (pages <= 0) return Refusal{"pdf_empty", ""};
  if (static_cast<std::uint64_t>(pages) > order.pages_max) {
    return Refusal{"pdf_too_many_pages", std::to_string(pages)};
  }
  Json start = media::frame_head(order.item, Is::start);
  start["title"] = std::string(cut_utf8(utf8_of(document->get_title()), 1024));
  start["pages"] = pages;
  send(start, "");
  std::uint64_t sent = 0;
  int readable = 0;
  for (int i = 0; i < pages; ++i) {
    const std::unique_ptr<poppler::page> page(document->create_page(i));
    const std::string text =
        page ? utf8_of(page->text(poppler::rectf(), poppler::page::non_raw_non_physical_layout))
             : std::string();
    if (page) ++readable;
    sent += text.size();
    if (sent > order.text_max) return Refusal{"pdf_text_too_long", ""};
    send_page(order, i + 1, text);
  }
  if (readable == 0) return Refusal{"pdf_damaged", "none of its pages can be read"};
  return std::nullopt;
}

}  // namespace mainstay::decoder
