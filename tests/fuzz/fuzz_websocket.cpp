// uses: net
// Fuzz target: FrameReader over pieces; what is read must not depend on the pieces, every message
// is within its bound and UTF-8, and frames that we write are read back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "net/websocket_frames.h"

namespace {

using mainstay::net::FrameReader;
using mainstay::net::Opcode;
using mainstay::net::Outbox;
using Got = FrameReader::Got;

constexpr std::size_t kMax = 300;

std::string read_all(std::string_view bytes, std::size_t step) {
  FrameReader reader(kMax);
  std::string all;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = bytes.substr(at, step);
    while (!piece.empty()) {
      const Got got = reader.feed(piece);
      if (reader.held() > kMax) std::abort();
      if (got == Got::bad) return all + "bad " + reader.why();
      if (got == Got::more) continue;
      if (got != Got::message) {
        if (reader.control().size() > 125) std::abort();
        all.append(1, static_cast<char>('0' + static_cast<int>(got))).append(reader.control());
        continue;
      }
      const auto message = reader.take_message();
      if (message.text && !mainstay::is_utf8(message.payload)) std::abort();
      all.append(message.text ? "t" : "b").append(message.payload).append("|");
    }
  }
  return all;
}

/// The bytes cut into frames, put out in pieces, are the frames one behind the other.
void through_outbox(std::string_view bytes, std::size_t step) {
  Outbox box;
  std::string want;
  std::string got;
  for (std::size_t at = 0; at < bytes.size(); at += step * 7) {
    const auto payload = bytes.substr(at, step * 7);
    box.add(Opcode::binary, payload);
    append_frame(want, Opcode::binary, payload);
    const std::size_t n = std::min(box.unsent(), step * 5);
    got += box.view().substr(0, n);
    box.sent(n);
  }
  got += box.view();
  box.sent(box.unsent());
  if (got != want || !box.empty() || box.frames() != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = 1 + data[0] % 32;
  if (read_all(bytes, step) != read_all(bytes, bytes.size() + 1)) std::abort();
  through_outbox(bytes, step);
  return 0;
}
