// libvips by its C interface: one pass from the file to the result, small picture or large. Each
// format is told by its first bytes and read by its own loader alone.
#include "decoder/images.h"

#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>
// Needs what comes before it.
#include <vips/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/text.h"
#include "decoder/frame_size.h"
#include "decoder/small_jpeg.h"

namespace mainstay::decoder {
namespace {

using child::end_with;
using child::send;
using media::Is;
using media::Order;

enum class Kind : std::uint8_t { unknown, jpeg, png, webp, gif, tiff };
constexpr std::array<const char*, 6> kNames = {"", "jpeg", "png", "webp", "gif", "tiff"};
constexpr auto kInSequence = VIPS_ACCESS_SEQUENTIAL;
constexpr auto kWhole = VIPS_FAIL_ON_TRUNCATED;

struct Unref {
  void operator()(void* object) const noexcept { g_object_unref(object); }
};
using Image = std::unique_ptr<VipsImage, Unref>;
using Source = std::unique_ptr<VipsSource, Unref>;

Kind kind_of(int file) {
  using namespace std::string_view_literals;
  std::array<char, 16> bytes{};
  const auto got = ::pread(file, bytes.data(), bytes.size(), 0);
  const std::string_view head(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  if (head.starts_with("\xff\xd8\xff"sv)) return Kind::jpeg;
  if (head.starts_with("\x89PNG\r\n\x1a\n"sv)) return Kind::png;
  if (head.starts_with("RIFF"sv) && head.substr(8).starts_with("WEBP"sv)) return Kind::webp;
  if (head.starts_with("GIF87a"sv) || head.starts_with("GIF89a"sv)) return Kind::gif;
  if (head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv)) return Kind::tiff;
  return Kind::unknown;
}

/// What libvips has to say goes to the log, cut short.
Refusal damaged() {
  std::string why = vips_error_buffer();
  vips_error_clear();
  const bool memory = why.find("out of memory") != std::string::npos;
  std::replace(why.begin(), why.end(), '\n', ' ');
  return {memory ? "decoder_memory" : "image_damaged", why.substr(0, 200)};
}

/// JPEGs are decoded in whole, half, quarter or eighth size.
constexpr unsigned jpeg_shrink(double shrink) noexcept {
  return shrink >= 8 ? 8 : shrink >= 4 ? 4 : shrink >= 2 ? 2 : 1;
}

/// Reads the head; pixels come later, as they are asked for. `shrink`: JPEG and WebP are made
/// smaller by about this much while they are decoded.
Image load(Kind kind, VipsSource* source, double shrink) {
  VipsImage* out = nullptr;
  switch (kind) {
    case Kind::jpeg:
      vips_jpegload_source(source, &out, "access", kInSequence, "fail_on", kWhole, "shrink",
                           jpeg_shrink(shrink), nullptr);
      break;
    case Kind::png:
      vips_pngload_source(source, &out, "access", kInSequence, "fail_on", kWhole, nullptr);
      break;
    case Kind::webp:
      vips_webpload_source(source, &out, "access", kInSequence, "fail_on", kWhole, "scale",
                           1.0 / shrink, nullptr);
      break;
    case Kind::gif:
      vips_gifload_source(source, &out, "access", kInSequence, "fail_on", kWhole, nullptr);
      break;
    case Kind::tiff:
      vips_tiffload_source(source, &out, "access", kInSequence, "fail_on", kWhole, nullptr);
      break;
    case Kind::unknown:
      break;
  }
  return Image(out);
}

/// Replaces the image by what an operation made of it; false when it failed.
template <class Operation, class... Arguments>
bool apply(Image& image, Operation operation, Arguments... arguments) {
  VipsImage* out = nullptr;
  if (operation(image.get(), &out, arguments..., nullptr) != 0) return false;
  image.reset(out);
  return true;
}

/// An image that was opened, and what is known from its head.
struct Opened {
  Kind kind = Kind::unknown;
  Source source;
  Image image;
  Size size;
  int orientation = 1;
  std::uint64_t bytes = 0;
};

std::optional<Refusal> open_picture(const Order& order, int file, Opened& out) {
  struct stat about{};
  if (::fstat(file, &about) != 0 || about.st_size == 0) return Refusal{"file_empty", ""};
  out.bytes = static_cast<std::uint64_t>(about.st_size);
  out.kind = kind_of(file);
  if (out.kind == Kind::unknown) return Refusal{"image_format", ""};
  out.source.reset(vips_source_new_from_descriptor(file));
  if (!out.source) return damaged();
  out.image = load(out.kind, out.source.get(), 1);
  if (!out.image) return damaged();
  out.size = {static_cast<std::uint32_t>(vips_image_get_width(out.image.get())),
              static_cast<std::uint32_t>(vips_image_get_height(out.image.get()))};
  out.orientation = vips_image_get_orientation(out.image.get());
  if (pixels(out.size) > order.pixels_max) {
    return Refusal{"image_too_many_pixels", std::to_string(pixels(out.size))};
  }
  return std::nullopt;
}

/// What read_small_jpeg() read, with what the head says of its colours and how it is to be turned.
class SmallPicture {
 public:
  bool read(const Opened& from, int file, double shrink) {
    if (from.kind != Kind::jpeg || jpeg_shrink(shrink) == 1) return false;
    small_ = read_small_jpeg(file, jpeg_shrink(shrink));
    return small_.has_value();
  }
  /// Valid while this lives.
  Image image(const Opened& from) const {
    Image out(vips_image_new_from_memory(
        small_->points.get(), small_->bytes(), static_cast<int>(small_->size.width),
        static_cast<int>(small_->size.height), small_->bands, VIPS_FORMAT_UCHAR));
    VipsImage* head = from.image.get();
    if (!out || !apply(out, vips_copy, "interpretation", vips_image_get_interpretation(head),
                       "xres", vips_image_get_xres(head), "yres", vips_image_get_yres(head))) {
      return nullptr;
    }
    const void* profile = nullptr;
    std::size_t size = 0;
    if (vips_image_get_typeof(head, VIPS_META_ICC_NAME) != 0 &&
        vips_image_get_blob(head, VIPS_META_ICC_NAME, &profile, &size) == 0) {
      vips_image_set_blob_copy(out.get(), VIPS_META_ICC_NAME, profile, size);
    }
    vips_image_set_int(out.get(), VIPS_META_ORIENTATION, from.orientation);
    return out;
  }

