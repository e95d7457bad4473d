// How search sees text: words, without accents and case; their stems; which words mean little.
// Used by both back ends of documents, by knowledge and by the built-in answerer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "storage/letters.h"

namespace mainstay::storage {

/// A word of a text: lower case, accents folded (letters.h), with its place in bytes. What changes
/// words needs a Folding of its own, so that the indexes can forget what they hold.
struct Word {
  std::string text;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Gives the words of a text one after the other, each into the same Word, so that nothing is
/// allocated for short ones. Runs of letters and digits; every other character separates. Runs of
/// Chinese, Japanese and Korean letters come as pairs that overlap (one that stands alone by
/// itself), since nothing separates their words. Any bytes are accepted; the text outlives it.
class WordCutter {
 public:
  explicit WordCutter(std::string_view text, Folding folding = Folding::today)
      : text_(text), folding_(folding) {}
  bool next(Word& word);

 private:
  bool pair(Word& word, std::size_t second);
  std::string_view text_;
  Folding folding_;
  std::size_t at_ = 0;
  bool paired_ = false;  ///< the letter at at_ was the second of a pair already
};

/// The whole text with its letters as those of words; what is no letter stays.
std::string folded(std::string_view text);
std::vector<Word> words_of(std::string_view text);
/// Porter's stem (1980) of a lower-case word; other than English letters: unchanged.
std::string stem(std::string_view word);
/// Words so common in English questions and texts that they tell nothing.
bool is_stop_word(std::string_view lower_word);
/// The words worth searching for: stop words dropped when others remain, each once, at most `max`
/// (the longest are kept, in the order of the text).
std::vector<std::string> search_words(std::string_view question, std::size_t max);

}  // namespace mainstay::storage
