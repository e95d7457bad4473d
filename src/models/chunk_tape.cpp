// Common front and back against the chunk before.
#include "models/chunk_tape.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace mainstay::models {
namespace {

std::uint32_t narrow(std::uint64_t n) noexcept {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(n, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

void ChunkTape::append(const ChatChunk& chunk) {
  const std::string& now = chunk.json;
  const std::size_t shorter = std::min(now.size(), last_.size());
  std::size_t prefix = 0;
  while (prefix < shorter && now[prefix] == last_[prefix]) ++prefix;
  std::size_t suffix = 0;
  while (suffix < shorter - prefix &&
         now[now.size() - 1 - suffix] == last_[last_.size() - 1 - suffix]) {
    ++suffix;
  }
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
