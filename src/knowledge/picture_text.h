// A picture as a document: what its file says of it, as text that can be found, and a small copy.
// Used by extract.cpp alone.
#pragma once

#include <string>

#include "media/image.h"

namespace mainstay::knowledge {

struct PictureText {
  std::string title;  ///< what the file says it shows, else the file's name
  std::string text;
};

/// The words for what is known of a picture. Pure.
PictureText words_of(const media::ImageFacts& facts, const std::string& name);

/// Errors: as media::measure_image().
Co<Result<PictureText>> read_picture(media::Decoders& decoders, resources::Descriptor file,
                                     std::string name, Deadline by);
/// A JPEG that fits into 256 x 256; empty where it would be larger than a thumbnail may be. Errors:
/// as media::ImageResult.
Co<Result<std::string>> make_thumbnail(media::Decoders& decoders, resources::Descriptor file,
                                       Deadline by);

}  // namespace mainstay::knowledge
