// Messages, blocks and tools; member names are from Anthropic's API reference, version 2023-06-01.
#include "models/anthropic/request.h"

#include "base/json_fields.h"
#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::anthropic {
namespace {

Json text_block(const std::string& text) {
  return {{"type", "text"}, {"text", text}};
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

/// Content as a list of blocks; empty text is left out, because it is refused there.
Result<Json> blocks_of(const Json& content, const std::string& path) {
  Json blocks = Json::array();
  if (content.is_string() && !content.get_ref<const std::string&>().empty()) {
    blocks.push_back(text_block(content.get<std::string>()));
  }
  if (!content.is_array()) return blocks;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = string_field(content[i], "type");
    const std::string where = path + ".content[" + std::to_string(i) + "]";
    if (type == "text" || type == "refusal") {
      const std::string text = string_field(content[i], type.c_str());
      if (!text.empty()) blocks.push_back(text_block(text));
    } else if (type == "image_url") {
      auto block = image_block(content[i], where);
      if (!block.ok()) return block.error();
      blocks.push_back(std::move(*block));
    } else {
      return cannot("Anthropic does not take '" + type + "' parts.", where);
    }
  }
  return blocks;
}

void put_tool_uses(Json& blocks, const Json& message) {
  for (const auto& call : array_field(message, "tool_calls")) {
    blocks.push_back({{"type", "tool_use"},
                      {"id", string_field(call, "id")},
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

Status put_message(Json& out, std::string& system, const Json& message, const std::string& path) {
  const std::string role = string_field(message, "role");
  const Json& content = content_of(message);
  if (role == "system" || role == "developer") {
    system += (system.empty() ? "" : "\n\n") + text_of_content(content);
    return done();
  }
  auto blocks = blocks_of(content, path);
  if (!blocks.ok()) return blocks.error();
  if (role == "function") {
    return cannot("Anthropic takes no 'function' messages; send 'tool' messages.", path + ".role");
  }
  if (role == "tool") {
    Json result = {{"type", "tool_result"}, {"tool_use_id", string_field(message, "tool_call_id")}};
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

void put_parameters(Json& out, const Json& body) {
  out["max_tokens"] = kMaxTokensDefault;
  for (const char* key : {"max_tokens", "max_completion_tokens"}) {
    const Json& most = field(body, key);
    if (most.is_number()) out["max_tokens"] = most;
  }
  if (const Json& value = field(body, "temperature"); value.is_number()) {
    out["temperature"] = std::min(1.0, value.get<double>());  // 0 to 1 there, 0 to 2 here
  }
  if (const Json& value = field(body, "top_p"); value.is_number()) out["top_p"] = value;
  const Json& stop = field(body, "stop");
  if (stop.is_string()) out["stop_sequences"] = Json::array({stop});
  if (stop.is_array()) out["stop_sequences"] = stop;
  if (const Json& user = field(body, "user"); user.is_string())
    out["metadata"] = {{"user_id", user}};
}

}  // namespace

Result<std::string> messages_body(const ChatRequest& request, const std::string& model) {
  if (request.choices > 1) return cannot("Anthropic gives one choice; leave 'n' out.", "n");
  auto body = parse_json(request.body);
  if (!body.ok()) return body.error();
  if (answers_in_json(*body)) {
    return cannot("Anthropic's version of this API has no JSON mode; leave 'response_format' out.",
                  "response_format");
  }
  auto fine = check_translatable(*body, "Anthropic", {"logprobs", "logit_bias"});
  if (!fine.ok()) return fine.error();
  Json out = {{"model", model}};
  put_parameters(out, *body);
  std::string system;
  Json messages = Json::array();
  const Json& given = array_field(*body, "messages");
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto put = put_message(messages, system, given[i], "messages[" + std::to_string(i) + "]");
    if (!put.ok()) return put.error();
  }
  if (messages.empty()) return cannot("Anthropic needs at least one user message.", "messages");
  if (!system.empty()) out["system"] = system;
  out["messages"] = std::move(messages);
  put_tools(out, *body);
  if (request.stream) out["stream"] = true;
  return dump_with_texts(out);
}

}  // namespace mainstay::models::anthropic
