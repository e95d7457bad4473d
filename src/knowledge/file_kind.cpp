// Signatures, and a count of what no text holds.
#include "knowledge/file_kind.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mainstay::knowledge {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view begins;
  std::string_view encoded;  ///< how its base64 begins, whatever byte follows
  std::string_view kind;
};

/// No `begins`: what follows the mark is looked at too (a text may begin with it), below.
/// Those with bytes that are not UTF-8 can only come encoded; JSON refuses the bytes themselves.
constexpr std::array kSignatures = {
    Signature{"%PDF-1."sv, "JVBERi0xL"sv, "a PDF file"},
    Signature{"%PDF-2."sv, "JVBERi0yL"sv, "a PDF file"},
    Signature{"PK\x03\x04"sv, "UEsDB"sv, "a zip archive (Office documents are some)"},
    Signature{"PK\x05\x06"sv, "UEsFB"sv, "a zip archive"},
    Signature{"{\\rtf"sv, "e1xydG"sv, "an RTF file"},
    Signature{"\x7f"
              "ELF"sv,
              "f0VMR"sv, "a program"},
    Signature{"SQLite format 3\0"sv, "U1FMaXRlIGZvcm1hdCAz"sv, "a database"},
    Signature{{}, "R0lGODdh"sv, "an image"},
    Signature{{}, "R0lGODlh"sv, "an image"},
    Signature{"\x89PNG"sv, "iVBORw0KGg"sv, "an image"},
    Signature{"\xff\xd8\xff"sv, "/9j/"sv, "an image"},
    Signature{"\x1f\x8b\x08"sv, "H4sI"sv, "a gzip archive"},
    Signature{{}, "SUQz"sv, "a sound file"},
    Signature{"OggS\0"sv, "T2dnU"sv, "a sound file"},
    Signature{"\xd0\xcf\x11\xe0"sv, "0M8R4K"sv, "an Office document"},
};
constexpr std::size_t kLookedAt = 4096;
constexpr std::size_t kBase64Min = 64;  ///< shorter words may begin like anything

/// Its two version bytes follow; a text that speaks of ID3 has letters there.
bool is_id3(std::string_view head) noexcept {
  return head.starts_with("ID3"sv) && head.size() >= 5 && static_cast<unsigned char>(head[3]) < 8 &&
         static_cast<unsigned char>(head[4]) < 8;
}

/// One word of base64 alone, as far as we look; line breaks are allowed.
bool is_base64(std::string_view text) noexcept {
  if (text.size() < kBase64Min) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=' || c == '\r' || c == '\n';
  });
}

/// One in ten: logs with coloured lines have fewer, binary data more.
bool is_binary(std::string_view text) noexcept {
  const auto odd = std::count_if(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && u != 0x1b) || u == 0x7f;
  });
  return static_cast<std::size_t>(odd) * 10 > text.size();
}

}  // namespace

bool is_gif(std::string_view head) noexcept {
  if (!head.starts_with("GIF87a"sv) && !head.starts_with("GIF89a"sv)) return false;
  const std::string_view screen = head.substr(6, 7);
  return std::any_of(screen.begin(), screen.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x09 || (u > 0x0d && u < 0x20);
  });
}

bool is_utf16(std::string_view head) noexcept {
  if (head.starts_with("\xFF\xFE\0\0"sv)) return false;  // UTF-32
  return head.starts_with("\xFF\xFE"sv) || head.starts_with("\xFE\xFF"sv);
}

std::string_view file_kind(std::string_view text) noexcept {
  text = without_byte_order_mark(text);
  const auto head = text.substr(0, kLookedAt);
  const bool encoded = is_base64(head);
  for (const auto& signature : kSignatures) {
    if (!signature.begins.empty() && head.starts_with(signature.begins)) return signature.kind;
    if (encoded && head.starts_with(signature.encoded)) return signature.kind;
  }
  if (is_gif(head)) return "an image";
  if (is_id3(head)) return "a sound file";
  return is_binary(head) ? "binary data" : std::string_view();
}

}  // namespace mainstay::knowledge
