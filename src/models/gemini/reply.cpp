// Candidates, parts and finish reasons.
#include "models/gemini/reply.h"

#include "base/json_fields.h"
#include "base/json_mend.h"
#include "models/provider_error.h"

namespace mainstay::models::gemini {
namespace {

std::string finish_of(const std::string& reason) {
  if (reason.empty() || reason == "FINISH_REASON_UNSPECIFIED") return {};
  if (reason == "STOP") return "stop";
  if (reason == "MAX_TOKENS") return "length";
  return "content_filter";  // SAFETY, RECITATION, BLOCKLIST, PROHIBITED_CONTENT, SPII, …
}

/// The model's answer came to nothing: a call that Gemini itself could not read.
bool went_wrong(const std::string& reason) {
  return reason.starts_with("MALFORMED_") || reason == "UNEXPECTED_TOOL_CALL";
}

void read_part(Piece& piece, const Json& part, const Clock& clock, Random& random) {
  (flag_field(part, "thought") ? piece.thinking : piece.text) += string_field(part, "text");
  const Json& call = field(part, "functionCall");
  if (!call.is_object()) return;
  std::string id = string_field(call, "id");
  if (id.empty()) id = make_id("call_", clock, random);
  Json made = tool_call_json(id, string_field(call, "name"), dump(object_field(call, "args")));
  // Thinking models want their signature back with the call; clients of Google's own OpenAI
  // endpoint keep it here.
  const std::string signature = string_field(part, "thoughtSignature");
  if (!signature.empty()) {
    made["extra_content"] = {{"google", {{"thought_signature", signature}}}};
  }
  piece.tool_calls.push_back(std::move(made));
}

}  // namespace

Result<Piece> read_piece(const std::string& text, const Clock& clock, Random& random) {
  auto parsed = parse_mended(text);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (parsed->contains("error")) return told_inside(text);
  Piece piece;
  const Json& candidates = array_field(*parsed, "candidates");
  const Json& usage = field(*parsed, "usageMetadata");
  if (!candidates.empty() && candidates.front().is_object()) {
    const Json& candidate = candidates.front();
    for (const auto& part : array_field(field(candidate, "content"), "parts")) {
      read_part(piece, part, clock, random);
    }
    const std::string reason = string_field(candidate, "finishReason");
    if (went_wrong(reason)) {
      return failed_inside(reason + ": " + string_field(candidate, "finishMessage"));
    }
    piece.finish = finish_of(reason);
  } else if (!string_field(field(*parsed, "promptFeedback"), "blockReason").empty()) {
    piece.finish = "content_filter";
  } else if (!usage.is_object()) {
    return not_understood("neither candidates nor usage");
  }
  if (usage.is_object()) {
    piece.usage.prompt =
        count_field(usage, "promptTokenCount") + count_field(usage, "toolUsePromptTokenCount");
    piece.usage.reasoning = count_field(usage, "thoughtsTokenCount");
    piece.usage.completion = count_field(usage, "candidatesTokenCount") + piece.usage.reasoning;
    piece.usage.cached = count_field(usage, "cachedContentTokenCount");
    piece.usage.known = true;
  }
  if (piece.finish == "stop" && !piece.tool_calls.empty()) piece.finish = "tool_calls";
  return piece;
}

Status read_embeddings(const std::string& text, Embeddings& into) {
  auto parsed = read_json(text);
  simdjson::dom::object reply;
  if (!parsed.ok() || parsed->get(reply) != simdjson::SUCCESS) {
    return not_understood("not a JSON object");
  }
  simdjson::dom::element error;
  if (reply["error"].get(error) == simdjson::SUCCESS) return told_inside(text);
  simdjson::dom::array entries;
  if (reply["embeddings"].get(entries) != simdjson::SUCCESS) {
    return not_understood("the reply has no embeddings");
  }
  for (const auto& entry : entries) {
    simdjson::dom::element values;
    if (entry["values"].get(values) != simdjson::SUCCESS) {
      return not_understood("an embedding has no values");
    }
    auto vector = read_vector(values);
    if (!vector.ok()) return vector.error();
    into.vectors.push_back(std::move(*vector));
  }
  return done();
}

Result<ChatReply> whole(const AnswerHead& head, const Piece& piece) {
  if (piece.finish.empty()) {
    const bool nothing = piece.text.empty() && piece.tool_calls.empty();
    return nothing ? not_understood("no answer and no finishReason") : cut_off("no finishReason");
  }
  Json message = {{"role", "assistant"}, {"content", piece.text}};
  if (!piece.thinking.empty()) message["reasoning_content"] = piece.thinking;
  if (!piece.tool_calls.empty()) {
    message["tool_calls"] = piece.tool_calls;
    if (piece.text.empty()) message["content"] = nullptr;
  }
  return completion(head, message, piece.finish, piece.usage);
}

Status EventTranslator::take(const std::string& data) {
  auto piece = read_piece(data, *clock_, *random_);
  if (!piece.ok()) return piece.error();
  if (piece->usage.known) usage_ = piece->usage;
  if (!piece->thinking.empty()) ready_.push_back(thinking_chunk(head_, piece->thinking));
  if (!piece->text.empty()) ready_.push_back(text_chunk(head_, piece->text));
  for (const auto& call : piece->tool_calls) ready_.push_back(tool_chunk(head_, tools_++, call));
  if (finish_.empty()) finish_ = piece->finish;
  return done();
}

Status EventTranslator::closed() {
  if (finish_.empty()) return cut_off("no finishReason");
  const bool called = finish_ == "stop" && tools_ > 0;
  ready_.push_back(chunk(head_, Json::object(), called ? "tool_calls" : finish_));
  ready_.back().usage = usage_;
  if (include_usage_ && usage_.known) ready_.push_back(usage_chunk(head_, usage_));
  return done();
}

}  // namespace mainstay::models::gemini
