// What kind of character a code point is, its lower case, and UTF-8 taken apart byte by byte.
// Used by the analysis of texts.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace mainstay::media {

/// Letters are told by script; `letter` is one of any other script.
enum class CharKind : std::uint8_t {
  unassigned,
  control,  ///< also what only formats
  space,
  digit,
  punctuation,
  symbol,
  mark,  ///< an accent of its own, a vowel sign
  letter,
  latin,
  greek,
  cyrillic,
  armenian,
  hebrew,
  arabic,
  devanagari,
  bengali,
  tamil,
  thai,
  georgian,
  ethiopic,
  hangul,
  hiragana,
  katakana,
  han,
};
inline constexpr std::size_t kCharKinds = static_cast<std::size_t>(CharKind::han) + 1;
using KindCounts = std::array<std::uint64_t, kCharKinds>;

constexpr bool is_letter(CharKind kind) noexcept {
  return kind >= CharKind::letter;
}
/// "latin", "punctuation", ...
std::string_view name(CharKind kind) noexcept;

/// The kind of a character; `code` is at most 0x10ffff.
CharKind kind_of(char32_t code) noexcept;
/// The lower case, where it is one character of no more bytes; else `code`.
char32_t lower_of(char32_t code) noexcept;

struct Decoded {
  char32_t code = 0;
  /// Of the character; 1 and code kInvalid for a byte that begins none; 0: the bytes end before
  /// the character does.
  std::uint8_t bytes = 0;
};
inline constexpr char32_t kInvalid = 0xffffffff;
/// The first character of `bytes`, which are not empty. Surrogates, overlong forms and codes above
/// 0x10ffff are invalid.
Decoded decode(std::string_view bytes) noexcept;
/// Writes a character's UTF-8; the number of bytes.
std::size_t encode(char32_t code, char* out) noexcept;

/// Rows of the tables in unicode_ranges.cpp.
struct KindRange {
  char32_t first;
  char32_t last;
  CharKind kind;
};
struct CaseRange {
  std::uint16_t first;
  std::uint16_t last;
  std::uint8_t step;
  std::int32_t delta;
};
std::span<const KindRange> kind_ranges();
std::span<const CaseRange> case_ranges();

}  // namespace mainstay::media
