// Puts the chunks of a streamed answer together into the chat.completion they stand for.
// Used by the kinds that ask a model. Pure.
#pragma once

#include <string>

#include "assistant/transcript.h"
#include "models/chat.h"

namespace mainstay::jobs {

class Completion {
 public:
  /// Gives the text that this chunk adds. Errors: bad_upstream when a chunk is not the object it
  /// should be.
  Result<std::string> add(const models::ChatChunk& chunk);
  /// The whole as JSON text.
  std::string text() const;
  std::size_t size() const noexcept { return transcript_.size() + thought_bytes_; }

 private:
  void add_thoughts(const Json& delta);
  assistant::Transcript transcript_;
  models::Usage usage_;
  Json head_;  ///< id, created, model, system_fingerprint of the first chunk
  std::string finish_;
  Json thoughts_ = Json::object();  ///< by the member they came in
  std::size_t thought_bytes_ = 0;
};

}  // namespace mainstay::jobs
