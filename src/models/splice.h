// Top-level members of a JSON object as spans of its text, so that a body can be forwarded with a
// few members replaced or removed and every other byte as it was.
// Used by models and assistant. The text must already have passed read_json().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mainstay::models {

/// One member: offsets into the text.
struct Member {
  std::string_view key;   ///< between the quotes, as written (view into the text)
  std::size_t begin = 0;  ///< of the key's opening quote
  std::size_t value_begin = 0;
  std::size_t end = 0;  ///< after the value's last byte
  std::string_view value(std::string_view text) const {
    return text.substr(value_begin, end - value_begin);
  }
};

/// Members of a valid JSON object, in order. Not an object: empty.
std::vector<Member> top_level(std::string_view text);

/// `at` is a string's opening quote; answers the offset after its closing one, or text.size().
std::size_t skip_string(std::string_view text, std::size_t at) noexcept;
/// True when the member's key, its escapes decoded, is `name`.
bool key_is(const Member& member, std::string_view name);
/// The first member of that name, or null. Keys compare as key_is() does.
const Member* find_member(const std::vector<Member>& members, std::string_view name);
/// A key or string as written between its quotes, decoded. A broken escape is kept as it is.
std::string decode_escapes(std::string_view raw);

/// A change of one member: `value` is JSON text; empty removes the member; a missing one is added.
/// Of several members with that key the first is changed and the others are removed.
struct Edit {
  std::string_view key;
  std::string value;
};

/// The object's text with the edits applied, everything else untouched, with room for simdjson's
/// padding behind it.
std::string splice(std::string_view text, const std::vector<Member>& members,
                   const std::vector<Edit>& edits);

}  // namespace mainstay::models
