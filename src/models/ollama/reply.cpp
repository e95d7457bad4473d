// Fields of Ollama's API document into OpenAI's.
#include "models/ollama/reply.h"

#include "models/provider_error.h"

namespace mainstay::models::ollama {
namespace {

std::string string_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

void read_tool_calls(Piece& piece, const Json& message, const Clock& clock, Random& random) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || !calls->is_array()) return;
  for (const auto& call : *calls) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
    const Json& function = call["function"];
    const Json arguments = function.value("arguments", Json::object());
    piece.tool_calls.push_back(tool_call_json(
        make_id("call_", clock, random), string_at(function, "name"),
        arguments.is_string() ? arguments.get<std::string>() : dump(arguments)));
  }
}

}  // namespace

Result<Piece> read_piece(const std::string& text, const Clock& clock, Random& random) {
  auto parsed = parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (parsed->contains("error")) return failed_inside(words_of(text));
  Piece piece;
  const auto message = parsed->find("message");
  if (message != parsed->end() && message->is_object()) {
    piece.text = string_at(*message, "content");
    piece.thinking = string_at(*message, "thinking");
    read_tool_calls(piece, *message, clock, random);
  } else if (parsed->contains("response")) {
    piece.text = string_at(*parsed, "response");
    piece.thinking = string_at(*parsed, "thinking");
  } else if (!parsed->value("done", false)) {
    return not_understood("neither message nor response");
  }
  const auto done = parsed->find("done");
  piece.done = done != parsed->end() && done->is_boolean() && done->get<bool>();
  piece.done_reason = string_at(*parsed, "done_reason");
  if (parsed->contains("eval_count") || parsed->contains("prompt_eval_count")) {
    piece.usage = {number_at(*parsed, "prompt_eval_count"), number_at(*parsed, "eval_count"), true};
  }
  return piece;
}

std::string finish_of(const Piece& piece, bool called_tools) {
  if (called_tools) return "tool_calls";
  return piece.done_reason == "length" ? "length" : "stop";
}

Status LineTranslator::take(const std::string& line) {
  if (line.find_first_not_of(" \t\r") == std::string::npos) return done();
  auto piece = read_piece(line, *clock_, *random_);
  if (!piece.ok()) return piece.error();
  if (!piece->thinking.empty()) {
    ready_.push_back(chunk(head_, {{"reasoning_content", piece->thinking}}));
    ready_.back().token = true;
  }
  if (!piece->text.empty()) ready_.push_back(text_chunk(head_, piece->text));
  for (const auto& call : piece->tool_calls) {
    const Json& function = call["function"];
    ready_.push_back(tool_chunk(head_, tools_++, call["id"].get<std::string>(),
                                function["name"].get<std::string>(),
                                function["arguments"].get<std::string>()));
  }
  if (!piece->done) return done();
  ended_ = true;
  ready_.push_back(chunk(head_, Json::object(), finish_of(*piece, tools_ > 0)));
  ready_.back().usage = piece->usage;
  if (include_usage_) ready_.push_back(usage_chunk(head_, piece->usage));
  return done();
}

Status LineTranslator::closed() const { return cut_off("no line said done"); }

ChatReply whole(const AnswerHead& head, const Piece& piece) {
  Json message = {{"role", "assistant"}, {"content", piece.text}};
  if (!piece.thinking.empty()) message["reasoning_content"] = piece.thinking;
  if (!piece.tool_calls.empty()) {
    message["tool_calls"] = piece.tool_calls;
    if (piece.text.empty()) message["content"] = nullptr;
  }
  return completion(head, message, finish_of(piece, !piece.tool_calls.empty()), piece.usage);
}

}  // namespace mainstay::models::ollama
