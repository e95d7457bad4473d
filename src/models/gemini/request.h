// OpenAI's request as Gemini's generateContent wants it.
// Used by models/gemini alone. Pure.
#pragma once

#include <string>

#include "base/json.h"
#include "models/chat.h"
#include "models/embed.h"

namespace mainstay::models::gemini {

/// Errors: unsupported "upstream_cannot", invalid, with the field's path.
Result<std::string> generate_body(const ChatRequest& request, const std::string& model);

/// Texts of one batchEmbedContents; Gemini takes no more.
inline constexpr std::size_t kEmbedMost = 100;
/// For batchEmbedContents: the texts [from, to) of the request.
std::string embed_body(const EmbedRequest& request, const std::string& model, std::size_t from,
                       std::size_t to);

}  // namespace mainstay::models::gemini
