// What is asked of a model and what comes back. The OpenAI shape is the internal language: bodies
// and chunks stay JSON text in that shape, and a provider that speaks it is spliced through.
// Used by models, assistant, api.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/hold.h"
#include "base/ids.h"
#include "base/result.h"
#include "config/settings.h"
#include "models/splice.h"

namespace mainstay::models {

/// What Cache-Control says about the response cache.
struct CacheWish {
  bool no_store = false;  ///< neither look up nor keep
  bool no_cache = false;  ///< do not look up, but keep
  std::optional<std::chrono::seconds> max_age;
};

/// A validated request for a chat completion.
struct ChatRequest {
  /// The client's JSON object in OpenAI's shape, padded for simdjson. Mainstay's own members
  /// (conversation, collection, documents) are already removed.
  std::string body;
  /// Its members; offsets into `body`. Rebuilt (index()) when the body changes; a copy of the
  /// request must call index() too, since keys are views.
  std::vector<Member> members;
  std::string model;  ///< as asked; settings' default when absent
  bool stream = false;
  bool include_usage = false;
  bool has_tools = false;
  bool has_images = false;
  std::uint32_t attachments = 0;  ///< images, sounds and files in the body itself
  std::size_t attached = 0;       ///< their bytes
  std::uint32_t choices = 1;
  std::uint64_t max_tokens = 0;  ///< asked for, of each choice; 0: not said
  TenantId tenant;
  UserId user;
  RequestId request;
  std::string traceparent;  ///< for the upstream call; may be empty
  CacheWish cache;
  std::optional<CollectionName> collection;  ///< where the built-in answerer looks
  bool documents = true;                     ///< it may look at all
  std::uint64_t added_tokens = 0;            ///< by estimate: of what was put before its messages
  std::shared_ptr<Hold> hold;                ///< of the client's exchange; may be null

  void index() { members = top_level(body); }
};

/// What images, sounds and files in a prompt cost, by estimate: a thousand tokens each, and one for
/// each KiB. Their base64 is not read as text.
constexpr std::uint64_t attachment_tokens(std::uint64_t count, std::uint64_t bytes) noexcept {
  return 1000 * count + bytes / 1024;
}
constexpr std::size_t kBytesOfToken = 4;
/// The bytes of text that cost as much as the prompt, by estimate.
inline std::uint64_t text_bytes_of(const ChatRequest& chat) noexcept {
  const std::uint64_t attached = attachment_tokens(chat.attachments, chat.attached);
  return chat.body.size() - std::min(chat.body.size(), chat.attached) + attached * kBytesOfToken;
}

/// Members of Mainstay's own that a chat body may carry.
struct OwnMembers {
  std::optional<std::string> conversation;
  std::optional<std::string> collection;
};

struct ParsedChat {
  ChatRequest request;
  OwnMembers own;
};

/// Checks a chat body as a client sent it: JSON, depth, known roles, counts, lengths, number
/// ranges, each named by its path ("messages[2].role"). Errors: invalid, too_large with a reason
/// listed in docs/errors.md. Nothing is stored or sent.
Result<ParsedChat> parse_chat(std::string body, const LimitSettings& limits,
                              const std::string& default_model);

/// Tokens used, as the provider counted them.
struct Usage {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  bool known = false;
  std::uint64_t cached = 0;     ///< of the prompt's, read from the provider's cache; 0: not said
  std::uint64_t reasoning = 0;  ///< of the completion's, spent on thinking; 0: not said
};

/// A whole answer: a chat.completion object as JSON text.
struct ChatReply {
  std::string body;
  Usage usage;
};

/// One piece of a streamed answer: a chat.completion.chunk object as JSON text (no "data: ").
struct ChatChunk {
  std::string json;     ///< empty, from a provider alone: bytes came, as a ping, but no chunk yet
  bool token = false;   ///< carries something the client sees (text, tool call, refusal)
  bool finish = false;  ///< carries a finish_reason
  Usage usage;
};

/// A streamed answer. Belongs to the loop that started it. Destroying it cancels the upstream call.
class ChatStream {
 public:
  virtual ~ChatStream() = default;
  /// The next chunk; nullopt: the stream ended with its end marker. Any other end is an error:
  /// bad_upstream "upstream_truncated", deadline "upstream_stalled", ….
  virtual Co<Result<std::optional<ChatChunk>>> next(Deadline by) = 0;
};

/// A model that can be asked for.
struct ModelInfo {
  std::string id;
  std::string provider;
  std::uint64_t context = 0;  ///< tokens; 0: not known
  bool loaded = true;
  bool tools = true;
  bool images = false;
  std::string state = "ready";  ///< ready, loading, unavailable, degraded
  std::string task = "chat";    ///< or another word of models/model_task.cpp
  std::string description;      ///< what a person should know of it; may be empty
};

}  // namespace mainstay::models
