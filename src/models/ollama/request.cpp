// The mapping of messages and parameters; names on the right are from Ollama's API document.
#include "models/ollama/request.h"

#include <map>

#include "base/json_fields.h"
#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::ollama {
namespace {

std::string at(std::size_t index) {
  return "messages[" + std::to_string(index) + "]";
}

/// Text and images of a message's content.
Status put_content(Json& out, const Json& content, const std::string& path) {
  out["content"] = text_of_content(content);
  if (!content.is_array()) return done();
  Json images = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = string_field(content[i], "type");
    const std::string where = path + ".content[" + std::to_string(i) + "]";
    if (type == "text" || type == "refusal") continue;
    if (type != "image_url") return cannot("Ollama does not take '" + type + "' parts.", where);
    auto image = inline_image(content[i], where);
    if (!image.ok()) return image.error();
    images.push_back(image->base64);
  }
  if (!images.empty()) out["images"] = images;
  return done();
}

/// Names of called functions by call id: Ollama answers by name. The newest call of an id counts.
using CallNames = std::map<std::string, std::string>;

Result<Json> message_of(const Json& message, CallNames& names, const std::string& path) {
  std::string role = string_field(message, "role");
  if (role == "developer") role = "system";
  if (role == "function") role = "tool";
  Json out = {{"role", role}};
  auto put = put_content(out, content_of(message), path);
  if (!put.ok()) return put.error();
  if (role == "tool") {
    const auto known = names.find(string_field(message, "tool_call_id"));
    out["tool_name"] = known != names.end() ? known->second : string_field(message, "name");
  }
  Json calls = Json::array();
  for (const auto& call : array_field(message, "tool_calls")) {
    const std::string name = string_field(field(call, "function"), "name");
    names[string_field(call, "id")] = name;
    // Ollama wants a call's arguments as an object, OpenAI gives them as text.
    calls.push_back({{"function", {{"name", name}, {"arguments", call_arguments(call)}}}});
  }
  // What a model thought before its calls is of use to it; gpt-oss was trained to hear it again.
  const std::string thoughts = string_field(message, "reasoning_content");
  if (!calls.empty() && !thoughts.empty()) out["thinking"] = thoughts;
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  return out;
}

/// The caller's own options of Ollama's; OpenAI's parameters go before them. A num_predict bounds
/// the answer as max_tokens does; at 0 and below it bounds nothing.
Json options_of(const Json& body) {
  Json options = object_field(body, "options");
  const Json& most = field(options, "num_predict");
  if (!most.is_number() || most <= 0) options.erase("num_predict");
  for (const auto& [theirs, ours] :
       {std::pair{"temperature", "temperature"}, std::pair{"top_p", "top_p"},
        std::pair{"top_k", "top_k"}, std::pair{"min_p", "min_p"}, std::pair{"seed", "seed"},
        std::pair{"presence_penalty", "presence_penalty"},
        std::pair{"frequency_penalty", "frequency_penalty"}, std::pair{"max_tokens", "num_predict"},
        std::pair{"max_completion_tokens", "num_predict"}}) {
    const Json& value = field(body, theirs);
    if (value.is_number()) options[ours] = value;
  }
  const Json& stop = field(body, "stop");
  if (stop.is_string()) options["stop"] = Json::array({stop});
  if (stop.is_array()) options["stop"] = stop;
  return options;
}

/// Ollama's `think`; null: the model's own way. Only gpt-oss thinks more or less, and cannot do
/// without; a model that cannot think refuses to be asked for it, so an effort asks no other.
Json thinking_of(const Json& body, const std::string& model) {
  const Json& think = field(body, "think");
  if (!think.is_null()) return think;
  const std::string effort = string_field(body, "reasoning_effort");
  if (model.find("gpt-oss") == std::string::npos) return effort == "none" ? Json(false) : Json();
  if (effort == "none" || effort == "minimal") return "low";
  return effort == "low" || effort == "medium" || effort == "high" ? Json(effort) : Json();
}

