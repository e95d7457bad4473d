// Contents, parts and function declarations; names are from Gemini's REST reference (v1beta).
#include "models/gemini/request.h"

#include <map>

#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::gemini {
namespace {

Status put_parts(Json& parts, const Json& content, const std::string& path) {
  if (content.is_string() && !content.get_ref<const std::string&>().empty()) {
    parts.push_back({{"text", content}});
  }
  if (!content.is_array()) return done();
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = content[i].value("type", std::string());
    const std::string field = path + ".content[" + std::to_string(i) + "]";
    if (type == "text") {
      parts.push_back({{"text", content[i].value("text", std::string())}});
    } else if (type == "image_url") {
      auto image = inline_image(content[i], field);
      if (!image.ok()) return image.error();
      parts.push_back({{"inlineData", {{"mimeType", image->media_type}, {"data", image->base64}}}});
    } else {
      return cannot("Gemini does not take '" + type + "' parts here.", field);
    }
  }
  return done();
}

/// Names of called functions by call id: Gemini answers by name.
using CallNames = std::map<std::string, std::string>;

void put_calls(Json& parts, const Json& message, CallNames& names) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || !calls->is_array()) return;
  for (const auto& call : *calls) {
    const Json function = call.value("function", Json::object());
    const std::string name = function.value("name", std::string());
    names[call.value("id", std::string())] = name;
    auto args = parse_json(function.value("arguments", std::string("{}")));
    parts.push_back({{"functionCall",
                      {{"name", name}, {"args", args.ok() && args->is_object() ? *args : Json::object()}}}});
  }
}

Json function_response(const Json& message, const CallNames& names) {
  const auto known = names.find(message.value("tool_call_id", std::string()));
  const std::string name =
      known != names.end() ? known->second : message.value("name", std::string("function"));
  const std::string text = text_of_content(message.value("content", Json()));
  auto parsed = parse_json(text);
  // The response must be an object; anything else is put into one.
  const Json response = parsed.ok() && parsed->is_object() ? *parsed : Json{{"result", text}};
  return {{"functionResponse", {{"name", name}, {"response", response}}}};
}

/// Neighbours of one role are joined: turns alternate there.
void append(Json& contents, const std::string& role, const Json& parts) {
  if (parts.empty()) return;
  if (!contents.empty() && contents.back()["role"] == role) {
    for (const auto& part : parts) contents.back()["parts"].push_back(part);
    return;
  }
  contents.push_back({{"role", role}, {"parts", parts}});
}

Status put_messages(Json& out, const Json& messages) {
  Json contents = Json::array();
  std::string system;
  CallNames names;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages[i];
    const std::string role = message.value("role", std::string());
    const Json content = message.value("content", Json());
    if (role == "system" || role == "developer") {
      system += (system.empty() ? "" : "\n\n") + text_of_content(content);
      continue;
    }
    Json parts = Json::array();
    if (role == "tool" || role == "function") {
      parts.push_back(function_response(message, names));
    } else {
      auto put = put_parts(parts, content, "messages[" + std::to_string(i) + "]");
      if (!put.ok()) return put;
      put_calls(parts, message, names);
    }
    append(contents, role == "assistant" ? "model" : "user", parts);
  }
  if (contents.empty()) return cannot("Gemini needs at least one user message.", "messages");
  out["contents"] = std::move(contents);
  if (!system.empty()) out["systemInstruction"] = {{"parts", Json::array({Json{{"text", system}}})}};
  return done();
}

void put_tools(Json& out, const Json& body) {
  if (!body.contains("tools") || !body["tools"].is_array()) return;
  Json declarations = Json::array();
  for (const auto& tool : body["tools"]) {
    const Json function = tool.value("function", Json::object());
    Json made = {{"name", function.value("name", std::string())}};
    for (const char* key : {"description", "parameters"}) {
      if (function.contains(key)) made[key] = function[key];
    }
    declarations.push_back(std::move(made));
  }
  out["tools"] = Json::array({Json{{"functionDeclarations", declarations}}});
  const Json choice = body.value("tool_choice", Json());
  Json calling;
  if (choice == "none") calling = {{"mode", "NONE"}};
  if (choice == "auto") calling = {{"mode", "AUTO"}};
  if (choice == "required") calling = {{"mode", "ANY"}};
  if (choice.is_object() && choice.contains("function")) {
    calling = {{"mode", "ANY"},
               {"allowedFunctionNames",
                Json::array({choice["function"].value("name", std::string())})}};
  }
  if (!calling.is_null()) out["toolConfig"] = {{"functionCallingConfig", calling}};
}

void put_parameters(Json& out, const Json& body) {
  Json config = Json::object();
  for (const auto& [theirs, ours] :
       {std::pair{"temperature", "temperature"}, std::pair{"top_p", "topP"}, std::pair{"seed", "seed"},
        std::pair{"presence_penalty", "presencePenalty"},
        std::pair{"frequency_penalty", "frequencyPenalty"}, std::pair{"max_tokens", "maxOutputTokens"},
        std::pair{"max_completion_tokens", "maxOutputTokens"}}) {
    if (body.contains(theirs) && body[theirs].is_number()) config[ours] = body[theirs];
  }
  if (body.contains("stop") && !body["stop"].is_null()) {
    config["stopSequences"] = body["stop"].is_array() ? body["stop"] : Json::array({body["stop"]});
  }
  const Json format = body.value("response_format", Json::object());
  const std::string type = format.is_object() ? format.value("type", std::string()) : std::string();
  if (type == "json_object" || type == "json_schema") config["responseMimeType"] = "application/json";
  if (type == "json_schema" && format.contains("json_schema")) {
    config["responseJsonSchema"] = format["json_schema"].value("schema", Json::object());
  }
  if (!config.empty()) out["generationConfig"] = config;
}

}  // namespace

Result<std::string> generate_body(const ChatRequest& request) {
  if (request.choices > 1) return cannot("Mainstay asks Gemini for one choice; leave 'n' out.", "n");
  auto body = parse_json(request.body);
  if (!body.ok()) return body.error();
  Json out = Json::object();
  auto put = put_messages(out, (*body)["messages"]);
  if (!put.ok()) return put.error();
  put_tools(out, *body);
  put_parameters(out, *body);
  return dump(out);
}

}  // namespace mainstay::models::gemini
