// Reading an order's input: members named as "input.x" in errors.
// Used by the kinds' check().
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace mainstay::jobs {

/// `input` is an object with no members but these. Errors: invalid "invalid_type", "unknown_field".
Status check_members(const Json& input, std::initializer_list<std::string_view> known);
/// A text member without NUL, `min` to `max` bytes; absent counts as empty. Errors: invalid
/// "missing_field", "invalid_type", "control_character", too_large "field_too_long".
Result<std::string> text_member(const Json& input, std::string_view name, std::size_t min,
                                std::size_t max);
/// The path of a field below the order's input.
inline std::string input_path(std::string_view field) {
  if (field.empty()) return "input";
  return "input." + std::string(field);
}
/// The error of a check further in, with its field below the order's input.
inline Error below_input(Error error) {
  error.field = input_path(error.field);
  return error;
}
/// A name as conversations and collections have it: 1 to 128 characters A-Z a-z 0-9 . _ : -
bool is_plain_name(std::string_view text) noexcept;

}  // namespace mainstay::jobs
