// Deltas into a message, as OpenAI documents them: text is appended, tool calls merge by index.
#include "assistant/transcript.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json_fields.h"

namespace mainstay::assistant {
namespace {

/// Tool calls of one answer; a provider that numbers higher is not believed.
constexpr std::size_t kToolCallsMax = 256;
/// Stands for the number of a piece that has none.
constexpr std::size_t kNoIndex = std::numeric_limits<std::size_t>::max();
/// What a model thought before it called tools: DeepSeek's and Moonshot's refuse the tool's result
/// without it. Without a call nobody wants it again.
constexpr const char* kThoughts = "reasoning_content";

/// A call before its first piece.
Json new_call() {
  return {{"id", ""}, {"type", "function"}, {"function", {{"name", ""}, {"arguments", ""}}}};
}

void append_text(std::string& to, const Json& object, const char* key) {
  const Json& found = field(object, key);
  if (found.is_string()) to += found.get_ref<const std::string&>();
}

/// Some providers stream a list of parts. They are pieces of one text: nothing goes between them.
void append_content(std::string& to, const Json& delta) {
  append_text(to, delta, "content");
  for (const auto& part : array_field(delta, "content")) {
    if (string_field(part, "type") == "text") append_text(to, part, "text");
  }
}

}  // namespace

Status Transcript::add(const std::string& chunk) {
  auto parsed = parse_json(chunk);
  if (!parsed.ok()) return Error::log(Errc::bad_upstream, "chunk is not JSON");
  add_parsed(*parsed);
  return done();
}

void Transcript::add_parsed(const Json& chunk) {
  if (const Json& cited = field(chunk, "citations"); cited.is_array()) citations_ = cited;
  for (const auto& choice : array_field(chunk, "choices")) {
    // With several choices asked for, a chunk may hold another one alone.
    if (count_field(choice, "index") != 0) continue;
    const Json& delta = field(choice, "delta");
    append_content(text_, delta);
    append_text(refusal_, delta, "refusal");
    append_text(thoughts_, delta, kThoughts);
    add_tool_calls(array_field(delta, "tool_calls"));
    if (const Json& called = field(delta, "function_call"); called.is_object()) {
      if (function_call_.is_null()) function_call_ = {{"name", ""}, {"arguments", ""}};
      append_members(function_call_, called, false);
    }
    break;
  }
}

void Transcript::add_tool_calls(const Json& deltas) {
  for (const auto& delta : deltas) {
    if (!delta.is_object()) continue;
    Json* const found = call_of(delta);
    if (found == nullptr) continue;
    Json& call = *found;
    // The first piece says the type. A "custom" call has its name and input in the member "custom".
    const std::string given = string_field(delta, "type", "function");
    if (!given.empty() && given != "function" && call == new_call()) {
      call = {{"id", ""}, {"type", given}, {given, Json::object()}};
    }
    const std::string type = string_field(call, "type");
    const std::string id = string_field(delta, "id");
    if (!id.empty()) call["id"] = id;
    // What a provider wants back with the call, as Google's signature of its thoughts.
    if (const Json& extra = field(delta, "extra_content"); extra.is_object()) {
      call["extra_content"] = extra;
    }
    append_members(call[type], field(delta, type.c_str()), !id.empty());
  }
}

/// The call that a piece belongs to, begun if there is none yet; null when they are too many. Some
/// providers number every call 0, others none: then a new id is what tells the next call.
Json* Transcript::call_of(const Json& piece) {
  const std::string id = string_field(piece, "id");
  const std::size_t index = count_field(piece, "index", kNoIndex);
  if (index != kNoIndex && index >= kToolCallsMax) return nullptr;
  std::size_t after = 0;
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
    after = std::max(after, call->index + 1);
    if (index != kNoIndex && call->index != index) continue;
    const std::string held = string_field(call->whole, "id");
    const bool named_late = index != kNoIndex && held.empty();
    if (id.empty() || id == held || named_late) return &call->whole;
  }
  if (calls_.size() >= kToolCallsMax) return nullptr;
  calls_.push_back({index != kNoIndex ? index : after, new_call()});
  return &calls_.back().whole;
}

/// Texts of a call come in pieces. Its name comes whole, with some providers again in each piece;
/// beside an id (`names_whole`) it is never a further part of the one before.
void Transcript::append_members(Json& call, const Json& pieces, bool names_whole) {
  if (!pieces.is_object() || !call.is_object()) return;  // its type may be "id"
  for (const char* key : {"name", "arguments", "input"}) {
    const Json& piece = field(pieces, key);
    // Arguments are text; some servers tell them as the object that the text should hold.
    const bool object = piece.is_object() && !piece.empty() && std::string_view(key) != "name";
    if (!piece.is_string() && !object) continue;
    const std::string text = object ? dump(piece) : piece.get<std::string>();
    Json& whole = call[key];
    if (whole.is_null()) whole = "";
    if (!whole.is_string()) continue;
    auto& held = whole.get_ref<std::string&>();
    const bool name = std::string_view(key) == "name";
    if (name && (text.empty() || text == held)) continue;
    if (name && names_whole) {
      tool_bytes_ -= held.size();
      held.clear();
    }
    tool_bytes_ += text.size();
    held += text;
  }
}

void Transcript::leave_calls_out() {
  calls_.clear();
  function_call_ = nullptr;
  thoughts_.clear();
  tool_bytes_ = 0;
}

/// The calls by their numbers; without those of which nothing was told, for nobody can answer them.
Json Transcript::told_calls() const {
  std::vector<std::pair<std::size_t, std::size_t>> told;  // number, then place
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i].whole != new_call()) told.emplace_back(calls_[i].index, i);
  }
  std::ranges::sort(told);
  Json out = Json::array();
  for (const auto& [index, place] : told) out.push_back(calls_[place].whole);
  return out;
}

Json Transcript::message() const {
  Json out = {{"role", "assistant"}};
  Json tool_calls = told_calls();
  const bool calls = !tool_calls.empty() || !function_call_.is_null();
  if (text_.empty() && calls) {
    out["content"] = nullptr;
  } else {
    out["content"] = text_;
  }
  if (!refusal_.empty()) out["refusal"] = refusal_;
  if (!tool_calls.empty() && !thoughts_.empty()) out[kThoughts] = thoughts_;
  if (!tool_calls.empty()) out["tool_calls"] = std::move(tool_calls);
  if (!function_call_.is_null()) out["function_call"] = function_call_;
  return out;
}

Json message_of(const std::string& completion) {
  auto parsed = parse_json(completion);
  if (!parsed.ok()) return nullptr;
  const Json& choices = array_field(*parsed, "choices");
  const Json& message = choices.empty() ? Json() : field(choices.front(), "message");
  if (!message.is_object()) return nullptr;
  // It must be one that every provider takes, whatever this one left out. What else it told (its
  // annotations) others refuse to hear again.
  std::string text;
  append_content(text, message);
  Json out = {{"role", "assistant"}, {"content", std::move(text)}};
  bool instead = false;
  for (const char* key : {"refusal", "tool_calls", "function_call", "audio", "extra_content"}) {
    const Json& found = field(message, key);
    if (found.is_null() || (found.is_array() && found.empty())) continue;
    out[key] = found;
    instead = instead || std::string_view(key) != "extra_content";
  }
  if (instead && out["content"] == "") out["content"] = nullptr;
  const std::string thoughts = string_field(message, kThoughts);
  if (out.contains("tool_calls") && !thoughts.empty()) out[kThoughts] = thoughts;
  return out;
}

}  // namespace mainstay::assistant
