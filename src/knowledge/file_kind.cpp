// Signatures, and a count of what no text holds.
#include "knowledge/file_kind.h"

#include <algorithm>
#include <array>

namespace mainstay::knowledge {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view begins;
  std::string_view encoded;  ///< how its base64 begins, whatever byte follows
  std::string_view kind;
};

/// Those with bytes that are not UTF-8 can only come encoded; JSON refuses the bytes themselves.
constexpr std::array kSignatures = {
    Signature{"%PDF-"sv, "JVBERi0"sv, "a PDF file"},
    Signature{"PK\x03\x04"sv, "UEsDB"sv, "a zip archive (Office documents are some)"},
    Signature{"PK\x05\x06"sv, "UEsFB"sv, "a zip archive"},
    Signature{"{\\rtf"sv, "e1xydG"sv, "an RTF file"},
    Signature{"\x7f"
              "ELF"sv,
              "f0VMR"sv, "a program"},
    Signature{"SQLite format 3"sv, "U1FMaXRlIGZvcm1hdCAz"sv, "a database"},
    Signature{"GIF87a"sv, "R0lGODdh"sv, "an image"},
    Signature{"GIF89a"sv, "R0lGODlh"sv, "an image"},
    Signature{"\x89PNG"sv, "iVBORw0KGg"sv, "an image"},
    Signature{"\xff\xd8\xff"sv, "/9j/"sv, "an image"},
    Signature{"\x1f\x8b\x08"sv, "H4sI"sv, "a gzip archive"},
    Signature{"ID3"sv, "SUQz"sv, "a sound file"},
    Signature{"OggS\0"sv, "T2dnU"sv, "a sound file"},
    Signature{"\xd0\xcf\x11\xe0"sv, "0M8R4K"sv, "an Office document"},
};
constexpr std::size_t kLookedAt = 4096;
constexpr std::size_t kBase64Min = 64;  ///< shorter words may begin like anything

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

std::string_view file_kind(std::string_view text) noexcept {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto head = text.substr(0, kLookedAt);
  const bool encoded = is_base64(head);
  for (const auto& signature : kSignatures) {
    if (head.starts_with(signature.begins)) return signature.kind;
    if (encoded && head.starts_with(signature.encoded)) return signature.kind;
  }
  return is_binary(head) ? "binary data" : std::string_view();
}

}  // namespace mainstay::knowledge
