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

/// Words before whose full stop a sentence goes on.
bool is_abbreviation(std::string_view word) {
  static constexpr std::array<std::string_view, 22> known{
      "e.g",    "i.e", "etc", "vs",  "dr",  "mr", "mrs", "ms", "prof", "no",   "fig",
      "approx", "cf",  "st",  "inc", "ltd", "al", "vol", "pp", "ca",   "resp", "incl"};
  const std::string lower = lower_ascii(word);
  if (lower.size() == 1 && !is_digit(lower[0])) return true;  // an initial
  return std::find(known.begin(), known.end(), lower) != known.end();
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
    const std::string_view bare = trim(text_.substr(begin, end - begin));
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
      commented_ = bare.find("-->") == std::string_view::npos;
      return;
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
    return numbered ? digits + 2 : 0;
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
    std::size_t word = at;
    while (word > open_ && !is_space(text_[word - 1]) && text_[word - 1] != '(') --word;
    return !is_abbreviation(text_.substr(word, at - word));
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

std::vector<Sentence> sentences_of(std::string_view text) {
  return Splitter(text).run();
}

}  // namespace mainstay::storage
