// OpenAI's request as Ollama wants it: /api/chat, and /api/generate for models that refuse chat.
// Used by models/ollama alone. Pure.
#pragma once

#include <string>

#include "base/json.h"
#include "models/chat.h"
#include "models/embed.h"

namespace mainstay::models::ollama {

/// Errors: unsupported "upstream_cannot", invalid, with the field's path.
Result<std::string> chat_body(const ChatRequest& request, const std::string& model);
/// For /api/embed.
std::string embed_body(const EmbedRequest& request, const std::string& model);
/// The conversation as one prompt. Tools cannot be used this way.
Result<std::string> generate_body(const ChatRequest& request, const std::string& model);

}  // namespace mainstay::models::ollama
