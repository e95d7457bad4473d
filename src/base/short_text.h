// A short text put together on the stack and then taken in one go: what is built for every request
// is built of many small pieces, and each piece appended to a string costs as much as a long one.
// Used by telemetry (log lines), net (header lines) and api (timings).
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/clock.h"

namespace mainstay {

/// At most `Size` bytes; more stops the process, so its users know the bounds of their pieces.
template <std::size_t Size>
class ShortText {
 public:
  ShortText& add(std::string_view text) {
    CHECK(text.size() <= Size - size_);
    std::memcpy(bytes_.data() + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
  }
  ShortText& add(char c) {
    CHECK(size_ < Size);
    bytes_[size_++] = c;
    return *this;
  }
  template <std::integral T>
    requires(!std::same_as<T, char>)
  ShortText& add(T number) {
    const auto end = std::to_chars(bytes_.data() + size_, bytes_.data() + Size, number);
    CHECK(end.ec == std::errc());
    size_ = static_cast<std::size_t>(end.ptr - bytes_.data());
    return *this;
  }
  /// "12.345" milliseconds, without the cost of floating point.
  ShortText& add_millis(Duration d) {
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
    if (us < 0) {
      add('-');
      us = -us;
    }
    add(us / 1000);
    const auto rest = us % 1000;
    const std::array<char, 4> decimals = {'.', static_cast<char>('0' + rest / 100),
                                          static_cast<char>('0' + rest / 10 % 10),
                                          static_cast<char>('0' + rest % 10)};
    return add(std::string_view(decimals.data(), decimals.size()));
  }
  std::size_t room() const noexcept { return Size - size_; }
  std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<char, Size> bytes_;  // only the first size_ bytes are ever read
  std::size_t size_ = 0;
};

}  // namespace mainstay
