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
  std::size_t size() const noexcept { return marks_.size(); }
  /// Memory it holds, roughly.
  std::size_t bytes() const noexcept {
    return bytes_.capacity() + marks_.capacity() * sizeof(Mark) + last_.capacity();
  }
  /// Bytes that append(chunk) would add at most.
  static std::size_t most(const ChatChunk& chunk) noexcept {
    return chunk.json.size() + sizeof(Mark);
  }
  /// Gives back what was reserved for growth.
  void finish();

  /// A place on the tape. It needs the chunk before to make the next.
  struct Cursor {
    std::size_t at = 0;
    std::string json;  ///< the chunk at `at` - 1
  };
  /// The chunk at the cursor, which moves on. There must be one: cursor.at < size().
  ChatChunk read(Cursor& cursor) const;

 private:
  struct Mark {
    std::uint32_t middle_end = 0;  ///< end of this chunk's own bytes in bytes_
    std::uint32_t prefix = 0;      ///< bytes shared with the front of the chunk before
    std::uint32_t suffix = 0;      ///< bytes shared with its back
    std::uint32_t prompt = 0;      ///< usage; saturated
    std::uint32_t completion = 0;
    bool token = false;
    bool finish = false;
    bool usage = false;
  };
  std::string bytes_;
  std::string last_;
  std::vector<Mark> marks_;
};

}  // namespace mainstay::models
