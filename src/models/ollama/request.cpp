// The mapping of messages and parameters; names on the right are from Ollama's API document.
#include "models/ollama/request.h"

#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::ollama {
namespace {

std::string at(std::size_t index) { return "messages[" + std::to_string(index) + "]"; }

/// Text and images of a message's content.
Status put_content(Json& out, const Json& content, const std::string& path) {
  out["content"] = text_of_content(content);
  if (!content.is_array()) return done();
  Json images = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = content[i].value("type", std::string());
    const std::string field = path + ".content[" + std::to_string(i) + "]";
    if (type == "text") continue;
    if (type != "image_url") return cannot("Ollama does not take '" + type + "' parts.", field);
    auto image = inline_image(content[i], field);
    if (!image.ok()) return image.error();
    images.push_back(image->base64);
  }
  if (!images.empty()) out["images"] = images;
  return done();
}

/// Ollama wants a call's arguments as an object, OpenAI gives them as text.
Json arguments_of(const Json& function) {
  auto parsed = parse_json(function.value("arguments", std::string("{}")));
  return parsed.ok() && parsed->is_object() ? *parsed : Json::object();
}

/// The name of the tool that a call's id stands for: Ollama has no ids.
std::string tool_name(const Json& messages, const std::string& id) {
  for (const auto& message : messages) {
    if (!message.contains("tool_calls") || !message["tool_calls"].is_array()) continue;
    for (const auto& call : message["tool_calls"]) {
      if (call.value("id", std::string()) == id && call.contains("function")) {
        return call["function"].value("name", std::string());
      }
    }
  }
  return {};
}

Result<Json> message_of(const Json& messages, std::size_t index) {
  const Json& message = messages[index];
  std::string role = message.value("role", std::string());
  if (role == "developer") role = "system";
  if (role == "function") role = "tool";
  Json out = {{"role", role}};
  auto put = put_content(out, message.value("content", Json()), at(index));
  if (!put.ok()) return put.error();
  if (role == "tool") out["tool_name"] = tool_name(messages, message.value("tool_call_id", std::string()));
  if (message.contains("tool_calls") && message["tool_calls"].is_array()) {
    out["tool_calls"] = Json::array();
    for (const auto& call : message["tool_calls"]) {
      const Json function = call.value("function", Json::object());
      out["tool_calls"].push_back({{"function",
                                    {{"name", function.value("name", std::string())},
                                     {"arguments", arguments_of(function)}}}});
    }
  }
  return out;
}

Json options_of(const Json& body) {
  Json options = Json::object();
  for (const auto& [theirs, ours] :
       {std::pair{"temperature", "temperature"}, std::pair{"top_p", "top_p"}, std::pair{"seed", "seed"},
        std::pair{"presence_penalty", "presence_penalty"},
        std::pair{"frequency_penalty", "frequency_penalty"}, std::pair{"max_tokens", "num_predict"},
        std::pair{"max_completion_tokens", "num_predict"}}) {
    if (body.contains(theirs) && body[theirs].is_number()) options[ours] = body[theirs];
  }
  if (body.contains("stop") && !body["stop"].is_null()) {
    options["stop"] = body["stop"].is_array() ? body["stop"] : Json::array({body["stop"]});
  }
  return options;
}

/// Parameters that both endpoints share.
void put_common(Json& out, const Json& body, const ChatRequest& request, const std::string& model) {
  out["model"] = model;
  out["stream"] = request.stream;
  const Json options = options_of(body);
  if (!options.empty()) out["options"] = options;
  if (!body.contains("response_format") || !body["response_format"].is_object()) return;
  const Json& format = body["response_format"];
  const std::string type = format.value("type", std::string());
  if (type == "json_object") out["format"] = "json";
  if (type == "json_schema" && format.contains("json_schema")) {
    out["format"] = format["json_schema"].value("schema", Json::object());
  }
}

Result<Json> body_of(const ChatRequest& request) {
  if (request.choices > 1) return cannot("Ollama gives one choice; leave 'n' out.", "n");
  return parse_json(request.body);
}

}  // namespace

Result<std::string> chat_body(const ChatRequest& request, const std::string& model) {
  auto body = body_of(request);
  if (!body.ok()) return body.error();
  Json out = Json::object();
  put_common(out, *body, request, model);
  out["messages"] = Json::array();
  const Json& messages = (*body)["messages"];
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto message = message_of(messages, i);
    if (!message.ok()) return message.error();
    out["messages"].push_back(std::move(*message));
  }
  const bool no_tools = body->contains("tool_choice") && (*body)["tool_choice"] == "none";
  if (body->contains("tools") && !no_tools) out["tools"] = (*body)["tools"];
  return dump(out);
}

Result<std::string> generate_body(const ChatRequest& request, const std::string& model) {
  if (request.has_tools) return cannot("This model cannot use tools.", "tools");
  auto body = body_of(request);
  if (!body.ok()) return body.error();
  Json out = Json::object();
  put_common(out, *body, request, model);
  std::string system;
  std::string prompt;
  const Json& messages = (*body)["messages"];
  Json images = Json::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Json piece = Json::object();
    auto put = put_content(piece, messages[i].value("content", Json()), at(i));
    if (!put.ok()) return put.error();
    const std::string role = messages[i].value("role", std::string());
    const std::string text = piece["content"].get<std::string>();
    for (const auto& image : piece.value("images", Json::array())) images.push_back(image);
    if (role == "system" || role == "developer") {
      system += (system.empty() ? "" : "\n") + text;
    } else {
      prompt += (role == "assistant" ? "Assistant: " : "User: ") + text + "\n";
    }
  }
  // A single question needs no script of who said what.
  if (messages.size() == 1 || (messages.size() == 2 && !system.empty())) {
    prompt = text_of_content(messages.back().value("content", Json()));
  } else {
    prompt += "Assistant:";
  }
  if (!system.empty()) out["system"] = system;
  out["prompt"] = prompt;
  if (!images.empty()) out["images"] = images;
  return dump(out);
}

}  // namespace mainstay::models::ollama
