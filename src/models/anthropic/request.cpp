// Messages, blocks and tools; member names are from Anthropic's API reference, version 2023-06-01.
#include "models/anthropic/request.h"

#include <algorithm>

#include "base/json_fields.h"
#include "base/text.h"
#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::anthropic {
namespace {

Json text_block(const std::string& text) {
  return {{"type", "text"}, {"text", text}};
}

/// Anthropic refuses text that is only white space.
bool says_something(const std::string& text) {
  return !trim(text).empty();
}

/// The mark of what Anthropic shall keep in its prompt cache: a member of its own.
void copy_cache_control(Json& block, const Json& from) {
  const Json& mark = field(from, "cache_control");
  if (mark.is_object()) block["cache_control"] = mark;
}

/// Ids that other providers gave may hold what Anthropic refuses; a call and its result are told
/// alike, and two ids never become one.
std::string tool_id(const std::string& id) {
  const bool fits = !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return fits ? id : "call_" + sha256_hex(id).substr(0, 32);
}

Result<Json> image_block(const Json& part, const std::string& where) {
  const std::string url = image_address(part);
  if (url.starts_with("https://")) {  // Anthropic fetches addresses itself
    return Json{{"type", "image"}, {"source", {{"type", "url"}, {"url", url}}}};
  }
  auto inlined = inline_image(part, where);
  if (!inlined.ok()) return inlined.error();
  return Json{
      {"type", "image"},
      {"source",
       {{"type", "base64"}, {"media_type", inlined->media_type}, {"data", inlined->base64}}}};
}

Result<Json> document_block(const Json& part, const std::string& where) {
  auto pdf = inline_pdf(part, where);
  if (!pdf.ok()) return pdf.error();
  Json block = {
      {"type", "document"},
      {"source", {{"type", "base64"}, {"media_type", pdf->media_type}, {"data", pdf->base64}}}};
  const std::string name = string_field(field(part, "file"), "filename");
  if (says_something(name)) block["title"] = name;
  return block;
}

/// Content as a list of blocks; empty text is left out.
Result<Json> blocks_of(const Json& content, const std::string& path) {
  Json blocks = Json::array();
  if (content.is_string() && says_something(content.get_ref<const std::string&>())) {
    blocks.push_back(text_block(content.get<std::string>()));
  }
  if (!content.is_array()) return blocks;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = string_field(content[i], "type");
    const std::string where = path + ".content[" + std::to_string(i) + "]";
    if (type == "text" || type == "refusal") {
      const std::string text = string_field(content[i], type.c_str());
      if (!says_something(text)) continue;
      blocks.push_back(text_block(text));
    } else if (type == "image_url" || type == "file") {
      auto block =
          type == "file" ? document_block(content[i], where) : image_block(content[i], where);
      if (!block.ok()) return block.error();
      blocks.push_back(std::move(*block));
    } else {
      return cannot("Anthropic does not take '" + type + "' parts.", where);
    }
    copy_cache_control(blocks.back(), content[i]);
  }
  return blocks;
}

void put_tool_uses(Json& blocks, const Json& message) {
  for (const auto& call : array_field(message, "tool_calls")) {
    blocks.push_back({{"type", "tool_use"},
                      {"id", tool_id(string_field(call, "id"))},
                      {"name", string_field(field(call, "function"), "name")},
                      {"input", call_arguments(call)}});
  }
}

/// Adds blocks under a role; roles must alternate there, so neighbours of one role are joined.
void append(Json& messages, const std::string& role, const Json& blocks) {
  if (blocks.empty()) return;
  if (!messages.empty() && messages.back()["role"] == role) {
    for (const auto& block : blocks) messages.back()["content"].push_back(block);
    return;
  }
  messages.push_back({{"role", role}, {"content", blocks}});
}

bool is_system(const Json& message) {
  const std::string role = string_field(message, "role");
  return role == "system" || role == "developer";
}

/// One text, or the parts as they are when one of them is marked for the prompt cache.
void put_system(Json& out, const Json& messages) {
  std::string text;
  Json blocks = Json::array();
  bool marked = false;
  for (const auto& message : messages) {
    if (!is_system(message)) continue;
    const Json& content = content_of(message);
    text += (text.empty() ? "" : "\n\n") + text_of_content(content);
    const Json parts =
        content.is_array() ? content : Json::array({text_block(text_of_content(content))});
    for (const auto& part : parts) {
      if (!says_something(string_field(part, "text"))) continue;
      blocks.push_back(text_block(string_field(part, "text")));
      copy_cache_control(blocks.back(), part);
      marked = marked || blocks.back().contains("cache_control");
    }
  }
  if (marked) {
    out["system"] = std::move(blocks);
  } else if (says_something(text)) {
    out["system"] = text;
  }
}

