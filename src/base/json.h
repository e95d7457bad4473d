// The JSON edge: simdjson reads outside bytes (strict, bounded), nlohmann-json builds replies.
// Used by every room that meets JSON. Hot paths use JsonReader and never build a tree.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <simdjson.h>
#include <nlohmann/json.hpp>

#include "base/result.h"
#include "base/units.h"

namespace mainstay {

/// A JSON value that we build; keys keep the order they were added in.
using Json = nlohmann::ordered_json;

inline constexpr std::size_t kJsonDepthMax = 64;

/// Parses untrusted text: valid UTF-8, depth at most kJsonDepthMax, numbers in range, nothing after
/// the value. Errors: invalid with reason "invalid_json" and the position in words.
/// The document lives in a per-thread parser until the next call on this thread; `text` is copied
/// only when its buffer lacks simdjson's padding.
Result<simdjson::dom::element> read_json(std::string_view text, std::size_t capacity);
inline Result<simdjson::dom::element> read_json(const std::string& text) {
  return read_json(text, text.capacity());
}
/// The same into a Json tree that owns itself; for requests that are not hot.
Result<Json> parse_json(std::string_view text);
/// A Json tree from a parsed element.
Json to_json(simdjson::dom::element element);
/// Compact text of a tree; invalid UTF-8 in strings is replaced, never thrown.
std::string dump(const Json& value);
/// Appends `text` to `out` as a JSON string with quotes.
void append_json_string(std::string& out, std::string_view text);

}  // namespace mainstay
