// The queries of conversations: one function for each verb, run on the writer or on a reader.
#include "storage/sqlite/conversations.h"

#include <algorithm>

#include "storage/words.h"

namespace mainstay::storage::sqlite {
namespace {

constexpr const char* kFind =
    "SELECT n, messages FROM conversation WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kFindAny = "SELECT n, messages, tenant, user FROM conversation WHERE id = ?";
constexpr const char* kGet =
    "SELECT id, title, created, updated, messages FROM conversation "
    "WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kListFirst =
    "SELECT id, title, created, updated, messages FROM conversation "
    "WHERE tenant = ? AND user = ? ORDER BY updated DESC, n DESC LIMIT ?";
constexpr const char* kListAfter =
    "SELECT id, title, created, updated, messages FROM conversation "
    "WHERE tenant = ? AND user = ? AND (updated, n) < (?, ?) "
    "ORDER BY updated DESC, n DESC LIMIT ?";
constexpr const char* kPlace =
    "SELECT updated, n FROM conversation WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kNewest =
    "SELECT id, role, json, tokens, created, turn FROM message "
    "WHERE conversation = ? ORDER BY seq DESC";
constexpr const char* kMessages =
    "SELECT m.id, m.role, m.json, m.tokens, m.created, CASE WHEN EXISTS (SELECT 1 FROM message AS "
    "b "
    "WHERE b.conversation = m.conversation AND b.seq = m.seq + 1 AND b.turn = m.turn) "
    "THEN '' ELSE t.citations END FROM message AS m JOIN turn AS t ON t.n = m.turn "
    "WHERE m.conversation = ? AND m.seq > ? ORDER BY m.seq LIMIT ?";
constexpr const char* kSeqOf = "SELECT seq FROM message WHERE conversation = ? AND id = ?";
constexpr const char* kRepeated = "SELECT 1 FROM turn WHERE conversation = ? AND request = ?";
constexpr const char* kByTime = "SELECT n FROM turn WHERE finished < ? ORDER BY finished LIMIT ?";
constexpr const char* kEraseMessages = "DELETE FROM message WHERE conversation = ?";
constexpr const char* kEraseTurns = "DELETE FROM turn WHERE conversation = ?";
constexpr const char* kRename =
    "UPDATE conversation SET title = ? WHERE id = ? AND tenant = ? AND user = ?";
constexpr const char* kErase = "DELETE FROM conversation WHERE n = ?";

Error unknown() {
  return Error::say(Errc::not_found, "unknown_conversation", "There is no such conversation.",
                    "conversation");
}

StoredMessage message_of(Query& row) {
  return StoredMessage{MessageId(row.text(0)), row.text(1), row.text(2), Tokens{row.count(3)},
                       wall_from_micros(row.number(4))};
}

ConversationInfo info_of(Query& row) {
  return ConversationInfo{ConversationId(row.text(0)), row.text(1), wall_from_micros(row.number(2)),
                          wall_from_micros(row.number(3)), row.count(4)};
}

std::int64_t whole_micros(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

struct Found {
  std::int64_t n = 0;
  std::int64_t messages = 0;
};

/// The owner's conversation; not_found for another's.
Result<Found> find(Connection& db, const Owner& owner, const ConversationId& id) {
  Query query(db, kFind);
  query.bind(id.text(), owner.tenant.text(), owner.user.text());
  if (!query.step()) return unknown();
  return Found{query.number(0), query.number(1)};
}

bool belongs_to_another(Connection& db, const Owner& owner, const ConversationId& id) {
  Query query(db, kFindAny);
  query.bind(id.text());
  if (!query.step()) return false;
  return query.text(2) != owner.tenant.text() || query.text(3) != owner.user.text();
}

Result<Found> find_or_make(Connection& db, const Owner& owner, const Turn& turn) {
  {
    Query query(db, kFindAny);
    query.bind(turn.conversation.text());
    if (query.step()) {
      const bool theirs =
          query.text(2) != owner.tenant.text() || query.text(3) != owner.user.text();
      if (theirs) return unknown();
      return Found{query.number(0), query.number(1)};
    }
  }
  const std::int64_t at = micros(turn.finished);
  Query(db,
        "INSERT INTO conversation (id, tenant, user, title, created, updated, messages) "
        "VALUES (?, ?, ?, ?, ?, ?, 0)")
      .bind(turn.conversation.text(), owner.tenant.text(), owner.user.text(), turn.title, at, at)
      .finish();
  return Found{db.last_rowid(), 0};
}

/// Whole turns from the newest backwards while they fit, from a message on that may open a
/// conversation; newest message first.
std::vector<StoredMessage> newest_turns(Connection& db, std::int64_t conversation, Tokens budget) {
  std::vector<StoredMessage> kept;
  std::vector<StoredMessage> turn;
  std::int64_t turn_n = -1;
  std::uint64_t turn_tokens = 0;
  std::uint64_t left = budget.value;
  const auto keep_turn = [&] {
    if (turn_tokens > left) return false;
    left -= turn_tokens;
    for (auto& message : turn) kept.push_back(std::move(message));
    turn.clear();
    turn_tokens = 0;
    return true;
  };
  Query query(db, kNewest);
  query.bind(conversation);
  bool room = true;
  while (room && query.step()) {
    if (query.number(5) != turn_n) {
      room = keep_turn();
      turn_n = query.number(5);
    }
    turn_tokens += query.count(3);
    if (turn_tokens > left) room = false;
    if (room) turn.push_back(message_of(query));
  }
  if (room) keep_turn();
  while (!kept.empty() && !opens(kept.back())) kept.pop_back();
  return kept;
}

/// Of a conversation that there is, or that was erased lately.
std::optional<std::pair<std::int64_t, std::int64_t>> place_of(Connection& db, const Owner& owner,
                                                              const ConversationId& id,
                                                              const GoneConversations& gone) {
  Query query(db, kPlace);
  query.bind(id.text(), owner.tenant.text(), owner.user.text());
  if (query.step()) return std::pair(query.number(0), query.number(1));
  return gone.find(owner, id.text());
}

Status erase_all(Connection& db, const Owner& owner, const ConversationId& id,
                 GoneConversations& gone) {
  auto found = find(db, owner, id);
  if (!found.ok()) return found.error();
  const auto place = place_of(db, owner, id, gone);
  if (place) gone.put(owner, id.text(), *place);
  Query(db, kEraseMessages).bind(found->n).finish();
  Query(db, kEraseTurns).bind(found->n).finish();
  Query(db, kErase).bind(found->n).finish();
  return done();
}

/// `text`: in the title, as folded() gives both; empty: any title.
Result<PageOfConversations> page(Connection& db, const Owner& owner, const std::string& text,
                                 const ConversationId& after, std::uint32_t limit,
                                 const GoneConversations& gone) {
  PageOfConversations out;
  const auto collect = [&](Query& query) {
    while (!out.more && query.step()) {
      ConversationInfo info = info_of(query);
      if (folded(info.title).find(text) == std::string::npos) continue;
      out.more = out.items.size() == limit;
      if (!out.more) out.items.push_back(std::move(info));
    }
  };
  // SQLite knows the case of A-Z alone: titles are looked at here, and how many rows that takes
  // nobody knows.
  const std::int64_t rows = text.empty() ? std::int64_t(limit) + 1 : -1;
  const std::string& tenant = owner.tenant.text();
  if (after.empty()) {
    Query query(db, kListFirst);
    query.bind(tenant, owner.user.text(), rows);
    collect(query);
    return out;
  }
  const auto place = place_of(db, owner, after, gone);
  if (!place) return unknown();
  Query query(db, kListAfter);
  query.bind(tenant, owner.user.text(), place->first, place->second, rows);
  collect(query);
  return out;
}

Result<std::vector<StoredMessage>> messages_after(Connection& db, const Owner& owner,
                                                  const ConversationId& id, const MessageId& after,
                                                  std::uint32_t limit) {
  auto found = find(db, owner, id);
  if (!found.ok()) return found.error();
  std::int64_t seq = 0;
  if (!after.empty()) {
    Query place(db, kSeqOf);
    place.bind(found->n, after.text());
    if (!place.step()) {
      return Error::say(Errc::not_found, "unknown_message", "There is no such message.", "after");
    }
    seq = place.number(0);
  }
  std::vector<StoredMessage> out;
  Query query(db, kMessages);
  query.bind(found->n, seq, limit);
  while (query.step()) {
    out.push_back(message_of(query));
    out.back().citations = query.text(5);
  }
  return out;
}

}  // namespace

Status append_turn(Connection& db, const Owner& owner, const Turn& turn) {
  if (turn.continues && !find(db, owner, turn.conversation).ok()) return done();
  auto found = find_or_make(db, owner, turn);
  if (!found.ok()) return found.error();
  {
    Query repeated(db, kRepeated);
    repeated.bind(found->n, turn.request.text());
    if (repeated.step()) return done();
  }
  Query(db,
        "INSERT INTO turn (conversation, request, provider, model, prompt_tokens, "
        "completion_tokens, first_token, total, citations, finished) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(found->n, turn.request.text(), turn.provider, turn.model, turn.prompt_tokens.value,
            turn.completion_tokens.value, whole_micros(turn.first_token), whole_micros(turn.total),
            turn.citations, micros(turn.finished))
      .finish();
  const std::int64_t n = db.last_rowid();
  std::int64_t seq = found->messages;
  for (const auto& message : turn.messages) {
    Query(db,
          "INSERT INTO message (conversation, seq, turn, id, role, json, tokens, created) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(found->n, ++seq, n, message.id.text(), message.role, message.json,
              message.tokens.value, micros(message.created))
        .finish();
  }
  Query(db, "UPDATE conversation SET messages = ?, updated = max(updated, ?) WHERE n = ?")
      .bind(seq, micros(turn.finished), found->n)
      .finish();
  return done();
}

std::vector<std::string> conversation_queries() {
  return {kFind,     kFindAny, kGet,      kListFirst,     kListAfter,  kPlace, kNewest, kSeqOf,
          kMessages, kByTime,  kRepeated, kEraseMessages, kEraseTurns, kErase, kRename};
}

Co<Status> SqliteConversations::append(Owner owner, Turn turn, Deadline by) {
  auto work = [owner = std::move(owner), turn = std::move(turn)](Connection& db) {
    return append_turn(db, owner, turn);
  };
  co_return co_await writer_.write("append", std::move(work), by);
}

Co<Result<std::vector<StoredMessage>>> SqliteConversations::window(Owner owner, ConversationId id,
                                                                   Tokens budget, Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id),
               budget](Connection& db) -> Result<std::vector<StoredMessage>> {
    auto found = find(db, owner, id);
    if (!found.ok()) {
      if (belongs_to_another(db, owner, id)) return unknown();
      return std::vector<StoredMessage>();
    }
    auto newest = newest_turns(db, found->n, budget);
    std::reverse(newest.begin(), newest.end());
    return newest;
  };
  co_return co_await readers_.read("window", std::move(work), by);
}

