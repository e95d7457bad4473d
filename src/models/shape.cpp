// Builders of OpenAI's objects.
#include "models/shape.h"

#include "base/json_fields.h"
#include "models/provider_error.h"

namespace mainstay::models {
namespace {

Json chunk_head(const AnswerHead& head) {
  return {{"id", head.id},
          {"object", "chat.completion.chunk"},
          {"created", head.created},
          {"model", head.model}};
}

}  // namespace

AnswerHead make_answer_head(std::string model, const Clock& clock, Random& random) {
  return {make_id("chatcmpl-", clock, random), std::move(model), unix_seconds(clock.wall())};
}

Json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt},
          {"completion_tokens", usage.completion},
          {"total_tokens", usage.prompt + usage.completion}};
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

Result<InlineImage> inline_image(const Json& part, const std::string& where) {
  const std::string url = image_address(part);
  constexpr std::string_view kData = "data:";
  constexpr std::string_view kBase64 = ";base64,";
  if (!url.starts_with(kData)) {
    return cannot("This provider takes images as data: addresses only; send the picture itself.",
                  where);
  }
  const auto mark = url.find(kBase64);
  if (mark == std::string::npos || mark + kBase64.size() >= url.size()) {
    return Error::say(Errc::invalid, "invalid_image",
                      "An image address must look like data:image/png;base64,….", where);
  }
  return InlineImage{url.substr(kData.size(), mark - kData.size()),
                     url.substr(mark + kBase64.size())};
}

Json arguments_of_call(const Json& function) {
  const Json& given = field(function, "arguments");
  if (given.is_object()) return given;
  if (!given.is_string()) return Json::object();
  auto parsed = parse_json(given.get_ref<const std::string&>());
  return parsed.ok() && parsed->is_object() ? *parsed : Json::object();
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
    if (string_field(part, "type") != "text") continue;
    if (!out.empty()) out += '\n';
    out += string_field(part, "text");
  }
  return out;
}

}  // namespace mainstay::models
