// JSON of model servers, where it says what cannot be held here: mended, so that no answer is lost.
// Used by models' inner rooms. What clients send is read strictly: see json.h.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace mainstay {

/// The text with numbers that neither 64 bits nor a double can hold replaced by the nearest double
/// (one of 30 digits by its first 17), and with U+FFFD for halves of surrogate pairs. Any bytes may
/// come; what is no JSON for another reason stays none.
std::string mended_json(std::string_view text);

/// As read_json(); where that fails, of the mended text, which is then left in `text`.
Result<simdjson::dom::element> read_mended(std::string& text);
/// As parse_json(); where that fails, of the mended text.
Result<Json> parse_mended(std::string_view text);

}  // namespace mainstay
