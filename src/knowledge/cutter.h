// Chunks of a text of any length, which comes in pieces; memory stays within a window.
// Used by ingest.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "knowledge/chunker.h"
#include "storage/terms.h"

namespace mainstay::knowledge {

/// The same chunks whatever the sizes of the pieces. Belongs to one thread at a time.
class Cutter {
 public:
  /// Bytes looked at together. A text is cut there at an empty line if it can be, else at a line,
  /// a sentence, a word, at last between characters; overlap ends there.
  static constexpr std::size_t kWindow = 256 * 1024;

  /// `terms`: chunks have theirs, for a store that takes_terms().
  Cutter(Format format, ChunkSize size, bool terms = false) : format_(format), size_(size) {
    if (terms) terms_.emplace();
  }
  /// Errors: invalid "control_character" (a NUL), "invalid_value" (not UTF-8); nothing more may be
  /// fed then.
  Status feed(std::string_view text);
  /// What is fed from now on stands on this page (from 1); no chunk reaches over its start.
  Status begin_page(std::uint32_t page);
  /// No more comes. Errors: as feed().
  Status finish();

  /// The chunks found since the last call, in order; begin and end count from the first byte fed.
  std::vector<storage::Chunk> take();
  std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }  ///< texts of those
  /// The first heading or words, once a window is full or the text has ended; may be empty.
  const std::string& title() const noexcept { return title_; }
  std::uint64_t bytes() const noexcept { return base_ + buffer_.size(); }

 private:
  Status cut(std::size_t size);

  const Format format_;
  const ChunkSize size_;
  std::string buffer_;
  std::uint64_t base_ = 0;  ///< of the buffer's first byte
  BlockState state_;
  HeadingPath path_;
  std::optional<storage::TermCutter> terms_;
  std::optional<std::uint32_t> page_;
  std::vector<storage::Chunk> out_;
  std::size_t waiting_bytes_ = 0;
  std::string title_;
};

}  // namespace mainstay::knowledge
