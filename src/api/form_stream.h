// The multipart body of a request as it comes in: its events, one after the other.
// Used by form_parts.cpp, image_form.cpp and analyze.cpp.
#pragma once

#include <string>

#include "api/context.h"
#include "api/multipart.h"

namespace mainstay::api {

/// Belongs to one coroutine; the context outlives it.
class FormStream {
 public:
  /// `most`: bytes of the whole body. `param`: what an error of the form names. Errors: as
  /// boundary_of().
  static Result<FormStream> open(Context& context, Bytes most, const char* param,
                                 std::uint32_t parts_max = Multipart::kPartsMax);
  /// part, data, part_end, and end once the body was read to its last byte; never `more`. Errors:
  /// invalid "bad_multipart", and those of reading a body.
  Co<Result<Multipart::Event>> next();
  const PartHead& head() const noexcept { return reader_.head(); }
  /// Valid until next().
  std::string_view data() const noexcept { return reader_.data(); }

 private:
  FormStream(Context& context, Bytes most, const char* param, Multipart reader)
      : context_(&context), most_(most), param_(param), reader_(std::move(reader)) {}
  Context* context_;
  Bytes most_;
  const char* param_;
  Multipart reader_;
};

}  // namespace mainstay::api
