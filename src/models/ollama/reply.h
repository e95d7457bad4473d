// Ollama's replies in OpenAI's shape: whole objects and lines of a stream, of both endpoints.
// Used by models/ollama alone. Pure but for ids.
#pragma once

#include <deque>
#include <string>

#include "base/json.h"
#include "models/embed.h"
#include "models/shape.h"

namespace mainstay::models::ollama {

/// What one object of Ollama's says.
struct Piece {
  std::string text;
  std::string thinking;
  Json tool_calls = Json::array();  ///< in OpenAI's shape
  bool done = false;
  std::string done_reason;
  Usage usage;
};

/// Reads one object of /api/chat or /api/generate. Errors: bad_upstream "upstream_bad_reply", and
/// "upstream_error" when it reports one.
Result<Piece> read_piece(const std::string& text, const Clock& clock, Random& random);

/// OpenAI's finish_reason.
std::string finish_of(const Piece& piece, bool called_tools);

/// Turns the lines of one stream into chunks. One line may make several.
class LineTranslator {
 public:
  LineTranslator(AnswerHead head, bool include_usage, const Clock& clock, Random& random)
      : head_(std::move(head)), include_usage_(include_usage), clock_(&clock), random_(&random) {
    ready_.push_back(role_chunk(head_));
  }
  /// Errors: bad_upstream for garbage and for error lines.
  Status take(const std::string& line);
  std::deque<ChatChunk>& ready() noexcept { return ready_; }
  /// A line said done.
  bool ended() const noexcept { return ended_; }
  /// The connection ended without it. Errors: bad_upstream "upstream_truncated".
  Status closed() const;

 private:
  AnswerHead head_;
  bool include_usage_;
  const Clock* clock_;
  Random* random_;
  std::deque<ChatChunk> ready_;
  std::size_t tools_ = 0;
  bool ended_ = false;
};

/// The reply of /api/embed. Errors as read_piece.
Result<Embeddings> read_embeddings(const std::string& text);

/// The whole reply as a chat.completion. Errors: bad_upstream "upstream_truncated" when it does not
/// say done.
Result<ChatReply> whole(const AnswerHead& head, const Piece& piece);

}  // namespace mainstay::models::ollama
