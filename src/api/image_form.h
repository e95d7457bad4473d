// The form of POST /v1/images on its way in: each picture goes to the shelf piece by piece.
// Used by api/images.cpp alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/context.h"
#include "media/image.h"
#include "storage/files.h"
#include "storage/shelf.h"

namespace mainstay::api {

class FormStream;

/// One picture that came in.
struct SentImage {
  std::string name;       ///< as it may be shown
  storage::FileId shelf;  ///< its content's name there
  std::uint64_t size = 0;
  std::optional<Error> wrong;  ///< it was too large: nothing is on the shelf
};

/// What came in. Its contents leave the shelf with it.
class ImageForm {
 public:
  explicit ImageForm(const Rooms& rooms) : rooms_(rooms) {}
  ~ImageForm();
  ImageForm(const ImageForm&) = delete;
  ImageForm& operator=(const ImageForm&) = delete;

  /// Reads the whole form. A picture larger than media.image_bytes_max is passed over and fails
  /// alone. Errors: of the form and of the shelf; too_large "images_too_large", "too_many_images";
  /// invalid "no_images", "missing_field" ...
  Co<Status> receive(Context& context);
  const std::vector<SentImage>& images() const noexcept { return images_; }
  /// The field `operations`; empty: there was none.
  const std::string& operations() const noexcept { return operations_; }
  /// It is not needed any more.
  void let_go(std::size_t index) noexcept;

 private:
  Status begin_part(bool is_file, const std::string& name, const std::string& file_name);
  Co<Status> take(Context& context, const FormStream& form);
  Co<Status> put(Context& context);

  const Rooms& rooms_;
  std::vector<SentImage> images_;
  std::string operations_;
  bool has_operations_ = false;
  enum class In : std::uint8_t { nothing, operations, image } in_ = In::nothing;
  std::string block_;        ///< of the last picture, not yet on the shelf
  std::uint64_t total_ = 0;  ///< of all pictures
};

}  // namespace mainstay::api
