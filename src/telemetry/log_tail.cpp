// A ring of records, each a length, the line and the length again, so that it is read both ways.
// A record may begin at the block's end and go on at its start.
#include "telemetry/log_tail.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "telemetry/log_line.h"

namespace mainstay {
namespace {

constexpr std::size_t kLength = sizeof(std::uint32_t);
constexpr std::size_t kAround = 2 * kLength;

char small(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// `small_letters` holds no capitals of A-Z.
bool holds(std::string_view text, std::string_view small_letters) {
  return std::search(text.begin(), text.end(), small_letters.begin(), small_letters.end(),
                     [](char a, char b) { return small(a) == b; }) != text.end();
}

bool matches(const LogTail::Filter& filter, Level level, std::string_view line) {
  return level >= filter.least && (filter.text.empty() || holds(line, filter.text)) &&
         (filter.request.empty() || line.find(filter.request) != std::string_view::npos);
}

LogTail::Filter with_small_letters(LogTail::Filter filter) {
  filter.text = lower_ascii(filter.text);
  return filter;
}

}  // namespace

Level level_of_line(std::string_view line) noexcept {
  constexpr std::string_view kMember = "\"level\":\"";
  std::string_view word;
  if (line.starts_with("{")) {
    const auto at = line.substr(0, 128).find(kMember);
    if (at == std::string_view::npos) return Level::info;
    word = line.substr(at + kMember.size());
    word = word.substr(0, word.find('"'));
  } else {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) return Level::info;
    word = line.substr(blank + 1);
    word = word.substr(0, word.find(' '));
  }
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error}) {
    if (word == name(level)) return level;
  }
  return Level::info;
}

LogTail::LogTail(Bytes room)
    : room_(std::max<std::size_t>(room.value, 4 * kAround)),
      block_(std::make_unique_for_overwrite<char[]>(room_)) {}

void LogTail::add(std::string_view lines) {
  std::lock_guard lock(mutex_);
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    add_line(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void LogTail::add_line(std::string_view line) {
  const std::size_t size = line.size() + kAround;
  if (size > room_ / 2) return;
  while (used_ + size > room_) drop_oldest();
  std::array<char, kLength> length{};
  const auto count = static_cast<std::uint32_t>(line.size());
  std::memcpy(length.data(), &count, kLength);
  const std::size_t at = oldest_ + used_;
  put(at, {length.data(), kLength});
  put(at + kLength, line);
  put(at + kLength + line.size(), {length.data(), kLength});
  used_ += size;
  ++next_;
}

void LogTail::drop_oldest() {
  const std::size_t size = length_at(oldest_) + kAround;
  oldest_ = (oldest_ + size) % room_;
  used_ -= size;
  ++first_;
}

void LogTail::put(std::size_t at, std::string_view bytes) {
  at %= room_;
  const std::size_t head = std::min(bytes.size(), room_ - at);
  std::memcpy(block_.get() + at, bytes.data(), head);
  std::memcpy(block_.get(), bytes.data() + head, bytes.size() - head);
}

std::string LogTail::get(std::size_t at, std::size_t size) const {
  at %= room_;
  const std::size_t head = std::min(size, room_ - at);
  std::string out(block_.get() + at, head);
  out.append(block_.get(), size - head);
  return out;
}

std::size_t LogTail::length_at(std::size_t at) const {
  const std::string bytes = get(at, kLength);
  std::uint32_t count = 0;
  std::memcpy(&count, bytes.data(), kLength);
  return count;
}

/// The line of the record at `at`; nullopt when it does not match. The filter's text is in small
/// letters.
std::optional<LogTail::Line> LogTail::read(const Filter& filter, std::size_t at,
                                           std::uint64_t number) const {
  Line line{number, Level::info, get(at + kLength, length_at(at))};
  line.level = level_of_line(line.text);
  if (!matches(filter, line.level, line.text)) return std::nullopt;
  return line;
}

LogTail::Found LogTail::newest(const Filter& filter, std::uint64_t before, std::size_t most) const {
  const Filter wanted = with_small_letters(filter);
  Found out;
  std::lock_guard lock(mutex_);
  out.next = next_;
  std::size_t end = oldest_ + used_;
  for (std::uint64_t number = next_; number > first_ && !out.more;) {
    --number;
    end -= length_at(end - kLength) + kAround;
    if (number >= before) continue;
    auto line = read(wanted, end, number);
    if (!line) continue;
    out.more = out.lines.size() == most;
    if (!out.more) out.lines.push_back(std::move(*line));
  }
  std::reverse(out.lines.begin(), out.lines.end());
  return out;
}

LogTail::Found LogTail::from(const Filter& filter, std::uint64_t from, std::size_t most) const {
  const Filter wanted = with_small_letters(filter);
  Found out;
  std::lock_guard lock(mutex_);
  if (from < first_) out.lost = first_ - from;
  // Newer ones are near the end: back to the one asked for, then forward.
  std::size_t at = oldest_ + used_;
  std::uint64_t number = next_;
  for (; number > std::max(from, first_); --number) at -= length_at(at - kLength) + kAround;
  for (; number < next_ && !out.more; ++number) {
    auto line = read(wanted, at, number);
    at += length_at(at) + kAround;
    if (!line) continue;
    out.more = out.lines.size() == most;
    if (out.more) break;
    out.lines.push_back(std::move(*line));
  }
  out.next = number;
  return out;
}

std::uint64_t LogTail::first() const {
  std::lock_guard lock(mutex_);
  return first_;
}

std::uint64_t LogTail::next() const {
  std::lock_guard lock(mutex_);
  return next_;
}

}  // namespace mainstay
