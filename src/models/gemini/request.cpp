// Contents, parts and function declarations; names are from Gemini's REST reference (v1beta).
#include "models/gemini/request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/json_fields.h"
#include "models/provider_error.h"
#include "models/shape.h"

namespace mainstay::models::gemini {
namespace {

/// A sound's media type; empty for a format that Gemini does not hear.
std::string sound_type(const std::string& format) {
  constexpr auto kHeard =
      std::to_array<std::string_view>({"wav", "mp3", "aiff", "aac", "ogg", "flac"});
  return std::ranges::find(kHeard, format) != kHeard.end() ? "audio/" + format : std::string();
}

Result<InlineData> inline_sound(const Json& part, const std::string& where) {
  const Json& sound = field(part, "input_audio");
  const std::string type = sound_type(string_field(sound, "format"));
  if (!type.empty()) return InlineData{type, string_field(sound, "data")};
  return cannot("Gemini hears wav, mp3, aiff, aac, ogg and flac.", where);
}

/// A picture, a sound or a PDF.
Result<InlineData> inline_part(const Json& part, const std::string& type,
                               const std::string& where) {
  if (type == "image_url") return inline_image(part, where);
  if (type == "input_audio") return inline_sound(part, where);
  if (type == "file") return inline_pdf(part, where);
  return cannot("Gemini does not take '" + type + "' parts here.", where);
}

Status put_parts(Json& parts, const Json& content, const std::string& path) {
  if (content.is_string() && !content.get_ref<const std::string&>().empty()) {
    parts.push_back({{"text", content}});
  }
  if (!content.is_array()) return done();
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string type = string_field(content[i], "type");
    const std::string where = path + ".content[" + std::to_string(i) + "]";
    if (type == "text" || type == "refusal") {
      const std::string text = string_field(content[i], type.c_str());
      if (!text.empty()) parts.push_back({{"text", text}});
      continue;
    }
    auto data = inline_part(content[i], type, where);
    if (!data.ok()) return data.error();
    parts.push_back({{"inlineData", {{"mimeType", data->media_type}, {"data", data->base64}}}});
  }
  return done();
}

/// Names of called functions by call id: Gemini answers by name.
using CallNames = std::map<std::string, std::string>;

/// Gemini from version 3 on refuses a turn whose first call it has not signed, such as one of
/// another model; this is its documented word for such a turn.
constexpr const char* kUnsigned = "skip_thought_signature_validator";

/// The version in a name such as gemini-2.5-flash, times ten; 0: none of theirs. An alias such as
/// gemini-flash-latest means a new one.
int version_of(const std::string& model) {
  constexpr std::string_view kFamily = "gemini-";
  if (!model.starts_with(kFamily)) return 0;
  if (model.ends_with("-latest")) return 30;
  const char* const end = model.data() + model.size();
  int whole = 0;
  int tenths = 0;
  const auto read = std::from_chars(model.data() + kFamily.size(), end, whole);
  if (read.ptr + 1 < end && *read.ptr == '.') std::from_chars(read.ptr + 1, end, tenths);
  return std::min(whole, 100) * 10 + std::min(tenths, 9);
}

/// Version 3 or later: wants signatures, and takes pictures inside of a tool's result.
bool is_third(const std::string& model) {
  return version_of(model) >= 30;
}

void put_calls(Json& parts, const Json& message, CallNames& names, bool sign) {
  const std::size_t first = parts.size();
  for (const auto& call : array_field(message, "tool_calls")) {
    const std::string name = string_field(field(call, "function"), "name");
    names[string_field(call, "id")] = name;
    Json part = {{"functionCall", {{"name", name}, {"args", call_arguments(call)}}}};
    // What Gemini signed must come back with the call; see reply.cpp.
    const Json& google = field(field(call, "extra_content"), "google");
    const std::string signature = string_field(google, "thought_signature");
    if (!signature.empty()) part["thoughtSignature"] = signature;
    parts.push_back(std::move(part));
  }
  if (sign && parts.size() > first && !parts[first].contains("thoughtSignature")) {
    parts[first]["thoughtSignature"] = kUnsigned;
  }
}

/// A tool's result: its words as an object, its pictures from version 3 on inside of it, before
/// beside it.
Status put_result(Json& parts, const Json& message, const CallNames& names, bool third,
                  const std::string& path) {
  const auto known = names.find(string_field(message, "tool_call_id"));
  const std::string name =
      known != names.end() ? known->second : string_field(message, "name", "function");
  const Json& content = field(message, "content");
  const std::string text = text_of_content(content);
  auto parsed = parse_json(text);
  // The response must be an object; anything else is put into one.
  const Json response = parsed.ok() && parsed->is_object() ? *parsed : Json{{"result", text}};
  Json part = {{"functionResponse", {{"name", name}, {"response", response}}}};
  Json shown = Json::array();
  if (content.is_array()) {
    auto put = put_parts(shown, content, path);
    if (!put.ok()) return put;
  }
  Json pictures = Json::array();
  for (auto& one : shown) {
    if (one.contains("inlineData")) pictures.push_back(std::move(one));
  }
  if (third && !pictures.empty()) {
    part["functionResponse"]["parts"] = std::move(pictures);
    pictures = Json::array();
  }
  parts.push_back(std::move(part));
  for (auto& picture : pictures) parts.push_back(std::move(picture));
  return done();
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

Status put_messages(Json& out, const Json& messages, bool third) {
  Json contents = Json::array();
  std::string system;
  CallNames names;
  for (const std::size_t i : results_in_call_order(messages)) {
    const Json& message = messages[i];
    const std::string role = string_field(message, "role");
    const Json& content = content_of(message);
    if (role == "system" || role == "developer") {
      system += (system.empty() ? "" : "\n\n") + text_of_content(content);
      continue;
    }
    const std::string path = "messages[" + std::to_string(i) + "]";
    Json parts = Json::array();
    if (role == "tool" || role == "function") {
      auto put = put_result(parts, message, names, third, path);
      if (!put.ok()) return put;
    } else {
      auto put = put_parts(parts, content, path);
      if (!put.ok()) return put;
      put_calls(parts, message, names, third);
    }
    append(contents, role == "assistant" ? "model" : "user", parts);
  }
  if (contents.empty()) return cannot("Gemini needs at least one user message.", "messages");
  out["contents"] = std::move(contents);
  if (!system.empty())
    out["systemInstruction"] = {{"parts", Json::array({Json{{"text", system}}})}};
  return done();
}

void put_tools(Json& out, const Json& body) {
  Json declarations = Json::array();
  for (const auto& tool : array_field(body, "tools")) {
    const Json& function = field(tool, "function");
    Json made = {{"name", string_field(function, "name")}};
    const std::string description = string_field(function, "description");
    if (!description.empty()) made["description"] = description;
    // "parameters" there is a dialect that refuses much of JSON Schema; this member takes it whole.
    const Json& parameters = object_field(function, "parameters");
    if (!parameters.empty()) made["parametersJsonSchema"] = parameters;
    declarations.push_back(std::move(made));
  }
  if (declarations.empty()) return;
  out["tools"] = Json::array({Json{{"functionDeclarations", declarations}}});
  const Json& choice = field(body, "tool_choice");
  Json calling;
  if (choice == "none") calling = {{"mode", "NONE"}};
  if (choice == "auto") calling = {{"mode", "AUTO"}};
  if (choice == "required") calling = {{"mode", "ANY"}};
  if (const std::string name = string_field(field(choice, "function"), "name"); !name.empty()) {
    calling = {{"mode", "ANY"}, {"allowedFunctionNames", Json::array({name})}};
  }
  if (!calling.is_null()) out["toolConfig"] = {{"functionCallingConfig", calling}};
}

/// Tokens for thinking that Google's own OpenAI endpoint takes a reasoning_effort for; -1: none of
/// its words. A model that cannot think, or not do without, refuses to be told.
int thinking_budget(const std::string& effort, const std::string& model) {
  if (version_of(model) < 25) return -1;
  if (effort == "none") return model.find("flash") != std::string::npos ? 0 : -1;
  if (effort == "minimal" || effort == "low") return 1024;
  if (effort == "medium") return 8192;
  return effort == "high" ? 24'576 : -1;
}

void put_parameters(Json& out, const Json& body, const std::string& model) {
  Json config = Json::object();
  for (const auto& [theirs, ours] :
       {std::pair{"temperature", "temperature"}, std::pair{"top_p", "topP"},
        std::pair{"top_k", "topK"}, std::pair{"seed", "seed"},
        std::pair{"presence_penalty", "presencePenalty"},
        std::pair{"frequency_penalty", "frequencyPenalty"},
        std::pair{"max_tokens", "maxOutputTokens"},
        std::pair{"max_completion_tokens", "maxOutputTokens"}}) {
    const Json& value = field(body, theirs);
    if (value.is_number()) config[ours] = value;
  }
  const Json& stop = field(body, "stop");
  if (stop.is_string()) config["stopSequences"] = Json::array({stop});
  if (stop.is_array()) config["stopSequences"] = stop;
  const int budget = thinking_budget(string_field(body, "reasoning_effort"), model);
  if (budget >= 0) config["thinkingConfig"] = {{"thinkingBudget", budget}};
  if (answers_in_json(body)) {
    config["responseMimeType"] = "application/json";
    const Json& schema =
        object_field(field(field(body, "response_format"), "json_schema"), "schema");
    if (!schema.empty()) config["responseJsonSchema"] = schema;
  }
  if (!config.empty()) out["generationConfig"] = config;
}

}  // namespace

Result<std::string> generate_body(const ChatRequest& request, const std::string& model) {
  if (request.choices > 1)
    return cannot("Mainstay asks Gemini for one choice; leave 'n' out.", "n");
  auto body = parse_json(request.body);
  if (!body.ok()) return body.error();
  auto fine = check_translatable(*body, "Gemini", {"logprobs", "logit_bias"});
  if (!fine.ok()) return fine.error();
  Json out = Json::object();
  auto put = put_messages(out, array_field(*body, "messages"), is_third(model));
  if (!put.ok()) return put.error();
  put_tools(out, *body);
  put_parameters(out, *body, model);
  return dump_with_texts(out);
}

std::string embed_body(const EmbedRequest& request, const std::string& model, std::size_t from,
                       std::size_t to) {
  Json requests = Json::array();
  for (std::size_t i = from; i < to; ++i) {
    Json one = {{"model", "models/" + model},
                {"content", {{"parts", Json::array({{{"text", request.texts[i]}}})}}}};
    if (request.purpose == EmbedPurpose::query) one["taskType"] = "RETRIEVAL_QUERY";
    if (request.purpose == EmbedPurpose::document) one["taskType"] = "RETRIEVAL_DOCUMENT";
    if (request.dimensions > 0) one["outputDimensionality"] = request.dimensions;
    requests.push_back(std::move(one));
  }
  return dump(Json{{"requests", std::move(requests)}});
}

}  // namespace mainstay::models::gemini
