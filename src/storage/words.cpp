// Word splitting, folding, Porter's stemmer and the stop list.
#include "storage/words.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_set>
#include <utility>

namespace mainstay::storage {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t size = 1;
};

/// The character at `at`; a byte that is not UTF-8 counts as one character that separates (0).
Character character_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
  if (size == 1 || at + size > text.size()) return {0, 1};
  std::uint32_t code = lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if ((next & 0xc0) != 0x80) return {0, 1};
    code = (code << 6) | (next & 0x3f);
  }
  return {code, size};
}

bool is_letter_or_digit(std::uint32_t code) {
  if (code < 0x80) {
    return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
           (code >= 'A' && code <= 'Z');
  }
  if (code < 0xaa || code == 0xab || code == 0xd7 || code == 0xf7) return false;
  if (code < 0xc0) return code == 0xaa || code == 0xb5 || code == 0xba;
  if (code >= 0x2000 && code <= 0x2bff) return false;  // punctuation, signs, arrows, boxes
  if (code >= 0x3000 && code <= 0x3004) return false;
  if (code >= 0x3008 && code <= 0x3020) return false;
  if (code >= 0xff00 && code <= 0xff0f) return false;
  if (code >= 0xfe10 && code <= 0xfe6f) return false;
  return code < 0x1f000 || code > 0x1faff;  // emoji
}

/// Letters of scripts that put no space between words. (Korean does, but glues particles on.)
bool is_unspaced(std::uint32_t code) {
  if (code < 0x3005) return false;
  if (code <= 0x3007) return true;
  if (code < 0x3041) return false;
  if (code <= 0x30ff) return code != 0x30a0 && code != 0x30fb;
  return (code >= 0x3400 && code <= 0x4dbf) || (code >= 0x4e00 && code <= 0x9fff) ||
         (code >= 0xac00 && code <= 0xd7af) || (code >= 0xf900 && code <= 0xfaff) ||
         (code >= 0x20000 && code <= 0x3ffff);
}

/// For each byte: its lower-case letter or digit; 0: it separates; 1: a longer character.
constexpr std::array<char, 256> kAscii = [] {
  std::array<char, 256> out{};
  for (std::size_t c = 0; c < 256; ++c) {
    if (c >= 0x80) out[c] = 1;
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) out[c] = static_cast<char>(c);
    if (c >= 'A' && c <= 'Z') out[c] = static_cast<char>(c + 32);
  }
  return out;
}();

bool is_mark(std::uint32_t code) {
  return code >= 0x300 && code <= 0x36f;
}

// Porter, M. F. (1980), "An algorithm for suffix stripping".
class Porter {
 public:
  explicit Porter(std::string_view word) : w_(word) {}
  std::string run() {
    step_1a();
    step_1b();
    step_1c();
    step_2();
    step_3();
    step_4();
    step_5();
    return std::move(w_);
  }

