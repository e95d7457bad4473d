// Lines are told apart first, then prose is cut at sentence ends.
#include "storage/sentences.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace mainstay::storage {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

bool is_digits(std::string_view word, std::size_t most) {
  return !word.empty() && word.size() <= most && std::all_of(word.begin(), word.end(), is_digit);
}

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& known, std::string_view word) {
  return std::find(known.begin(), known.end(), word) != known.end();
}

/// "U.S", "z.B", "d.h", "e.g", an initial: letters with a stop after each. A time ends sentences.
bool is_letters_with_stops(std::string_view lower) {
  if (lower == "a.m" || lower == "p.m") return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const bool stop = i % 2 == 1;
    if (stop != (lower[i] == '.') || is_digit(lower[i])) return false;
  }
  return lower.size() % 2 == 1;
}

/// Words before whose full stop a sentence goes on.
bool is_abbreviation(std::string_view word) {
  static constexpr std::array<std::string_view, 44> known{
      "etc",  "vs",   "dr",  "mr",   "mrs",  "ms",  "prof", "no",   "fig",  "approx", "cf",
      "st",   "inc",  "ltd", "al",   "vol",  "pp",  "ca",   "resp", "incl", "ph.d",   "jr",
      "dept", "est",  "abs", "nr",   "bzw",  "usw", "vgl",  "ggf",  "inkl", "evtl",   "sog",
      "gem",  "ziff", "kap", "hrsg", "dipl", "ing", "tel",  "bsp",  "zzgl", "mio",    "mrd"};
  const std::string lower = lower_ascii(word);
  return is_letters_with_stops(lower) || is_one_of(known, lower);
}

/// Words whose full stop is an abbreviation's when a number follows: "Jan. 5", "Art. 7",
/// "Hauptstr. 12". Else they are words, or end the sentence.
bool is_abbreviation_before_number(std::string_view word) {
  static constexpr std::array<std::string_view, 22> known{
      "jan", "feb", "mar", "m\xC3\xA4r", "mrz", "apr", "jun", "jul", "aug", "sep", "sept",
      "oct", "okt", "nov", "dec",        "dez", "art", "sec", "ch",  "s",   "str", "rn"};
  const std::string lower = lower_ascii(word);
  return is_one_of(known, lower) || lower.ends_with("str");
}

