// RESP2 written and read.
#include "storage/redis/reply.h"

#include <algorithm>
#include <charconv>

namespace mainstay::storage::redis {
namespace {

constexpr int kDepthMax = 8;
constexpr std::size_t kReservedMax = 64;

void append_number(std::string& out, std::int64_t n) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), n).ptr;
  out.append(digits, end);
}

bool read_number(std::string_view text, std::int64_t& out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::int64_t Reply::count() const noexcept {
  if (kind == Kind::number) return number;
  std::int64_t out = 0;
  if (kind != Kind::text || !read_number(text, out)) return 0;
  return out;
}

const Reply& Reply::at(std::size_t index) const noexcept {
  static const Reply kNone;
  return kind == Kind::list && index < items.size() ? items[index] : kNone;
}

Command& Command::add(std::string_view argument) {
  ++count_;
  body_ += '$';
  append_number(body_, static_cast<std::int64_t>(argument.size()));
  body_ += "\r\n";
  body_ += argument;
  body_ += "\r\n";
  return *this;
}

Command& Command::add(std::int64_t argument) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), argument).ptr;
  return add(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void Command::write_to(std::string& out) const {
  out += '*';
  append_number(out, static_cast<std::int64_t>(count_));
  out += "\r\n";
  out += body_;
}

void Parser::feed(std::string_view bytes) {
  if (begin_ > 0 && begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  } else if (begin_ > (1 << 16) && begin_ > buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_ += bytes;
}

Result<std::optional<Reply>> Parser::next() {
  if (buffered() == 0 || buffered() < wanted_) return std::optional<Reply>();
  wanted_ = 0;
  std::size_t at = begin_;
  Reply out;
  const Step step = read(at, out, 0);
  if (step == Step::done) {
    begin_ = at;
    return std::optional<Reply>(std::move(out));
  }
  if (step == Step::bad || wanted_ > reply_max_ || buffered() > reply_max_) {
    return Error::log(Errc::corrupt, "redis sent what is no reply, or one that is too large");
  }
  return std::optional<Reply>();
}

Parser::Step Parser::read_line(std::size_t& at, std::string_view& line) {
  const auto end = buffer_.find("\r\n", at);
  if (end == std::string::npos) return Step::more;
  line = std::string_view(buffer_).substr(at, end - at);
  at = end + 2;
  return Step::done;
}

Parser::Step Parser::read_text(std::size_t& at, std::int64_t length, Reply& out) {
  if (length < 0) return length == -1 ? Step::done : Step::bad;
  const auto size = static_cast<std::size_t>(length);
  if (size > reply_max_) return Step::bad;
  if (buffer_.size() - at < size + 2) {
    wanted_ = at - begin_ + size + 2;
    return Step::more;
  }
  if (buffer_[at + size] != '\r' || buffer_[at + size + 1] != '\n') return Step::bad;
  out.kind = Reply::Kind::text;
  out.text.assign(buffer_, at, size);
  at += size + 2;
  return Step::done;
}

Parser::Step Parser::read_list(std::size_t& at, std::int64_t length, Reply& out, int depth) {
  if (length < 0) return length == -1 ? Step::done : Step::bad;
  if (depth >= kDepthMax || static_cast<std::size_t>(length) > reply_max_ / 4) return Step::bad;
  out.kind = Reply::Kind::list;
  // What is told is believed for a small list only: the elements have yet to come.
  out.items.reserve(std::min(static_cast<std::size_t>(length), kReservedMax));
  for (std::int64_t i = 0; i < length; ++i) {
    Reply item;
    const Step step = read(at, item, depth + 1);
    if (step != Step::done) return step;
    out.items.push_back(std::move(item));
  }
  return Step::done;
}

Parser::Step Parser::read(std::size_t& at, Reply& out, int depth) {
  if (at >= buffer_.size()) return Step::more;
  const char kind = buffer_[at++];
  std::string_view line;
  const Step step = read_line(at, line);
  if (step != Step::done) return step;
  switch (kind) {
    case '+':
      out.kind = Reply::Kind::text;
      out.text = line;
      return Step::done;
    case '-':
      out.kind = Reply::Kind::error;
      out.text = line;
      return Step::done;
    case ':':
      out.kind = Reply::Kind::number;
      return read_number(line, out.number) ? Step::done : Step::bad;
    case '$':
    case '*':
      break;
    default:
      return Step::bad;
  }
  std::int64_t length = 0;
  if (!read_number(line, length)) return Step::bad;
  return kind == '$' ? read_text(at, length, out) : read_list(at, length, out, depth);
}

}  // namespace mainstay::storage::redis
