// Taking the marks out of a line of Markdown, for the ear.
#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "assistant/sentences.h"
#include "base/text.h"

namespace mainstay::assistant {
namespace {

constexpr std::size_t kTagMax = 200;  ///< a '<' without '>' so near is no tag

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || std::isalnum(u) != 0;
}
bool starts(std::string_view text, std::size_t at, std::string_view with) {
  return text.substr(at).starts_with(with);
}

/// The host of an address: what a person would read out of it.
std::string_view host_of(std::string_view address) {
  auto host = address.substr(address.find("://") + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  if (host.starts_with("www.")) host.remove_prefix(4);
  return host.substr(0, host.find(':'));
}

/// Bytes of the address that begins at `at`; 0: none does.
std::size_t address_at(std::string_view text, std::size_t at) {
  if (!starts(text, at, "http://") && !starts(text, at, "https://")) return 0;
  std::size_t end = at;
  while (end < text.size() && !is_space(text[end]) &&
         std::string_view("<>()[]\"'`|").find(text[end]) == std::string_view::npos) {
    ++end;
  }
  while (end > at && std::string_view(".,;:!?*_").find(text[end - 1]) != std::string_view::npos) {
    --end;
  }
  return end - at;
}

/// A pictograph or one of its parts: voices spell them out or stumble.
std::size_t pictograph_at(std::string_view text, std::size_t at) {
  if (starts(text, at, "\xf0\x9f")) return std::min<std::size_t>(4, text.size() - at);
  for (const std::string_view part : {"\xe2\x98", "\xe2\x99", "\xe2\x9a", "\xe2\x9b", "\xe2\x9c",
                                      "\xe2\x9d", "\xe2\x9e", "\xef\xb8\x8f", "\xe2\x80\x8d"}) {
    if (starts(text, at, part)) return std::min<std::size_t>(3, text.size() - at);
  }
  return 0;
}

/// Appends with single spaces, none in front.
class Spoken {
 public:
  void add(char c) {
    if (is_space(c) || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      gap_ = !text_.empty();
      return;
    }
    // No space is left in front of what ends a clause: a reference may have stood between them.
    if (gap_ && std::string_view(".,;:!?)").find(c) == std::string_view::npos) text_ += ' ';
    gap_ = false;
    text_ += c;
    says_ = says_ || is_word(c);
  }
  void add(std::string_view text) {
    for (const char c : text) add(c);
  }
  char last() const { return gap_ || text_.empty() ? ' ' : text_.back(); }
  std::string take() { return says_ ? std::move(text_) : std::string(); }

 private:
  std::string text_;
  bool gap_ = false;
  bool says_ = false;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kEntities = {{
    {"&amp;", "&"},
    {"&lt;", "<"},
    {"&gt;", ">"},
    {"&quot;", "\""},
    {"&#39;", "'"},
    {"&apos;", "'"},
    {"&nbsp;", " "},
    {"\xc2\xa0", " "},
}};

/// One pass over a line. Each step answers how many bytes it used, 0: it is not its case.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  std::string read() {
    while (at_ < text_.size()) {
      std::size_t used = escape();
      if (used == 0) used = bracket();
      if (used == 0) used = address();
      if (used == 0) used = tag();
      if (used == 0) used = entity();
      if (used == 0) used = mark();
      if (used == 0) used = pictograph_at(text_, at_);
      if (used == 0) {
        out_.add(text_[at_]);
        used = 1;
      }
      at_ += used;
    }
    return out_.take();
  }

 private:
  char here() const { return text_[at_]; }
  char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : ' '; }

  std::size_t escape() {
    if (here() != '\\' || std::ispunct(static_cast<unsigned char>(next())) == 0) return 0;
    out_.add(next());
    return 2;
  }
  /// [text](address), ![text](address), [1].
  std::size_t bracket() {
    const std::size_t open = here() == '!' && next() == '[' ? at_ + 1 : at_;
    if (text_[open] != '[') return 0;
    const auto close = text_.find(']', open);
    if (close == std::string_view::npos) return here() == '!' ? 0 : 1;
    const auto inner = text_.substr(open + 1, close - open - 1);
    std::size_t end = close + 1;
    if (end < text_.size() && text_[end] == '(') {
      const auto paren = text_.find(')', end);
      if (paren != std::string_view::npos) end = paren + 1;
    }
    const bool reference =
        !inner.empty() && inner.find_first_not_of("0123456789, ^") == std::string_view::npos;
    if (!reference) out_.add(speakable(inner));
    return end - at_;
  }
  std::size_t address() {
    const std::size_t n = address_at(text_, at_);
    if (n > 0) out_.add(host_of(text_.substr(at_, n)));
    return n;
  }
  /// <b>, </b>, <br/>, and <https://…>, which is an address.
  std::size_t tag() {
    if (here() != '<' || !(std::isalpha(static_cast<unsigned char>(next())) != 0 || next() == '/'))
      return 0;
    const auto close = text_.find('>', at_);
    if (close == std::string_view::npos || close - at_ > kTagMax) return 0;
    const std::size_t address = address_at(text_, at_ + 1);
    if (address > 0) {
      out_.add(host_of(text_.substr(at_ + 1, address)));
    } else {
      out_.add(' ');
    }
    return close - at_ + 1;
  }
  std::size_t entity() {
    for (const auto& [name, meaning] : kEntities) {
      if (!starts(text_, at_, name)) continue;
      out_.add(meaning);
      return name.size();
    }
    return 0;
  }
  /// Emphasis and code marks. A '*' between spaces or digits is a sign, an '_' inside a word a gap.
  std::size_t mark() {
    const char c = here();
    if (c == '`') return 1;
    if (c == '~' && next() == '~') return 2;
    if (c == '*') {
      const char before = out_.last();
      if (is_space(before) && is_space(next()) && at_ > 0) return 0;
      const auto digit = [](char d) { return std::isdigit(static_cast<unsigned char>(d)) != 0; };
      return digit(before) && digit(next()) ? 0 : 1;
    }
    if (c == '_') {
      if (is_word(out_.last()) && is_word(next())) out_.add(' ');
      return 1;
    }
    return c == '>' && at_ == 0 ? 1 : 0;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Spoken out_;
};

}  // namespace

std::string speakable(std::string_view markdown) {
  return Reader(markdown).read();
}

}  // namespace mainstay::assistant
