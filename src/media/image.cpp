// Frames of a picture as facts and pieces; a client's words as a wish.
#include "media/image.h"

#include <algorithm>
#include <array>

#include "base/json_fields.h"
#include "base/text.h"
#include "media/reasons.h"

namespace mainstay::media {
namespace {

constexpr std::array<const char*, 5> kFormats = {"jpeg", "png", "webp", "gif", "tiff"};

std::uint32_t small(const Json& head, const char* key, std::uint64_t otherwise = 0) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(count_field(head, key, otherwise), UINT32_MAX));
}

/// A line that a file says of itself: neither it nor the decoder is to be trusted.
std::string line_of(const Json& head, const char* key) {
  std::string out(cut_utf8(to_utf8(string_field(head, key)), kSaysMax));
  for (char& c : out) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) c = ' ';
  }
  return std::string(trim(out));
}

Result<ImageFacts> facts_of(const Json& head) {
  ImageFacts out;
  const std::string format = string_field(head, "format");
  const auto known = std::find(kFormats.begin(), kFormats.end(), format);
  if (known == kFormats.end()) return decoder_failed("a picture of an unknown format");
  out.format = format;
  out.width = small(head, "width");
  out.height = small(head, "height");
  out.orientation = std::clamp(small(head, "orientation", 1), 1U, 8U);
  out.frames = std::max(small(head, "frames", 1), 1U);
  out.alpha = flag_field(head, "alpha");
  out.bytes = count_field(head, "bytes");
  out.date = line_of(head, "date");
  out.description = line_of(head, "description");
  out.camera = line_of(head, "camera");
  out.author = line_of(head, "author");
  return out;
}

Error wrong(const char* reason, std::string sentence, const char* field) {
  return Error::say(Errc::invalid, reason, std::move(sentence), field);
}

Status take_number(const Json& object, const char* key, std::uint32_t min, std::uint32_t max,
                   std::uint32_t& out) {
  const auto found = object.find(key);
  if (found == object.end()) return done();
  if (!found->is_number_integer()) {
    return wrong("invalid_type", std::string("'") + key + "' must be a whole number.", key);
  }
  const bool fits = count_field(object, key, UINT64_MAX) <= max && *found >= min;
  if (!fits) {
    return wrong(
        "out_of_range",
        std::string("'") + key + "' is " + std::to_string(min) + " to " + std::to_string(max) + ".",
        key);
  }
  out = found->get<std::uint32_t>();
  return done();
}

Status take_flag(const Json& object, const char* key, bool& out) {
  const auto found = object.find(key);
  if (found == object.end()) return done();
  if (!found->is_boolean()) {
    return wrong("invalid_type", std::string("'") + key + "' must be true or false.", key);
  }
  out = found->get<bool>();
  return done();
}

Status take_words(const Json& object, ImageWish& out) {
  if (object.contains("fit")) {
    const std::string fit = string_field(object, "fit");
    if (fit != "inside" && fit != "cover" && fit != "fill") {
      return wrong("invalid_value", "'fit' is inside, cover or fill.", "fit");
    }
    out.fit = fit == "inside" ? Fit::inside : fit == "cover" ? Fit::cover : Fit::fill;
  }
  if (!object.contains("format")) return done();
  out.format = string_field(object, "format");
  if (out.format == "jpg") out.format = "jpeg";
  if (out.format != "jpeg" && out.format != "png" && out.format != "webp") {
    return wrong("invalid_value", "'format' is jpeg, png or webp.", "format");
  }
  return done();
}

Status check_members(const Json& object) {
  constexpr std::array<std::string_view, 7> kMembers = {"width",  "height",  "fit",  "enlarge",
                                                        "format", "quality", "strip"};
  if (!object.is_object()) {
    return wrong("invalid_type", "'operations' must be an object.", "operations");
  }
  for (const auto& [name, value] : object.items()) {
    if (std::find(kMembers.begin(), kMembers.end(), name) == kMembers.end()) {
      return wrong("unknown_field",
                   "An operation is width, height, fit, enlarge, format, quality or strip.",
                   "operations");
    }
  }
  return done();
}

}  // namespace

Result<ImageWish> image_wish(const Json& object) {
  ImageWish out;
  Status fine = check_members(object);
  if (fine.ok()) fine = take_number(object, "width", 1, kSideMax, out.width);
  if (fine.ok()) fine = take_number(object, "height", 1, kSideMax, out.height);
  if (fine.ok()) fine = take_number(object, "quality", 1, 100, out.quality);
  if (fine.ok()) fine = take_flag(object, "enlarge", out.enlarge);
  if (fine.ok()) fine = take_flag(object, "strip", out.strip);
  if (fine.ok()) fine = take_words(object, out);
  if (!fine.ok()) return fine.error();
  const bool one_side = out.width == 0 || out.height == 0;
  if (out.fit != Fit::inside && one_side) {
    return wrong("invalid_value", "cover and fill need both 'width' and 'height'.", "fit");
  }
  return out;
}

Order order_of(const ImageWish& wish) {
  Order out;
  out.want = Want::image;
  out.width = wish.width;
  out.height = wish.height;
  out.fit = wish.fit;
  out.enlarge = wish.enlarge;
  out.format = wish.format;
  out.quality = wish.quality;
  out.strip = wish.strip;
  return out;
}

Co<Result<ImageFacts>> measure_image(Decoders& decoders, resources::Descriptor file, Deadline by) {
  Order order;
  order.want = Want::measure;
  auto begun = co_await decoders.begin(std::move(file), std::move(order), by);
  if (!begun.ok()) co_return begun.error();
  const std::unique_ptr<Decoding> decoding = std::move(*begun);
  auto frame = co_await decoding->next(by);
  if (!frame.ok()) co_return frame.error();
  if (frame->is != Is::end) co_return decoder_failed("a measure that does not end");
  co_return facts_of(frame->head);
}

Co<Result<ImageFacts>> ImageResult::facts(Deadline by) {
  auto frame = co_await decoding_->next(by);
  if (!frame.ok()) co_return frame.error();
  if (frame->is != Is::start) co_return decoder_failed("a picture without its start");
  auto facts = facts_of(frame->head);
  if (facts.ok()) left_ = facts->bytes;
  co_return facts;
}

Co<Result<std::optional<std::string>>> ImageResult::next(Deadline by) {
  if (!decoding_) co_return std::optional<std::string>();
  auto frame = co_await decoding_->next(by);
  if (!frame.ok() || frame->is == Is::end) decoding_.reset();
  if (!frame.ok()) co_return frame.error();
  const bool data = frame->is == Is::data && frame->body.size() <= left_ && !frame->body.empty();
  if (data) {
    left_ -= frame->body.size();
    co_return std::optional<std::string>(std::move(frame->body));
  }
  if (frame->is == Is::end && left_ == 0) co_return std::optional<std::string>();
  decoding_.reset();
  co_return decoder_failed("a picture of another size than it said");
}

}  // namespace mainstay::media
