// SseParser and LineParser. An event that lies whole in one piece is given out as a view into it.
#include "net/sse.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace mainstay::net {
namespace {

Error too_long() {
  return Error::say(Errc::bad_upstream, "upstream_bad_event",
                    "The provider sent an event that is too large.");
}

}  // namespace

void SseParser::feed(std::string_view piece) {
  piece_ = piece;
  lf_known_ = false;
}

// The next whole line without its end. CR alone ends a line at once; an LF that follows it, maybe
// in the next piece, is skipped.
std::optional<std::string_view> SseParser::line() {
  if (skip_lf_ && !piece_.empty()) {
    skip_lf_ = false;
    if (piece_.front() == '\n') {
      piece_.remove_prefix(1);
      if (lf_known_ && lf_ > 0)
        --lf_;
      else
        lf_known_ = false;
    }
  }
  if (!lf_known_) {  // found once for many CR lines, so that a hostile stream costs no more
    lf_ = std::min(piece_.find('\n'), piece_.size());
    lf_known_ = true;
  }
  const std::size_t cr = piece_.substr(0, lf_).find('\r');
  const std::size_t end = cr == std::string_view::npos ? lf_ : cr;
  if (end == piece_.size()) {
    line_.append(piece_);
    piece_ = {};
    lf_known_ = false;
    return std::nullopt;
  }
  skip_lf_ = piece_[end] == '\r';
  std::string_view found = piece_.substr(0, end);
  piece_.remove_prefix(end + 1);
  if (lf_ > end)
    lf_ -= end + 1;
  else
    lf_known_ = false;
  if (!line_.empty()) {
    line_.append(found);
    std::swap(whole_, line_);
    line_.clear();
    found = whole_;
    // A carried line is no view into the piece: its data must be copied.
    in_one_ = false;
  } else {
    in_one_ = true;
  }
  return found;
}

void SseParser::add_data(std::string_view value) {
  if (data_lines_++ == 0) {
    if (in_one_)
      one_ = value;
    else
      data_.assign(value);
    return;
  }
  keep();
  data_.push_back('\n');
  data_.append(value);
}

// Moves a data line that was a view into the parser's own memory.
void SseParser::keep() {
  if (one_.data() == nullptr) return;
  data_.assign(one_);
  one_ = {};
}

// False when the event grew above its bound.
bool SseParser::take_field(std::string_view line) {
  if (line.front() == ':') return line.size() <= event_max_.value;
  bytes_ += line.size();
  if (bytes_ > event_max_.value) return false;
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "data") {
    add_data(value);
  } else if (field == "event") {
    event_.assign(value);
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    id_.assign(value);
  }  // "retry" and unknown fields are ignored, as the rules say
  return true;
}

SseEvent SseParser::dispatch() {
  SseEvent out;
  if (one_.data() != nullptr) {
    out.data = one_;
  } else {
    std::swap(out_data_, data_);
    out.data = out_data_;
  }
  std::swap(out_event_, event_);
  out.event = out_event_;
  out.id = id_;
  one_ = {};
  data_.clear();
  event_.clear();
  data_lines_ = 0;
  bytes_ = 0;
  return out;
}

Result<std::optional<SseEvent>> SseParser::next() {
  if (failed_) return too_long();
  while (auto found = line()) {
    std::string_view text = *found;
    if (std::exchange(first_, false) && text.starts_with(kByteOrderMark)) {
      text.remove_prefix(kByteOrderMark.size());
    }
    if (!text.empty()) {
      if (!take_field(text)) {
        failed_ = true;
        return too_long();
      }
      continue;
    }
    if (data_lines_ > 0) return std::optional<SseEvent>(dispatch());
    event_.clear();  // an event without data is none
    bytes_ = 0;
  }
  keep();
  const std::size_t mark = first_ && line_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  const std::size_t before = line_.starts_with(':') ? 0 : bytes_;
  if (line_.size() - mark + before > event_max_.value) {
    failed_ = true;
    return too_long();
  }
  return std::optional<SseEvent>();
}

bool SseParser::unfinished() const noexcept {
  if (first_ && line_ == kByteOrderMark) return false;
  return !line_.empty() || data_lines_ > 0 || !event_.empty();
}

void LineParser::feed(std::string_view piece) {
  piece_ = piece;
}

Result<std::optional<std::string_view>> LineParser::next() {
  if (failed_) return too_long();
  while (true) {
    const std::size_t end = piece_.find('\n');
    if (end == std::string_view::npos) {
      line_.append(piece_);
      piece_ = {};
      failed_ = line_.size() > line_max_.value + (line_.ends_with('\r') ? 1 : 0);
      if (failed_) return too_long();
      return std::optional<std::string_view>();
    }
    std::string_view found = piece_.substr(0, end);
    piece_.remove_prefix(end + 1);
    if (!line_.empty()) {
      line_.append(found);
      std::swap(out_, line_);
      line_.clear();
      found = out_;
    }
    if (found.ends_with('\r')) found.remove_suffix(1);
    if (found.size() > line_max_.value) {
      failed_ = true;
      return too_long();
    }
    if (!found.empty()) return std::optional<std::string_view>(found);
  }
}

}  // namespace mainstay::net
