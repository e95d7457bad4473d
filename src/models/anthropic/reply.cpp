// Blocks and events as Anthropic's streaming reference names them.
#include "models/anthropic/reply.h"

#include "models/provider_error.h"

namespace mainstay::models::anthropic {
namespace {

/// Tool calls of one answer that are followed.
constexpr std::size_t kToolsMax = 256;

std::string string_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json object_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

void read_usage(Usage& usage, const Json& from) {
  if (from.contains("input_tokens") && from["input_tokens"].is_number_unsigned()) {
    usage.prompt = from["input_tokens"].get<std::uint64_t>();
    // Tokens read from or written to Anthropic's prompt cache are counted beside input_tokens.
    for (const char* key : {"cache_creation_input_tokens", "cache_read_input_tokens"}) {
      if (from.contains(key) && from[key].is_number_unsigned()) {
        usage.prompt += from[key].get<std::uint64_t>();
      }
    }
    usage.known = true;
  }
  if (from.contains("output_tokens") && from["output_tokens"].is_number_unsigned()) {
    usage.completion = from["output_tokens"].get<std::uint64_t>();
    usage.known = true;
  }
}

}  // namespace

std::string finish_of(const std::string& stop_reason) {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") return "length";
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "refusal") return "content_filter";
  return "stop";  // end_turn, stop_sequence, pause_turn
}

Result<ChatReply> whole(const AnswerHead& head, const std::string& body) {
  auto parsed = parse_json(body);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (string_at(*parsed, "type") == "error") return failed_inside(words_of(body));
  const auto content = parsed->find("content");
  if (content == parsed->end() || !content->is_array()) return not_understood("no content");
  std::string text;
  std::string thinking;
  Json calls = Json::array();
  for (const auto& block : *content) {
    if (!block.is_object()) continue;
    const std::string type = string_at(block, "type");
    if (type == "text") text += string_at(block, "text");
    if (type == "thinking") thinking += string_at(block, "thinking");
    if (type == "tool_use") {
      calls.push_back(tool_call_json(string_at(block, "id"), string_at(block, "name"),
                                     dump(object_at(block, "input"))));
    }
  }
  Json message = {{"role", "assistant"}, {"content", text}};
  if (!thinking.empty()) message["reasoning_content"] = thinking;
  if (!calls.empty()) {
    message["tool_calls"] = calls;
    if (text.empty()) message["content"] = nullptr;
  }
  Usage usage;
  read_usage(usage, object_at(*parsed, "usage"));
  return completion(head, message, finish_of(string_at(*parsed, "stop_reason")), usage);
}

Status EventTranslator::take(const std::string& data) {
  auto event = parse_json(data);
  if (!event.ok() || !event->is_object()) return not_understood("event is not a JSON object");
  const std::string type = string_at(*event, "type");
  if (type == "error") return failed_inside(words_of(data));
  if (type == "message_start") {
    read_usage(usage_, object_at(object_at(*event, "message"), "usage"));
    ready_.push_back(role_chunk(head_));
  } else if (type == "content_block_start") {
    start_block(*event);
  } else if (type == "content_block_delta") {
    block_delta(*event);
  } else if (type == "message_delta") {
    finish(*event);
  } else if (type == "message_stop") {
    ended_ = true;
    if (include_usage_) ready_.push_back(usage_chunk(head_, usage_));
  }
  return done();  // ping, content_block_stop and events of later versions say nothing to us
}

Status EventTranslator::closed() const { return cut_off("no message_stop"); }

void EventTranslator::start_block(const Json& event) {
  const Json block = object_at(event, "content_block");
  if (string_at(block, "type") == "tool_use" && tools_.size() < kToolsMax) {
    const std::size_t number = tools_.size();
    tools_[event.value("index", std::int64_t{0})] = number;
    ready_.push_back(tool_chunk(head_, number, string_at(block, "id"), string_at(block, "name"), ""));
  } else if (const std::string text = string_at(block, "text"); !text.empty()) {
    ready_.push_back(text_chunk(head_, text));
  }
}

void EventTranslator::block_delta(const Json& event) {
  const Json delta = object_at(event, "delta");
  const std::string type = string_at(delta, "type");
  if (type == "text_delta") {
    ready_.push_back(text_chunk(head_, string_at(delta, "text")));
  } else if (type == "thinking_delta") {
    ready_.push_back(chunk(head_, {{"reasoning_content", string_at(delta, "thinking")}}));
    ready_.back().token = true;
  } else if (type == "input_json_delta") {
    const auto tool = tools_.find(event.value("index", std::int64_t{0}));
    if (tool == tools_.end()) return;
    const Json call = {{"index", tool->second},
                       {"function", {{"arguments", string_at(delta, "partial_json")}}}};
    ready_.push_back(chunk(head_, {{"tool_calls", Json::array({call})}}));
    ready_.back().token = true;
  }
}

void EventTranslator::finish(const Json& event) {
  read_usage(usage_, object_at(event, "usage"));
  const std::string reason = string_at(object_at(event, "delta"), "stop_reason");
  if (reason.empty()) return;
  ready_.push_back(chunk(head_, Json::object(), finish_of(reason)));
  ready_.back().usage = usage_;
}

}  // namespace mainstay::models::anthropic
