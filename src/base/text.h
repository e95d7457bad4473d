// Small questions about text that several rooms ask.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  ///< of UTF-8

bool is_utf8(std::string_view text) noexcept;
/// The text behind a mark at its start.
std::string_view without_byte_order_mark(std::string_view text) noexcept;
/// Control characters other than tab, line feed and carriage return.
bool has_control_characters(std::string_view text) noexcept;
/// Bytes that are not UTF-8 become U+FFFD.
std::string to_utf8(std::string_view text);
/// At most `max` bytes, cut at a character border.
std::string_view cut_utf8(std::string_view text, std::size_t max) noexcept;
std::string lower_ascii(std::string_view text);
bool equal_ascii_nocase(std::string_view a, std::string_view b) noexcept;
std::string_view trim(std::string_view text) noexcept;
/// The candidate with the smallest edit distance to `word`, or empty when none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
/// Rough token count of a text: one for four bytes, rounded up, as OpenAI documents for English.
std::size_t estimate_tokens(std::string_view text) noexcept;
/// Lower-case hex of SHA-256 over `data`.
std::string sha256_hex(std::string_view data);
/// Equal, compared in time that depends only on the lengths.
bool equal_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace mainstay
