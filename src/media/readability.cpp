// The formulas and the estimate of syllables.
#include "media/readability.h"

#include <algorithm>

namespace mainstay::media {
namespace {

bool is_vowel(char c) {
  return std::string_view("aeiouy").find(c) != std::string_view::npos;
}

bool one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

/// Whether the e before the last `tail` letters is silent: "made", "hoped", "miles"; not "table",
/// "wanted", "boxes".
bool silent_e(std::string_view word) {
  const auto at_end = [&](std::size_t back) {
    return back < word.size() ? word[word.size() - 1 - back] : ' ';
  };
  if (at_end(0) == 'e') {
    if (is_vowel(at_end(1))) return false;  // "tree": one group anyway
    return !(at_end(1) == 'l' && !is_vowel(at_end(2)) && at_end(2) != ' ');  // "table"
  }
  if (at_end(1) != 'e' || is_vowel(at_end(2))) return false;
  if (at_end(0) == 'd') return !one_of(at_end(2), "td");
  if (at_end(0) != 's') return false;
  if (at_end(2) == 'h') return !one_of(at_end(3), "cs");       // "aches" as "dishes"
  if (at_end(2) == 'l' && !is_vowel(at_end(3))) return false;  // "tables"
  return !one_of(at_end(2), "sxzcg");
}

double ratio(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(a) / static_cast<double>(std::max<std::uint64_t>(b, 1));
}

}  // namespace

std::uint32_t syllables_of(std::string_view word) noexcept {
  if (word.ends_with("'s")) word.remove_suffix(2);
  std::uint32_t groups = 0;
  bool in_group = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool vowel = is_vowel(word[i]) && !(word[i] == 'y' && i == 0);
    groups += vowel && !in_group ? 1U : 0U;
    // Two that are mostly spoken apart: "radio", "area", "theory"; not "nation", "special".
    if (vowel && in_group && i >= 2) {
      const std::string_view pair = word.substr(i - 1, 2);
      const bool soft = one_of(word[i - 2], "tcsxg");
      const bool apart = (pair == "io" || pair == "ia" || pair == "iu") && !soft;
      const bool at_end = (pair == "ea" && i + 1 == word.size()) || pair == "eo";
      groups += apart || (at_end && word.size() > 4) ? 1U : 0U;
    }
    in_group = vowel;
  }
  if (groups > 1 && silent_e(word)) --groups;
  if (word.ends_with("n't") && word.size() > 3 && !is_vowel(word[word.size() - 4])) ++groups;
  if (word.ends_with("sm")) ++groups;  // "prism"
  return std::max(groups, 1U);
}

double flesch_reading_ease(const TextCounts& counts) noexcept {
  return 206.835 - 1.015 * ratio(counts.words, counts.sentences) -
         84.6 * ratio(counts.syllables, counts.words);
}

double flesch_kincaid_grade(const TextCounts& counts) noexcept {
  return 0.39 * ratio(counts.words, counts.sentences) +
         11.8 * ratio(counts.syllables, counts.words) - 15.59;
}

double lix(const TextCounts& counts) noexcept {
  return ratio(counts.words, counts.sentences) + 100 * ratio(counts.long_words, counts.words);
}

}  // namespace mainstay::media
