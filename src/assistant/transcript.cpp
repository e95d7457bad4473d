// Deltas into a message, as OpenAI documents them: text is appended, tool calls merge by index.
#include "assistant/transcript.h"

namespace mainstay::assistant {
namespace {

/// Tool calls of one answer; a provider that numbers higher is not believed.
constexpr std::size_t kToolCallsMax = 256;

void append_text(std::string& to, const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found != object.end() && found->is_string()) to += found->get_ref<const std::string&>();
}

}  // namespace

Status Transcript::add(const std::string& chunk) {
  auto parsed = parse_json(chunk);
  if (!parsed.ok()) return Error::log(Errc::bad_upstream, "chunk is not JSON");
  if (const auto cited = parsed->find("citations"); cited != parsed->end()) citations_ = *cited;
  const auto choices = parsed->find("choices");
  if (choices == parsed->end() || !choices->is_array() || choices->empty()) return done();
  const Json& choice = choices->front();
  const auto delta = choice.is_object() ? choice.find("delta") : choice.end();
  if (!choice.is_object() || delta == choice.end() || !delta->is_object()) return done();
  append_text(text_, *delta, "content");
  append_text(refusal_, *delta, "refusal");
  if (const auto calls = delta->find("tool_calls"); calls != delta->end()) add_tool_calls(*calls);
  return done();
}

void Transcript::add_tool_calls(const Json& deltas) {
  if (!deltas.is_array()) return;
  for (const auto& delta : deltas) {
    if (!delta.is_object()) continue;
    const std::size_t index = delta.value("index", std::size_t{0});
    if (index >= kToolCallsMax) continue;
    while (tool_calls_.size() <= index) {
      tool_calls_.push_back(
          {{"id", ""}, {"type", "function"}, {"function", {{"name", ""}, {"arguments", ""}}}});
    }
    Json& call = tool_calls_[index];
    if (const auto id = delta.find("id"); id != delta.end() && id->is_string()) call["id"] = *id;
    const auto function = delta.find("function");
    if (function == delta.end() || !function->is_object()) continue;
    append_text(call["function"]["name"].get_ref<std::string&>(), *function, "name");
    append_text(call["function"]["arguments"].get_ref<std::string&>(), *function, "arguments");
  }
}

Json Transcript::message() const {
  Json out = {{"role", "assistant"}};
  if (text_.empty() && !tool_calls_.empty()) {
    out["content"] = nullptr;
  } else {
    out["content"] = text_;
  }
  if (!refusal_.empty()) out["refusal"] = refusal_;
  if (!tool_calls_.empty()) out["tool_calls"] = tool_calls_;
  return out;
}

Json message_of(const std::string& completion) {
  auto parsed = parse_json(completion);
  if (!parsed.ok() || !parsed->is_object()) return nullptr;
  const auto choices = parsed->find("choices");
  if (choices == parsed->end() || !choices->is_array() || choices->empty()) return nullptr;
  const auto message = choices->front().find("message");
  return message == choices->front().end() ? Json(nullptr) : *message;
}

}  // namespace mainstay::assistant
