// Checks a JSON value against a schema of the OpenAPI document: the keywords that the document
// uses. Used by the api's tests.
#pragma once

#include <string>

#include "base/json.h"

namespace mainstay::api::test {

class Schemas {
 public:
  explicit Schemas(const Json& document) : document_(document) {}

  /// What does not fit, with its place; empty when everything does.
  std::string mismatch(const std::string& schema, const Json& value) const {
    return check(document_["components"]["schemas"][schema], value, "$");
  }

 private:
  static bool is_a(const std::string& type, const Json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "boolean") return value.is_boolean();
    return type == "null" && value.is_null();
  }
  static bool fits_type(const Json& type, const Json& value) {
    if (type.is_string()) return is_a(type.get<std::string>(), value);
    for (const auto& one : type) {
      if (is_a(one.get<std::string>(), value)) return true;
    }
    return false;
  }
  static bool listed(const Json& values, const Json& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
  }
  std::string members(const Json& schema, const Json& value, const std::string& at) const {
    if (schema.contains("required")) {
      for (const auto& name : schema["required"]) {
        if (!value.contains(name.get<std::string>())) return at + " lacks " + name.dump();
      }
    }
    if (!schema.contains("properties")) return "";
    for (const auto& [name, inner] : value.items()) {
      // The document is to describe all that is sent, even where more is allowed.
      if (!schema["properties"].contains(name)) {
        if (schema.value("additionalProperties", false)) continue;
        return at + "." + name + " is not described";
      }
      const std::string wrong = check(schema["properties"][name], inner, at + "." + name);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  std::string check(const Json& schema, const Json& value, const std::string& at) const {
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"].get<std::string>();
      return check(document_["components"]["schemas"][ref.substr(ref.rfind('/') + 1)], value, at);
    }
    if (schema.contains("const") && schema["const"] != value) return at + " is another constant";
    if (schema.contains("enum") && !listed(schema["enum"], value)) return at + " is not listed";
    if (schema.contains("type") && !fits_type(schema["type"], value)) {
      return at + " should be " + schema["type"].dump();
    }
    if (value.is_object()) return members(schema, value, at);
    if (!value.is_array() || !schema.contains("items")) return "";
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto wrong = check(schema["items"], value[i], at + "[" + std::to_string(i) + "]");
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  const Json& document_;
};

}  // namespace mainstay::api::test
