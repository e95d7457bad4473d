// Puts the pieces of a streamed answer together into the message they make.
// Used by assistant. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "models/chat.h"

namespace mainstay::assistant {

/// Collects chat.completion.chunk objects (the first choice alone).
class Transcript {
 public:
  /// Errors: bad_upstream when a chunk is not the object it should be.
  Status add(const std::string& chunk);
  void add_parsed(const Json& chunk);
  /// The assistant's message in OpenAI's shape.
  Json message() const;
  /// Forgets the calls of tools so far, with the thoughts that belong to them: of an answer that
  /// was stopped they may be half, and nobody answers them.
  void leave_calls_out();
  const std::string& text() const noexcept { return text_; }
  const std::string& refusal() const noexcept { return refusal_; }
  /// What the model thought, as far as it was told as reasoning_content.
  const std::string& thoughts() const noexcept { return thoughts_; }
  /// Calls of tools, in the order in which they began.
  std::size_t calls() const noexcept { return calls_.size(); }
  const Json& call(std::size_t n) const { return calls_[n].whole; }
  /// Bytes collected so far, about.
  std::size_t size() const noexcept {
    return text_.size() + refusal_.size() + thoughts_.size() + tool_bytes_;
  }
  /// Citations that a chunk carried; null when none.
  const Json& citations() const noexcept { return citations_; }

 private:
  /// A call of a tool, as far as it has come.
  struct Call {
    std::size_t index = 0;  ///< the provider's number, which several may share
    Json whole;
  };
  void add_tool_calls(const Json& deltas);
  Json* call_of(const Json& piece);
  void append_members(Json& call, const Json& pieces, bool names_whole);
  Json told_calls() const;
  std::string text_;
  std::string refusal_;
  std::string thoughts_;
  std::size_t tool_bytes_ = 0;
  std::vector<Call> calls_;  ///< in the order in which they began
  Json function_call_;       ///< OpenAI's older kind of call; null: none
  Json citations_;
};

/// The first choice's message of a chat.completion object; null when there is none.
Json message_of(const std::string& completion);

}  // namespace mainstay::assistant
