// Conversations in PostgreSQL.
// Used by open.cpp and tests.
#pragma once

#include <utility>

#include "storage/gone_places.h"
#include "storage/postgres/client.h"

namespace mainstay::storage::postgres {

class PostgresConversations final : public Conversations {
 public:
  explicit PostgresConversations(Client& client) : client_(client) {}
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

 private:
  using Place = std::pair<std::int64_t, std::int64_t>;  ///< when it was last used, and its number
  Co<Result<Place>> place_of(const Owner& owner, const ConversationId& after, Deadline by);
  Client& client_;
  GonePlaces<Place> gone_;
};

/// Every query, for the test of their plans; parameters are $1, $2, ….
std::vector<std::string> conversation_queries();

}  // namespace mainstay::storage::postgres
