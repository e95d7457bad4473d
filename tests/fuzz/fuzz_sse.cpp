// uses: net
// Fuzz target: SseParser and LineParser over pieces; the events must not depend on the pieces.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/sse.h"

namespace {

using mainstay::net::LineParser;
using mainstay::net::SseParser;

constexpr mainstay::Bytes kMax{256};

std::string events(std::string_view text, std::size_t step) {
  SseParser parser(kMax);
  std::string all;
  for (std::size_t at = 0; at < text.size(); at += step) {
    const std::string piece(text.substr(at, step));
    parser.feed(piece);
    while (true) {
      auto next = parser.next();
      if (!next.ok()) return all + "error";
      if (!next->has_value()) break;
      all.append((*next)->event).append("|").append((*next)->data).append("|");
      all.append((*next)->id).append("\n");
    }
  }
  return all + (parser.unfinished() ? "cut" : "end");
}

void lines(std::string_view text, std::size_t step) {
  LineParser parser(kMax);
  for (std::size_t at = 0; at < text.size(); at += step) {
    const std::string piece(text.substr(at, step));
    parser.feed(piece);
    while (true) {
      auto next = parser.next();
      if (!next.ok()) return;
      if (!next->has_value()) break;
      if ((*next)->find('\n') != std::string_view::npos) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = 1 + data[0] % 32;
  if (events(text, step) != events(text, text.size() + 1)) std::abort();
  lines(text, step);
  return 0;
}