 private:
  std::optional<SmallJpeg> small_;
};

bool resize(Image& image, Size to) {
  const int width = vips_image_get_width(image.get());
  const int height = vips_image_get_height(image.get());
  if (static_cast<std::uint32_t>(width) == to.width &&
      static_cast<std::uint32_t>(height) == to.height) {
    return true;
  }
  // Colours of what cannot be seen must not bleed into what can.
  const bool alpha = vips_image_hasalpha(image.get()) != 0;
  const VipsBandFormat format = vips_image_get_format(image.get());
  if (alpha && !apply(image, vips_premultiply)) return false;
  const double across = static_cast<double>(to.width) / width;
  const double down = static_cast<double>(to.height) / height;
  if (!apply(image, vips_resize, across, "vscale", down)) return false;
  if (!alpha) return true;
  return apply(image, vips_unpremultiply) && apply(image, vips_cast, format);
}

/// To the colours that every program expects, eight bits each.
bool to_srgb(Image& image, bool strip) {
  const bool profile = vips_image_get_typeof(image.get(), VIPS_META_ICC_NAME) != 0;
  const bool cmyk = vips_image_get_interpretation(image.get()) == VIPS_INTERPRETATION_CMYK;
  if (cmyk || (profile && strip)) {
    const bool fits = apply(image, vips_icc_transform, "srgb", "embedded", TRUE, "input_profile",
                            cmyk ? "cmyk" : "srgb", "intent", VIPS_INTENT_PERCEPTUAL);
    if (!fits) vips_error_clear();  // a broken profile: the colours as they are
  }
  const bool grey = vips_image_get_bands(image.get()) < 3;
  return apply(image, vips_colourspace, grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
}

bool crop(Image& image, Size to) {
  const int width = vips_image_get_width(image.get());
  const int height = vips_image_get_height(image.get());
  const int across = std::min(width, static_cast<int>(to.width));
  const int down = std::min(height, static_cast<int>(to.height));
  if (across == width && down == height) return true;
  return apply(image, vips_extract_area, (width - across) / 2, (height - down) / 2, across, down);
}

bool turn(Image& image, int orientation) {
  if (orientation <= 1) return true;
  Image whole(vips_image_copy_memory(image.get()));
  if (!whole) return false;
  image = std::move(whole);
  return apply(image, vips_autorot);
}

bool flatten(Image& image) {
  if (vips_image_hasalpha(image.get()) == 0) return true;
  const std::unique_ptr<VipsArrayDouble, void (*)(VipsArrayDouble*)> white(
      vips_array_double_newv(1, 255.0),
      [](VipsArrayDouble* array) { vips_area_unref(VIPS_AREA(array)); });
  return apply(image, vips_flatten, "background", white.get());
}

/// The result as a file's bytes.
class Blob {
 public:
  Blob() = default;
  ~Blob() { g_free(data_); }
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;
  bool save(VipsImage* image, const std::string& format, const Order& order) {
    const int quality = static_cast<int>(order.quality);
    const int strip = order.strip ? TRUE : FALSE;
    if (format == "png") {
      return vips_pngsave_buffer(image, &data_, &size_, "strip", strip, nullptr) == 0;
    }
    if (format == "webp") {
      return vips_webpsave_buffer(image, &data_, &size_, "Q", quality, "strip", strip, nullptr) ==
             0;
    }
    return vips_jpegsave_buffer(image, &data_, &size_, "Q", quality, "strip", strip,
                                "optimize_coding", TRUE, nullptr) == 0;
  }
  std::string_view bytes() const noexcept { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

std::string result_format(const Order& order, Kind kind) {
  if (!order.format.empty()) return order.format;
  if (kind == Kind::gif) return "png";
  if (kind == Kind::tiff) return "jpeg";
  return kNames[static_cast<std::size_t>(kind)];
}

Json facts(const Order& order, Is is, const std::string& format, VipsImage* image,
           std::uint64_t bytes) {
  Json head = media::frame_head(order.item, is);
  head["format"] = format;
  head["width"] = vips_image_get_width(image);
  head["height"] = vips_image_get_height(image);
  head["alpha"] = vips_image_hasalpha(image) != 0;
  head["bytes"] = bytes;
  return head;
}

constexpr std::size_t kSaid = 1024;

/// A text of the head; empty: there is none. EXIF's come with their type behind them, in brackets.
std::string said(VipsImage* image, const char* name) {
  const char* text = nullptr;
  if (vips_image_get_typeof(image, name) == 0) return {};
  if (vips_image_get_string(image, name, &text) != 0 || text == nullptr) {
    vips_error_clear();
    return {};
  }
  std::string out(text);
  if (std::string_view(name).starts_with("exif-")) out = out.substr(0, out.rfind(" ("));
  return std::string(cut_utf8(to_utf8(out), kSaid));
}

/// "2024:05:01 12:30:00" as people write it.
std::string date_of(VipsImage* image) {
  std::string out = said(image, "exif-ifd2-DateTimeOriginal");
  if (out.empty()) out = said(image, "exif-ifd0-DateTime");
  for (std::size_t i = 0; i < out.size() && i < 10; ++i) {
    if (out[i] == ':') out[i] = '-';
  }
  return out;
}

/// The first text of a PNG that says what it shows.
void* note_comment(VipsImage*, const char* name, GValue* value, void* out) {
  const std::string_view field(name);
  if (!field.starts_with("png-comment-")) return nullptr;
  const bool wanted =
      field.ends_with("-Description") || field.ends_with("-Title") || field.ends_with("-Comment");
  if (!wanted || !G_VALUE_HOLDS(value, VIPS_TYPE_REF_STRING)) return nullptr;
  const char* text = vips_value_get_ref_string(value, nullptr);
  if (text == nullptr) return nullptr;
  *static_cast<std::string*>(out) = std::string(cut_utf8(to_utf8(text), kSaid));
  return out;
}

/// What a picture's file says of it.
void add_said(Json& head, VipsImage* image) {
  std::string description = said(image, "exif-ifd0-ImageDescription");
  if (description.empty()) vips_image_map(image, &note_comment, &description);
  const std::string make = said(image, "exif-ifd0-Make");
  const std::string model = said(image, "exif-ifd0-Model");
  head["description"] = description;
  head["date"] = date_of(image);
  head["camera"] = model.starts_with(make) ? model : make + " " + model;
  head["author"] = said(image, "exif-ifd0-Artist");
}

void send_bytes(const Order& order, std::string_view bytes) {
  const Json head = media::frame_head(order.item, Is::data);
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, media::kBodyMax);
    send(head, piece);
    bytes.remove_prefix(piece.size());
  }
}

void be_quiet(const char*, GLogLevelFlags, const char*, void*) {}

/// Lines that are worked on at once. With the library's own heights, which are smaller, the threads
/// of a thumbnail were switched half as often again.
bool set_strips() {
  std::string fat = "--vips-fatstrip-height=64";
  std::string thin = "--vips-thinstrip-height=64";
  std::string name = "mainstay-decoder";
  std::array<char*, 4> words{name.data(), fat.data(), thin.data(), nullptr};
  char** all = words.data();
  int count = 3;
  const std::unique_ptr<GOptionContext, void (*)(GOptionContext*)> context(
      g_option_context_new(nullptr), g_option_context_free);
  GOptionGroup* group = g_option_group_new("vips", "", "", nullptr, nullptr);
  vips_add_option_entries(group);
  g_option_context_set_main_group(context.get(), group);
  return g_option_context_parse(context.get(), &count, &all, nullptr) != 0;
}

}  // namespace

bool warm_images() {
  ::setenv("VIPSHOME", "/nonexistent", 1);      // its plugins read more formats than we want
  ::setenv("VIPS_DISC_THRESHOLD", "1000g", 1);  // no files for what is between: memory or failure
  ::setenv("VIPS_CONCURRENCY", "1", 1);
  g_log_set_default_handler(&be_quiet, nullptr);
  if (vips_init("mainstay-decoder") != 0 || !set_strips()) return false;
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  vips_cache_set_max_mem(0);
  vips_cache_set_max_files(0);
  vips_vector_set_enabled(FALSE);  // it would write code and run it
  vips_block_untrusted_set(TRUE);
  return true;
}

std::string images_version() {
  return vips_version_string();
}

std::optional<Refusal> measure_picture(const Order& order, int file) {
  Opened opened;
  Order any = order;
  any.pixels_max = UINT64_MAX;  // nothing is decoded
  auto refused = open_picture(any, file, opened);
  if (refused) return refused;
  Json head = facts(order, Is::end, kNames[static_cast<std::size_t>(opened.kind)],
                    opened.image.get(), opened.bytes);
  head["orientation"] = opened.orientation;
  head["frames"] = vips_image_get_n_pages(opened.image.get());
  add_said(head, opened.image.get());
  end_with(std::move(head));
  return std::nullopt;
}

std::optional<Refusal> convert_picture(const Order& order, int file) {
  SmallPicture small;  // outlives the image that is made of it
  Opened opened;
  auto refused = open_picture(order, file, opened);
  if (refused) return refused;
  const bool sideways = opened.orientation >= 5;
  const Plan plan = plan_of(order, sideways ? turned(opened.size) : opened.size);
  if (pixels(plan.size) > order.pixels_max) {
    return Refusal{"image_too_many_pixels", "as asked for"};
  }
  const Size as_stored = sideways ? turned(plan.size) : plan.size;
  const double shrink = shrink_of(opened.size, as_stored);
  if (order.strip && small.read(opened, file, shrink)) {
    opened.image = small.image(opened);
  } else if (shrink > 1 && (opened.kind == Kind::jpeg || opened.kind == Kind::webp)) {
    opened.image = load(opened.kind, opened.source.get(), shrink);
  }
  if (!opened.image) return damaged();
  Image& image = opened.image;
  const std::string format = result_format(order, opened.kind);
  Blob blob;
  const bool made = resize(image, as_stored) && to_srgb(image, order.strip) &&
                    turn(image, opened.orientation) && crop(image, plan.crop) &&
                    (format != "jpeg" || flatten(image)) && blob.save(image.get(), format, order);
  if (!made) return damaged();
  if (blob.bytes().size() > order.result_max) {
    return Refusal{"image_result_too_large", std::to_string(blob.bytes().size())};
  }
  send(facts(order, Is::start, format, image.get(), blob.bytes().size()), "");
  send_bytes(order, blob.bytes());
  end_with(media::frame_head(order.item, Is::end));
  return std::nullopt;
}

}  // namespace mainstay::decoder
