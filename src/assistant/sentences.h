// Cuts an answer into sentences that can be spoken while the rest of it is still being written.
// Used by the voice turn, speech and the Wyoming server. Pure: no clock, no wait.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::assistant {

/// What a line of an answer says, without its marks: emphasis, links, code marks, tags, addresses
/// and references such as [1] are taken away, spaces are joined. Empty when nothing is left to say.
std::string speakable(std::string_view markdown);

/// Bounds of the splitter, in bytes.
struct SentenceRule {
  std::size_t longest = 400;  ///< a longer sentence is cut at a comma or a space
  std::size_t shortest = 12;  ///< a shorter one waits for the next, but for the first of a text
};

/// Takes a text in pieces of any size and gives out its sentences in order, as they are to be
/// spoken. What it gives out does not depend on the pieces. Blocks of code, rules and the lines
/// below a table's head are passed over; headings, items of lists and rows of tables are sentences.
/// Abbreviations, initials and decimals end none. What it keeps is bounded by the rule and by what
/// take() has not taken yet. Belongs to one coroutine.
class SentenceSplitter {
 public:
  explicit SentenceSplitter(SentenceRule rule = {}) : rule_(rule) {}
  void feed(std::string_view text);
  /// The text has ended: what is left is a sentence.
  void finish();
  /// The next sentence, at most about rule.longest bytes of whole UTF-8; none yet: feed more.
  std::optional<std::string> take();
  /// Bytes kept of what is no sentence yet.
  std::size_t held() const noexcept { return line_.size() + carry_.size(); }

 private:
  void add_to_line(std::string_view text);
  void begin_line();
  void take_marks_off();
  void end_line();
  bool pass_over_line();
  void cut_line();
  std::size_t long_cut() const;
  void say(std::string_view markdown);
  void end_block();

  const SentenceRule rule_;
  std::string line_;   ///< of the current line what is not cut off yet, as it came
  std::string carry_;  ///< speakable text that waits for the end of its sentence
  std::string short_;  ///< a sentence too short to be spoken alone
  std::deque<std::string> ready_;
  std::string fence_;        ///< what ends the block of code; empty: outside of one
  bool line_begun_ = false;  ///< the marks at the line's start are off
  bool heading_ = false;     ///< of this line
  bool first_ = true;        ///< no sentence was given out yet
};

}  // namespace mainstay::assistant
