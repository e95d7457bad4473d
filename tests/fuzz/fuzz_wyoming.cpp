// uses: net_http
// Fuzz target: what a Wyoming client sends. What is read must not depend on the pieces it comes in,
// and what was read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/wyoming_frames.h"

namespace {

using namespace mainstay::net;

constexpr WyomingLimits kLimits{.line_max = 512, .data_max = 512, .payload_max = 512};

/// Every event that was read; the end says how it ended.
std::string read_all(std::string_view bytes, std::size_t step) {
  WyomingParser parser(kLimits);
  std::string all;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = bytes.substr(at, step);
    for (;;) {
      auto event = parser.next(piece);
      if (!event.ok()) return all + "refused";
      if (!event->has_value()) break;
      if ((*event)->type.empty() || (*event)->payload.size() > kLimits.payload_max) std::abort();
      all += wyoming_bytes(**event);
    }
    if (!piece.empty()) std::abort();
  }
  return all + (parser.unfinished() ? "cut" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read_all(bytes, size + 1);
  for (const std::size_t step : {1U, 3U, 9U, 64U}) {
    if (read_all(bytes, step) != whole) std::abort();
  }
  WyomingParser again;
  std::string_view left = whole;
  for (;;) {
    auto event = again.next(left);
    if (!event.ok() || !event->has_value()) break;
    [[maybe_unused]] const auto audio = wyoming_audio((*event)->data);
  }
  return 0;
}
