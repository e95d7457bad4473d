// What a command may show: colours and progress bars only where a person looks.
// Used by app's commands.
#pragma once

#include <cstdint>
#include <string>

namespace mainstay::app {

/// Standard output or error is a terminal that can move its cursor (TERM is not dumb).
bool is_terminal(int descriptor);
/// Colours are wanted: a terminal, and NO_COLOR is not set.
bool wants_color(int descriptor);
/// Text of a model, a document or a client as a terminal may show it: UTF-8 without control
/// characters, so that nothing can move the cursor, rename the window or hide a line.
std::string printable(const std::string& text);

/// A bar on standard error; nothing at all when that is no terminal.
class ProgressBar {
 public:
  ProgressBar(std::string what, std::uint64_t total);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void show(std::uint64_t done, const std::string& detail);

 private:
  std::string what_;
  std::uint64_t total_;
  bool shown_;
};

}  // namespace mainstay::app
