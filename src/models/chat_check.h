// The vocabulary of the chat body's checks: a place in the body, errors that name it, typed reads.
// Used by chat.cpp, chat_messages.cpp and chat_tools.cpp alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "config/settings.h"
#include "models/chat.h"

namespace mainstay::models::check {

using Element = simdjson::dom::element;
using Type = simdjson::dom::element_type;

/// A path in the body as a chain on the stack; it becomes text only when an error is told.
struct Place {
  const Place* parent = nullptr;
  std::string_view name{};  ///< of the member; empty for an array's item
  std::size_t index = 0;    ///< of the array's item
  /// "messages[2].role"
  std::string text() const;
  Place member(std::string_view key) const { return Place{this, key, 0}; }
  Place item(std::size_t i) const { return Place{this, {}, i}; }
};

/// `sentence` follows the path: "must be a string.".
Error refuse(const Place& place, Errc code, std::string_view reason, std::string_view sentence);
Error wrong_type(const Place& place, std::string_view wanted);
Error missing(const Place& place);
Error duplicate(const Place& place);

/// Longest text of a short field (model, user, names, ids), in bytes.
inline constexpr std::size_t kShortMax = 256;

/// A string without NUL. The view lives as long as the parsed document.
Result<std::string_view> text_of(const Place& place, Element value);
/// The same, 1 to `max` bytes, without control characters.
Result<std::string_view> short_text_of(const Place& place, Element value,
                                       std::size_t max = kShortMax);
Result<bool> flag_of(const Place& place, Element value);
/// A whole number from `low` to `high`.
Result<std::uint64_t> count_of(const Place& place, Element value, std::uint64_t low,
                               std::uint64_t high);
/// Any number from `low` to `high`.
Status number_between(const Place& place, Element value, double low, double high);
Status is_object(const Place& place, Element value);
/// Letters, digits, '_' and '-' (and '.', ':' when `wide`), 1 to `max` bytes.
bool is_name(std::string_view text, std::size_t max, bool wide);

/// What the messages hold.
struct Found {
  bool images = false;
  std::uint32_t attachments = 0;  ///< images, sounds and files in the body itself
  std::size_t attached = 0;       ///< their bytes
};
Status check_messages(const Place& place, Element value, const LimitSettings& limits, Found& found);
/// `some` becomes true when the list is not empty.
Status check_tools(const Place& place, Element value, const LimitSettings& limits, bool& some);
Status check_tool_choice(const Place& place, Element value);
/// An assistant message's calls.
Status check_tool_calls(const Place& place, Element value, const LimitSettings& limits);

}  // namespace mainstay::models::check
