// Pictures, resized and converted in a decoder process.
// Used by api, jobs and knowledge's ingest.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "media/decoders.h"

namespace mainstay::media {

/// What is known of a picture.
struct ImageFacts {
  std::string format;  ///< "jpeg", "png", "webp", "gif", "tiff"
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t orientation = 1;  ///< EXIF's, 1 to 8; of a result always 1
  std::uint32_t frames = 1;       ///< of an animation; results hold the first one
  bool alpha = false;
  std::uint64_t bytes = 0;  ///< size as a file
  // What a file says of itself, when it was measured; lines of UTF-8, at most kSaysMax bytes each.
  std::string date;  ///< when it was taken, "2024-05-01 12:30:00"
  std::string description;
  std::string camera;
  std::string author;
};
inline constexpr std::size_t kSaysMax = 1024;

/// Looks at a picture's head alone. Errors: unsupported "image_format", unprocessable
/// "image_damaged", "file_empty", and those of Decoders::begin() and Decoding::next().
Co<Result<ImageFacts>> measure_image(Decoders& decoders, resources::Descriptor file, Deadline by);

/// A picture on its way out. On the executor of whoever began it.
class ImageResult {
 public:
  explicit ImageResult(std::unique_ptr<Decoding> decoding) : decoding_(std::move(decoding)) {}
  /// To be called once, first: waits until the whole result was made; its size is known then.
  /// Errors: those of measure_image(), too_large "image_too_many_pixels",
  /// "image_result_too_large".
  Co<Result<ImageFacts>> facts(Deadline by);
  /// The next piece, at most kBodyMax bytes; nullopt at the end. Errors: as Decoding::next().
  Co<Result<std::optional<std::string>>> next(Deadline by);

 private:
  std::unique_ptr<Decoding> decoding_;  ///< null at the end
  std::uint64_t left_ = 0;              ///< bytes that must still come
};

/// What is wanted of a picture; see Order. Sides up to kSideMax.
struct ImageWish {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  Fit fit = Fit::inside;
  bool enlarge = false;
  std::string format;
  std::uint32_t quality = 80;
  bool strip = true;
};
inline constexpr std::uint32_t kSideMax = 65'535;

/// Reads {"width", "height", "fit", "enlarge", "format", "quality", "strip"}, each optional.
/// Errors: invalid, naming the member: "unknown_field", "invalid_type", "invalid_value",
/// "out_of_range".
Result<ImageWish> image_wish(const Json& object);

Order order_of(const ImageWish& wish);

}  // namespace mainstay::media
