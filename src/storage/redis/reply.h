// The Redis protocol (RESP2): commands as bytes, replies as values.
// Used by the connections of this room. Knows no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mainstay::storage::redis {

/// One reply. A list's elements may be of any kind.
struct Reply {
  enum class Kind : std::uint8_t { nil, number, text, error, list };
  Kind kind = Kind::nil;
  std::int64_t number = 0;
  std::string text;  ///< of text and error
  std::vector<Reply> items;

  bool nil() const noexcept { return kind == Kind::nil; }
  bool failed() const noexcept { return kind == Kind::error; }
  bool list() const noexcept { return kind == Kind::list; }
  /// The number, also when it came as text; 0 for anything else.
  std::int64_t count() const noexcept;
  /// The element, or a nil when there is none.
  const Reply& at(std::size_t index) const noexcept;
};

/// One command with its arguments, any bytes.
class Command {
 public:
  Command() = default;
  explicit Command(std::string_view name) { add(name); }
  Command& add(std::string_view argument);
  Command& add(std::int64_t argument);
  Command& add(std::uint64_t argument) { return add(static_cast<std::int64_t>(argument)); }
  Command& add(std::uint32_t argument) { return add(static_cast<std::int64_t>(argument)); }
  Command& add(int argument) { return add(static_cast<std::int64_t>(argument)); }
  std::size_t size() const noexcept { return body_.size() + 16; }
  /// Appends the command as it goes over the wire.
  void write_to(std::string& out) const;

 private:
  std::size_t count_ = 0;
  std::string body_;
};

/// Takes replies out of a stream of bytes. After an error the stream cannot be used again.
class Parser {
 public:
  /// `reply_max`: bytes of one reply.
  explicit Parser(std::size_t reply_max) : reply_max_(reply_max) {}
  void feed(std::string_view bytes);
  /// The next whole reply; none: more bytes are needed. Errors: corrupt (not RESP, too large).
  Result<std::optional<Reply>> next();
  std::size_t buffered() const noexcept { return buffer_.size() - begin_; }

 private:
  enum class Step : std::uint8_t { done, more, bad };
  Step read(std::size_t& at, Reply& out, int depth);
  Step read_line(std::size_t& at, std::string_view& line);
  Step read_text(std::size_t& at, std::int64_t length, Reply& out);
  Step read_list(std::size_t& at, std::int64_t length, Reply& out, int depth);
  const std::size_t reply_max_;
  std::string buffer_;
  std::size_t begin_ = 0;   ///< of the next reply
  std::size_t wanted_ = 0;  ///< no use to try before so many bytes are buffered
};

}  // namespace mainstay::storage::redis
