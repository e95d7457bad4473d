// Words that were mistyped: which may be, what is near them, which of the near ones stand in.
// Used by both back ends of documents. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::storage {

inline constexpr std::size_t kSpelledLettersMin = 4;
inline constexpr std::size_t kSpelledBytesMax = 32;
/// Words that stand in for one mistyped word.
inline constexpr std::size_t kInsteadMax = 3;
/// Mistyped words of one question that are looked at.
inline constexpr std::size_t kCorrectedMax = 8;

/// Letters of a word in UTF-8 (a byte that is none counts as one).
std::u32string letters_of(std::string_view word);

/// Whether a word takes part: letters alone, of a script that spells, neither short nor very long.
bool is_spelled(std::string_view lower_word);

/// Insertions, deletions, replacements and swaps of neighbours that make one from the other (no
/// letter is touched twice); `max` + 1 when it takes more than `max`.
std::size_t spelling_distance(std::u32string_view a, std::u32string_view b, std::size_t max);

/// How far a word of so many letters may be from what was meant: 1 up to seven letters, else 2.
std::size_t spelling_tolerance(std::size_t letters);

/// Runs of three letters of "^word$", each once.
std::vector<std::string> trigrams_of(std::string_view word);

struct Nearby {
  std::string word;
  std::size_t distance = 0;
  std::uint64_t held = 0;  ///< chunks that hold it
};

/// What stands in for a word: of those that some chunk holds the nearest, the more often held
/// first, at most kInsteadMax with different stems. Empty when the nearest are words that tell
/// nothing ("waht").
std::vector<std::string> stand_ins(std::vector<Nearby> nearby);

}  // namespace mainstay::storage
