// Which language a text is likely in: by its script, and by the words that every text of a language
// is full of.
// Used by the analysis of texts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "media/unicode.h"

namespace mainstay::media {

/// Languages told by their commonest words; others are told by their script alone.
inline constexpr std::size_t kLanguages = 14;
/// One bit for each language.
using LanguageMask = std::uint16_t;
using LanguageCounts = std::array<std::uint64_t, kLanguages>;

/// The languages of which `word`, in lower case, is one of the commonest words.
LanguageMask stop_languages(std::string_view word) noexcept;

struct LanguageGuess {
  std::string_view code = "unknown";  ///< ISO 639-1, or "unknown"
  double confidence = 0;              ///< 0 to 1; a rule of thumb, no probability
  LanguageMask mask = 0;              ///< 0: not one of those told by their words
};
/// `letters`: characters of a text by kind; `stop_words`: its words that are among the commonest of
/// each language; `words`: its words that hold a letter.
LanguageGuess guess_language(const KindCounts& letters, const LanguageCounts& stop_words,
                             std::uint64_t words) noexcept;

}  // namespace mainstay::media
