// Common front and back against the chunk before.
#include "models/chunk_tape.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace mainstay::models {
namespace {

enum Flag : std::uint8_t { kToken = 1, kFinish = 2, kUsage = 4 };

// LEB128: seven bits a byte, the lowest first, the eighth says that more follow.
void put_number(std::string& out, std::uint64_t n) {
  for (; n >= 0x80; n >>= 7U) out += static_cast<char>(n | 0x80U);
  out += static_cast<char>(n);
}

std::uint64_t get_number(const std::string& from, std::size_t& offset) {
  std::uint64_t n = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(from[offset++]);
    n |= std::uint64_t(byte & 0x7fU) << shift;
    if (byte < 0x80) return n;
  }
}

std::uint64_t eight(const char* at) noexcept {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

/// Bytes that both begin with; eight at once, because each chunk is compared nearly whole.
std::size_t same_front(std::string_view a, std::string_view b) noexcept {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t n = 0;
  while (n + 8 <= most && eight(a.data() + n) == eight(b.data() + n)) n += 8;
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

/// Bytes that both end with, at most `most` (no more than the shorter one has).
std::size_t same_back(std::string_view a, std::string_view b, std::size_t most) noexcept {
  const char* const a_end = a.data() + a.size();
  const char* const b_end = b.data() + b.size();
  std::size_t n = 0;
  while (n + 8 <= most && eight(a_end - n - 8) == eight(b_end - n - 8)) n += 8;
  while (n < most && *(a_end - n - 1) == *(b_end - n - 1)) ++n;
  return n;
}

}  // namespace

void ChunkTape::append(const ChatChunk& chunk) {
  const std::string& now = chunk.json;
  Mark mark;
  mark.prefix = same_front(now, last_);
  const std::size_t left = std::min(now.size(), last_.size()) - mark.prefix;
  mark.suffix = same_back(now, last_, left);
  mark.own = now.size() - mark.prefix - mark.suffix;
  mark.prompt = chunk.usage.prompt;
  mark.completion = chunk.usage.completion;
  mark.flags =
      static_cast<std::uint8_t>((chunk.token ? kToken : 0U) | (chunk.finish ? kFinish : 0U) |
                                (chunk.usage.known ? kUsage : 0U));
  write(mark);
  bytes_.append(now, mark.prefix, mark.own);
  ++size_;
  last_ = now;
}

void ChunkTape::write(const Mark& mark) {
  bytes_ += static_cast<char>(mark.flags);
  put_number(bytes_, mark.prefix);
  put_number(bytes_, mark.own);
  put_number(bytes_, mark.suffix);
  if ((mark.flags & kUsage) == 0) return;
  put_number(bytes_, mark.prompt);
  put_number(bytes_, mark.completion);
}

ChunkTape::Mark ChunkTape::read_mark(std::size_t& offset) const {
  Mark mark;
  mark.flags = static_cast<std::uint8_t>(bytes_[offset++]);
  mark.prefix = get_number(bytes_, offset);
  mark.own = get_number(bytes_, offset);
  mark.suffix = get_number(bytes_, offset);
  if ((mark.flags & kUsage) == 0) return mark;
  mark.prompt = get_number(bytes_, offset);
  mark.completion = get_number(bytes_, offset);
  return mark;
}

void ChunkTape::finish() {
  bytes_.shrink_to_fit();
  last_ = std::string();
}

ChatChunk ChunkTape::read(Cursor& cursor) const {
  CHECK(cursor.at < size_);
  const Mark mark = read_mark(cursor.offset);
  ChatChunk chunk;
  chunk.json.reserve(mark.prefix + mark.own + mark.suffix);
  chunk.json.append(cursor.json, 0, mark.prefix);
  chunk.json.append(bytes_, cursor.offset, mark.own);
  chunk.json.append(cursor.json, cursor.json.size() - mark.suffix, mark.suffix);
  chunk.token = (mark.flags & kToken) != 0;
  chunk.finish = (mark.flags & kFinish) != 0;
  chunk.usage.known = (mark.flags & kUsage) != 0;
  chunk.usage.prompt = mark.prompt;
  chunk.usage.completion = mark.completion;
  cursor.offset += mark.own;
  cursor.json = chunk.json;
  ++cursor.at;
  return chunk;
}

}  // namespace mainstay::models
