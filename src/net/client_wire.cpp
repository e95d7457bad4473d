// Reply head and body framing. A reply that could be read in two ways is refused.
#include "net/client_wire.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.h"
#include "net/http.h"

namespace mainstay::net {
namespace {

constexpr std::uint32_t kChunkLineMax = 1024;
constexpr std::uint32_t kTrailersMax = 16 * 1024;

constexpr std::array<bool, 256> token_characters() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c :
       {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}
constexpr auto kToken = token_characters();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool parse_length(std::string_view text, std::uint64_t& out) {
  if (text.empty() || text.size() > 18) return false;
  out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

// "close" and "keep-alive" among the comma-separated words of a Connection header.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equal_ascii_nocase(trim(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(list.size(), comma + 1));
  }
  return false;
}

struct Seen {
  bool old_version = false;  ///< HTTP/1.0
  bool has_length = false;
  bool has_encoding = false;
  bool says_close = false;
  bool says_keep = false;
};

bool parse_status_line(std::string_view line, ReplyHead& out, Seen& seen) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return false;
  if (line[7] != '1' && line[7] != '0') return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  if (!is_field_value(line)) return false;
  std::uint64_t status = 0;
  if (!parse_length(line.substr(9, 3), status) || status < 100 || status > 599) return false;
  seen.old_version = line[7] == '0';
  out.status = static_cast<int>(status);
  return true;
}

bool note_field(std::string_view name, std::string_view value, ReplyHead& out, Seen& seen) {
  switch (name.size()) {
    case 10:
      if (equal_ascii_nocase(name, "connection")) {
        seen.says_close = seen.says_close || has_word(value, "close");
        seen.says_keep = seen.says_keep || has_word(value, "keep-alive");
      }
      return true;
    case 14:
      if (equal_ascii_nocase(name, "content-length")) {
        std::uint64_t length = 0;
        if (!parse_length(value, length)) return false;
        if (seen.has_length && length != out.length) return false;
        seen.has_length = true;
        out.length = length;
      }
      return true;
    case 17:
      if (equal_ascii_nocase(name, "transfer-encoding")) {
        if (seen.has_encoding || !equal_ascii_nocase(value, "chunked")) return false;
        seen.has_encoding = true;
      }
      return true;
    default:
      return true;
  }
}

bool parse_field(std::string_view text, std::size_t at, std::size_t end, ReplyHead& out,
                 Seen& seen) {
  const std::string_view line = text.substr(at, end - at);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (!is_field_value(value)) return false;
  ReplyHead::FieldSpan field;
  field.name = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(colon)};
  field.value = {static_cast<std::uint32_t>(value.data() - text.data()),
                 static_cast<std::uint32_t>(value.size())};
  out.fields.push_back(field);
  return note_field(line.substr(0, colon), value, out, seen);
}

bool settle(ReplyHead& out, const Seen& seen, bool bodyless) {
  if (seen.has_length && seen.has_encoding) return false;  // two framings: a smuggled reply
  if (seen.old_version && seen.has_encoding) return false;
  out.keep_alive = !seen.says_close && (!seen.old_version || seen.says_keep);
  if (bodyless || out.status == 204 || out.status == 304 || out.status < 200) {
    out.framing = Framing::none;
  } else if (seen.has_encoding) {
    out.framing = Framing::chunked;
  } else if (seen.has_length) {
    out.framing = out.length == 0 ? Framing::none : Framing::length;
  } else {
    out.framing = Framing::until_close;
    out.keep_alive = false;
  }
  return true;
}

HeadState parse_lines(std::string_view text, bool bodyless, ReplyHead& out) {
  Seen seen;
  out.fields.clear();
  out.length = 0;
  std::size_t at = text.find('\n') - 1;  // every LF has its CR: the caller looked
  if (!parse_status_line(text.substr(0, at), out, seen)) return HeadState::bad;
  at += 2;
  while (at + 2 < text.size()) {
    const std::size_t end = text.find('\n', at) - 1;
    if (!parse_field(text, at, end, out, seen)) return HeadState::bad;
    at = end + 2;
  }
  return settle(out, seen, bodyless) ? HeadState::done : HeadState::bad;
}

}  // namespace

std::string_view ReplyHead::find(const char* base, std::string_view name) const noexcept {
  for (const auto& field : fields) {
    if (field.name.size == name.size() && equal_ascii_nocase(field.name.in(base), name)) {
      return field.value.in(base);
    }
  }
  return {};
}

