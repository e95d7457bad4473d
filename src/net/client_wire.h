// HTTP/1.1 replies as pure parsers: a strict head parser that keeps offsets, and a body decoder
// that gives views. Used by the client's plain transport. Knows no socket.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace mainstay::net {

/// Where a text lies in the connection's buffer; offsets survive the buffer's growth.
struct TextSpan {
  std::uint32_t at = 0;
  std::uint32_t size = 0;
  std::string_view in(const char* base) const noexcept { return {base + at, size}; }
};

enum class Framing : std::uint8_t { none, length, chunked, until_close };

/// A parsed head. `fields` keeps its capacity from reply to reply.
struct ReplyHead {
  struct FieldSpan {
    TextSpan name;
    TextSpan value;
  };
  int status = 0;
  bool keep_alive = false;
  Framing framing = Framing::none;
  std::uint64_t length = 0;  ///< when framing is length
  std::uint32_t size = 0;    ///< of the head with its empty line
  std::vector<FieldSpan> fields;
  /// First value of `name` (lower case); empty when absent.
  std::string_view find(const char* base, std::string_view name) const noexcept;
};

enum class HeadState : std::uint8_t { more, done, bad };

/// Looks for a whole head at the start of `text`; `looked` is how much of it an earlier call saw.
/// Strict: CRLF, token names, no folding, one framing. `bodyless`: the reply to a HEAD request.
HeadState parse_reply_head(std::string_view text, std::size_t looked, bool bodyless,
                           ReplyHead& out);

/// Takes the framing off a body, in place.
class BodyDecoder {
 public:
  void start(const ReplyHead& head) noexcept;
  bool done() const noexcept { return state_ == State::done; }
  bool bad() const noexcept { return state_ == State::bad; }
  /// The next piece of body in [begin, end); moves `begin` behind what was used up. Empty: done(),
  /// bad(), or more bytes are needed.
  std::string_view next(const char* base, std::size_t& begin, std::size_t end) noexcept;
  /// The peer closed: ends a body that runs until then. False: the body was cut.
  bool closed() noexcept;

 private:
  enum class State : std::uint8_t {
    length,
    until_close,
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_first,
    trailer,
    trailer_lf,
    end_lf,
    done,
    bad
  };
  void frame_byte(char c) noexcept;
  void size_byte(char c) noexcept;
  State state_ = State::done;
  std::uint64_t left_ = 0;
  std::uint32_t line_ = 0;  ///< bytes of the chunk line or of all trailers
};

}  // namespace mainstay::net
