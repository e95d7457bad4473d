// Orders and frames as bytes.
#include "media/frames.h"

#include <array>

#include "base/json_fields.h"

namespace mainstay::media {
namespace {

constexpr std::array<const char*, 3> kWants = {"pdf", "image", "measure"};
constexpr std::array<const char*, 3> kFits = {"inside", "cover", "fill"};
constexpr std::array<const char*, 5> kKinds = {"start", "page", "data", "end", "failed"};
constexpr std::size_t kPrefix = 8;  ///< both lengths

template <class Kind, std::size_t N>
std::optional<Kind> named(const std::array<const char*, N>& names, const std::string& name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (name == names[i]) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

void append_length(std::string& out, std::size_t length) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out += static_cast<char>((length >> shift) & 0xff);
  }
}

std::size_t length_at(std::string_view bytes, std::size_t at) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    out |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return out;
}

std::uint32_t small(const Json& object, const char* key) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count_field(object, key), UINT32_MAX));
}

Error garbled(const char* what) {
  return Error::log(Errc::bad_upstream, std::string("decoder: ") + what);
}

}  // namespace

Json order_json(const Order& order) {
  return Json{{"item", order.item},
              {"want", kWants[static_cast<std::size_t>(order.want)]},
              {"pages_max", order.pages_max},
              {"text_max", order.text_max},
              {"pixels_max", order.pixels_max},
              {"result_max", order.result_max},
              {"width", order.width},
              {"height", order.height},
              {"fit", kFits[static_cast<std::size_t>(order.fit)]},
              {"enlarge", order.enlarge},
              {"format", order.format},
              {"quality", order.quality},
              {"strip", order.strip},
              {"seconds", order.seconds}};
}

std::string order_text(const Order& order) {
  return dump(order_json(order));
}

Result<Order> order_of(std::string_view text) {
  auto object = parse_json(text);
  if (!object.ok()) return object.error();
  return order_in(*object);
}

Result<Order> order_in(const Json& object) {
  const auto want = named<Want>(kWants, string_field(object, "want"));
  const auto fit = named<Fit>(kFits, string_field(object, "fit", "inside"));
  if (!want || !fit) return Error::log(Errc::invalid, "an order of an unknown kind");
  Order out;
  out.item = count_field(object, "item");
  out.want = *want;
  out.fit = *fit;
  out.pages_max = small(object, "pages_max");
  out.text_max = count_field(object, "text_max");
  out.pixels_max = count_field(object, "pixels_max");
  out.result_max = count_field(object, "result_max");
  out.width = small(object, "width");
  out.height = small(object, "height");
  out.enlarge = flag_field(object, "enlarge");
  out.format = string_field(object, "format");
  out.quality = small(object, "quality");
  out.strip = flag_field(object, "strip");
  out.seconds = small(object, "seconds");
  return out;
}

Json frame_head(std::uint64_t item, Is is) {
  return {{"item", item}, {"is", kKinds[static_cast<std::size_t>(is)]}};
}

std::string frame_text(const Json& head, std::string_view body) {
  const std::string text = dump(head);
  std::string out;
  out.reserve(kPrefix + text.size() + body.size());
  append_length(out, text.size());
  append_length(out, body.size());
  out += text;
  out += body;
  return out;
}

void FrameReader::feed(std::string_view bytes) {
  buffer_.erase(0, used_);
  used_ = 0;
  buffer_ += bytes;
}

Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(used_);
  if (rest.size() < kPrefix) return std::optional<Frame>();
  const std::size_t head = length_at(rest, 0);
  const std::size_t body = length_at(rest, 4);
  // Before waiting for them: a decoder that was taken over must not make us hold what it likes.
  if (head == 0 || head > kHeadMax) return garbled("a frame's head is too long");
  if (body > kBodyMax) return garbled("a frame's body is too long");
  if (rest.size() < kPrefix + head + body) return std::optional<Frame>();
  auto object = parse_json(rest.substr(kPrefix, head));
  if (!object.ok() || !object->is_object()) return garbled("a frame's head is not an object");
  const auto is = named<Is>(kKinds, string_field(*object, "is"));
  if (!is) return garbled("a frame of an unknown kind");
  Frame out;
  out.item = count_field(*object, "item");
  out.is = *is;
  out.head = std::move(*object);
  out.body = std::string(rest.substr(kPrefix + head, body));
  used_ += kPrefix + head + body;
  return std::optional<Frame>(std::move(out));
}

}  // namespace mainstay::media
