// Words and sentences of a text, and its characters beyond ASCII by kind.
// Used by the analysis of texts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "media/terms.h"
#include "media/unicode.h"

namespace mainstay::media {

/// Fed pieces of any size. A word is a run of letters, marks and digits; an apostrophe between two
/// letters and a point or comma between two digits belong to it. Each Han character is a word; runs
/// of Hiragana and of Katakana are words apart. A sentence ends with its mark and what closes it
/// before a space, with a blank line, or with the text; not after an initial or a title, and not
/// with a point before a lower-case letter.
class WordScan {
 public:
  /// `terms` outlives the scan.
  explicit WordScan(TermTable& terms) : terms_(terms) {}
  void feed(std::string_view piece);
  /// The text ends here.
  void finish();

  std::uint64_t words() const noexcept { return words_; }
  std::uint64_t sentences() const noexcept { return sentences_; }
  /// Characters beyond ASCII.
  const KindCounts& kinds() const noexcept { return kinds_; }
  std::uint64_t invalid_bytes() const noexcept { return invalid_; }

 private:
  enum class Run : std::uint8_t { none, plain, hiragana, katakana };
  /// A mark that may end the sentence; soft: not before a lower-case letter.
  enum class Mark : std::uint8_t { none, soft, hard };
  const char* plain_text(const char* at, const char* end);
  bool plain_word(const char*& at, const char* end);
  void take(Decoded next);
  void drain();
  void on_char(char32_t code, CharKind kind);
  bool goes_on(char32_t code, CharKind kind);
  void begin_word(char32_t code, CharKind kind, Run run);
  void append(char32_t code, CharKind kind);
  void end_word();
  void on_han(char32_t code);
  void between(char32_t code, CharKind kind);
  void on_mark(char32_t code, bool after_word);
  void word_begins(bool lower);
  void end_sentence();
  bool is_abbreviation() const noexcept;

  TermTable& terms_;
  std::uint64_t words_ = 0;
  std::uint64_t sentences_ = 0;
  std::uint64_t invalid_ = 0;
  KindCounts kinds_{};

  // The current word, where it is not taken at once.
  TermUnits units_{};
  std::size_t bytes_ = 0;  ///< more than kTermBytes: not all of it is kept
  std::uint64_t letters_ = 0;
  CharKind last_ = CharKind::unassigned;
  Run run_ = Run::none;  ///< none: not in a word
  char32_t joint_ = 0;   ///< an apostrophe or a point that may belong to the word

  // The current sentence.
  std::uint64_t last_word_ = 0;  ///< its first eight bytes
  std::size_t last_bytes_ = 0;
  char32_t last_han_ = 0;
  Mark mark_ = Mark::none;
  bool spaced_ = false;       ///< there was a space since the mark
  bool has_word_ = false;     ///< the sentence has a word
  bool after_word_ = false;   ///< the last character belonged to a word
  std::uint32_t breaks_ = 0;  ///< line feeds since the last character that is no space

  std::array<char, 4> held_{};  ///< a character whose end has not come
  std::size_t held_size_ = 0;
};

}  // namespace mainstay::media
