// Decoder of chunked request bodies: strict, bounded, restartable at any byte.
// Used by the listener's connections, its tests and its fuzz target. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::net {

class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { more, complete, bad, too_large };
  struct Step {
    State state;
    std::size_t used;  ///< bytes taken from the input
  };
  /// At most `max` decoded bytes; framing (sizes, extensions, trailers) has its own bound.
  explicit ChunkedDecoder(std::uint64_t max) : left_(max), framing_left_(8192 + max) {}
  /// Appends decoded bytes to `out`. Trailer fields are checked for form and dropped.
  Step feed(std::string_view in, std::string& out);

 private:
  enum class At : std::uint8_t {
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer,
    trailer_lf,
    end_lf,
    done
  };
  State on_framing(char c);
  State on_size(char c);
  State on_trailer(char c);
  At at_ = At::size_first;
  std::uint64_t size_ = 0;
  std::uint64_t left_;
  std::uint64_t framing_left_;
  std::uint32_t line_ = 0;  ///< length of the extension or trailer line
};

}  // namespace mainstay::net
