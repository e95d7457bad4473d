// Checks the tools of a chat body, the choice among them, and the calls in its messages. Only those
// of the type "function" are looked into: others pass to providers that may know them.
#include <fmt/format.h>

#include "models/chat_check.h"

namespace mainstay::models::check {
namespace {

constexpr std::size_t kToolNameMax = 64;

/// `object[key]` must be an object.
Result<simdjson::dom::object> object_in(const Place& at, simdjson::dom::object object,
                                        std::string_view key) {
  Element value;
  if (object[key].get(value) != simdjson::SUCCESS) return missing(at);
  simdjson::dom::object inner;
  if (value.get_object().get(inner) != simdjson::SUCCESS) return wrong_type(at, "an object");
  return inner;
}

/// `object.name` must be a function's name; of one that a model has called, whatever it called.
Status function_name(const Place& place, simdjson::dom::object object, bool called) {
  const Place at = place.member("name");
  Element value;
  if (object["name"].get(value) != simdjson::SUCCESS) return missing(at);
  auto name = called ? short_text_of(at, value) : text_of(at, value);
  if (!name.ok()) return name.error();
  if (called || is_name(*name, kToolNameMax, false)) return done();
  return refuse(at, Errc::invalid, "invalid_value",
                fmt::format("must be 1 to {} letters, digits, '_' or '-'.", kToolNameMax));
}

using MaybeFunction = std::optional<simdjson::dom::object>;

/// The inner object of {"type":"function","function":{"name":…}}, for further checks; none when the
/// type is another.
Result<MaybeFunction> named_function(const Place& place, Element value, bool called = false) {
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return wrong_type(place, "an object");
  const Place type_place = place.member("type");
  if (object["type"].get(value) != simdjson::SUCCESS) return missing(type_place);
  auto type = short_text_of(type_place, value);
  if (!type.ok()) return type.error();
  if (*type != "function") return MaybeFunction();
  const Place at = place.member("function");
  auto inner = object_in(at, object, "function");
  if (!inner.ok()) return inner.error();
  auto fine = function_name(at, *inner, called);
  if (!fine.ok()) return fine.error();
  return MaybeFunction(*inner);
}

Status check_tool(const Place& place, Element value) {
  auto found = named_function(place, value);
  if (!found.ok()) return found.error();
  const MaybeFunction& function = *found;
  Element parameters;
  if (!function || (*function)["parameters"].get(parameters) != simdjson::SUCCESS ||
      parameters.is_null()) {
    return done();
  }
  const Place outer = place.member("function");
  return is_object(outer.member("parameters"), parameters);
}

Status check_call(const Place& place, Element value) {
  auto found = named_function(place, value, true);
  if (!found.ok()) return found.error();
  const MaybeFunction& function = *found;
  Element text;
  const Place id = place.member("id");
  if (value["id"].get(text) != simdjson::SUCCESS) return missing(id);
  auto id_text = short_text_of(id, text);
  if (!id_text.ok()) return id_text.error();
  if (!function) return done();
  const Place outer = place.member("function");
  const Place at = outer.member("arguments");
  if ((*function)["arguments"].get(text) != simdjson::SUCCESS) return missing(at);
  auto arguments = text_of(at, text);
  if (!arguments.ok()) return arguments.error();
  return done();
}

}  // namespace

Status check_tools(const Place& place, Element value, const LimitSettings& limits, bool& some) {
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return wrong_type(place, "an array");
  if (list.size() > limits.tools_max) {
    return refuse(place, Errc::invalid, "too_many",
                  fmt::format("must hold at most {} tools.", limits.tools_max));
  }
  std::size_t i = 0;
  for (const Element tool : list) {
    auto fine = check_tool(place.item(i++), tool);
    if (!fine.ok()) return fine;
  }
  some |= i > 0;
  return done();
}

Status check_tool_choice(const Place& place, Element value) {
  std::string_view word;
  if (value.get_string().get(word) == simdjson::SUCCESS) {
    if (word == "none" || word == "auto" || word == "required") return done();
    return refuse(place, Errc::invalid, "invalid_value",
                  "must be \"none\", \"auto\", \"required\" or an object with a type.");
  }
  if (!value.is_object()) return wrong_type(place, "a string or an object");
  auto function = named_function(place, value);
  if (!function.ok()) return function.error();
  return done();
}

Status check_tool_calls(const Place& place, Element value, const LimitSettings& limits) {
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return wrong_type(place, "an array");
  // None at all is what some servers put into every answer, and clients send back.
  if (list.size() > limits.tools_max) {
    return refuse(place, Errc::invalid, "out_of_range",
                  fmt::format("must hold at most {} calls.", limits.tools_max));
  }
  std::size_t i = 0;
  for (const Element call : list) {
    auto fine = check_call(place.item(i++), call);
    if (!fine.ok()) return fine;
  }
  return done();
}

}  // namespace mainstay::models::check
