// The bytes of a sound, by a descriptor that was handed in: a file (read at places of its own, for
// the descriptor's place is shared) or a socket that is fed.
// Used by audio/container.cpp and audio/sound.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::audio {

class Source {
 public:
  explicit Source(int file);

  /// Can be read at any place.
  bool seekable() const noexcept { return seekable_; }
  /// Of a file; 0 of a socket.
  std::uint64_t size() const noexcept { return size_; }
  /// Up to `most` bytes from the present place; 0 at the end, negative: it cannot be read. A socket
  /// is waited for.
  std::int64_t read(char* into, std::size_t most);
  /// The bytes at the present place, without going on: `most` of them, less only at the end.
  std::string_view peek(std::size_t most);
  void seek(std::uint64_t to) noexcept { at_ = to; }
  std::uint64_t at() const noexcept { return at_; }

 private:
  std::int64_t read_file(char* into, std::size_t most);
  const int file_;
  bool seekable_ = false;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;
  std::string ahead_;  ///< peeked at; of a socket: not yet read
  std::size_t ahead_used_ = 0;
};

}  // namespace mainstay::audio
