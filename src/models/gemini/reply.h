// Gemini's replies and stream events in OpenAI's shape.
// Used by models/gemini alone. Pure but for ids.
#pragma once

#include <deque>
#include <string>

#include "base/json.h"
#include "models/embed.h"
#include "models/shape.h"

namespace mainstay::models::gemini {

/// What one GenerateContentResponse says.
struct Piece {
  std::string text;
  std::string thinking;
  Json tool_calls = Json::array();  ///< in OpenAI's shape
  std::string finish;               ///< OpenAI's finish_reason; empty while it goes on
  Usage usage;
};

/// Errors: bad_upstream "upstream_bad_reply", "upstream_error".
Result<Piece> read_piece(const std::string& text, const Clock& clock, Random& random);

/// The reply of batchEmbedContents, added to `into`. Errors as read_piece.
Status read_embeddings(const std::string& text, Embeddings& into);

/// A whole reply as a chat.completion. Errors: bad_upstream "upstream_truncated" without a
/// finishReason, "upstream_bad_reply" when there is no answer either.
Result<ChatReply> whole(const AnswerHead& head, const Piece& piece);

/// Turns the events of one stream into chunks. Gemini has no end marker but the finishReason.
class EventTranslator {
 public:
  EventTranslator(AnswerHead head, bool include_usage, const Clock& clock, Random& random)
      : head_(std::move(head)), include_usage_(include_usage), clock_(&clock), random_(&random) {
    ready_.push_back(role_chunk(head_));
  }
  Status take(const std::string& data);
  std::deque<ChatChunk>& ready() noexcept { return ready_; }
  /// More may come after the finishReason: the end is the connection's end.
  bool ended() const noexcept { return false; }
  /// Errors: bad_upstream "upstream_truncated" without a finishReason.
  Status closed();

 private:
  AnswerHead head_;
  bool include_usage_;
  const Clock* clock_;
  Random* random_;
  std::deque<ChatChunk> ready_;
  std::size_t tools_ = 0;
  std::string finish_;  ///< told at the end: words may come with the finishReason, and after it
  Usage usage_;
};

}  // namespace mainstay::models::gemini
