// Lines first, because Markdown's blocks are lines; then the ends of sentences inside them.
#include "assistant/sentences.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"

namespace mainstay::assistant {
namespace {

using std::string_view;
constexpr std::size_t kFenceLineMax = 64;  ///< kept of a line inside a block of code
constexpr std::size_t kGapMax = 16;        ///< so many spaces end a sentence, whatever follows
constexpr std::size_t kAhead = 40;         ///< looked at behind the longest sentence
constexpr auto kNone = string_view::npos;

/// Words after which a full stop ends no sentence; lower case, without their last stop.
constexpr std::array kAbbreviations = std::to_array<string_view>({
    "mr",   "mrs", "ms",  "dr",   "prof", "st",   "sr",   "jr",  "vs",  "etc",    "eg",
    "e.g",  "ie",  "i.e", "cf",   "no",   "nr",   "fig",  "ca",  "al",  "approx", "dept",
    "est",  "inc", "ltd", "co",   "corp", "gen",  "col",  "sgt", "rev", "hon",    "vol",
    "pp",   "ed",  "eds", "jan",  "feb",  "mar",  "apr",  "jun", "jul", "aug",    "sep",
    "sept", "oct", "nov", "dec",  "mon",  "tue",  "wed",  "thu", "fri", "z.b",    "bzw",
    "d.h",  "u.a", "usw", "evtl", "ggf",  "inkl", "min",  "max", "abb", "str",    "tel",
    "a.m",  "p.m", "u.s", "u.k",  "ph.d", "m.sc", "b.sc",
});
/// Those that may as well be the last word: they end a sentence when a capital follows.
constexpr std::array kMayEnd = std::to_array<string_view>(
    {"etc", "a.m", "p.m", "inc", "ltd", "co",  "corp", "u.s", "u.k", "usw", "ph.d",
     "no",  "min", "max", "al",  "ed",  "mar", "mon",  "fri", "est", "str"});

bool is_space(char c) {
  return c == ' ' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

/// Bytes of the mark at `at` that may end a sentence; `full`: one that needs no space behind it.
std::size_t end_mark(string_view text, std::size_t at, bool& full) {
  full = false;
  const char c = text[at];
  if (c == '.' || c == '!' || c == '?') return 1;
  const auto rest = text.substr(at);
  if (rest.starts_with("\xe2\x80\xa6")) return 3;  // …
  full = rest.starts_with("\xe3\x80\x82") || rest.starts_with("\xef\xbc\x81") ||
         rest.starts_with("\xef\xbc\x9f");  // the full-width stop, exclamation and question marks
  return full ? 3 : 0;
}

/// Behind closing quotes, brackets, emphasis and references that belong to the sentence.
std::size_t behind_closers(string_view text, std::size_t at) {
  for (;;) {
    if (at >= text.size()) return at;
    const auto rest = text.substr(at);
    if (string_view(")]\"'*_`").find(text[at]) != kNone) {
      ++at;
    } else if (rest.starts_with("\xe2\x80\x9d") || rest.starts_with("\xe2\x80\x99")) {
      at += 3;  // ” ’
    } else if (rest.starts_with("\xc2\xbb")) {
      at += 2;  // »
    } else if (text[at] == '[' && at + 1 < text.size() && is_digit(text[at + 1])) {
      const auto close = rest.find(']');
      if (close == kNone || close > 12) return at;
      at += close + 1;
    } else {
      return at;
    }
  }
}

/// The word in front of a full stop, lower case, without quotes and brackets before it.
std::string word_before(string_view text, std::size_t stop) {
  std::size_t begin = stop;
  while (begin > 0 && !is_space(text[begin - 1])) --begin;
  while (begin < stop && string_view("([\"'*_`").find(text[begin]) != kNone) ++begin;
  return lower_ascii(text.substr(begin, stop - begin));
}

bool listed(const auto& list, string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Whether the full stop at `stop` ends its sentence when `follows` is the next word's first byte.
bool stop_ends(string_view text, std::size_t stop, char follows) {
  if (is_lower(follows)) return false;
  const std::string word = word_before(text, stop);
  if (word.empty()) return true;  // the last stop of "..."
  if (word.size() == 1 && std::isalpha(static_cast<unsigned char>(word.front())) != 0) {
    return word == "i" && is_upper(follows);  // an initial, as in "J. Smith"
  }
  if (!listed(kAbbreviations, word)) return true;
  return listed(kMayEnd, word) && is_upper(follows);
}

/// Whether a cut at `end` leaves no code mark and no link open: their stops are no ends.
bool is_closed(string_view text, std::size_t end) {
  const auto part = text.substr(0, end);
  if (std::count(part.begin(), part.end(), '`') % 2 != 0) return false;
  const auto open = part.rfind('[');
  if (open == kNone) return true;
  const auto close = part.find(']', open);
  if (close == kNone) return false;
  const bool link = close + 1 < text.size() && text[close + 1] == '(';
  return !link || part.find(')', close) != kNone;
}

/// Where the first sentence ends, behind its marks; npos: nowhere yet.
std::size_t sentence_end(string_view text) {
  bool full = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t mark = end_mark(text, at, full);
    if (mark == 0) continue;
    const std::size_t end = behind_closers(text, at + mark);
    if (full && end < text.size()) return end;
    if (end >= text.size() || !is_space(text[end])) continue;
    const auto gap = text.substr(end, kGapMax);
    const auto next = gap.find_first_not_of(" \t");
    if (next == kNone && gap.size() < kGapMax) return kNone;  // what follows decides
    const char follows = next == kNone ? 'A' : gap[next];
    if (text[at] == '.' && !stop_ends(text, at, follows)) continue;
    if (mark == 3 && !full && is_lower(follows)) continue;
    if (is_closed(text, end)) return end;
  }
  return kNone;
}

/// How many marks a line begins with: "## ", "- ", "> ". `number`: of an item, as in "3. ".
struct LineMarks {
  std::size_t bytes = 0;
  bool block = false;    ///< the line is no part of the paragraph above
  bool heading = false;  ///< nor of the one below
  string_view number;
};
LineMarks marks_of(string_view line) {
  LineMarks out;
  std::size_t at = 0;
  while (at < line.size() && (is_space(line[at]) || line[at] == '>')) ++at;
  out.bytes = at;
  const auto rest = line.substr(at);
  const auto hashes = std::min(rest.find_first_not_of('#'), rest.size());
  if (hashes >= 1 && hashes <= 6 && hashes < rest.size() && is_space(rest[hashes])) {
    out.block = out.heading = true;
    out.bytes = at + hashes;
  } else if (rest.size() >= 2 && string_view("-*+").find(rest[0]) != kNone && is_space(rest[1])) {
    out.block = true;
    out.bytes = at + 1;
  } else {
    const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const bool item = digits >= 1 && digits <= 3 && digits + 1 < rest.size() &&
                      (rest[digits] == '.' || rest[digits] == ')') && is_space(rest[digits + 1]);
    if (item) {
      out.block = true;
      out.number = rest.substr(0, digits);
      out.bytes = at + digits + 1;
    }
  }
  return out;
}

/// "```" or "~~~" at a line's start, as long as it is; empty: none.
std::string fence_of(string_view line) {
  const auto at = line.find_first_not_of(" \t>");
  if (at == kNone || (line[at] != '`' && line[at] != '~')) return {};
  const auto end = std::min(line.find_first_not_of(line[at], at), line.size());
  const bool inline_code = line[at] == '`' && line.find('`', end) != kNone;
  return end - at >= 3 && !inline_code ? std::string(line.substr(at, end - at)) : std::string();
}

/// A rule ("---"), or the line below a table's head ("|---|:--:|").
bool is_rule(string_view line) {
  const auto marks = trim(line);
  return marks.size() >= 3 && marks.find_first_not_of("-*_=|: ") == kNone;
}

/// A row of a table with its cells apart.
std::string row_of(string_view line) {
  std::string out;
  std::string cell;
  const auto add = [&] {
    const std::string said(trim(cell));
    if (!said.empty()) out += (out.empty() ? "" : ", ") + said;
    cell.clear();
  };
  for (const char c : line) {
    if (c == '|') {
      add();
    } else {
      cell += c;
    }
  }
  add();
  return out;
}

}  // namespace

void SentenceSplitter::feed(string_view text) {
  while (!text.empty()) {
    const auto newline = text.find('\n');
    add_to_line(text.substr(0, newline));
    if (newline == kNone) break;
    text.remove_prefix(newline + 1);
    end_line();
  }
}

void SentenceSplitter::finish() {
  if (!line_.empty() || line_begun_) end_line();
  fence_.clear();
  end_block();
  if (!short_.empty()) ready_.push_back(std::move(short_));
  short_.clear();
}

std::optional<std::string> SentenceSplitter::take() {
  if (ready_.empty()) return std::nullopt;
  std::string out = std::move(ready_.front());
  ready_.pop_front();
  return out;
}

/// A long piece is taken in parts, so that what is kept stays bounded.
void SentenceSplitter::add_to_line(string_view text) {
  while (!text.empty()) {
    const std::size_t n = std::min(text.size(), rule_.longest);
    line_.append(text.substr(0, n));
    text.remove_prefix(n);
    if (!fence_.empty()) {
      if (line_.size() > kFenceLineMax) line_.resize(kFenceLineMax);
      continue;
    }
    begin_line();
    if (line_begun_) cut_line();
  }
}

/// Takes the marks off once enough of the line is there to know them; a table's row and what may
/// still become a fence or a rule wait for their end.
void SentenceSplitter::begin_line() {
  if (line_begun_) return;
  const string_view line = line_;
  const bool marks_alone = line.find_first_not_of(" \t>#-*+_=`~0123456789.)|:") == kNone;
  const bool waits = marks_alone || !fence_of(line).empty() || trim(line).starts_with('|');
  if (waits && line.size() < rule_.longest) return;
  take_marks_off();
}

void SentenceSplitter::take_marks_off() {
  const LineMarks marks = marks_of(line_);
  const std::string number(marks.number);
  if (marks.block) end_block();
  if (!number.empty()) carry_ = number + ":";
  heading_ = marks.heading;
  line_.erase(0, marks.bytes);
  line_begun_ = true;
}

/// Fences and rules; true: nothing of the line is said.
bool SentenceSplitter::pass_over_line() {
  if (line_begun_) return false;
  std::string fence = fence_of(line_);
  if (!fence_.empty()) {
    if (fence.starts_with(fence_)) fence_.clear();  // of the same kind, and at least as long
    return true;
  }
  if (fence.empty() && !is_rule(line_)) return false;
  end_block();
  fence_ = std::move(fence);
  return true;
}

void SentenceSplitter::end_line() {
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  const bool blank = !line_begun_ && trim(line_).empty();
  const bool row = !line_begun_ && trim(line_).starts_with('|');
  if (!pass_over_line() && !blank) {
    if (row) line_ = row_of(line_);
    if (!line_begun_) take_marks_off();
    if (row) end_block();
    cut_line();
    say(line_);
    // A line that ends a sentence need not wait for the next one to be heard.
    const bool ends = !carry_.empty() && string_view(".!?").find(carry_.back()) != kNone &&
                      stop_ends(carry_, carry_.size() - 1, 'A');
    if (ends || row || heading_) end_block();
  } else if (blank && fence_.empty()) {
    end_block();
  }
  line_.clear();
  line_begun_ = false;
  heading_ = false;
}

/// Gives out the whole sentences of the line. What is too long for one breath is cut at a clause,
/// else at a space, else where it must.
void SentenceSplitter::cut_line() {
  for (;;) {
    const auto end = sentence_end(line_);
    std::size_t n = end;
    if (end == kNone || end + carry_.size() > rule_.longest) {
      if (line_.size() + carry_.size() <= rule_.longest + kAhead) return;
      n = carry_.size() > rule_.longest / 2 ? 0 : long_cut();
    }
    say(string_view(line_).substr(0, n));
    end_block();
    line_.erase(0, n);
  }
}

std::size_t SentenceSplitter::long_cut() const {
  const auto most = cut_utf8(line_, std::max<std::size_t>(rule_.longest - carry_.size(), 4));
  auto at = most.find_last_of(",;:");
  if (at == kNone || at < most.size() / 2) at = most.find_last_of(" \t");
  return at == kNone || at == 0 ? std::max<std::size_t>(most.size(), 1) : at + 1;
}

void SentenceSplitter::say(string_view markdown) {
  const std::string said = speakable(markdown);
  if (said.empty()) return;
  if (!carry_.empty()) carry_ += ' ';
  carry_ += said;
}

/// The sentence is whole. A short one waits for company, but for the first: that is how soon
/// somebody is heard.
void SentenceSplitter::end_block() {
  if (carry_.empty()) return;
  if (!short_.empty()) {
    short_ += ' ';
    carry_.insert(0, short_);
    short_.clear();
  }
  if (carry_.size() < rule_.shortest && !first_) {
    short_ = std::move(carry_);
  } else {
    ready_.push_back(std::move(carry_));
    first_ = false;
  }
  carry_.clear();
}

}  // namespace mainstay::assistant
