// OpenAI's shape, built: whole completions and stream chunks.
// Used by the providers that speak another format, and by the built-in answerer. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/chat.h"

namespace mainstay::models {

/// What every object of one answer repeats.
struct AnswerHead {
  std::string id;  ///< "chatcmpl-…"
  std::string model;
  std::int64_t created = 0;  ///< seconds since 1970
};
AnswerHead make_answer_head(std::string model, const Clock& clock, Random& random);

/// A whole chat.completion. `message` is the assistant's message in OpenAI's shape.
ChatReply completion(const AnswerHead& head, const Json& message, const std::string& finish_reason,
                     const Usage& usage);

/// One chat.completion.chunk with this delta; finish_reason is null when empty.
ChatChunk chunk(const AnswerHead& head, const Json& delta, const std::string& finish_reason = {});
/// {"role":"assistant","content":""}: the chunk a stream starts with.
ChatChunk role_chunk(const AnswerHead& head);
ChatChunk text_chunk(const AnswerHead& head, const std::string& text);
ChatChunk thinking_chunk(const AnswerHead& head, const std::string& text);
/// One tool call, made by tool_call_json(), as number `index` of the answer.
ChatChunk tool_chunk(const AnswerHead& head, std::size_t index, const Json& call);
/// The chunk with empty choices that include_usage asks for.
ChatChunk usage_chunk(const AnswerHead& head, const Usage& usage);

/// {"prompt_tokens", "completion_tokens", "total_tokens"}, and the details that were told.
Json usage_json(const Usage& usage);
/// One tool call of a message in OpenAI's shape; `arguments` is JSON text.
Json tool_call_json(const std::string& id, const std::string& name, const std::string& arguments);

/// A picture, a sound or a file in the request itself: media type and base64 text.
struct InlineData {
  std::string media_type;
  std::string base64;
};
/// The picture of an image_url part.
/// Errors: unsupported "upstream_cannot" for addresses (nothing is fetched for a client here),
/// invalid for a broken data: address. `where` names the part.
Result<InlineData> inline_image(const Json& part, const std::string& where);
/// The PDF of a file part. Errors: as above, and unsupported for files of another type and those
/// named by their id.
Result<InlineData> inline_pdf(const Json& part, const std::string& where);
/// The address in an image_url part; empty when it has none.
std::string image_address(const Json& part);

/// The arguments of a call in the history, for a provider that wants them as an object: their text
/// as it is, so that no number in it changes, for dump_with_texts() alone. No text means none. What
/// is no object (a model may have broken off) is shown as the member "invalid_json" of one.
Json call_arguments(const Json& call);
/// As dump(), with such texts written as they are.
std::string dump_with_texts(const Json& value);

/// Answers in sound or pictures, and a search of the web: no provider gives them that does not
/// speak OpenAI's shape. Errors: unsupported "upstream_cannot".
Status check_modalities(const Json& body, const std::string& who);
/// What providers that speak another format have no word for: OpenAI's older functions, tools and
/// choices of another type than "function", what check_modalities() finds, and the members in
/// `more` when they ask for something. `who` is the provider's name. Errors: unsupported
/// "upstream_cannot".
Status check_translatable(const Json& body, const std::string& who,
                          const std::vector<const char*>& more);

/// The places of the messages in the order in which a provider that knows no ids of calls must hear
/// them: the tool messages right behind an assistant's calls in the order of those calls, for a
/// client may send them in any. Results of no such call come last; all else stays where it is.
std::vector<std::size_t> results_in_call_order(const Json& messages);

/// The body's response_format asks for JSON of some kind.
bool answers_in_json(const Json& body);

/// A message's content; without one, what the assistant refused with.
const Json& content_of(const Json& message);

/// Text of a message's content, whether a string or a list of parts.
std::string text_of_content(const Json& content);

}  // namespace mainstay::models
