// The list of reasons.
#include "media/reasons.h"

#include <string_view>

#include "base/text.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kDetailMax = 300;

Error said(const std::string& reason) {
  if (reason == "file_empty") {
    return Error::say(Errc::unprocessable, "file_empty", "The file is empty.");
  }
  if (reason == "pdf_encrypted") {
    return Error::say(Errc::unprocessable, "pdf_encrypted",
                      "The PDF opens with a password only. Send it without one.");
  }
  if (reason == "pdf_damaged") {
    return Error::say(Errc::unprocessable, "pdf_damaged", "The file is no PDF, or it is damaged.");
  }
  if (reason == "pdf_empty") {
    return Error::say(Errc::unprocessable, "pdf_empty", "The PDF has no pages.");
  }
  if (reason == "pdf_too_many_pages") {
    return Error::say(Errc::too_large, "pdf_too_many_pages",
                      "The PDF has more pages than media.pdf_pages_max. Send it in parts.");
  }
  if (reason == "pdf_text_too_long") {
    return Error::say(Errc::too_large, "pdf_text_too_long",
                      "The PDF holds more text than media.pdf_text_max. Send it in parts.");
  }
  if (reason == "image_format") {
    return Error::say(Errc::unsupported, "image_format",
                      "The file is no JPEG, PNG, WebP, GIF or TIFF picture, whatever its name is.");
  }
  if (reason == "image_damaged") {
    return Error::say(Errc::unprocessable, "image_damaged", "The picture is cut off or damaged.");
  }
  if (reason == "image_too_many_pixels") {
    return Error::say(Errc::too_large, "image_too_many_pixels",
                      "The picture has, or would have, more pixels than media.image_pixels_max.");
  }
  if (reason == "image_result_too_large") {
    return Error::say(Errc::too_large, "image_result_too_large",
                      "The result is larger than media.image_result_max. Ask for a smaller size, "
                      "or a lower quality.");
  }
  if (reason == "decoder_memory") {
    return Error::say(Errc::too_large, "decoder_memory",
                      "Reading the file takes more memory than media.decoder_memory.");
  }
  return decoder_failed("");
}

}  // namespace

Error decoder_failed(const std::string& detail) {
  Error error = Error::say(Errc::unprocessable, "decoder_failed",
                           "The file could not be read: its decoder ended. It is damaged, made to "
                           "do harm, or needs more memory than media.decoder_memory.");
  error.detail = "decoder: " + detail;
  return error;
}

Error error_of(const std::string& reason, const std::string& detail) {
  Error error = said(reason);
  error.detail = "decoder: " + reason + ": " + detail;
  error.detail = std::string(cut_utf8(to_utf8(error.detail), kDetailMax));
  return error;
}

}  // namespace mainstay::media
