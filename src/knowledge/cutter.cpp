// Windows of a text, each cut by blocks and chunker with what the one before it left open.
#include "knowledge/cutter.h"

#include "base/text.h"
#include "knowledge/charset.h"

namespace mainstay::knowledge {
namespace {

/// Where a window may end: behind the last of the best mark in its second half.
std::size_t border_of(std::string_view window) {
  const std::size_t half = window.size() / 2;
  for (const std::string_view mark : {"\n\n", "\n\r\n", "\n", ". ", " "}) {
    const auto at = window.rfind(mark);
    if (at != std::string_view::npos && at >= half) return at + mark.size();
  }
  return cut_utf8(window, window.size()).size();
}

/// The whole characters of `text`: what stays off is the beginning of one.
std::string_view whole_characters(std::string_view text) {
  std::size_t back = 0;
  while (back < 3 && back < text.size()) {
    const auto byte = static_cast<unsigned char>(text[text.size() - 1 - back]);
    ++back;
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? text.substr(0, text.size() - back) : text;
  }
  return text;
}

/// Form feeds, escapes and the like become spaces, so that offsets stay as they are.
void blank_controls(std::string& text) {
  for (char& c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && c != '\t' && c != '\n' && c != '\r') || u == 0x7f) c = ' ';
  }
}

}  // namespace

Status Cutter::feed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t n = std::min(kWindow - buffer_.size(), text.size());
    buffer_.append(text.substr(0, n));
    text.remove_prefix(n);
    if (buffer_.size() < kWindow) break;
    auto done_so_far = cut(border_of(whole_characters(buffer_)));
    if (!done_so_far.ok()) return done_so_far;
  }
  return done();
}

Status Cutter::begin_page(std::uint32_t page) {
  auto cut_all = cut(buffer_.size());
  page_ = page;
  return cut_all;
}

Status Cutter::finish() {
  return cut(buffer_.size());
}

Status Cutter::cut(std::size_t size) {
  std::string window = buffer_.substr(0, size);
  buffer_.erase(0, size);
  if (const auto at = window.find('\0'); at != std::string::npos) {
    return Error::say(Errc::invalid, "control_character",
                      "The file holds a NUL at byte " + std::to_string(base_ + at) +
                          ": it seems to be binary. Send the text that is in it.",
                      "file");
  }
  if (!is_utf8(window)) {
    return Error::say(Errc::invalid, "invalid_value",
                      "The text is not valid UTF-8 at byte " +
                          std::to_string(base_ + first_not_utf8(window)) +
                          ". Convert it, for example with iconv -f LATIN1 -t UTF-8.",
                      "file");
  }
  blank_controls(window);
  const auto blocks = blocks_of(window, format_, state_);
  if (title_.empty()) title_ = title_of(window, blocks);
  for (auto& chunk : chunks_of(window, blocks, size_, path_)) {
    chunk.begin += base_;
    chunk.end += base_;
    chunk.page = page_;
    if (terms_) chunk.terms = terms_->terms_of(chunk.text);
    waiting_bytes_ += chunk.text.size() + chunk.heading.size();
    out_.push_back(std::move(chunk));
  }
  base_ += size;
  return done();
}

std::vector<storage::Chunk> Cutter::take() {
  waiting_bytes_ = 0;
  return std::exchange(out_, {});
}

}  // namespace mainstay::knowledge
