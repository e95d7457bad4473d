// Blocks and events as Anthropic's streaming reference names them.
#include "models/anthropic/reply.h"

#include <utility>

#include "base/json_fields.h"
#include "base/json_mend.h"
#include "models/provider_error.h"

namespace mainstay::models::anthropic {
namespace {

/// Tool calls of one answer that are followed.
constexpr std::size_t kToolsMax = 256;

void read_usage(Usage& usage, const Json& from) {
  if (field(from, "input_tokens").is_number()) {
    // Tokens read from or written to Anthropic's prompt cache are counted beside input_tokens.
    usage.cached = count_field(from, "cache_read_input_tokens");
    usage.prompt = count_field(from, "input_tokens") +
                   count_field(from, "cache_creation_input_tokens") + usage.cached;
    usage.known = true;
  }
  if (field(from, "output_tokens").is_number()) {
    usage.completion = count_field(from, "output_tokens");
    usage.known = true;
  }
}

/// The status that an error of this type has when it is told by status.
int status_of(const std::string& type) {
  if (type == "invalid_request_error") return 400;
  if (type == "authentication_error") return 401;
  if (type == "permission_error") return 403;
  if (type == "not_found_error") return 404;
  if (type == "request_too_large") return 413;
  if (type == "rate_limit_error") return 429;
  if (type == "timeout_error") return 504;
  if (type == "overloaded_error") return 529;
  return 0;
}

/// An error object inside a reply of status 200.
Error told_error(const Json& object, const std::string& text) {
  const int status = status_of(string_field(field(object, "error"), "type"));
  if (status == 0) return failed_inside(words_of(text));
  return refused_by_provider(status, complaint_of(text), std::chrono::milliseconds(0));
}

}  // namespace

std::string finish_of(const std::string& stop_reason) {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded")
    return "length";
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "refusal") return "content_filter";
  return "stop";  // end_turn, stop_sequence, pause_turn
}

Result<ChatReply> whole(const AnswerHead& head, const std::string& body) {
  auto parsed = parse_mended(body);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (string_field(*parsed, "type") == "error") return told_error(*parsed, body);
  const auto content = parsed->find("content");
  if (content == parsed->end() || !content->is_array()) return not_understood("no content");
  const std::string reason = string_field(*parsed, "stop_reason");
  if (reason.empty()) return cut_off("no stop_reason");
  std::string text;
  std::string thinking;
  Json calls = Json::array();
  for (const auto& block : *content) {
    const std::string type = string_field(block, "type");
    if (type == "text") text += string_field(block, "text");
    if (type == "thinking") thinking += string_field(block, "thinking");
    if (type == "tool_use") {
      calls.push_back(tool_call_json(string_field(block, "id"), string_field(block, "name"),
                                     dump(object_field(block, "input"))));
    }
  }
  Json message = {{"role", "assistant"}, {"content", text}};
  if (!thinking.empty()) message["reasoning_content"] = thinking;
  if (!calls.empty()) {
    message["tool_calls"] = calls;
    if (text.empty()) message["content"] = nullptr;
  }
  Usage usage;
  read_usage(usage, field(*parsed, "usage"));
  return completion(head, message, finish_of(reason), usage);
}

Status EventTranslator::take(const std::string& data) {
  auto event = parse_mended(data);
  if (!event.ok() || !event->is_object()) return not_understood("event is not a JSON object");
  const std::string type = string_field(*event, "type");
  if (type == "error") return told_error(*event, data);
  if (type == "message_start") {
    read_usage(usage_, field(field(*event, "message"), "usage"));
    ready_.push_back(role_chunk(head_));
  } else if (type == "content_block_start") {
    start_block(*event);
  } else if (type == "content_block_delta") {
    block_delta(*event);
  } else if (type == "content_block_stop") {
    stop_block(*event);
  } else if (type == "message_delta") {
    read_usage(usage_, field(*event, "usage"));
    const std::string reason = string_field(field(*event, "delta"), "stop_reason");
    if (!reason.empty() && !finished_) finish(finish_of(reason));
  } else if (type == "message_stop") {
    ended_ = true;
    if (!finished_) finish(finish_of({}));
    if (include_usage_ && usage_.known) ready_.push_back(usage_chunk(head_, usage_));
  }
  return done();  // ping and events of later versions say nothing to us
}

Status EventTranslator::closed() const {
  return cut_off("no message_stop");
}

void EventTranslator::start_block(const Json& event) {
  const Json& block = field(event, "content_block");
  if (string_field(block, "type") == "tool_use") {
    if (tool_count_ >= kToolsMax) return;
    const std::size_t number = tool_count_++;
    // The input begins empty and comes in deltas; whole inputs are allowed for.
    const Json& input = object_field(block, "input");
    tools_[count_field(event, "index")] = {number, !input.empty()};
    const Json call = tool_call_json(string_field(block, "id"), string_field(block, "name"),
                                     input.empty() ? std::string() : dump(input));
    ready_.push_back(tool_chunk(head_, number, call));
  } else if (const std::string text = string_field(block, "text"); !text.empty()) {
    ready_.push_back(text_chunk(head_, text));
  }
}

void EventTranslator::block_delta(const Json& event) {
  const Json& delta = field(event, "delta");
  const std::string type = string_field(delta, "type");
  if (type == "text_delta") {
    const std::string text = string_field(delta, "text");
    if (!text.empty()) ready_.push_back(text_chunk(head_, text));
  } else if (type == "thinking_delta") {
    const std::string text = string_field(delta, "thinking");
    if (!text.empty()) ready_.push_back(thinking_chunk(head_, text));
  } else if (type == "input_json_delta") {
    const auto tool = tools_.find(count_field(event, "index"));
    const std::string piece = string_field(delta, "partial_json");
    if (tool == tools_.end() || piece.empty()) return;
    tool->second.has_arguments = true;
    put_arguments(tool->second, piece);
  }
}

/// A call without arguments has no deltas that say so; clients parse what they have been told.
void EventTranslator::stop_block(const Json& event) {
  const auto tool = tools_.find(count_field(event, "index"));
  if (tool == tools_.end() || std::exchange(tool->second.has_arguments, true)) return;
  put_arguments(tool->second, "{}");
}

void EventTranslator::put_arguments(const Tool& tool, const std::string& piece) {
  ready_.push_back(tool_chunk(head_, tool.number, {{"function", {{"arguments", piece}}}}));
}

void EventTranslator::finish(const std::string& reason) {
  finished_ = true;
  ready_.push_back(chunk(head_, Json::object(), reason));
  ready_.back().usage = usage_;
}

}  // namespace mainstay::models::anthropic
