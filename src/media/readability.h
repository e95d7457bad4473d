// How hard a text is to read, by three published formulas, and the syllables of English words.
// Used by the analysis of texts.
#pragma once

#include <cstdint>
#include <string_view>

namespace mainstay::media {

/// An estimate for an English word in lower case, at least 1: groups of vowels, without the silent
/// ones at the end. About nine words in ten of running text come out right.
std::uint32_t syllables_of(std::string_view word) noexcept;

struct TextCounts {
  std::uint64_t words = 0;      ///< that hold a letter
  std::uint64_t sentences = 0;  ///< more than 0
  std::uint64_t syllables = 0;
  std::uint64_t long_words = 0;  ///< of more than six letters
};

/// R. Flesch, "A new readability yardstick", Journal of Applied Psychology 32 (1948): 100 is very
/// easy, 0 very hard. For English.
double flesch_reading_ease(const TextCounts& counts) noexcept;
/// J. P. Kincaid et al., "Derivation of new readability formulas for Navy enlisted personnel",
/// Research Branch Report 8-75 (1975): the school year. For English.
double flesch_kincaid_grade(const TextCounts& counts) noexcept;
/// C. H. Bjornsson, "Lasbarhet" (1968): below 30 easy, above 50 hard. For any language whose words
/// are set apart by spaces.
double lix(const TextCounts& counts) noexcept;

}  // namespace mainstay::media
