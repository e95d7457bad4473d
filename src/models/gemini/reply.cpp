// Candidates, parts and finish reasons.
#include "models/gemini/reply.h"

#include "models/provider_error.h"

namespace mainstay::models::gemini {
namespace {

std::string string_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json object_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

std::uint64_t number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string finish_of(const std::string& reason) {
  if (reason.empty()) return {};
  if (reason == "STOP") return "stop";
  if (reason == "MAX_TOKENS") return "length";
  return "content_filter";  // SAFETY, RECITATION, BLOCKLIST, PROHIBITED_CONTENT, SPII, …
}

void read_part(Piece& piece, const Json& part, const Clock& clock, Random& random) {
  if (const std::string text = string_at(part, "text"); !text.empty()) {
    (part.value("thought", Json(false)) == true ? piece.thinking : piece.text) += text;
  }
  if (!part.contains("functionCall")) return;
  const Json call = object_at(part, "functionCall");
  std::string id = string_at(call, "id");
  if (id.empty()) id = make_id("call_", clock, random);
  piece.tool_calls.push_back(tool_call_json(id, string_at(call, "name"), dump(object_at(call, "args"))));
}

}  // namespace

Result<Piece> read_piece(const std::string& text, const Clock& clock, Random& random) {
  auto parsed = parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (parsed->contains("error")) return failed_inside(words_of(text));
  Piece piece;
  const auto candidates = parsed->find("candidates");
  if (candidates != parsed->end() && candidates->is_array() && !candidates->empty() &&
      candidates->front().is_object()) {
    const Json& candidate = candidates->front();
    const Json content = object_at(candidate, "content");
    for (const auto& part : content.value("parts", Json::array())) {
      if (part.is_object()) read_part(piece, part, clock, random);
    }
    piece.finish = finish_of(string_at(candidate, "finishReason"));
  } else if (!string_at(object_at(*parsed, "promptFeedback"), "blockReason").empty()) {
    piece.finish = "content_filter";
  } else if (!parsed->contains("usageMetadata")) {
    return not_understood("neither candidates nor usage");
  }
  if (parsed->contains("usageMetadata")) {
    const Json usage = object_at(*parsed, "usageMetadata");
    piece.usage.prompt = number_at(usage, "promptTokenCount");
    piece.usage.completion =
        number_at(usage, "candidatesTokenCount") + number_at(usage, "thoughtsTokenCount");
    piece.usage.known = true;
  }
  if (piece.finish == "stop" && !piece.tool_calls.empty()) piece.finish = "tool_calls";
  return piece;
}

ChatReply whole(const AnswerHead& head, const Piece& piece) {
  Json message = {{"role", "assistant"}, {"content", piece.text}};
  if (!piece.thinking.empty()) message["reasoning_content"] = piece.thinking;
  if (!piece.tool_calls.empty()) {
    message["tool_calls"] = piece.tool_calls;
    if (piece.text.empty()) message["content"] = nullptr;
  }
  return completion(head, message, piece.finish.empty() ? "stop" : piece.finish, piece.usage);
}

Status EventTranslator::take(const std::string& data) {
  auto piece = read_piece(data, *clock_, *random_);
  if (!piece.ok()) return piece.error();
  if (piece->usage.known) usage_ = piece->usage;
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
  if (!piece->finish.empty() && !finished_) {
    finished_ = true;
    const bool stopped = piece->finish == "stop" && tools_ > 0;
    ready_.push_back(chunk(head_, Json::object(), stopped ? "tool_calls" : piece->finish));
    ready_.back().usage = usage_;
  }
  return done();
}

Status EventTranslator::closed() {
  if (!finished_) return cut_off("no finishReason");
  if (include_usage_) ready_.push_back(usage_chunk(head_, usage_));
  return done();
}

}  // namespace mainstay::models::gemini
