// Checks the messages of a chat body: roles, content, its parts and their sizes.
#include <fmt/format.h>

#include "models/chat_check.h"

namespace mainstay::models::check {
namespace {

enum class Role : std::uint8_t { system, developer, user, assistant, tool, function, unknown };

Role role_of(std::string_view name) noexcept {
  if (name == "user") return Role::user;
  if (name == "assistant") return Role::assistant;
  if (name == "system") return Role::system;
  if (name == "developer") return Role::developer;
  if (name == "tool") return Role::tool;
  if (name == "function") return Role::function;
  return Role::unknown;
}

/// One message's members, found in one pass over it.
struct Message {
  std::optional<Element> role, content, tool_calls, function_call, refusal, audio, tool_call_id,
      name;
};

Status gather(const Place& place, simdjson::dom::object object, Message& message) {
  const auto take = [&](std::string_view key, std::optional<Element>& into,
                        Element value) -> Status {
    if (into) return duplicate(place.member(key));
    into = value;
    return done();
  };
  for (auto [key, value] : object) {
    std::optional<Element>* into = nullptr;
    if (key == "role")
      into = &message.role;
    else if (key == "content")
      into = &message.content;
    else if (key == "tool_calls")
      into = &message.tool_calls;
    else if (key == "tool_call_id")
      into = &message.tool_call_id;
    else if (key == "name")
      into = &message.name;
    else if (key == "function_call")
      into = &message.function_call;
    else if (key == "refusal")
      into = &message.refusal;
    else if (key == "audio")
      into = &message.audio;
    if (into == nullptr) continue;
    auto fine = take(key, *into, value);
    if (!fine.ok()) return fine;
  }
  return done();
}

bool given(const std::optional<Element>& value) {
  return value && !value->is_null();
}

Error message_too_large(const Place& place, const LimitSettings& limits) {
  return refuse(place, Errc::too_large, "message_too_large",
                fmt::format("holds more text than the {} bytes allowed in one message.",
                            limits.message_max.value));
}

/// The member `key` of a part as text that is not empty.
Status part_text(const Place& place, simdjson::dom::object object, std::string_view key) {
  Element value;
  const Place at = place.member(key);
  if (object[key].get(value) != simdjson::SUCCESS) return missing(at);
  auto text = text_of(at, value);
  if (!text.ok()) return text.error();
  if (!text->empty()) return done();
  return refuse(at, Errc::invalid, "invalid_value", "must not be empty.");
}

/// Checks that part[key] is an object whose members `first` and, if named, `second` are texts.
Status part_object(const Place& place, simdjson::dom::object part, std::string_view key,
                   std::string_view first, std::string_view second = {}) {
  const Place at = place.member(key);
  Element value;
  if (part[key].get(value) != simdjson::SUCCESS) return missing(at);
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return wrong_type(at, "an object");
  if (!first.empty()) {
    auto fine = part_text(at, object, first);
    if (!fine.ok()) return fine;
  }
  if (second.empty()) return done();
  return part_text(at, object, second);
}

/// A text or refusal part; its size is added to `size`.
Status part_words(const Place& place, simdjson::dom::object part, std::string_view key,
                  std::size_t& size) {
  const Place at = place.member(key);
  Element value;
  if (part[key].get(value) != simdjson::SUCCESS) return missing(at);
  auto text = text_of(at, value);
  if (!text.ok()) return text.error();
  size += text->size();
  return done();
}

/// Counts what part[key][inner] holds, unless it is an address to fetch.
void note_attached(simdjson::dom::object part, std::string_view key, std::string_view inner,
                   Found& found) {
  std::string_view data;
  if (part[key][inner].get_string().get(data) != simdjson::SUCCESS) return;
  if (data.starts_with("http:") || data.starts_with("https:")) return;
  ++found.attachments;
  found.attached += data.size();
}

Status check_part(const Place& place, Element value, std::size_t& size, Found& found) {
  simdjson::dom::object part;
  if (value.get_object().get(part) != simdjson::SUCCESS) return wrong_type(place, "an object");
  Element kind;
  const Place type_place = place.member("type");
  if (part["type"].get(kind) != simdjson::SUCCESS) return missing(type_place);
  std::string_view type;
  if (kind.get_string().get(type) != simdjson::SUCCESS) return wrong_type(type_place, "a string");
  if (type == "text") return part_words(place, part, "text", size);
  if (type == "refusal") return part_words(place, part, "refusal", size);
  if (type == "image_url") {
    found.images = true;
    note_attached(part, type, "url", found);
    return part_object(place, part, "image_url", "url");
  }
  if (type == "input_audio") {
    note_attached(part, type, "data", found);
    return part_object(place, part, "input_audio", "data", "format");
  }
  if (type == "file") {
    note_attached(part, type, "file_data", found);
    return part_object(place, part, "file", {});
  }
  // A provider that speaks OpenAI's shape may know more kinds (video, thinking).
  note_attached(part, type, "url", found);
  auto name = short_text_of(type_place, kind);
  if (!name.ok()) return name.error();
  return done();
}

Status check_parts(const Place& place, simdjson::dom::array parts, bool may_be_none,
                   std::size_t& size, Found& found) {
  if (parts.size() == 0 && !may_be_none) {
    return refuse(place, Errc::invalid, "invalid_value", "must hold at least one part.");
  }
  std::size_t i = 0;
  for (const Element part : parts) {
    auto fine = check_part(place.item(i++), part, size, found);
    if (!fine.ok()) return fine;
  }
  return done();
}

Status check_content(const Place& place, Role role, const Message& message,
                     const LimitSettings& limits, Found& found) {
  const Place at = place.member("content");
  if (!given(message.content)) {
    const bool instead = given(message.tool_calls) || given(message.function_call) ||
                         given(message.refusal) || given(message.audio);
    if (role == Role::assistant && (instead || message.content)) return done();
    if (role == Role::function && message.content) return done();
    if (!message.content) return missing(at);
    return wrong_type(at, "a string or an array of parts; null only in an assistant's messages");
  }
  std::size_t size = 0;
  std::string_view words;
  simdjson::dom::array parts;
  if (message.content->get_string().get(words) == simdjson::SUCCESS) {
    auto text = text_of(at, *message.content);
    if (!text.ok()) return text.error();
    size = words.size();
  } else if (message.content->get_array().get(parts) == simdjson::SUCCESS) {
    auto fine = check_parts(at, parts, role == Role::assistant, size, found);
    if (!fine.ok()) return fine;
  } else {
    return wrong_type(at, "a string or an array of parts");
  }
  if (size > limits.message_max.value) return message_too_large(at, limits);
  return done();
}

/// What only some roles carry.
Status check_extras(const Place& place, Role role, const Message& message,
                    const LimitSettings& limits) {
  if (given(message.name)) {
    auto text = short_text_of(place.member("name"), *message.name);
    if (!text.ok()) return text.error();
  }
  if (given(message.tool_calls)) {
    const Place at = place.member("tool_calls");
    if (role != Role::assistant) {
      return refuse(at, Errc::invalid, "invalid_value", "is allowed only in assistant messages.");
    }
    auto fine = check_tool_calls(at, *message.tool_calls, limits);
    if (!fine.ok()) return fine;
  }
  const Place at = place.member("tool_call_id");
  if (!given(message.tool_call_id)) return role == Role::tool ? Status(missing(at)) : done();
  auto text = short_text_of(at, *message.tool_call_id);
  if (!text.ok()) return text.error();
  return done();
}

Status check_message(const Place& place, Element value, const LimitSettings& limits, Found& found) {
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return wrong_type(place, "an object");
  Message message;
  auto fine = gather(place, object, message);
  if (!fine.ok()) return fine;
  const Place role_place = place.member("role");
  if (!message.role) return missing(role_place);
  std::string_view name;
  if (message.role->get_string().get(name) != simdjson::SUCCESS) {
    return wrong_type(role_place, "a string");
  }
  const Role role = role_of(name);
  if (role == Role::unknown) {
    return refuse(role_place, Errc::invalid, "unknown_role",
                  "must be one of system, developer, user, assistant, tool, function.");
  }
  fine = check_content(place, role, message, limits, found);
  if (!fine.ok()) return fine;
  return check_extras(place, role, message, limits);
}

}  // namespace

Status check_messages(const Place& place, Element value, const LimitSettings& limits,
                      Found& found) {
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return wrong_type(place, "an array of messages");
  }
  if (list.size() == 0) {
    return refuse(place, Errc::invalid, "invalid_value", "must hold at least one message.");
  }
  // simdjson's own count saturates, far above any allowed limit.
  std::size_t i = 0;
  for (const Element message : list) {
    if (i >= limits.messages_max) {
      return refuse(place, Errc::invalid, "too_many",
                    fmt::format("must hold at most {} messages.", limits.messages_max));
    }
    auto fine = check_message(place.item(i++), message, limits, found);
    if (!fine.ok()) return fine;
  }
  return done();
}

}  // namespace mainstay::models::check
