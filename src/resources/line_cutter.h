// Cuts what a program prints into lines of bounded length. Pure.
// Used by supervisor.cpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace mainstay::resources {

/// Holds one unfinished line, never more than `line_max` bytes. A longer line is given in its first
/// `line_max` bytes; the rest of it is left out. Empty lines are left out too.
class LineCutter {
 public:
  explicit LineCutter(std::size_t line_max) : line_max_(line_max) {}
  /// Calls `take` with each line that `bytes` ends, without its newline.
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& take) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const std::string_view piece = bytes.substr(0, end);
      line_.append(piece.substr(0, line_max_ - line_.size()));
      if (end == std::string_view::npos) return;
      finish(take);
      bytes.remove_prefix(end + 1);
    }
  }
  /// The program printed its last: what it left without a newline is a line.
  void finish(const std::function<void(std::string_view)>& take) {
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    if (!line_.empty()) take(line_);
    line_.clear();
  }

 private:
  const std::size_t line_max_;
  std::string line_;
};

}  // namespace mainstay::resources