 private:
  struct Rule {
    std::string_view from;
    std::string_view to;
  };
  bool consonant(std::size_t i) const {
    switch (w_[i]) {
      case 'a':
      case 'e':
      case 'i':
      case 'o':
      case 'u':
        return false;
      case 'y':
        return i == 0 || !consonant(i - 1);
      default:
        return true;
    }
  }
  /// Number of vowel-consonant sequences in the first `size` letters.
  int measure(std::size_t size) const {
    int m = 0;
    bool vowel = false;
    for (std::size_t i = 0; i < size; ++i) {
      const bool c = consonant(i);
      if (c && vowel) ++m;
      vowel = !c;
    }
    return m;
  }
  bool has_vowel(std::size_t size) const {
    for (std::size_t i = 0; i < size; ++i) {
      if (!consonant(i)) return true;
    }
    return false;
  }
  bool ends(std::string_view suffix) const {
    return w_.size() > suffix.size() && w_.ends_with(suffix);
  }
  bool double_consonant() const {
    const std::size_t n = w_.size();
    return n >= 2 && w_[n - 1] == w_[n - 2] && consonant(n - 1);
  }
  /// consonant, vowel, consonant other than w x y, at the end of the first `size` letters.
  bool cvc(std::size_t size) const {
    if (size < 3 || !consonant(size - 1) || consonant(size - 2) || !consonant(size - 3))
      return false;
    const char last = w_[size - 1];
    return last != 'w' && last != 'x' && last != 'y';
  }
  void replace(std::string_view suffix, std::string_view by) {
    w_.resize(w_.size() - suffix.size());
    w_ += by;
  }
  template <std::size_t N>
  void first_rule(const std::array<Rule, N>& rules, int more_than) {
    for (const auto& rule : rules) {
      if (!ends(rule.from)) continue;
      if (measure(w_.size() - rule.from.size()) > more_than) replace(rule.from, rule.to);
      return;
    }
  }
  void step_1a() {
    if (ends("sses") || ends("ies"))
      w_.resize(w_.size() - 2);
    else if (ends("s") && !ends("ss"))
      w_.resize(w_.size() - 1);
  }
  void step_1b() {
    if (ends("eed")) {
      if (measure(w_.size() - 3) > 0) w_.resize(w_.size() - 1);
      return;
    }
    const std::size_t cut = ends("ed") ? 2 : ends("ing") ? 3 : 0;
    if (cut == 0 || !has_vowel(w_.size() - cut)) return;
    w_.resize(w_.size() - cut);
    if (ends("at") || ends("bl") || ends("iz")) {
      w_ += 'e';
    } else if (double_consonant() && w_.back() != 'l' && w_.back() != 's' && w_.back() != 'z') {
      w_.pop_back();
    } else if (measure(w_.size()) == 1 && cvc(w_.size())) {
      w_ += 'e';
    }
  }
  void step_1c() {
    if (ends("y") && has_vowel(w_.size() - 1)) w_.back() = 'i';
  }
  void step_2() {
    static constexpr std::array<Rule, 20> rules{
        {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
         {"izer", "ize"},    {"abli", "able"},   {"alli", "al"},     {"entli", "ent"},
         {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
         {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
         {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"}}};
    first_rule(rules, 0);
  }
  void step_3() {
    static constexpr std::array<Rule, 7> rules{{{"icate", "ic"},
                                                {"ative", ""},
                                                {"alize", "al"},
                                                {"iciti", "ic"},
                                                {"ical", "ic"},
                                                {"ful", ""},
                                                {"ness", ""}}};
    first_rule(rules, 0);
  }
  void step_4() {
    static constexpr std::array<Rule, 18> rules{{{"al", ""},
                                                 {"ance", ""},
                                                 {"ence", ""},
                                                 {"er", ""},
                                                 {"ic", ""},
                                                 {"able", ""},
                                                 {"ible", ""},
                                                 {"ant", ""},
                                                 {"ement", ""},
                                                 {"ment", ""},
                                                 {"ent", ""},
                                                 {"ou", ""},
                                                 {"ism", ""},
                                                 {"ate", ""},
                                                 {"iti", ""},
                                                 {"ous", ""},
                                                 {"ive", ""},
                                                 {"ize", ""}}};
    if (ends("ion")) {
      const std::size_t rest = w_.size() - 3;
      if ((w_[rest - 1] == 's' || w_[rest - 1] == 't') && measure(rest) > 1) w_.resize(rest);
      return;
    }
    first_rule(rules, 1);
  }
  void step_5() {
    if (ends("e")) {
      const int m = measure(w_.size() - 1);
      if (m > 1 || (m == 1 && !cvc(w_.size() - 1))) w_.pop_back();
    }
    if (w_.ends_with("ll") && measure(w_.size() - 1) > 1) w_.pop_back();
  }
  std::string w_;
};

}  // namespace

/// Whether the pair that begins at at_ was made; `second` is where its second letter would be.
bool WordCutter::pair(Word& word, std::size_t second) {
  if (second >= text_.size()) return false;
  const Character c = character_at(text_, second);
  if (!is_unspaced(c.code)) return false;
  word.text.assign(text_.substr(at_, second + c.size - at_));
  word.begin = at_;
  word.end = second + c.size;
  return true;
}

bool WordCutter::next(Word& word) {
  word.text.clear();
  const std::size_t size = text_.size();
  while (at_ < size) {
    const char ascii = kAscii[static_cast<unsigned char>(text_[at_])];
    if (ascii > 1) {  // by far the most
      if (word.text.empty()) word.begin = at_;
      word.text += ascii;
      word.end = ++at_;
      continue;
    }
    const Character c = ascii == 0 ? Character{0, 1} : character_at(text_, at_);
    const bool unspaced = is_unspaced(c.code);
    const bool goes_on = !unspaced && c.code != 0 &&
                         (is_letter_or_digit(c.code) || (is_mark(c.code) && !word.text.empty()));
    if (goes_on) {
      if (word.text.empty()) word.begin = at_;
      if (!is_mark(c.code) && !append_folded(word.text, c.code, folding_)) {
        word.text += text_.substr(at_, c.size);
      }
      word.end = at_ + c.size;
    } else if (!word.text.empty()) {
      if (!unspaced) at_ += c.size;
      return true;
    }
    if (unspaced) {
      const bool made = pair(word, at_ + c.size);
      const bool alone = !made && !std::exchange(paired_, made);
      paired_ = made;
      if (alone) {
        word.text.assign(text_.substr(at_, c.size));
        word.begin = at_;
        word.end = at_ + c.size;
      }
      at_ += c.size;
      if (made || alone) return true;
      continue;
    }
    at_ += c.size;
  }
  return !word.text.empty();
}

std::string folded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const std::string_view bytes = text.substr(at, c.size);
    at += c.size;
    if (c.code >= 'A' && c.code <= 'Z') {
      out += static_cast<char>(c.code + 32);
    } else if (!is_mark(c.code) && !append_folded(out, c.code, Folding::today)) {
      out += bytes;
    }
  }
  return out;
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> out;
  WordCutter cutter(text);
  for (Word word; cutter.next(word);) out.push_back(word);
  return out;
}

std::string stem(std::string_view word) {
  const bool english =
      word.size() > 2 && word.size() <= 64 &&
      std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!english) return std::string(word);
  return Porter(word).run();
}

bool is_stop_word(std::string_view lower_word) {
  static const std::unordered_set<std::string_view> words{
      "a",      "about",   "all",    "also",    "am",      "an",    "and",     "any",    "are",
      "as",     "at",      "be",     "been",    "but",     "by",    "can",     "could",  "did",
      "do",     "does",    "for",    "from",    "get",     "give",  "had",     "has",    "have",
      "he",     "her",     "him",    "his",     "how",     "i",     "if",      "in",     "into",
      "is",     "it",      "its",    "me",      "may",     "might", "much",    "many",   "must",
      "my",     "need",    "no",     "not",     "of",      "on",    "or",      "our",    "out",
      "please", "s",       "shall",  "she",     "should",  "so",    "some",    "t",      "tell",
      "than",   "that",    "the",    "their",   "them",    "then",  "there",   "these",  "they",
      "this",   "those",   "to",     "too",     "us",      "was",   "we",      "were",   "what",
      "when",   "where",   "which",  "who",     "whom",    "whose", "why",     "will",   "with",
      "would",  "you",     "your",   "show",    "explain", "know",  "let",     "up",     "under",
      "over",   "between", "during", "through", "per",     "off",   "only",    "each",   "such",
      "other",  "because", "while",  "very",    "same",    "more",  "here",    "being",  "doing",
      "both",   "nor",     "again",  "until",   "above",   "below", "against", "within", "without",
      "upon",   "via",     "just",   "now"};
  return words.contains(lower_word);
}

std::vector<std::string> search_words(std::string_view question, std::size_t max) {
  std::vector<std::string> all;
  std::unordered_set<std::string> seen;
  // A pasted page is not a question; its first part is enough to find what it is about.
  for (auto& word : words_of(question.substr(0, 16 * 1024))) {
    if (word.text.size() <= 128 && seen.insert(word.text).second)
      all.push_back(std::move(word.text));
  }
  std::vector<std::string> telling;
  for (const auto& word : all) {
    if (!is_stop_word(word)) telling.push_back(word);
  }
  if (telling.empty()) telling = all;
  if (telling.size() <= max) return telling;
  std::vector<std::size_t> sizes;
  for (const auto& word : telling) sizes.push_back(word.size());
  std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(max), sizes.end(),
                   std::greater<>());
  const std::size_t border = sizes[max];
  std::vector<std::string> out;
  for (const auto& word : telling) {
    if (out.size() < max && word.size() > border) out.push_back(word);
  }
  for (const auto& word : telling) {
    if (out.size() < max && word.size() == border) out.push_back(word);
  }
  return out;
}

}  // namespace mainstay::storage