/// Parameters that both endpoints share.
void put_common(Json& out, const Json& body, const ChatRequest& request, const std::string& model) {
  out["model"] = model;
  out["stream"] = request.stream;
  const Json options = options_of(body);
  if (!options.empty()) out["options"] = options;
  if (const Json& keep = field(body, "keep_alive"); !keep.is_null()) out["keep_alive"] = keep;
  if (Json think = thinking_of(body, model); !think.is_null()) out["think"] = std::move(think);
  if (!answers_in_json(body)) return;
  const Json& schema = object_field(field(field(body, "response_format"), "json_schema"), "schema");
  out["format"] = schema.empty() ? Json("json") : schema;
}

/// Ollama has no tool_choice: "none" leaves the tools out, a named function leaves out the others,
/// "required" is left to the model.
Json tools_of(const Json& body) {
  const Json& choice = field(body, "tool_choice");
  Json out = Json::array();
  if (choice.is_string() && choice == "none") return out;
  const std::string only = string_field(field(choice, "function"), "name");
  for (const auto& tool : array_field(body, "tools")) {
    if (only.empty() || string_field(field(tool, "function"), "name") == only) out.push_back(tool);
  }
  return out;
}

std::string_view speaker(const std::string& role) {
  if (role == "assistant") return "Assistant";
  return role == "tool" || role == "function" ? "Tool" : "User";
}

Result<Json> body_of(const ChatRequest& request) {
  if (request.choices > 1) return cannot("Ollama gives one choice; leave 'n' out.", "n");
  auto body = parse_json(request.body);
  if (!body.ok()) return body;
  auto fine = check_translatable(*body, "Ollama", {"logprobs", "logit_bias"});
  if (!fine.ok()) return fine.error();
  return body;
}

}  // namespace

Result<std::string> chat_body(const ChatRequest& request, const std::string& model) {
  auto body = body_of(request);
  if (!body.ok()) return body.error();
  Json out = Json::object();
  put_common(out, *body, request, model);
  const Json& messages = array_field(*body, "messages");
  Json translated = Json::array();
  CallNames names;
  for (const std::size_t i : results_in_call_order(messages)) {
    auto message = message_of(messages[i], names, at(i));
    if (!message.ok()) return message.error();
    translated.push_back(std::move(*message));
  }
  out["messages"] = std::move(translated);
  Json tools = tools_of(*body);
  if (!tools.empty()) out["tools"] = std::move(tools);
  return dump_with_texts(out);
}

Result<std::string> generate_body(const ChatRequest& request, const std::string& model) {
  if (request.has_tools) return cannot("This model cannot use tools.", "tools");
  auto body = body_of(request);
  if (!body.ok()) return body.error();
  Json out = Json::object();
  put_common(out, *body, request, model);
  std::string system;
  std::string script;
  std::string newest;
  std::size_t turns = 0;
  Json images = Json::array();
  const Json& messages = array_field(*body, "messages");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Json piece = Json::object();
    auto put = put_content(piece, content_of(messages[i]), at(i));
    if (!put.ok()) return put.error();
    for (const auto& image : array_field(piece, "images")) images.push_back(image);
    const std::string text = string_field(piece, "content");
    const std::string role = string_field(messages[i], "role");
    if (role == "system" || role == "developer") {
      system += (system.empty() ? "" : "\n\n") + text;
      continue;
    }
    ++turns;
    newest = text;
    script += std::string(speaker(role)) + ": " + text + "\n";
  }
  // A single question needs no script of who said what; orders alone are the question.
  std::string prompt = turns > 1 ? script + "Assistant:" : newest;
  if (turns == 0) std::swap(prompt, system);
  if (!system.empty()) out["system"] = system;
  out["prompt"] = prompt;
  if (!images.empty()) out["images"] = images;
  return dump(out);
}

std::string embed_body(const EmbedRequest& request, const std::string& model) {
  Json out = {{"model", model}, {"truncate", true}};
  if (request.dimensions > 0) out["dimensions"] = request.dimensions;
  out["input"] = request.texts;
  return dump(out);
}

}  // namespace mainstay::models::ollama
