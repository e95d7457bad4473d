// Common front and back against the chunk before.
#include "models/chunk_tape.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/check.h"

namespace mainstay::models {
namespace {

std::uint32_t narrow(std::uint64_t n) noexcept {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(n, std::numeric_limits<std::uint32_t>::max()));
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
  const std::size_t prefix = same_front(now, last_);
  const std::size_t left = std::min(now.size(), last_.size()) - prefix;
  const std::size_t suffix = same_back(now, last_, left);
  bytes_.append(now, prefix, now.size() - prefix - suffix);
  Mark mark;
  mark.middle_end = narrow(bytes_.size());
  mark.prefix = narrow(prefix);
  mark.suffix = narrow(suffix);
  mark.prompt = narrow(chunk.usage.prompt);
  mark.completion = narrow(chunk.usage.completion);
  mark.token = chunk.token;
  mark.finish = chunk.finish;
  mark.usage = chunk.usage.known;
  marks_.push_back(mark);
  last_ = now;
}

void ChunkTape::finish() {
  bytes_.shrink_to_fit();
  marks_.shrink_to_fit();
  last_ = std::string();
}

ChatChunk ChunkTape::read(Cursor& cursor) const {
  CHECK(cursor.at < marks_.size());
  const Mark& mark = marks_[cursor.at];
  const std::size_t begin = cursor.at == 0 ? 0 : marks_[cursor.at - 1].middle_end;
  ChatChunk chunk;
  chunk.json.reserve(mark.prefix + (mark.middle_end - begin) + mark.suffix);
  chunk.json.append(cursor.json, 0, mark.prefix);
  chunk.json.append(bytes_, begin, mark.middle_end - begin);
  chunk.json.append(cursor.json, cursor.json.size() - mark.suffix, mark.suffix);
  chunk.token = mark.token;
  chunk.finish = mark.finish;
  chunk.usage.prompt = mark.prompt;
  chunk.usage.completion = mark.completion;
  chunk.usage.known = mark.usage;
  cursor.json = chunk.json;
  ++cursor.at;
  return chunk;
}

}  // namespace mainstay::models
