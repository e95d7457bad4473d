// OpenAI's request as Anthropic's Messages API wants it.
// Used by models/anthropic alone. Pure.
#pragma once

#include <string>

#include "base/json.h"
#include "models/chat.h"

namespace mainstay::models::anthropic {

/// max_tokens is required there; this stands in when the client names none.
inline constexpr std::uint32_t kMaxTokensDefault = 4096;

/// Errors: unsupported "upstream_cannot", invalid, with the field's path.
Result<std::string> messages_body(const ChatRequest& request, const std::string& model);

}  // namespace mainstay::models::anthropic
