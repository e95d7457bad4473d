// Deltas into a message, as OpenAI documents them: text is appended, tool calls merge by index.
#include "assistant/transcript.h"

#include "base/json_fields.h"

namespace mainstay::assistant {
namespace {

/// Tool calls of one answer; a provider that numbers higher is not believed.
constexpr std::size_t kToolCallsMax = 256;

void append_text(std::string& to, const Json& object, const char* key) {
  const Json& found = field(object, key);
  if (found.is_string()) to += found.get_ref<const std::string&>();
}

}  // namespace

Status Transcript::add(const std::string& chunk) {
  auto parsed = parse_json(chunk);
  if (!parsed.ok()) return Error::log(Errc::bad_upstream, "chunk is not JSON");
  if (const Json& cited = field(*parsed, "citations"); cited.is_array()) citations_ = cited;
  for (const auto& choice : array_field(*parsed, "choices")) {
    // With several choices asked for, a chunk may hold another one alone.
    if (count_field(choice, "index") != 0) continue;
    const Json& delta = field(choice, "delta");
    append_text(text_, delta, "content");
    append_text(refusal_, delta, "refusal");
    add_tool_calls(array_field(delta, "tool_calls"));
    break;
  }
  return done();
}

void Transcript::add_tool_calls(const Json& deltas) {
  for (const auto& delta : deltas) {
    if (!delta.is_object()) continue;
    const Json& given = field(delta, "function");
    tool_bytes_ += string_field(given, "name").size() + string_field(given, "arguments").size();
    const std::size_t index = count_field(delta, "index");
    if (index >= kToolCallsMax) continue;
    while (tool_calls_.size() <= index) {
      tool_calls_.push_back(
          {{"id", ""}, {"type", "function"}, {"function", {{"name", ""}, {"arguments", ""}}}});
    }
    Json& call = tool_calls_[index];
    if (const Json& id = field(delta, "id"); id.is_string()) call["id"] = id;
    // What a provider wants back with the call, as Google's signature of its thoughts.
    if (const Json& extra = field(delta, "extra_content"); extra.is_object()) {
      call["extra_content"] = extra;
    }
    const Json& function = field(delta, "function");
    append_text(call["function"]["name"].get_ref<std::string&>(), function, "name");
    append_text(call["function"]["arguments"].get_ref<std::string&>(), function, "arguments");
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
  if (!parsed.ok()) return nullptr;
  const Json& choices = array_field(*parsed, "choices");
  return choices.empty() ? Json() : field(choices.front(), "message");
}

}  // namespace mainstay::assistant
