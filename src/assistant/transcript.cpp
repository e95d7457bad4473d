// Deltas into a message, as OpenAI documents them: text is appended, tool calls merge by index.
#include "assistant/transcript.h"

#include "base/json_fields.h"

namespace mainstay::assistant {
namespace {

/// Tool calls of one answer; a provider that numbers higher is not believed.
constexpr std::size_t kToolCallsMax = 256;

/// A call before its first piece.
Json new_call() {
  return {{"id", ""}, {"type", "function"}, {"function", {{"name", ""}, {"arguments", ""}}}};
}

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
    if (const Json& called = field(delta, "function_call"); called.is_object()) {
      if (function_call_.is_null()) function_call_ = {{"name", ""}, {"arguments", ""}};
      append_members(function_call_, called);
    }
    break;
  }
  return done();
}

void Transcript::add_tool_calls(const Json& deltas) {
  for (const auto& delta : deltas) {
    if (!delta.is_object()) continue;
    const std::size_t index = count_field(delta, "index");
    if (index >= kToolCallsMax) continue;
    while (tool_calls_.size() <= index) tool_calls_.push_back(new_call());
    Json& call = tool_calls_[index];
    // The first piece says the type. A "custom" call has its name and input in the member "custom".
    const std::string given = string_field(delta, "type", "function");
    if (!given.empty() && given != "function" && call == new_call()) {
      call = {{"id", ""}, {"type", given}, {given, Json::object()}};
    }
    const std::string type = string_field(call, "type");
    if (const Json& id = field(delta, "id"); id.is_string()) call["id"] = id;
    // What a provider wants back with the call, as Google's signature of its thoughts.
    if (const Json& extra = field(delta, "extra_content"); extra.is_object()) {
      call["extra_content"] = extra;
    }
    append_members(call[type], field(delta, type.c_str()));
  }
}

/// Texts of a call come in pieces.
void Transcript::append_members(Json& call, const Json& pieces) {
  if (!pieces.is_object() || !call.is_object()) return;  // its type may be "id"
  for (const auto& [key, piece] : pieces.items()) {
    if (!piece.is_string()) continue;
    const auto& text = piece.get_ref<const std::string&>();
    tool_bytes_ += text.size();
    Json& whole = call[key];
    if (whole.is_null()) whole = "";
    if (whole.is_string()) whole.get_ref<std::string&>() += text;
  }
}

void Transcript::leave_calls_out() {
  tool_calls_ = Json::array();
  function_call_ = nullptr;
  tool_bytes_ = 0;
}

Json Transcript::message() const {
  Json out = {{"role", "assistant"}};
  const bool calls = !tool_calls_.empty() || !function_call_.is_null();
  if (text_.empty() && calls) {
    out["content"] = nullptr;
  } else {
    out["content"] = text_;
  }
  if (!refusal_.empty()) out["refusal"] = refusal_;
  if (!tool_calls_.empty()) out["tool_calls"] = tool_calls_;
  if (!function_call_.is_null()) out["function_call"] = function_call_;
  return out;
}

Json message_of(const std::string& completion) {
  auto parsed = parse_json(completion);
  if (!parsed.ok()) return nullptr;
  const Json& choices = array_field(*parsed, "choices");
  const Json& message = choices.empty() ? Json() : field(choices.front(), "message");
  if (!message.is_object()) return nullptr;
  // What else a provider tells (its reasoning, annotations) other providers refuse to hear again.
  Json out = Json::object();
  for (const char* key :
       {"role", "content", "refusal", "tool_calls", "function_call", "audio", "extra_content"}) {
    const auto found = message.find(key);
    if (found == message.end()) continue;
    const bool says_nothing = found->is_null() || (found->is_array() && found->empty());
    if (!says_nothing || std::string_view(key) == "content") out[key] = *found;
  }
  return out;
}

}  // namespace mainstay::assistant