Status put_message(Json& out, const Json& message, const std::string& path) {
  const std::string role = string_field(message, "role");
  const Json& content = content_of(message);
  auto blocks = blocks_of(content, path);
  if (!blocks.ok()) return blocks.error();
  if (role == "function") {
    return cannot("Anthropic takes no 'function' messages; send 'tool' messages.", path + ".role");
  }
  if (role == "tool") {
    Json result = {{"type", "tool_result"},
                   {"tool_use_id", tool_id(string_field(message, "tool_call_id"))}};
    if (!blocks->empty()) result["content"] = *blocks;
    append(out, "user", Json::array({result}));
    return done();
  }
  if (role == "assistant") put_tool_uses(*blocks, message);
  append(out, role, *blocks);
  return done();
}

void put_tools(Json& out, const Json& body) {
  Json tools = Json::array();
  for (const auto& tool : array_field(body, "tools")) {
    const Json& function = field(tool, "function");
    Json made = {{"name", string_field(function, "name")}};
    const std::string description = string_field(function, "description");
    if (!description.empty()) made["description"] = description;
    Json schema = object_field(function, "parameters");
    if (!schema.contains("type")) schema["type"] = "object";  // required there
    made["input_schema"] = std::move(schema);
    copy_cache_control(made, tool);
    tools.push_back(std::move(made));
  }
  if (tools.empty()) return;
  out["tools"] = std::move(tools);
  const Json& choice = field(body, "tool_choice");
  Json chosen;
  // The tools stay: calls in the history must not be of tools that nobody described.
  if (choice == "none") chosen = {{"type", "none"}};
  if (choice == "required") chosen = {{"type", "any"}};
  if (choice == "auto") chosen = {{"type", "auto"}};
  if (const std::string name = string_field(field(choice, "function"), "name"); !name.empty()) {
    chosen = {{"type", "tool"}, {"name", name}};
  }
  if (field(body, "parallel_tool_calls") == false && choice != "none") {
    if (chosen.is_null()) chosen = {{"type", "auto"}};
    chosen["disable_parallel_tool_use"] = true;
  }
  if (!chosen.is_null()) out["tool_choice"] = chosen;
}

/// Anthropic refuses a request for one stop sequence of white space alone: those are left out.
void put_stops(Json& out, const Json& stop) {
  Json stops = Json::array();
  for (const auto& one : stop.is_array() ? stop : Json::array({stop})) {
    if (one.is_string() && says_something(one.get_ref<const std::string&>())) stops.push_back(one);
  }
  if (!stops.empty()) out["stop_sequences"] = std::move(stops);
}

/// A last message of the assistant's is a beginning that Anthropic continues; it refuses one that
/// ends in white space.
void trim_beginning(Json& messages) {
  if (messages.back()["role"] != "assistant") return;
  Json& last = messages.back()["content"].back();
  if (string_field(last, "type") != "text") return;
  std::string text = string_field(last, "text");
  text.resize(text.find_last_not_of(" \t\r\n") + 1);
  last["text"] = std::move(text);
}

void put_parameters(Json& out, const Json& body) {
  out["max_tokens"] = kMaxTokensDefault;
  for (const char* key : {"max_tokens", "max_completion_tokens"}) {
    const Json& most = field(body, key);
    if (most.is_number()) out["max_tokens"] = most;
  }
  if (const Json& value = field(body, "temperature"); value.is_number()) {
    out["temperature"] = std::min(1.0, value.get<double>());  // 0 to 1 there, 0 to 2 here
  }
  for (const char* key : {"top_p", "top_k"}) {
    if (const Json& value = field(body, key); value.is_number()) out[key] = value;
  }
  put_stops(out, field(body, "stop"));
  const std::string user = string_field(body, "user");
  if (!user.empty()) out["metadata"] = {{"user_id", user}};
}

/// Anthropic knows answers by a schema, but no free JSON.
Status put_format(Json& out, const Json& body) {
  if (!answers_in_json(body)) return done();
  const Json& schema = object_field(field(field(body, "response_format"), "json_schema"), "schema");
  if (schema.empty()) {
    return cannot(
        "Anthropic answers in JSON by a schema alone; send a 'response_format' of the type "
        "'json_schema' with its schema.",
        "response_format");
  }
  out["output_config"] = {{"format", {{"type", "json_schema"}, {"schema", schema}}}};
  return done();
}

}  // namespace

Result<std::string> messages_body(const ChatRequest& request, const std::string& model) {
  if (request.choices > 1) return cannot("Anthropic gives one choice; leave 'n' out.", "n");
  auto body = parse_json(request.body);
  if (!body.ok()) return body.error();
  auto fine = check_translatable(*body, "Anthropic", {"logprobs", "logit_bias"});
  if (!fine.ok()) return fine.error();
  Json out = {{"model", model}};
  put_parameters(out, *body);
  auto format = put_format(out, *body);
  if (!format.ok()) return format.error();
  Json messages = Json::array();
  const Json& given = array_field(*body, "messages");
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (is_system(given[i])) continue;
    auto put = put_message(messages, given[i], "messages[" + std::to_string(i) + "]");
    if (!put.ok()) return put.error();
  }
  if (messages.empty()) return cannot("Anthropic needs at least one user message.", "messages");
  trim_beginning(messages);
  put_system(out, given);
  out["messages"] = std::move(messages);
  put_tools(out, *body);
  if (request.stream) out["stream"] = true;
  return dump_with_texts(out);
}

}  // namespace mainstay::models::anthropic
