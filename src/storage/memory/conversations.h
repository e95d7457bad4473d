// Conversations in plain containers. Used by storage/memory/open.cpp.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "storage/gone_places.h"

namespace mainstay::storage::memory {

/// Thread-safe; no call waits.
class MemoryConversations final : public Conversations {
 public:
  Co<Status> append(Owner owner, Turn turn, Deadline by) override;
  Co<Result<std::vector<StoredMessage>>> window(Owner owner, ConversationId id, Tokens budget,
                                                Deadline by) override;
  Co<Result<PageOfConversations>> list(Owner owner, ConversationId after, std::uint32_t limit,
                                       Deadline by) override;
  Co<Result<PageOfConversations>> search(Owner owner, std::string text, ConversationId after,
                                         std::uint32_t limit, Deadline by) override;
  Co<Status> rename(Owner owner, ConversationId id, std::string title, Deadline by) override;
  Co<Result<ConversationInfo>> get(Owner owner, ConversationId id, Deadline by) override;
  Co<Result<std::vector<StoredMessage>>> messages(Owner owner, ConversationId id, MessageId after,
                                                  std::uint32_t limit, Deadline by) override;
  Co<Status> erase(Owner owner, ConversationId id, Deadline by) override;
  /// append() itself; for MemoryJobs, whose effects store a turn in the same step.
  Status append_now(const Owner& owner, Turn turn);
  std::uint64_t operations() const;

 private:
  struct Conversation {
    Owner owner;
    ConversationInfo info;
    std::uint64_t made = 0;  ///< order of creation
    std::vector<Turn> turns;
    std::set<RequestId> requests;
    std::set<MessageId> messages;
  };
  /// `text`: in the title; empty: any title.
  Result<PageOfConversations> page(const Owner& owner, const std::string& text,
                                   const ConversationId& after, std::uint32_t limit) const;
  const Conversation* find(const Owner& owner, const ConversationId& id) const;

  mutable std::mutex mutex_;
  std::map<ConversationId, Conversation> all_;
  GonePlaces<std::pair<WallTime, std::uint64_t>> gone_;
  std::uint64_t next_ = 1;
  std::uint64_t operations_ = 0;
};

}  // namespace mainstay::storage::memory
