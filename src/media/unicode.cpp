// Look-up of kinds and lower case: a direct table for the basic plane, a search beyond it.
#include "media/unicode.h"

#include <algorithm>

namespace mainstay::media {
namespace {

constexpr char32_t kPlane = 0x10000;

constexpr CharKind ascii_kind(char32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return CharKind::latin;
  if (c >= '0' && c <= '9') return CharKind::digit;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return CharKind::space;
  if (c < 0x20 || c == 0x7f) return CharKind::control;
  constexpr std::string_view kSymbols = "$+<=>^`|~";
  return kSymbols.find(static_cast<char>(c)) == std::string_view::npos ? CharKind::punctuation
                                                                       : CharKind::symbol;
}

/// Built at the first use: a program that analyses nothing does not pay for it.
struct Tables {
  Tables() {
    for (char32_t c = 0; c < 0x80; ++c) kinds[c] = ascii_kind(c);
    for (const auto& range : kind_ranges()) {
      for (char32_t c = range.first; c <= range.last && c < kPlane; ++c) kinds[c] = range.kind;
    }
    for (char32_t c = 0; c < kPlane; ++c) lower[c] = static_cast<std::uint16_t>(c);
    for (char32_t c = 'A'; c <= 'Z'; ++c) lower[c] = static_cast<std::uint16_t>(c + 32);
    for (const auto& range : case_ranges()) {
      for (std::uint32_t c = range.first; c <= range.last; c += range.step) {
        lower[c] = static_cast<std::uint16_t>(static_cast<std::int32_t>(c) + range.delta);
      }
    }
  }
  std::array<CharKind, kPlane> kinds{};
  std::array<std::uint16_t, kPlane> lower{};
};

const Tables& tables() {
  static const Tables kTables;
  return kTables;
}

constexpr Decoded kBad{kInvalid, 1};

/// The lowest and highest second byte of a sequence that begins with `lead`, and its length.
struct Lead {
  unsigned char low = 0;
  unsigned char high = 0;
  std::uint8_t bytes = 0;
};

constexpr Lead lead_of(unsigned char lead) {
  if (lead < 0xc2 || lead > 0xf4) return {};
  if (lead < 0xe0) return {0x80, 0xbf, 2};
  if (lead < 0xf0) {
    return {static_cast<unsigned char>(lead == 0xe0 ? 0xa0 : 0x80),
            static_cast<unsigned char>(lead == 0xed ? 0x9f : 0xbf), 3};
  }
  return {static_cast<unsigned char>(lead == 0xf0 ? 0x90 : 0x80),
          static_cast<unsigned char>(lead == 0xf4 ? 0x8f : 0xbf), 4};
}

}  // namespace

std::string_view name(CharKind kind) noexcept {
  constexpr std::array<std::string_view, kCharKinds> kNames = {
      "unassigned", "control",  "space",      "digit",    "punctuation", "symbol",
      "mark",       "other",    "latin",      "greek",    "cyrillic",    "armenian",
      "hebrew",     "arabic",   "devanagari", "bengali",  "tamil",       "thai",
      "georgian",   "ethiopic", "hangul",     "hiragana", "katakana",    "han"};
  return kNames[static_cast<std::size_t>(kind)];
}

CharKind kind_of(char32_t code) noexcept {
  if (code < kPlane) return tables().kinds[code];
  const auto ranges = kind_ranges();
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code,
                       [](char32_t value, const KindRange& range) { return value < range.first; });
  if (after == ranges.begin()) return CharKind::unassigned;
  const auto& range = *(after - 1);
  return code <= range.last ? range.kind : CharKind::unassigned;
}

char32_t lower_of(char32_t code) noexcept {
  return code < kPlane ? tables().lower[code] : code;
}

Decoded decode(std::string_view bytes) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return {first, 1};
  const Lead lead = lead_of(first);
  if (lead.bytes == 0) return kBad;
  if (bytes.size() < 2) return {0, 0};
  if (at(1) < lead.low || at(1) > lead.high) return kBad;
  char32_t code = first & (0x7fU >> lead.bytes);
  code = code << 6U | (at(1) & 0x3fU);
  for (std::size_t i = 2; i < lead.bytes; ++i) {
    if (i == bytes.size()) return {0, 0};
    if ((at(i) & 0xc0U) != 0x80) return kBad;
    code = code << 6U | (at(i) & 0x3fU);
  }
  return {code, lead.bytes};
}

std::size_t encode(char32_t code, char* out) noexcept {
  const auto low = [](char32_t bits) { return static_cast<char>(0x80U | (bits & 0x3fU)); };
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xc0U | code >> 6U);
    out[1] = low(code);
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xe0U | code >> 12U);
    out[1] = low(code >> 6U);
    out[2] = low(code);
    return 3;
  }
  out[0] = static_cast<char>(0xf0U | code >> 18U);
  out[1] = low(code >> 12U);
  out[2] = low(code >> 6U);
  out[3] = low(code);
  return 4;
}

}  // namespace mainstay::media
