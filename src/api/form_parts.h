// The one loop over a form's parts: small fields go into texts, a file goes to whoever takes it.
// Used by audio_form.cpp, file_form.cpp and voice_form.cpp.
#pragma once

#include <string>

#include "api/context.h"
#include "api/form_stream.h"

namespace mainstay::api {

/// What becomes of a form's parts. Belongs to the coroutine that reads it.
class FormParts {
 public:
  virtual ~FormParts() = default;
  struct Place {
    bool file = false;            ///< its bytes go to take()
    std::string* text = nullptr;  ///< its bytes go there; null, and no file: they are passed over
  };
  /// A part begins. Errors end the reading.
  virtual Result<Place> begin(const PartHead& head) = 0;
  /// The next bytes of the file.
  virtual Co<Status> take(Context& context, std::string bytes) = 0;
};

/// A field beside the file has at most so many bytes, and all of them together so many.
inline constexpr std::size_t kFormFieldMax = 4096;
inline constexpr std::uint64_t kFormRest = 64 * 1024;

/// Reads the form to its end. `file_max`: bytes of the file; `param`: what an error of the form
/// names. Errors: those of FormStream and of `parts`; invalid "field_too_long".
Co<Status> read_form(Context& context, FormParts& parts, Bytes file_max, const char* param);

}  // namespace mainstay::api
