// Checks of an order's input.
#include "jobs/kind_fields.h"

#include <algorithm>

#include "base/text.h"

namespace mainstay::jobs {

Status check_members(const Json& input, std::initializer_list<std::string_view> known) {
  if (!input.is_object()) {
    return Error::say(Errc::invalid, "invalid_type", "'input' must be an object.", "input");
  }
  for (const auto& [key, value] : input.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string path = input_path(cut_utf8(key, 64));
    return Error::say(Errc::invalid, "unknown_field", "'" + path + "' is not a known field.", path);
  }
  return done();
}

Result<std::string> text_member(const Json& input, std::string_view name, std::size_t min,
                                std::size_t max) {
  const std::string path = input_path(name);
  const auto found = input.find(name);
  if (found == input.end() || found->is_null()) {
    if (min == 0) return std::string();
    return Error::say(Errc::invalid, "missing_field", "'" + path + "' is required.", path);
  }
  if (!found->is_string()) {
    return Error::say(Errc::invalid, "invalid_type", "'" + path + "' must be a string.", path);
  }
  auto text = found->get<std::string>();
  if (text.size() < min) {
    return Error::say(Errc::invalid, "empty_field", "'" + path + "' must not be empty.", path);
  }
  if (text.size() > max) {
    return Error::say(Errc::too_large, "field_too_long",
                      "'" + path + "' must have at most " + std::to_string(max) + " bytes.", path);
  }
  if (text.find('\0') != std::string::npos) {
    return Error::say(Errc::invalid, "control_character", "'" + path + "' must not hold a NUL.",
                      path);
  }
  return text;
}

bool is_plain_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 128) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  });
}

}  // namespace mainstay::jobs
