// Face: conversations and their messages. Back ends: memory, sqlite, postgres.
// Used by assistant and api. Every verb is limited to its owner: another's id is not_found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"

namespace mainstay::storage {

/// Whose data it is; part of every key.
struct Owner {
  TenantId tenant;
  UserId user;
  friend auto operator<=>(const Owner&, const Owner&) = default;
};

struct StoredMessage {
  MessageId id;
  std::string role;
  std::string json;  ///< the message object in OpenAI's shape, as it was
  Tokens tokens;     ///< estimated when the provider did not say
  WallTime created;
  std::string citations = {};  ///< as messages() gives it; append() takes the turn's
};

/// A window begins with such a message: not with a tool's result, nor with an answer.
inline bool opens(const StoredMessage& message) {
  return message.role == "user" || message.role == "system";
}

/// What became of a question: both messages and how the answer came about.
struct Turn {
  ConversationId conversation;
  std::string title;  ///< used when the conversation is new
  RequestId request;
  std::vector<StoredMessage> messages;
  std::string provider;
  std::string model;
  Tokens prompt_tokens;
  Tokens completion_tokens;
  Duration first_token{};
  Duration total{};
  std::string citations;  ///< JSON array or empty; they belong to the last message, the answer
  WallTime finished;
  /// The conversation was there when the question came: one deleted since is not made again.
  bool continues = false;
};

struct ConversationInfo {
  ConversationId id;
  std::string title;
  WallTime created;
  WallTime updated;
  std::uint64_t messages = 0;
};

/// A page: newest first; `after` is the id of the last one seen.
struct PageOfConversations {
  std::vector<ConversationInfo> items;
  bool more = false;
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable (queue full, closed),
/// deadline (the write may still happen), disk_full, corrupt.
class Conversations {
 public:
  virtual ~Conversations() = default;
  /// Adds a turn in one transaction; creates the conversation when it is new. Repeating a turn with
  /// the same request id changes nothing. After Ok it survives a crash and a power cut. A turn that
  /// continues a conversation which the owner has no more is Ok, too, and nothing is stored.
  /// Errors: conflict when the conversation's id belongs to somebody else (say it as not_found).
  virtual Co<Status> append(Owner owner, Turn turn, Deadline by) = 0;
  /// The newest messages that fit `budget`, oldest first; empty for a conversation that does not
  /// exist yet. Errors: not_found when the id belongs to somebody else.
  /// Turns are whole, but that of the oldest what comes before a message that opens() is left out.
  virtual Co<Result<std::vector<StoredMessage>>> window(Owner owner, ConversationId id,
                                                        Tokens budget, Deadline by) = 0;
  /// Also behind one that was erased lately (gone_places.h). Errors: not_found.
  virtual Co<Result<PageOfConversations>> list(Owner owner, ConversationId after,
                                               std::uint32_t limit, Deadline by) = 0;
  /// list() of those whose title holds `text`; both folded as in the search for words.
  virtual Co<Result<PageOfConversations>> search(Owner owner, std::string text,
                                                 ConversationId after, std::uint32_t limit,
                                                 Deadline by) = 0;
  /// Gives it another title; when it was last used stays. Errors: not_found.
  virtual Co<Status> rename(Owner owner, ConversationId id, std::string title, Deadline by) = 0;
  /// Errors: not_found.
  virtual Co<Result<ConversationInfo>> get(Owner owner, ConversationId id, Deadline by) = 0;
  /// Messages oldest first, after the given message id (empty: from the start); the last of each
  /// turn has the turn's citations.
  virtual Co<Result<std::vector<StoredMessage>>> messages(Owner owner, ConversationId id,
                                                          MessageId after, std::uint32_t limit,
                                                          Deadline by) = 0;
  /// Gone for good: conversation, messages, turns. Errors: not_found.
  virtual Co<Status> erase(Owner owner, ConversationId id, Deadline by) = 0;
};

}  // namespace mainstay::storage
