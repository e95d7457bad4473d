// uses: media
// Fuzz target: what a decoder sends. What is read must not depend on the pieces it comes in, and
// what waits for more is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "media/frames.h"
#include "media/reasons.h"

namespace {

using namespace mainstay::media;

/// Every frame that was read; the end says how it ended.
std::string read_all(std::string_view bytes, std::size_t step) {
  FrameReader reader;
  std::string all;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    reader.feed(bytes.substr(at, step));
    for (;;) {
      auto frame = reader.next();
      if (!frame.ok()) return all + "refused";
      if (!*frame) break;
      all += std::to_string((*frame)->item) + ":" + mainstay::dump((*frame)->head) +
             (*frame)->body + "\n";
    }
    if (reader.held() > 8 + kHeadMax + kBodyMax + step) std::abort();
  }
  return all + "open";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read_all(bytes, size + 1);
  for (const std::size_t step : {1U, 3U, 9U, 64U}) {
    if (read_all(bytes, step) != whole) std::abort();
  }
  auto order = order_of(bytes);
  if (order.ok() && order_text(*order).empty()) std::abort();
  const auto error = error_of(std::string(bytes.substr(0, 64)), std::string(bytes));
  if (error.reason.empty() || error.message.empty() || error.detail.size() > 300) std::abort();
  return 0;
}
