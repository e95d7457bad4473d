// Puts the pieces of a streamed answer together into the message they make.
// Used by assistant. Pure.
#pragma once

#include <string>

#include "base/json.h"
#include "models/chat.h"

namespace mainstay::assistant {

/// Collects chat.completion.chunk objects (the first choice alone).
class Transcript {
 public:
  /// Errors: bad_upstream when a chunk is not the object it should be.
  Status add(const std::string& chunk);
  /// The assistant's message in OpenAI's shape.
  Json message() const;
  const std::string& text() const noexcept { return text_; }
  /// Bytes collected so far, about.
  std::size_t size() const noexcept { return text_.size() + refusal_.size() + tool_bytes_; }
  /// Citations that a chunk carried; null when none.
  const Json& citations() const noexcept { return citations_; }

 private:
  void add_tool_calls(const Json& deltas);
  std::string text_;
  std::string refusal_;
  std::size_t tool_bytes_ = 0;
  Json tool_calls_ = Json::array();
  Json citations_;
};

/// The first choice's message of a chat.completion object; null when there is none.
Json message_of(const std::string& completion);

}  // namespace mainstay::assistant
