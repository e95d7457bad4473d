// How the results of POST /v1/images are written: as multipart/mixed or as lines of JSON.
// Used by api/images.cpp alone.
#pragma once

#include <optional>
#include <string>

#include "api/context.h"
#include "media/image.h"

namespace mainstay::api {

enum class ImagesAs : std::uint8_t { parts, lines };

/// One result.
struct ImageReply {
  std::size_t index = 0;  ///< of the picture in the form
  std::string name;       ///< as the client called it
  media::ImageFacts facts;
  std::string file;  ///< id of the kept file; empty: the bytes follow
};

/// Texts only; whoever uses it sends them. A result is begin(), bytes() for each piece, end().
class ImageReplies {
 public:
  /// `boundary`: unpredictable, so that no picture can hold it.
  ImageReplies(ImagesAs as, std::string boundary) : as_(as), boundary_(std::move(boundary)) {}
  std::string content_type() const;
  std::string begin(const ImageReply& reply);
  std::string bytes(std::string piece);
  std::string end();
  /// A picture that failed, whole.
  std::string failed(std::size_t index, const std::string& name, const Error& error) const;
  /// After the last.
  std::string close() const;

 private:
  const ImagesAs as_;
  const std::string boundary_;
  std::string carried_;  ///< bytes that do not yet make four letters
  bool has_bytes_ = false;
};

/// "photo.jpg" made into a "png": "photo.png".
std::string result_name(const std::string& name, const std::string& format);

}  // namespace mainstay::api
