// Terminal detection and the bar.
#include "app/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace mainstay::app {

bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

bool wants_color(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  return is_terminal(descriptor) && (no_color == nullptr || *no_color == '\0');
}

namespace {

/// Bytes of the character at the front of `text` that a terminal must not get although it is no
/// ASCII control; 0: none stands there.
std::size_t unfit(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  // U+0080 to U+009F: some terminals take them for the escape sequences they abbreviate.
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) <= 0x9f) return 2;
  // U+202A to U+202E and U+2066 to U+2069 turn the order of what follows around.
  if (byte(0) != 0xe2) return 0;
  if (byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae) return 3;
  if (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9) return 3;
  return 0;
}

}  // namespace

std::string printable(const std::string& text) {
  const std::string whole = to_utf8(text);
  std::string out;
  for (std::size_t i = 0; i < whole.size();) {
    if (const std::size_t length = unfit(std::string_view(whole).substr(i)); length > 0) {
      i += length;
      continue;
    }
    const char c = whole[i++];
    const auto u = static_cast<unsigned char>(c);
    if ((u >= 0x20 && u != 0x7f) || c == '\n' || c == '\t') out += c;
  }
  return out;
}

ProgressBar::ProgressBar(std::string what, std::uint64_t total)
    : what_(std::move(what)), total_(total), shown_(is_terminal(STDERR_FILENO)) {}

ProgressBar::~ProgressBar() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}

void ProgressBar::show(std::uint64_t done, const std::string& detail) {
  if (!shown_) return;
  constexpr int kWidth = 30;
  const int filled = total_ == 0 ? kWidth : static_cast<int>(done * kWidth / total_);
  const std::string bar = std::string(static_cast<std::size_t>(filled), '#') +
                          std::string(static_cast<std::size_t>(kWidth - filled), '.');
  std::fprintf(stderr, "\r\033[K%s [%s] %llu/%llu %.40s", what_.c_str(), bar.c_str(),
               static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_),
               detail.c_str());
  std::fflush(stderr);
}

}  // namespace mainstay::app
