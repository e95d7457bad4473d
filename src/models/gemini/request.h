// OpenAI's request as Gemini's generateContent wants it.
// Used by models/gemini alone. Pure.
#pragma once

#include <string>

#include "base/json.h"
#include "models/chat.h"

namespace mainstay::models::gemini {

/// Errors: unsupported "upstream_cannot", invalid, with the field's path.
Result<std::string> generate_body(const ChatRequest& request);

}  // namespace mainstay::models::gemini
