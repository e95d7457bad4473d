// Reading a Json tree whose shape is not ours to trust: a member of a wrong type counts as absent.
// Used where replies of providers, bodies of clients and stored messages are taken apart.
// Nothing here throws, whatever the value is; nlohmann's own value() and operator[] do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace mainstay {

/// The member, or null when `value` is no object or has none. The reference lives as long as
/// `value`.
inline const Json& field(const Json& value, const char* key) {
  static const Json kNone;
  const auto found = value.find(key);
  return found == value.end() ? kNone : *found;
}

/// The member when it is an object, else an empty one.
inline const Json& object_field(const Json& value, const char* key) {
  static const Json kNone = Json::object();
  const Json& found = field(value, key);
  return found.is_object() ? found : kNone;
}

/// The member when it is an array, else an empty one.
inline const Json& array_field(const Json& value, const char* key) {
  static const Json kNone = Json::array();
  const Json& found = field(value, key);
  return found.is_array() ? found : kNone;
}

/// The member when it is a string, else `otherwise`.
inline std::string string_field(const Json& value, const char* key, std::string otherwise = {}) {
  const Json& found = field(value, key);
  return found.is_string() ? found.get<std::string>() : otherwise;
}

/// True only for the literal true.
inline bool flag_field(const Json& value, const char* key) {
  const Json& found = field(value, key);
  return found.is_boolean() && found.get<bool>();
}

/// The member when it is a number from 0 to 2^53 (a fraction is cut off), else `otherwise`.
inline std::uint64_t count_field(const Json& value, const char* key, std::uint64_t otherwise = 0) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
  const Json& found = field(value, key);
  if (found.is_number_unsigned()) {
    const auto n = found.get<std::uint64_t>();
    return n <= kMost ? n : otherwise;
  }
  if (found.is_number_integer()) {
    const auto n = found.get<std::int64_t>();
    return n >= 0 && static_cast<std::uint64_t>(n) <= kMost ? static_cast<std::uint64_t>(n)
                                                            : otherwise;
  }
  if (!found.is_number_float()) return otherwise;
  const auto n = found.get<double>();
  return n >= 0 && n <= static_cast<double>(kMost) ? static_cast<std::uint64_t>(n) : otherwise;
}

/// The member as a list of texts; absent or null: empty. Errors: invalid "invalid_type", which
/// names `path`.
inline Result<std::vector<std::string>> words_member(const Json& object, const char* key,
                                                     const std::string& path) {
  std::vector<std::string> out;
  const Json& found = field(object, key);
  bool fits = found.is_array() || found.is_null();
  for (std::size_t i = 0; fits && i < found.size(); ++i) {
    fits = found[i].is_string();
    if (fits) out.push_back(found[i].get<std::string>());
  }
  if (fits) return out;
  return Error::say(Errc::invalid, "invalid_type", "'" + path + "' must be a list of words.", path);
}

}  // namespace mainstay
