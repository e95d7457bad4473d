// The body of POST /v1/responses as a chat body: the same question in the words that models hear.
// Used by api/responses.cpp. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mainstay::api {

/// Where a message of the chat body came from: paths in the given body.
struct Origin {
  std::string item;                ///< "input[3]"
  std::string content;             ///< "input[3].content", "input[3].output", "instructions"
  std::vector<std::string> calls;  ///< of each of its calls
};

/// A body of OpenAI's Responses API, checked for its shape and put into other words.
struct ResponseOrder {
  Json given;                   ///< the body as it came
  std::string chat;             ///< the chat body; models::parse_chat() checks what it holds
  std::vector<Origin> origins;  ///< of each message in it
};

/// Errors: invalid, with the path in the given body; "unsupported_parameter" for what there is not
/// here (built-in tools, stored responses, work in the background) and for members of chat bodies.
Result<ResponseOrder> response_order(const std::string& body);

/// An error of parse_chat() with the place in the body that the client sent.
Error in_words_of_responses(Error error, const std::vector<Origin>& origins);

}  // namespace mainstay::api
