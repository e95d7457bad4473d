// The question of POST /v1/voice as it comes in: a form with a file, bare sound, or text.
// Used by voice.cpp alone.
#pragma once

#include <string>

#include "api/context.h"
#include "api/query.h"

namespace mainstay::api {

/// A question that came in whole, in memory; voice.upload_max bounds it.
struct VoiceQuestion {
  std::string sound;  ///< a file of any format; empty: `text` is the question
  std::string mime;
  std::string text;
  Query fields;  ///< of the form and of the address
};

/// Reads the body. A form may hold `file` or `text` and fields; bare sound has its fields in the
/// address. Errors: too_large "recording_too_large"; invalid "bad_multipart", "missing_field",
/// "duplicate_field", "field_too_long", "empty_audio"; those of reading a body.
Co<Result<VoiceQuestion>> receive_question(const Rooms& rooms, Context& context);

}  // namespace mainstay::api
