// Anthropic's replies and stream events in OpenAI's shape.
// Used by models/anthropic alone. Pure.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "base/json.h"
#include "models/shape.h"

namespace mainstay::models::anthropic {

/// OpenAI's finish_reason for Anthropic's stop_reason.
std::string finish_of(const std::string& stop_reason);

/// A whole message object as a chat.completion. Errors: bad_upstream; "upstream_truncated" without
/// a stop_reason.
Result<ChatReply> whole(const AnswerHead& head, const std::string& body);

/// Turns the events of one stream into chunks.
class EventTranslator {
 public:
  EventTranslator(AnswerHead head, bool include_usage)
      : head_(std::move(head)), include_usage_(include_usage) {}
  /// Takes the data of one event. Errors: bad_upstream for garbage and for error events.
  Status take(const std::string& data);
  /// Chunks made so far and not yet taken.
  std::deque<ChatChunk>& ready() noexcept { return ready_; }
  /// message_stop was seen.
  bool ended() const noexcept { return ended_; }
  /// The connection ended without it. Errors: bad_upstream "upstream_truncated".
  Status closed() const;

 private:
  struct Tool {
    std::size_t number = 0;      ///< of the tool call
    bool has_arguments = false;  ///< some were given out
  };
  void start_block(const Json& event);
  void block_delta(const Json& event);
  void stop_block(const Json& event);
  void put_arguments(const Tool& tool, const std::string& piece);
  void finish(const std::string& reason);
  AnswerHead head_;
  bool include_usage_;
  std::deque<ChatChunk> ready_;
  std::map<std::uint64_t, Tool> tools_;  ///< by block index
  std::size_t tool_count_ = 0;
  Usage usage_;
  bool finished_ = false;  ///< a finish_reason was given out
  bool ended_ = false;
};

}  // namespace mainstay::models::anthropic