HeadState parse_reply_head(std::string_view text, std::size_t looked, bool bodyless,
                           ReplyHead& out) {
  constexpr std::string_view kStart = "HTTP/1.";
  const std::size_t start = std::min(text.size(), kStart.size());
  if (text.substr(0, start) != kStart.substr(0, start)) return HeadState::bad;
  std::size_t at = text.find('\n', looked);
  while (at != std::string_view::npos) {
    if (at == 0 || text[at - 1] != '\r') return HeadState::bad;
    if (at >= 3 && text[at - 2] == '\n') {
      out.size = static_cast<std::uint32_t>(at + 1);
      return parse_lines(text.substr(0, at + 1), bodyless, out);
    }
    at = text.find('\n', at + 1);
  }
  return HeadState::more;
}

void BodyDecoder::start(const ReplyHead& head) noexcept {
  left_ = 0;
  line_ = 0;
  switch (head.framing) {
    case Framing::none:
      state_ = State::done;
      break;
    case Framing::length:
      state_ = State::length;
      left_ = head.length;
      break;
    case Framing::chunked:
      state_ = State::size_first;
      break;
    case Framing::until_close:
      state_ = State::until_close;
      break;
  }
}

std::string_view BodyDecoder::next(const char* base, std::size_t& begin, std::size_t end) noexcept {
  while (begin < end && state_ != State::done && state_ != State::bad) {
    const std::uint64_t held = end - begin;
    if (state_ == State::until_close) {
      const std::string_view piece(base + begin, static_cast<std::size_t>(held));
      begin = end;
      return piece;
    }
    if (state_ == State::length || state_ == State::data) {
      const auto size = static_cast<std::size_t>(std::min(held, left_));
      const std::string_view piece(base + begin, size);
      begin += size;
      left_ -= size;
      if (left_ == 0) state_ = state_ == State::length ? State::done : State::data_cr;
      return piece;
    }
    frame_byte(base[begin++]);
  }
  return {};
}

void BodyDecoder::size_byte(char c) noexcept {
  int digit = -1;
  if (c >= '0' && c <= '9') digit = c - '0';
  if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
  if (digit >= 0) {
    const bool fits = left_ <= (std::numeric_limits<std::uint64_t>::max() >> 8);
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    state_ = fits ? State::size : State::bad;
  } else if (state_ == State::size_first) {
    state_ = State::bad;
  } else if (c == '\r') {
    state_ = State::size_lf;
  } else {
    state_ = c == ';' || c == ' ' || c == '\t' ? State::extension : State::bad;
  }
}

void BodyDecoder::frame_byte(char c) noexcept {
  ++line_;
  switch (state_) {
    case State::size_first:
    case State::size:
      size_byte(c);
      break;
    case State::extension:
      if (c == '\r')
        state_ = State::size_lf;
      else if (c == '\n')
        state_ = State::bad;
      break;
    case State::size_lf:
      line_ = 0;
      if (c != '\n')
        state_ = State::bad;
      else
        state_ = left_ == 0 ? State::trailer_first : State::data;
      return;
    case State::data_cr:
      state_ = c == '\r' ? State::data_lf : State::bad;
      break;
    case State::data_lf:
      line_ = 0;
      state_ = c == '\n' ? State::size_first : State::bad;
      return;
    case State::trailer_first:
      if (c == '\n')
        state_ = State::bad;
      else
        state_ = c == '\r' ? State::end_lf : State::trailer;
      break;
    case State::trailer:
      if (c == '\n')
        state_ = State::bad;
      else if (c == '\r')
        state_ = State::trailer_lf;
      break;
    case State::trailer_lf:
      state_ = c == '\n' ? State::trailer_first : State::bad;
      break;
    case State::end_lf:
      state_ = c == '\n' ? State::done : State::bad;
      return;
    default:
      state_ = State::bad;
      break;
  }
  const bool trailing = state_ == State::trailer_first || state_ == State::trailer ||
                        state_ == State::trailer_lf || state_ == State::end_lf;
  if (line_ > (trailing ? kTrailersMax : kChunkLineMax)) state_ = State::bad;
}

bool BodyDecoder::closed() noexcept {
  if (state_ != State::until_close) return false;
  state_ = State::done;
  return true;
}

}  // namespace mainstay::net
