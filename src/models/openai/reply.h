// What OpenAI-compatible servers answer, looked at without a tree: whole replies, stream chunks,
// error bodies, model lists. Used by provider.cpp. Pure.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat.h"
#include "models/embed.h"

namespace mainstay::models::openai {

/// A whole chat.completion, its text untouched. Errors: bad_upstream "upstream_bad_reply" (not
/// JSON, no choices); of an error object with a status of 200 what told_inside() makes of it.
Result<ChatReply> read_reply(std::string body);

/// Indexes of a stream's choices that have no finish_reason yet.
using Unfinished = std::set<std::uint64_t>;

/// One event's data, its text untouched but for line ends (which would end an event). Choices that
/// it finishes are taken out of `unfinished`. Errors as read_reply.
Result<ChatChunk> read_chunk(std::string_view data, Unfinished* unfinished = nullptr);

/// A whole chat.completion as the one chunk of a stream, for servers that ignore `stream`.
Result<ChatChunk> chunk_of_reply(std::string_view body);

/// A request of POST /embeddings.
std::string embed_body(const EmbedRequest& request, const std::string& model);
/// Its reply: by each entry's `index`, or in order. Errors as read_reply.
Result<Embeddings> read_embeddings(std::string_view body);

/// The models of GET /models. Errors: bad_upstream "upstream_bad_reply".
Result<std::vector<ModelInfo>> read_models(std::string_view body, const std::string& provider);

}  // namespace mainstay::models::openai
