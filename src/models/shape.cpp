// Builders of OpenAI's objects.
#include "models/shape.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "models/provider_error.h"

namespace mainstay::models {
namespace {

Json chunk_head(const AnswerHead& head) {
  return {{"id", head.id},
          {"object", "chat.completion.chunk"},
          {"created", head.created},
          {"model", head.model}};
}

/// simdjson's numbers end at 64 bits, those of a text that is only passed on need not.
bool is_object_text(const std::string& text) {
  // A NUL would count as the end.
  return trim(text).starts_with('{') && text.find('\0') == std::string::npos && Json::accept(text);
}

/// A text that is to be written as it is stands in the tree as a binary value: parsed JSON has
/// none.
void append_value(std::string& out, const Json& value) {
  if (value.is_binary()) {
    const auto& text = value.get_binary();
    out.append(text.begin(), text.end());
    return;
  }
  if (!value.is_structured() || value.empty()) {
    out += dump(value);
    return;
  }
  char before = value.is_object() ? '{' : '[';
  for (const auto& [key, inner] : value.items()) {
    out += before;
    before = ',';
    if (value.is_object()) out.append(dump(Json(key))).append(":");
    append_value(out, inner);
  }
  out += value.is_object() ? '}' : ']';
}

/// A tool, a choice or a call of the only type that other formats have. Calls that a provider made
/// may lack their type.
bool is_function(const Json& value) {
  return string_field(value, "type", "function") == "function";
}

/// What the data: address holds. Errors: unsupported with `elsewhere` for another address, invalid
/// with `reason` and `broken` for a data: address that is no base64.
struct DataWords {
  const char* elsewhere;
  const char* reason;
  const char* broken;
};
Result<InlineData> inline_data(const std::string& url, const std::string& where,
                               const DataWords& words) {
  constexpr std::string_view kData = "data:";
  constexpr std::string_view kBase64 = ";base64";
  // The scheme, the type and the word are the same in capitals.
  const auto comma = std::min(url.find(','), url.size());
  const std::string head = lower_ascii(std::string_view(url).substr(0, comma));
  if (!head.starts_with(kData)) return cannot(words.elsewhere, where);
  if (!head.ends_with(kBase64) || comma + 1 >= url.size()) {
    return Error::say(Errc::invalid, words.reason, words.broken, where);
  }
  return InlineData{head.substr(kData.size(), head.size() - kData.size() - kBase64.size()),
                    url.substr(comma + 1)};
}

std::string item(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

}  // namespace

AnswerHead make_answer_head(std::string model, const Clock& clock, Random& random) {
  return {make_id("chatcmpl-", clock, random), std::move(model), unix_seconds(clock.wall())};
}

Json usage_json(const Usage& usage) {
  Json out = {{"prompt_tokens", usage.prompt},
              {"completion_tokens", usage.completion},
              {"total_tokens", usage.prompt + usage.completion}};
  if (usage.cached > 0) out["prompt_tokens_details"] = {{"cached_tokens", usage.cached}};
  if (usage.reasoning > 0) {
    out["completion_tokens_details"] = {{"reasoning_tokens", usage.reasoning}};
  }
  return out;
}

ChatReply completion(const AnswerHead& head, const Json& message, const std::string& finish_reason,
                     const Usage& usage) {
  Json out = {
      {"id", head.id},
      {"object", "chat.completion"},
      {"created", head.created},
      {"model", head.model},
      {"choices",
       Json::array({Json{{"index", 0}, {"message", message}, {"finish_reason", finish_reason}}})}};
  if (usage.known) out["usage"] = usage_json(usage);
  return {dump(out), usage};
}

ChatChunk chunk(const AnswerHead& head, const Json& delta, const std::string& finish_reason) {
  Json out = chunk_head(head);
  Json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", nullptr}};
  if (!finish_reason.empty()) choice["finish_reason"] = finish_reason;
  out["choices"] = Json::array({choice});
  ChatChunk made;
  made.json = dump(out);
  made.finish = !finish_reason.empty();
  return made;
}

ChatChunk role_chunk(const AnswerHead& head) {
  return chunk(head, {{"role", "assistant"}, {"content", ""}});
}

ChatChunk text_chunk(const AnswerHead& head, const std::string& text) {
  ChatChunk made = chunk(head, {{"content", text}});
  made.token = !text.empty();
  return made;
}

ChatChunk thinking_chunk(const AnswerHead& head, const std::string& text) {
  ChatChunk made = chunk(head, {{"reasoning_content", text}});
  made.token = !text.empty();
  return made;
}

ChatChunk tool_chunk(const AnswerHead& head, std::size_t index, const Json& call) {
  Json numbered = {{"index", index}};
  for (const auto& [key, value] : call.items()) numbered[key] = value;
  ChatChunk made = chunk(head, {{"tool_calls", Json::array({numbered})}});
  made.token = true;
  return made;
}

ChatChunk usage_chunk(const AnswerHead& head, const Usage& usage) {
  Json out = chunk_head(head);
  out["choices"] = Json::array();
  out["usage"] = usage_json(usage);
  ChatChunk made;
  made.json = dump(out);
  made.usage = usage;
  return made;
}

Json tool_call_json(const std::string& id, const std::string& name, const std::string& arguments) {
  return {
      {"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

std::string image_address(const Json& part) {
  const Json& image = field(part, "image_url");
  return image.is_string() ? image.get<std::string>() : string_field(image, "url");
}

Result<InlineData> inline_image(const Json& part, const std::string& where) {
  constexpr DataWords kWords{
      "This provider takes images as data: addresses only; send the picture itself.",
      "invalid_image", "An image address must look like data:image/png;base64,…."};
  return inline_data(image_address(part), where, kWords);
}

Result<InlineData> inline_pdf(const Json& part, const std::string& where) {
  constexpr DataWords kWords{
      "This provider takes PDFs as data: addresses in 'file_data' only; send the file itself.",
      "invalid_value", "'file_data' must look like data:application/pdf;base64,…."};
  auto data = inline_data(string_field(field(part, "file"), "file_data"), where, kWords);
  if (data.ok() && data->media_type != "application/pdf") {
    return cannot("This provider takes no other files than PDFs.", where);
  }
  return data;
}

Json call_arguments(const Json& call) {
  const Json& given = field(field(call, "function"), "arguments");
  if (given.is_object()) return given;
  const std::string text = given.is_string() ? given.get<std::string>() : dump(given);
  if (given.is_null() || text.empty()) return Json::object();
  if (is_object_text(text)) return Json::binary({text.begin(), text.end()});
  return Json{{"invalid_json", text}};
}

std::string dump_with_texts(const Json& value) {
  std::string out;
  append_value(out, value);
  return out;
}

Status check_modalities(const Json& body, const std::string& who) {
  for (const auto& kind : array_field(body, "modalities")) {
    if (kind != "text") return cannot(who + " answers here in text alone.", "modalities");
  }
  const Json& audio = field(body, "audio");
  if (audio.is_object() && !audio.empty()) {
    return cannot(who + " answers here in text alone.", "audio");
  }
  // An empty object asks for a search, too.
  if (field(body, "web_search_options").is_object()) {
    return cannot(who + " does not search the web here.", "web_search_options");
  }
  return done();
}

Status check_translatable(const Json& body, const std::string& who,
                          const std::vector<const char*>& more) {
  if (!array_field(body, "functions").empty()) {
    return cannot(who + " takes no 'functions'; send 'tools'.", "functions");
  }
  if (!field(body, "function_call").is_null()) {
    return cannot(who + " takes no 'function_call'; send 'tool_choice'.", "function_call");
  }
  for (const char* key : more) {
    const Json& value = field(body, key);
    if (value == true || (value.is_object() && !value.empty())) {
      return cannot(who + " does not know '" + key + "'; leave it out.", key);
    }
  }
  auto text = check_modalities(body, who);
  if (!text.ok()) return text;
  const std::string format = string_field(field(body, "response_format"), "type", "text");
  if (format != "text" && format != "json_object" && format != "json_schema") {
    return cannot(who + " knows no 'response_format' of this type.", "response_format.type");
  }
  const Json& tools = array_field(body, "tools");
  for (std::size_t i = 0; i < tools.size(); ++i) {
    if (is_function(tools[i])) continue;
    return cannot(who + " takes tools of the type 'function' alone.", item("tools", i));
  }
  const Json& choice = field(body, "tool_choice");
  if (choice.is_object() && !is_function(choice)) {
    return cannot(who + " takes a 'tool_choice' of the type 'function' alone.", "tool_choice");
  }
  const Json& messages = array_field(body, "messages");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string path = item("messages", i);
    if (!field(messages[i], "function_call").is_null()) {
      return cannot(who + " takes no 'function_call'; send 'tool_calls'.", path + ".function_call");
    }
    const Json& calls = array_field(messages[i], "tool_calls");
    for (std::size_t k = 0; k < calls.size(); ++k) {
      if (is_function(calls[k])) continue;
      return cannot(who + " takes calls of the type 'function' alone.",
                    item(path + ".tool_calls", k));
    }
  }
  return done();
}

std::vector<std::size_t> results_in_call_order(const Json& messages) {
  std::vector<std::size_t> order(messages.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (string_field(messages[i], "role") != "assistant") continue;
    std::map<std::string, std::size_t> ranks;
    for (const auto& call : array_field(messages[i], "tool_calls")) {
      ranks.emplace(string_field(call, "id"), ranks.size());
    }
    std::size_t end = i + 1;
    while (end < messages.size() && string_field(messages[end], "role") == "tool") ++end;
    const auto rank = [&](std::size_t place) {
      const auto known = ranks.find(string_field(messages[place], "tool_call_id"));
      return std::pair(known != ranks.end() ? known->second : ranks.size(), place);
    };
    std::ranges::sort(order.begin() + static_cast<std::ptrdiff_t>(i + 1),
                      order.begin() + static_cast<std::ptrdiff_t>(end), {}, rank);
  }
  return order;
}

const Json& content_of(const Json& message) {
  const Json& content = field(message, "content");
  return content.is_null() ? field(message, "refusal") : content;
}

bool answers_in_json(const Json& body) {
  const std::string type = string_field(field(body, "response_format"), "type");
  return type == "json_object" || type == "json_schema";
}

std::string text_of_content(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string out;
  if (!content.is_array()) return out;
  for (const auto& part : content) {
    const std::string type = string_field(part, "type");
    if (type != "text" && type != "refusal") continue;
    if (!out.empty()) out += '\n';
    out += string_field(part, type.c_str());  // the words are under the type's name
  }
  return out;
}

}  // namespace mainstay::models
