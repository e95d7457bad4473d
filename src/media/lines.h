// Lines and paragraphs of a text: how many, the longest, and which of them are repeated.
// Used by the analysis of texts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mainstay::media {

struct LongestLine {
  std::uint64_t number = 0;  ///< from 1; 0: the text has no line
  std::uint64_t bytes = 0;   ///< without its end
  std::uint64_t characters = 0;
};

struct Repeats {
  std::uint64_t total = 0;
  std::uint64_t repeated = 0;  ///< that stood in the text before; at least, when not exact
  std::uint64_t distinct = 0;  ///< at least, when not exact
  bool exact = true;
};

/// Counts distinct 64-bit hashes, up to a bound, and those that come again.
class SeenHashes {
 public:
  explicit SeenHashes(std::size_t hashes_max);
  /// Once as many are noted as may be, a new one is passed over. It is looked up a few hashes
  /// later, when its place in the table has come from memory.
  void add(std::uint64_t hash) {
    waiting_[waiting_size_] = hash;
    __builtin_prefetch(&places_[hash & (places_.size() - 1)], 1);
    if (++waiting_size_ == waiting_.size()) settle();
  }
  Repeats finish();

 private:
  void settle();
  void note(std::uint64_t hash);
  void grow();
  const std::size_t hashes_max_;
  std::vector<std::uint64_t> places_;  ///< 0: free
  Repeats repeats_;
  std::array<std::uint64_t, 16> waiting_{};
  std::size_t waiting_size_ = 0;
};

struct LineReport {
  std::uint64_t lines = 0;  ///< the last one needs no line feed
  LongestLine longest;
  Repeats not_blank;   ///< lines that hold more than spaces
  Repeats paragraphs;  ///< lines between blank ones
};

/// Fed pieces of any size; a line ends with LF or CR LF.
class LineScan {
 public:
  /// `seed`: as a TermTable's.
  LineScan(std::size_t lines_max, std::size_t paragraphs_max, std::uint64_t seed = 0);
  /// `ascii`: the piece holds no byte above 0x7f.
  void feed(std::string_view piece, bool ascii);
  LineReport finish();

 private:
  /// A hash of bytes that come in pieces: eight at a time, whatever the pieces are.
  class Hash {
   public:
    explicit Hash(std::uint64_t seed) : state_(seed ^ 0x243f6a8885a308d3U) {}
    void add(std::string_view bytes) noexcept;
    std::uint64_t value() const noexcept;

   private:
    void mix(std::uint64_t word) noexcept;
    std::uint64_t state_;
    std::uint64_t partial_ = 0;
    std::uint32_t held_ = 0;  ///< bytes in partial_
    std::uint64_t size_ = 0;
  };
  struct Line {
    explicit Line(std::uint64_t seed) : hash(seed) {}
    Hash hash;
    std::uint64_t bytes = 0;
    std::uint64_t inner_bytes = 0;  ///< that continue a character
    bool blank = true;
    bool held_cr = false;  ///< its last byte may belong to the line's end
  };
  void add(std::string_view bytes, bool ascii);
  void add_to_line(std::string_view bytes, bool ascii);
  void end_line();
  void end_paragraph();

  const std::uint64_t seed_;
  SeenHashes seen_lines_;
  SeenHashes seen_paragraphs_;
  LineReport report_;
  Line line_;
  std::uint64_t paragraph_ = 0;  ///< hash of its lines so far
  bool in_paragraph_ = false;
  bool open_ = false;  ///< the current line has begun
};

}  // namespace mainstay::media
