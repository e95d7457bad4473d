// How search sees text: words, without accents and case; their stems; which words mean little.
// Used by both back ends of documents, by knowledge and by the built-in answerer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::storage {

/// A word of a text: lower case, accents folded, with its place in bytes.
struct Word {
  std::string text;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Runs of letters and digits; every other character separates. Any bytes are accepted.
std::vector<Word> words_of(std::string_view text);
/// Porter's stem (1980) of a lower-case word; other than English letters: unchanged.
std::string stem(std::string_view word);
/// Words so common in English questions and texts that they tell nothing.
bool is_stop_word(std::string_view lower_word);
/// The words worth searching for: stop words dropped when others remain, each once, at most `max`
/// (the longest are kept, in the order of the text).
std::vector<std::string> search_words(std::string_view question, std::size_t max);

}  // namespace mainstay::storage
