// What the program and its decoder (src/decoder) say to each other: orders as one line of JSON,
// answers as frames of a head and bytes. Pure; the reader trusts nothing that comes in.
// Used by media/decoders.cpp, src/decoder, their tests and the fuzz target.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace mainstay::media {

/// Descriptor on which the decoder receives orders: datagrams, each with the file to be read.
inline constexpr int kOrders = 3;
inline constexpr std::size_t kOrderMax = 4096;
inline constexpr std::size_t kHeadMax = 8192;
inline constexpr std::size_t kBodyMax = 256 * 1024;

/// What is wanted of a file.
enum class Want : std::uint8_t {
  pdf,     ///< title, number of pages, text page by page
  image,   ///< the picture, resized and converted
  measure  ///< what kind of picture it is
};

enum class Fit : std::uint8_t {
  inside,  ///< as large as fits into width x height; the proportions stay
  cover,   ///< fills width x height; what stands over is cut off
  fill     ///< exactly width x height, whatever that does to the proportions
};

/// One order. Zero in width or height: whatever the other one asks for; both: the size stays.
struct Order {
  std::uint64_t item = 0;  ///< comes back in each frame
  Want want = Want::pdf;
  // Of a PDF.
  std::uint32_t pages_max = 0;
  std::uint64_t text_max = 0;
  // Of an image.
  std::uint64_t pixels_max = 0;
  std::uint64_t result_max = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  Fit fit = Fit::inside;
  bool enlarge = false;        ///< may become larger than it is
  std::string format;          ///< "jpeg", "png", "webp"; empty: as it came in, else jpeg or png
  std::uint32_t quality = 80;  ///< 1 to 100; of jpeg and webp
  bool strip = true;           ///< without metadata
  std::uint32_t seconds = 0;   ///< of processor time
};

Json order_json(const Order& order);
std::string order_text(const Order& order);
/// Errors: invalid.
Result<Order> order_of(std::string_view text);
/// The same of a line that was read already.
Result<Order> order_in(const Json& object);

/// What kind of answer a frame is. `end` and `failed` are an item's last.
enum class Is : std::uint8_t { start, page, data, end, failed };

struct Frame {
  std::uint64_t item = 0;
  Is is = Is::end;
  Json head;  ///< an object, with "item" and "is" in it
  std::string body;
};

/// A frame as it goes over the pipe: two lengths (little endian, 4 bytes each), head, body.
std::string frame_text(const Json& head, std::string_view body);
/// The head of a frame.
Json frame_head(std::uint64_t item, Is is);

/// Cuts frames out of a stream of bytes. After an error nothing more may be asked.
class FrameReader {
 public:
  void feed(std::string_view bytes);
  /// The next whole frame; nullopt: feed more. Errors: bad_upstream.
  Result<std::optional<Frame>> next();
  /// Bytes that wait for more: never more than a frame and what was fed last.
  std::size_t held() const noexcept { return buffer_.size() - used_; }
  /// Nothing is left of an unfinished frame.
  bool empty() const noexcept { return held() == 0; }

 private:
  std::string buffer_;
  std::size_t used_ = 0;
};

}  // namespace mainstay::media
