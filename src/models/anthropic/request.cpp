// Messages, blocks and tools; member names are from Anthropic's API reference, version 2023-06-01.
#include "models/anthropic/request.h"

#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::anthropic {
namespace {

Json text_block(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

Result<Json> image_block(const Json& part, const std::string& field) {
  const Json image = part.value("image_url", Json());
  const std::string url = image.is_object() ? image.value("url", std::string()) : std::string();
  if (url.starts_with("https://")) {  // Anthropic fetches addresses itself
    return Json{{"type", "image"}, {"source", {{"type", "url"}, {"url", url}}}};
  }
  auto inlined = inline_image(part, field);
  if (!inlined.ok()) return inlined.error();
  return Json{{"type", "image"},
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
    const std::string type = content[i].value("type", std::string());
    const std::string field = path + ".content[" + std::to_string(i) + "]";
    if (type == "text") {
      const std::string text = content[i].value("text", std::string());
      if (!text.empty()) blocks.push_back(text_block(text));
    } else if (type == "image_url") {
      auto block = image_block(content[i], field);
      if (!block.ok()) return block.error();
      blocks.push_back(std::move(*block));
    } else {
      return cannot("Anthropic does not take '" + type + "' parts.", field);
    }
  }
  return blocks;
}

void put_tool_uses(Json& blocks, const Json& message) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || !calls->is_array()) return;
  for (const auto& call : *calls) {
    const Json function = call.value("function", Json::object());
    auto input = parse_json(function.value("arguments", std::string("{}")));
    blocks.push_back({{"type", "tool_use"},
                      {"id", call.value("id", std::string())},
                      {"name", function.value("name", std::string())},
                      {"input", input.ok() && input->is_object() ? *input : Json::object()}});
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
  const std::string role = message.value("role", std::string());
  const Json content = message.value("content", Json());
  if (role == "system" || role == "developer") {
    system += (system.empty() ? "" : "\n\n") + text_of_content(content);
    return done();
  }
  auto blocks = blocks_of(content, path);
  if (!blocks.ok()) return blocks.error();
  if (role == "tool" || role == "function") {
    const Json result = {{"type", "tool_result"},
                         {"tool_use_id", message.value("tool_call_id", std::string())},
                         {"content", *blocks}};
    append(out, "user", Json::array({result}));
    return done();
  }
  if (role == "assistant") put_tool_uses(*blocks, message);
  append(out, role, *blocks);
  return done();
}

void put_tools(Json& out, const Json& body) {
  const Json choice = body.value("tool_choice", Json());
  if (!body.contains("tools") || !body["tools"].is_array() || choice == "none") return;
  out["tools"] = Json::array();
  for (const auto& tool : body["tools"]) {
    const Json function = tool.value("function", Json::object());
    Json made = {{"name", function.value("name", std::string())}};
    if (function.contains("description")) made["description"] = function["description"];
    made["input_schema"] = function.value("parameters", Json{{"type", "object"}});
    out["tools"].push_back(std::move(made));
  }
  Json chosen;
  if (choice == "required") chosen = {{"type", "any"}};
  if (choice == "auto") chosen = {{"type", "auto"}};
  if (choice.is_object() && choice.contains("function")) {
    chosen = {{"type", "tool"}, {"name", choice["function"].value("name", std::string())}};
  }
  if (body.value("parallel_tool_calls", Json()) == false) {
    if (chosen.is_null()) chosen = {{"type", "auto"}};
    chosen["disable_parallel_tool_use"] = true;
  }
  if (!chosen.is_null()) out["tool_choice"] = chosen;
}

void put_parameters(Json& out, const Json& body) {
  out["max_tokens"] = kMaxTokensDefault;
  for (const char* key : {"max_tokens", "max_completion_tokens"}) {
    if (body.contains(key) && body[key].is_number()) out["max_tokens"] = body[key];
  }
  if (body.contains("temperature") && body["temperature"].is_number()) {
    out["temperature"] = std::min(1.0, body["temperature"].get<double>());  // 0 to 1 there, 0 to 2 here
  }
  if (body.contains("top_p") && body["top_p"].is_number()) out["top_p"] = body["top_p"];
  if (body.contains("stop") && !body["stop"].is_null()) {
    out["stop_sequences"] = body["stop"].is_array() ? body["stop"] : Json::array({body["stop"]});
  }
  if (body.contains("user") && body["user"].is_string()) out["metadata"] = {{"user_id", body["user"]}};
}

}  // namespace

Result<std::string> messages_body(const ChatRequest& request, const std::string& model) {
  if (request.choices > 1) return cannot("Anthropic gives one choice; leave 'n' out.", "n");
  auto body = parse_json(request.body);
  if (!body.ok()) return body.error();
  Json out = {{"model", model}};
  put_parameters(out, *body);
  std::string system;
  Json messages = Json::array();
  const Json& given = (*body)["messages"];
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto put = put_message(messages, system, given[i], "messages[" + std::to_string(i) + "]");
    if (!put.ok()) return put.error();
  }
  if (messages.empty()) return cannot("Anthropic needs at least one user message.", "messages");
  if (!system.empty()) out["system"] = system;
  out["messages"] = std::move(messages);
  put_tools(out, *body);
  if (request.stream) out["stream"] = true;
  return dump(out);
}

}  // namespace mainstay::models::anthropic
