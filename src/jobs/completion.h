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
  std::size_t size() const noexcept { return transcript_.size() + reasoning_.size(); }

 private:
  assistant::Transcript transcript_;
  models::Usage usage_;
  Json head_;  ///< id, created, model, system_fingerprint of the first chunk
  std::string finish_;
  std::string reasoning_;  ///< thoughts, as some servers call them
};

}  // namespace mainstay::jobs
