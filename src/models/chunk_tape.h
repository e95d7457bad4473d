// A recorded stream, small: each chunk is kept as what differs from the chunk before it, since
// chunks of one answer share their id, time, model and frame.
// Used by cache.h (finished streams) and flight.h (streams in progress).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/chat.h"

namespace mainstay::models {

/// Not thread-safe by itself; a finished tape is only read.
class ChunkTape {
 public:
  void append(const ChatChunk& chunk);
  std::size_t size() const noexcept { return size_; }
  /// Memory it holds, roughly.
  std::size_t bytes() const noexcept { return bytes_.capacity() + last_.capacity(); }
  /// Bytes that append(chunk) would add at most.
  static std::size_t most(const ChatChunk& chunk) noexcept { return chunk.json.size() + kMarkMax; }
  /// Gives back what was reserved for growth.
  void finish();

  /// A place on the tape. It needs the chunk before to make the next.
  struct Cursor {
    std::size_t at = 0;
    std::size_t offset = 0;  ///< of that chunk's mark
    std::string json;        ///< the chunk at `at` - 1
  };
  /// The chunk at the cursor, which moves on. There must be one: cursor.at < size().
  ChatChunk read(Cursor& cursor) const;

 private:
  /// Stands before each chunk's own bytes: flags, then numbers of as few bytes as they need, since
  /// most are below 128 and a stream of a thousand users records a thousand tapes.
  struct Mark {
    std::uint8_t flags = 0;
    std::uint64_t prefix = 0;  ///< bytes shared with the front of the chunk before
    std::uint64_t own = 0;     ///< the chunk's own bytes, which follow
    std::uint64_t suffix = 0;  ///< bytes shared with its back
    std::uint64_t prompt = 0;  ///< usage, only if the flag says so
    std::uint64_t completion = 0;
  };
  static constexpr std::size_t kMarkMax = 1 + 5 * 10;
  void write(const Mark& mark);
  Mark read_mark(std::size_t& offset) const;
  std::string bytes_;
  std::string last_;
  std::size_t size_ = 0;
};

}  // namespace mainstay::models