/// Whether a word makes an ordinal of the number before it: "am 3. Oktober", "im 2. Quartal".
bool follows_ordinal(std::string_view word) {
  static constexpr std::array<std::string_view, 42> known{
      "January",    "February", "March",         "April",       "May",          "June",
      "July",       "August",   "September",     "October",     "November",     "December",
      "Januar",     "Februar",  "M\xC3\xA4rz",   "Mai",         "Juni",         "Juli",
      "Oktober",    "Dezember", "J\xC3\xA4nner", "Jan",         "Feb",          "Mar",
      "M\xC3\xA4r", "Mrz",      "Apr",           "Jun",         "Jul",          "Aug",
      "Sep",        "Sept",     "Oct",           "Okt",         "Nov",          "Dec",
      "Dez",        "Quartal",  "Halbjahr",      "Jahrhundert", "Jahrhunderts", "Quartals"};
  return is_one_of(known, word);
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}
  std::vector<Sentence> run() {
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      line(at, end);
      at = end + 1;
    }
    flush();
    return std::move(out_);
  }

 private:
  void line(std::size_t begin, std::size_t end) {
    std::string_view bare = trim(text_.substr(begin, end - begin));
    if (bare.starts_with("```") || bare.starts_with("~~~")) {
      flush();
      fenced_ = !fenced_;
      return;
    }
    if (fenced_) {
      add(begin, end, SpanKind::code);
      return;
    }
    if (commented_ || bare.starts_with("<!--")) {
      flush();
      const std::string_view rest = behind_comments(bare, commented_);
      if (rest.empty()) return;
      bare = rest;
      begin = static_cast<std::size_t>(rest.data() - text_.data());
    }
    if (bare.empty() || is_marker(bare)) {
      flush();
      // "|---|---|": the row above it names the columns and says nothing by itself.
      const bool columns = bare.starts_with('|') && !out_.empty() && begin - out_.back().end <= 3;
      if (columns && out_.back().kind == SpanKind::row) out_.pop_back();
      after_blank_ = bare.empty();
      return;
    }
    const std::string_view whole = text_.substr(begin, end - begin);
    const bool indented = whole.starts_with("    ") || whole.starts_with("\t");
    if (indented && after_blank_ && kind_ != SpanKind::item) {
      add(begin, end, SpanKind::code);
      return;
    }
    after_blank_ = false;
    if (bare.starts_with('#') && bare.find_first_not_of('#') <= 6 &&
        bare.substr(std::min(bare.find_first_not_of('#'), bare.size())).starts_with(' ')) {
      flush();
      return;
    }
    if (bare.starts_with('|')) {
      flush();
      add(begin, end, SpanKind::row);
      return;
    }
    prose_line(begin, end, bare);
  }

  void prose_line(std::size_t begin, std::size_t end, std::string_view bare) {
    const std::size_t marker = item_marker(bare);
    const auto indent = static_cast<std::size_t>(bare.data() - text_.data()) - begin;
    if (marker > 0) {
      flush();
      kind_ = SpanKind::item;
      open_ = begin + indent + marker;
    } else if (bare.starts_with('>')) {
      flush();
      open_ = begin + indent + 1;
    } else if (open_ == std::string_view::npos) {
      kind_ = SpanKind::prose;
      open_ = begin;
    }
    open_end_ = end;
  }

  /// Size of "- ", "* ", "+ ", "12. " or "3) " at the front; 0 when there is none.
  static std::size_t item_marker(std::string_view line) {
    if (line.size() > 2 && (line[0] == '-' || line[0] == '*' || line[0] == '+') && line[1] == ' ') {
      return 2;
    }
    std::size_t digits = 0;
    while (digits < line.size() && digits < 4 && is_digit(line[digits])) ++digits;
    const bool numbered = digits > 0 && digits + 1 < line.size() &&
                          (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
    if (!numbered || (line[digits] == '.' && follows_ordinal(word_at(line, digits + 2)))) return 0;
    return digits + 2;
  }

  /// Rulers, underlines of headings, the second row of a table.
  static bool is_marker(std::string_view line) {
    return line.size() >= 2 && line.find_first_not_of("-=*_|: ") == std::string_view::npos;
  }

  /// Ends the paragraph or item that is open and cuts it into sentences.
  void flush() {
    if (open_ == std::string_view::npos) {
      kind_ = SpanKind::prose;
      return;
    }
    std::size_t from = open_;
    for (std::size_t i = open_; i < open_end_; ++i) {
      if (!ends_sentence(i)) continue;
      add(from, i + 1, kind_);
      from = i + 1;
    }
    add(from, open_end_, kind_);
    open_ = std::string_view::npos;
    kind_ = SpanKind::prose;
  }

  bool ends_sentence(std::size_t at) const {
    const char c = text_[at];
    if (c != '.' && c != '!' && c != '?') return wide_stop(at);
    std::size_t next = at + 1;
    while (next < open_end_ && (text_[next] == '"' || text_[next] == ')' || text_[next] == '*' ||
                                text_[next] == '`' || text_[next] == '\'')) {
      ++next;
    }
    if (next >= open_end_) return false;  // the paragraph's end closes it
    if (!is_space(text_[next]) || next != at + 1) return false;
    while (next < open_end_ && is_space(text_[next])) ++next;
    if (next >= open_end_) return false;
    const char first = text_[next];
    const bool starts = is_upper(first) || is_digit(first) || first == '`' || first == '"' ||
                        first == '*' || first == '[' || first == '(' ||
                        static_cast<unsigned char>(first) >= 0x80;
    if (!starts) return false;
    if (c != '.') return true;
    std::size_t begin = at;
    while (begin > open_ && !is_space(text_[begin - 1]) && text_[begin - 1] != '(') --begin;
    const std::string_view word = text_.substr(begin, at - begin);
    if (is_digits(word, 2)) return !follows_ordinal(word_at(text_.substr(0, open_end_), next));
    if (is_digit(first) && is_abbreviation_before_number(word)) return false;
    return !is_abbreviation(word);
  }

  /// The letters from there on.
  static std::string_view word_at(std::string_view text, std::size_t begin) {
    std::size_t end = begin;
    while (end < text.size() && (is_upper(text[end]) || (text[end] >= 'a' && text[end] <= 'z') ||
                                 static_cast<unsigned char>(text[end]) >= 0x80)) {
      ++end;
    }
    return text.substr(begin, end - begin);
  }

  /// The last byte of an ideographic full stop, exclamation or question mark.
  bool wide_stop(std::size_t at) const {
    if (static_cast<unsigned char>(text_[at]) < 0x80 || at < open_ + 2) return false;
    const std::string_view three = text_.substr(at - 2, 3);
    return three == "\xE3\x80\x82" || three == "\xEF\xBC\x81" || three == "\xEF\xBC\x9F";
  }

  void add(std::size_t begin, std::size_t end, SpanKind kind) {
    while (begin < end && is_space(text_[begin])) ++begin;
    while (end > begin && is_space(text_[end - 1])) --end;
    if (begin < end) out_.push_back({begin, end, kind});
  }

  std::string_view text_;
  std::vector<Sentence> out_;
  bool fenced_ = false;
  bool commented_ = false;  ///< inside an HTML comment
  bool after_blank_ = true;
  SpanKind kind_ = SpanKind::prose;
  std::size_t open_ = std::string_view::npos;
  std::size_t open_end_ = 0;
};

}  // namespace

std::string_view behind_comments(std::string_view line, bool& open) {
  while (open || line.starts_with("<!--")) {
    const auto end = line.find("-->");
    open = end == std::string_view::npos;
    if (open) return {};
    line = trim(line.substr(end + 3));
  }
  return line;
}

std::vector<Sentence> sentences_of(std::string_view text) {
  return Splitter(text).run();
}

}  // namespace mainstay::storage