Co<Result<PageOfConversations>> SqliteConversations::list(Owner owner, ConversationId after,
                                                          std::uint32_t limit, Deadline by) {
  auto work = [owner = std::move(owner), after = std::move(after), limit,
               gone = gone_](Connection& db) { return page(db, owner, {}, after, limit, *gone); };
  co_return co_await readers_.read("list_conversations", std::move(work), by);
}

Co<Result<PageOfConversations>> SqliteConversations::search(Owner owner, std::string text,
                                                            ConversationId after,
                                                            std::uint32_t limit, Deadline by) {
  auto work = [owner = std::move(owner), text = folded(text), after = std::move(after), limit,
               gone = gone_](Connection& db) { return page(db, owner, text, after, limit, *gone); };
  co_return co_await readers_.read("search_conversations", std::move(work), by);
}

Co<Status> SqliteConversations::rename(Owner owner, ConversationId id, std::string title,
                                       Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id),
               title = std::move(title)](Connection& db) -> Status {
    Query(db, kRename).bind(title, id.text(), owner.tenant.text(), owner.user.text()).finish();
    return db.changes() == 0 ? Status(unknown()) : done();
  };
  co_return co_await writer_.write("rename_conversation", std::move(work), by);
}

Co<Result<ConversationInfo>> SqliteConversations::get(Owner owner, ConversationId id, Deadline by) {
  auto work = [owner = std::move(owner),
               id = std::move(id)](Connection& db) -> Result<ConversationInfo> {
    Query query(db, kGet);
    query.bind(id.text(), owner.tenant.text(), owner.user.text());
    if (!query.step()) return unknown();
    return info_of(query);
  };
  co_return co_await readers_.read("get_conversation", std::move(work), by);
}

Co<Result<std::vector<StoredMessage>>> SqliteConversations::messages(Owner owner, ConversationId id,
                                                                     MessageId after,
                                                                     std::uint32_t limit,
                                                                     Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id), after = std::move(after),
               limit](Connection& db) { return messages_after(db, owner, id, after, limit); };
  co_return co_await readers_.read("messages", std::move(work), by);
}

Co<Status> SqliteConversations::erase(Owner owner, ConversationId id, Deadline by) {
  auto work = [owner = std::move(owner), id = std::move(id), gone = gone_](Connection& db) {
    return erase_all(db, owner, id, *gone);
  };
  co_return co_await writer_.write("erase_conversation", std::move(work), by);
}

}  // namespace mainstay::storage::sqlite
