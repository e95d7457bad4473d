// The body of POST /v1/responses as a chat body: the same question in the words that models hear.
// Used by api/responses.cpp. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mainstay::api {

/// A body of OpenAI's Responses API, checked for its shape and put into other words.
struct ResponseOrder {
  Json given;        ///< the body as it came
  std::string chat;  ///< the chat body; models::parse_chat() checks what it holds
  /// Where each message of the chat body came from: "instructions", "input", "input[3]".
  std::vector<std::string> origins;
};

/// Errors: invalid, with the path in the given body; "unsupported_parameter" for what there is not
/// here (built-in tools, stored responses, work in the background) and for members of chat bodies.
Result<ResponseOrder> response_order(const std::string& body);

/// An error of parse_chat() with the place in the body that the client sent.
Error in_words_of_responses(Error error, const std::vector<std::string>& origins);

}  // namespace mainstay::api
