// Items into messages, functions into tools, options into their older names.
#include "api/response_order.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "base/json_fields.h"

namespace mainstay::api {
namespace {

/// Members whose meaning lives here; all others go on as they are.
constexpr auto kOwn = std::to_array<std::string_view>(
    {"input", "instructions", "max_output_tokens", "reasoning", "text", "tools", "tool_choice",
     "max_tool_calls", "top_logprobs", "conversation", "stream", "stream_options", "store",
     "include", "metadata", "truncation", "background"});

/// Members of chat bodies that would be at odds with what is made of the input.
constexpr auto kOfChats =
    std::to_array<std::string_view>({"messages", "n", "functions", "function_call",
                                     "response_format", "logprobs", "modalities", "audio"});

bool is_in(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

Error refused(std::string message, std::string path) {
  return Error::say(Errc::invalid, "unsupported_parameter", std::move(message), std::move(path));
}

Error wrong_type(const std::string& path, const std::string& wanted) {
  return Error::say(Errc::invalid, "invalid_type", "'" + path + "' must be " + wanted + ".", path);
}

Error required(const std::string& path) {
  return Error::say(Errc::invalid, "missing_field", "'" + path + "' is required.", path);
}

/// A member that must be a string.
Result<std::string> text_at(const Json& object, const char* key, const std::string& path) {
  const Json& found = field(object, key);
  const std::string place = path + "." + key;
  if (found.is_null()) return required(place);
  if (!found.is_string()) return wrong_type(place, "a string");
  return found.get<std::string>();
}

/// One part of a message's content.
Result<Json> part_of(const Json& part, const std::string& path) {
  if (!part.is_object()) return wrong_type(path, "an object");
  const std::string type = string_field(part, "type");
  if (type == "input_text" || type == "output_text" || type == "text") {
    auto text = text_at(part, "text", path);
    if (!text.ok()) return text.error();
    return Json{{"type", "text"}, {"text", std::move(*text)}};
  }
  if (type == "refusal") {
    auto text = text_at(part, "refusal", path);
    if (!text.ok()) return text.error();
    return Json{{"type", "refusal"}, {"refusal", std::move(*text)}};
  }
  if (!string_field(part, "file_id").empty() || !string_field(part, "file_url").empty()) {
    return refused("Files are not fetched for '" + path + "': send the content itself.", path);
  }
  if (type == "input_image") {
    auto address = text_at(part, "image_url", path);
    if (!address.ok()) return address.error();
    Json image = {{"url", std::move(*address)}};
    if (part.contains("detail") && !part["detail"].is_null()) image["detail"] = part["detail"];
    return Json{{"type", "image_url"}, {"image_url", std::move(image)}};
  }
  if (type == "input_file") {
    Json file = Json::object();
    for (const char* key : {"file_data", "filename"}) {
      if (part.contains(key)) file[key] = part[key];
    }
    return Json{{"type", "file"}, {"file", std::move(file)}};
  }
  if (type == "input_audio") {
    return Json{{"type", "input_audio"}, {"input_audio", field(part, "input_audio")}};
  }
  return Error::say(Errc::invalid, "invalid_value",
                    "'" + path +
                        ".type' must be one of input_text, output_text, refusal, "
                        "input_image, input_file, input_audio.",
                    path + ".type");
}

/// A message's content: text stays text, and one part of text becomes it.
Result<Json> content_of(const Json& content, const std::string& path) {
  if (content.is_string()) return content;
  if (content.is_null()) return required(path);
  if (!content.is_array()) return wrong_type(path, "a string or a list of parts");
  Json parts = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    auto part = part_of(content[i], path + "[" + std::to_string(i) + "]");
    if (!part.ok()) return part.error();
    parts.push_back(std::move(*part));
  }
  if (parts.size() == 1 && parts[0]["type"] == "text") return parts[0]["text"];
  return parts;
}

Result<Json> tool_of(const Json& tool, const std::string& path) {
  if (!tool.is_object()) return wrong_type(path, "an object");
  const std::string type = string_field(tool, "type");
  if (type != "function") {
    return refused("'" + path + "' must be of the type 'function': there are no built-in tools.",
                   path + ".type");
  }
  Json function = Json::object();
  for (const char* key : {"name", "description", "parameters", "strict"}) {
    if (tool.contains(key) && !tool[key].is_null()) function[key] = tool[key];
  }
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

/// Input items, one after the other, as messages.
class Messages {
 public:
  explicit Messages(ResponseOrder& order) : order_(order) {}

  void add(Json message, std::string item, std::string content) {
    list_.push_back(std::move(message));
    order_.origins.push_back({std::move(item), std::move(content), {}});
  }
  Status item(const Json& item, const std::string& path) {
    if (!item.is_object()) return wrong_type(path, "an object");
    const Json& told = field(item, "type");
    if (!told.is_null() && !told.is_string()) return wrong_type(path + ".type", "a string");
    const std::string type = string_field(item, "type", "message");
    if (type == "message") return message(item, path);
    if (type == "function_call") return call(item, path);
    if (type == "function_call_output") return result(item, path);
    if (type == "reasoning") {
      think(item);
      return done();
    }
    if (type == "item_reference") {
      return refused("'" + path +
                         "' refers to an item, and none are kept: send the items themselves "
                         "(clients do so with 'store': false), or use chat completions.",
                     path + ".type");
    }
    return refused("'" + path + "' cannot be of the type '" + type +
                       "': messages, function calls and their outputs can be told here.",
                   path + ".type");
  }
  Json take() { return std::move(list_); }

 private:
  /// What a model thought belongs to the calls that follow: some models refuse to go on without it.
  void think(const Json& item) {
    for (const auto& part : array_field(item, "content")) thoughts_ += string_field(part, "text");
  }
  Status message(const Json& item, const std::string& path) {
    auto role = text_at(item, "role", path);
    if (!role.ok()) return role.error();
    auto content = content_of(field(item, "content"), path + ".content");
    if (!content.ok()) return content.error();
    if (*role != "assistant") thoughts_.clear();
    if (*role == "assistant" && after_calls()) {
      append(list_.back()["content"], std::move(*content));
      return done();
    }
    add({{"role", std::move(*role)}, {"content", std::move(*content)}}, path, path + ".content");
    return done();
  }
  /// A chat's results must follow the message with the calls: text between them is part of it.
  bool after_calls() const { return !list_.empty() && list_.back().contains("tool_calls"); }
  static void append(Json& content, Json more) {
    if (content.is_null()) {
      content = std::move(more);
      return;
    }
    for (Json* one : {&content, &more}) {
      if (one->is_string()) *one = Json::array({Json{{"type", "text"}, {"text", std::move(*one)}}});
    }
    for (auto& part : more) content.push_back(std::move(part));
  }
  /// Calls that follow one another, or a text of the assistant, are one message of a chat.
  Status call(const Json& item, const std::string& path) {
    Json function = Json::object();
    for (const char* key : {"name", "arguments"}) {
      auto text = text_at(item, key, path);
      if (!text.ok()) return text.error();
      function[key] = std::move(*text);
    }
    auto id = text_at(item, "call_id", path);
    if (!id.ok()) return id.error();
    Json call = {{"id", std::move(*id)}, {"type", "function"}, {"function", std::move(function)}};
    if (item.contains("extra_content")) call["extra_content"] = item["extra_content"];
    if (list_.empty() || list_.back()["role"] != "assistant") {
      add({{"role", "assistant"}, {"content", nullptr}}, path, path);
    }
    if (!thoughts_.empty()) {
      Json& held = list_.back()["reasoning_content"];
      held = (held.is_null() ? "" : held.get<std::string>()) + std::exchange(thoughts_, {});
    }
    list_.back()["tool_calls"].push_back(std::move(call));
    order_.origins.back().calls.push_back(path);
    return done();
  }
  Status result(const Json& item, const std::string& path) {
    auto id = text_at(item, "call_id", path);
    if (!id.ok()) return id.error();
    auto output = content_of(field(item, "output"), path + ".output");
    if (!output.ok()) return output.error();
    thoughts_.clear();
    add({{"role", "tool"}, {"tool_call_id", std::move(*id)}, {"content", std::move(*output)}}, path,
        path + ".output");
    return done();
  }

  ResponseOrder& order_;
  Json list_ = Json::array();
  std::string thoughts_;  ///< of this turn, since its last call
};

Status add_messages(ResponseOrder& order, Json& chat) {
  const Json& given = order.given;
  Messages messages(order);
  const Json& instructions = field(given, "instructions");
  if (!instructions.is_null() && !instructions.is_string()) {
    return wrong_type("instructions", "a string");
  }
  if (instructions.is_string()) {
    messages.add({{"role", "system"}, {"content", instructions}}, "instructions", "instructions");
  }
  const Json& input = field(given, "input");
  if (input.is_null()) return required("input");
  if (input.is_string()) {
    messages.add({{"role", "user"}, {"content", input}}, "input", "input");
  } else if (!input.is_array()) {
    return wrong_type("input", "a string or a list of items");
  } else if (input.empty()) {
    return Error::say(Errc::invalid, "out_of_range", "'input' must have at least one item.",
                      "input");
  }
  for (std::size_t i = 0; input.is_array() && i < input.size(); ++i) {
    auto added = messages.item(input[i], "input[" + std::to_string(i) + "]");
    if (!added.ok()) return added;
  }
  chat["messages"] = messages.take();
  return done();
}

Status add_tools(const Json& given, Json& chat) {
  const Json& tools = field(given, "tools");
  if (!tools.is_null() && !tools.is_array()) return wrong_type("tools", "a list");
  for (std::size_t i = 0; i < tools.size(); ++i) {
    auto tool = tool_of(tools[i], "tools[" + std::to_string(i) + "]");
    if (!tool.ok()) return tool.error();
    chat["tools"].push_back(std::move(*tool));
  }
  const Json& choice = field(given, "tool_choice");
  if (choice.is_object() && string_field(choice, "type") == "function") {
    auto name = text_at(choice, "name", "tool_choice");
    if (!name.ok()) return name.error();
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", std::move(*name)}}}};
  } else if (choice.is_object()) {
    return refused("'tool_choice' must be auto, none, required or a function.", "tool_choice");
  } else if (!choice.is_null()) {
    chat["tool_choice"] = choice;
  }
  return done();
}

/// text.format is a chat's response_format with its members one level higher.
Status add_format(const Json& given, Json& chat) {
  const Json& text = field(given, "text");
  if (!text.is_null() && !text.is_object()) return wrong_type("text", "an object");
  if (!field(text, "verbosity").is_null()) chat["verbosity"] = field(text, "verbosity");
  const Json& format = field(text, "format");
  if (format.is_null() || string_field(format, "type") == "text") return done();
  if (!format.is_object()) return wrong_type("text.format", "an object");
  if (string_field(format, "type") != "json_schema") {
    chat["response_format"] = format;
    return done();
  }
  Json schema = Json::object();
  for (const char* key : {"name", "description", "schema", "strict"}) {
    if (format.contains(key) && !format[key].is_null()) schema[key] = format[key];
  }
  chat["response_format"] = {{"type", "json_schema"}, {"json_schema", std::move(schema)}};
  return done();
}

/// What there is not here must not be passed over in silence.
Status check_offered(const Json& given) {
  for (const auto& [key, value] : given.items()) {
    if (value.is_null()) continue;
    if (is_in(key, kOfChats)) {
      return refused("'" + key + "' does not belong into /v1/responses.", key);
    }
    if (key == "previous_response_id") {
      return refused("Responses are not kept: send the whole input, or name a 'conversation'.",
                     key);
    }
    if (key == "prompt" || key == "moderation" || key == "context_management") {
      return refused("There is no '" + key + "' here: leave it out.", key);
    }
  }
  const Json& metadata = field(given, "metadata");
  if (!metadata.is_null() && !metadata.is_object()) return wrong_type("metadata", "an object");
  const Json& background = field(given, "background");
  if (!background.is_null() && !background.is_boolean()) {
    return wrong_type("background", "true or false");
  }
  if (flag_field(given, "background")) {
    return refused("Nothing is answered in the background: hand the work to /v1/jobs.",
                   "background");
  }
  const auto likely = [](const char* key) {
    return refused("Probabilities of tokens are told by /v1/chat/completions.", key);
  };
  const Json& most_likely = field(given, "top_logprobs");
  if (!most_likely.is_null() && most_likely != 0) return likely("top_logprobs");
  for (const auto& wanted : array_field(given, "include")) {
    if (wanted == "message.output_text.logprobs") return likely("include");
  }
  return done();
}

Status add_options(const Json& given, Json& chat) {
  const Json& most = field(given, "max_output_tokens");
  if (!most.is_null()) chat["max_completion_tokens"] = most;
  const Json& reasoning = field(given, "reasoning");
  if (!reasoning.is_null() && !reasoning.is_object()) return wrong_type("reasoning", "an object");
  if (!field(reasoning, "effort").is_null()) chat["reasoning_effort"] = reasoning["effort"];
  const Json& conversation = field(given, "conversation");
  if (conversation.is_object()) {
    auto id = text_at(conversation, "id", "conversation");
    if (!id.ok()) return id.error();
    chat["conversation"] = std::move(*id);
  } else if (!conversation.is_null()) {
    chat["conversation"] = conversation;
  }
  const Json& stream = field(given, "stream");
  if (!stream.is_null()) chat["stream"] = stream;
  if (flag_field(given, "stream")) chat["stream_options"] = {{"include_usage", true}};
  return done();
}

}  // namespace

Result<ResponseOrder> response_order(const std::string& body) {
  auto parsed = parse_json(body);
  if (!parsed.ok()) return parsed.error();
  ResponseOrder order;
  order.given = std::move(*parsed);
  if (!order.given.is_object()) {
    return Error::say(Errc::invalid, "invalid_type", "The body must be a JSON object.");
  }
  auto fine = check_offered(order.given);
  if (!fine.ok()) return fine.error();
  Json chat = Json::object();
  // The names differ from one another already. Each look for one would be a walk over all.
  auto& members = static_cast<Json::object_t::Container&>(chat.get_ref<Json::object_t&>());
  for (const auto& [key, value] : order.given.items()) {
    if (!is_in(key, kOwn) && !value.is_null()) members.emplace_back(key, value);
  }
  for (auto* add : {add_tools, add_format, add_options}) {
    fine = add(order.given, chat);
    if (!fine.ok()) return fine.error();
  }
  fine = add_messages(order, chat);
  if (!fine.ok()) return fine.error();
  order.chat = dump(chat);
  return order;
}

namespace {

void replace(std::string& text, std::string_view was, std::string_view is) {
  const auto at = text.find(was);
  if (at != std::string::npos) text.replace(at, was.size(), is);
}

/// The place of what a message of the chat body holds at `rest`.
std::string place_in(const Origin& origin, std::string rest) {
  constexpr std::string_view kContent = ".content";
  constexpr std::string_view kCalls = ".tool_calls[";
  replace(rest, ".image_url.url", ".image_url");
  if (rest.starts_with(kContent)) return origin.content + rest.substr(kContent.size());
  if (rest == ".tool_call_id") return origin.item + ".call_id";
  if (!rest.starts_with(kCalls)) return origin.item + rest;
  const auto number = std::strtoull(rest.c_str() + kCalls.size(), nullptr, 10);
  const auto end = rest.find(']');
  if (end == std::string::npos || number >= origin.calls.size()) return origin.item;
  rest.erase(0, end + 1);
  replace(rest, ".function", "");
  if (rest == ".id") rest = ".call_id";
  return origin.calls[number] + rest;
}

std::string place_of(const std::string& was, const std::vector<Origin>& origins) {
  constexpr std::string_view kMessages = "messages[";
  constexpr auto kNames = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"max_completion_tokens", "max_output_tokens"},
      {"reasoning_effort", "reasoning.effort"},
      {"response_format.json_schema", "text.format"},
      {"response_format", "text.format"},
  });
  if (was.starts_with(kMessages)) {
    const auto end = was.find(']');
    const auto number = std::strtoull(was.c_str() + kMessages.size(), nullptr, 10);
    if (end == std::string::npos || number >= origins.size()) return "input";
    return place_in(origins[number], was.substr(end + 1));
  }
  if (was == "messages") return "input";
  for (const auto& [chat, here] : kNames) {
    if (was.starts_with(chat)) return std::string(here) + was.substr(chat.size());
  }
  std::string is = was;
  if (was.starts_with("tools[") || was.starts_with("tool_choice")) replace(is, ".function", "");
  return is;
}

}  // namespace

Error in_words_of_responses(Error error, const std::vector<Origin>& origins) {
  std::string is = place_of(error.field, origins);
  if (is == error.field) return error;
  replace(error.message, error.field, is);
  error.field = std::move(is);
  return error;
}

}  // namespace mainstay::api
