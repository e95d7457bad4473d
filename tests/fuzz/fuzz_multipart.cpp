// uses: api
// Fuzz target: Multipart over pieces; what is read must not depend on the pieces, and what waits
// for more is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/multipart.h"

namespace {

using mainstay::api::Multipart;
using Event = Multipart::Event;

constexpr std::size_t kHeadMax = 8192;

/// Everything that was read, parts set apart; the first letter says how it ended.
std::string read_all(std::string_view bytes, std::size_t step) {
  Multipart reader("b-1");
  std::string all;
  std::size_t at = 0;
  for (;;) {
    auto event = reader.next();
    if (!event.ok()) return "bad " + all;
    if (*event == Event::part) {
      all += "[" + reader.head().name + "|" + reader.head().file_name + "|";
    } else if (*event == Event::data) {
      if (reader.data().empty()) std::abort();
      all += reader.data();
    } else if (*event == Event::part_end) {
      all += "]";
    } else {
      if (at >= bytes.size()) return (*event == Event::end ? "end " : "more ") + all;
      reader.feed(bytes.substr(at, step));
      at += step;
      if (reader.held() > kHeadMax + step + 128) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read_all(bytes, size + 1);
  for (const std::size_t step : {1U, 2U, 7U, 64U}) {
    const std::string pieces = read_all(bytes, step);
    // A body that is refused may have been read less far in smaller pieces.
    if (whole.substr(0, 4) != pieces.substr(0, 4)) std::abort();
    if (!whole.starts_with("bad") && whole != pieces) std::abort();
  }
  const std::string name = mainstay::api::shown_file_name(bytes);
  if (name.empty() || name.size() > 255) std::abort();
  [[maybe_unused]] auto boundary = mainstay::api::boundary_of(bytes);
  return 0;
}
