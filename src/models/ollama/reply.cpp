// Fields of Ollama's API document into OpenAI's.
#include "models/ollama/reply.h"

#include "base/json_fields.h"
#include "base/json_mend.h"
#include "models/provider_error.h"

namespace mainstay::models::ollama {
namespace {

/// A call's arguments, an object there; some servers send its text. An empty one when it is
/// neither.
Json arguments_of_call(const Json& function) {
  const Json& given = field(function, "arguments");
  if (given.is_object()) return given;
  if (!given.is_string()) return Json::object();
  auto parsed = parse_mended(given.get_ref<const std::string&>());
  return parsed.ok() && parsed->is_object() ? *parsed : Json::object();
}

void read_tool_calls(Piece& piece, const Json& message, const Clock& clock, Random& random) {
  for (const auto& call : array_field(message, "tool_calls")) {
    const Json& function = field(call, "function");
    if (!function.is_object()) continue;
    std::string id = string_field(call, "id");  // newer servers give one
    if (id.empty()) id = make_id("call_", clock, random);
    piece.tool_calls.push_back(
        tool_call_json(id, string_field(function, "name"), dump(arguments_of_call(function))));
  }
}

}  // namespace

Result<Piece> read_piece(const std::string& text, const Clock& clock, Random& random) {
  auto parsed = parse_mended(text);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (parsed->contains("error")) return failed_inside(words_of(text));
  Piece piece;
  piece.done = flag_field(*parsed, "done");
  const Json& message = field(*parsed, "message");
  if (message.is_object()) {
    piece.text = string_field(message, "content");
    piece.thinking = string_field(message, "thinking");
    read_tool_calls(piece, message, clock, random);
  } else if (field(*parsed, "response").is_string()) {
    piece.text = string_field(*parsed, "response");
    piece.thinking = string_field(*parsed, "thinking");
  } else if (!piece.done) {
    return not_understood("neither message nor response");
  }
  piece.done_reason = string_field(*parsed, "done_reason");
  if (field(*parsed, "eval_count").is_number() || field(*parsed, "prompt_eval_count").is_number()) {
    piece.usage = {count_field(*parsed, "prompt_eval_count"), count_field(*parsed, "eval_count"),
                   true};
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
  if (!piece->thinking.empty()) ready_.push_back(thinking_chunk(head_, piece->thinking));
  if (!piece->text.empty()) ready_.push_back(text_chunk(head_, piece->text));
  for (const auto& call : piece->tool_calls) ready_.push_back(tool_chunk(head_, tools_++, call));
  if (!piece->done) return done();
  ended_ = true;
  ready_.push_back(chunk(head_, Json::object(), finish_of(*piece, tools_ > 0)));
  ready_.back().usage = piece->usage;
  if (include_usage_ && piece->usage.known) ready_.push_back(usage_chunk(head_, piece->usage));
  return done();
}

Status LineTranslator::closed() const {
  return cut_off("no line said done");
}

Result<Embeddings> read_embeddings(const std::string& text) {
  auto parsed = read_json(text);
  simdjson::dom::object reply;
  if (!parsed.ok() || parsed->get(reply) != simdjson::SUCCESS) {
    return not_understood("not a JSON object");
  }
  simdjson::dom::element error;
  if (reply["error"].get(error) == simdjson::SUCCESS) return failed_inside(words_of(text));
  simdjson::dom::array vectors;
  if (reply["embeddings"].get(vectors) != simdjson::SUCCESS) {
    return not_understood("the reply has no embeddings");
  }
  Embeddings out;
  out.vectors.reserve(vectors.size());
  for (const auto& each : vectors) {
    auto vector = read_vector(each);
    if (!vector.ok()) return vector.error();
    out.vectors.push_back(std::move(*vector));
  }
  if (reply["prompt_eval_count"].get(out.tokens) != simdjson::SUCCESS) out.tokens = 0;
  return out;
}

Result<ChatReply> whole(const AnswerHead& head, const Piece& piece) {
  if (!piece.done) return cut_off("the reply does not say done");
  Json message = {{"role", "assistant"}, {"content", piece.text}};
  if (!piece.thinking.empty()) message["reasoning_content"] = piece.thinking;
  if (!piece.tool_calls.empty()) {
    message["tool_calls"] = piece.tool_calls;
    if (piece.text.empty()) message["content"] = nullptr;
  }
  return completion(head, message, finish_of(piece, !piece.tool_calls.empty()), piece.usage);
}

}  // namespace mainstay::models::ollama
