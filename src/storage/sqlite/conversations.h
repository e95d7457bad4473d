// Conversations over SQLite. Used by storage/sqlite/open.cpp.
#pragma once

#include <memory>
#include <utility>

#include "storage/gone_places.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

/// In the list: when it was last used, and its number.
using GoneConversations = GonePlaces<std::pair<std::int64_t, std::int64_t>>;

class SqliteConversations final : public Conversations {
 public:
  SqliteConversations(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
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
  Writer& writer_;
  Readers& readers_;
  const std::shared_ptr<GoneConversations> gone_ =
      std::make_shared<GoneConversations>();  ///< a write may outlive its call
};

/// Adds a turn as Conversations::append() says, on the writer's connection. Nothing was written
/// when it is refused; what it wrote before a Failure must be undone by the caller.
Status append_turn(Connection& db, const Owner& owner, const Turn& turn);

/// The texts of the queries whose plans a test looks at: none may scan a table.
std::vector<std::string> conversation_queries();

}  // namespace mainstay::storage::sqlite
