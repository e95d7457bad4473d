// What OpenAI-compatible servers answer, looked at without a tree: whole replies, stream chunks,
// error bodies, model lists. Used by provider.cpp. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/chat.h"
#include "models/embed.h"

namespace mainstay::models::openai {

/// A whole chat.completion, its text untouched. Errors: bad_upstream "upstream_bad_reply" (not
/// JSON, no choices), "upstream_error" (an error object with a status of 200).
Result<ChatReply> read_reply(std::string body);

/// One event's data, its text untouched but for line ends (which would end an event). Errors as
/// read_reply.
Result<ChatChunk> read_chunk(std::string_view data);

/// A whole chat.completion as the one chunk of a stream, for servers that ignore `stream`.
Result<ChatChunk> chunk_of_reply(std::string_view body);

/// A request of POST /embeddings.
std::string embed_body(const EmbedRequest& request, const std::string& model);
/// Its reply: by each entry's `index`, or in order. Errors as read_reply.
Result<Embeddings> read_embeddings(std::string_view body);

/// error.param of an error body; empty when none.
std::string param_of(std::string_view body);

/// The models of GET /models. Errors: bad_upstream "upstream_bad_reply".
Result<std::vector<ModelInfo>> read_models(std::string_view body, const std::string& provider);

}  // namespace mainstay::models::openai
