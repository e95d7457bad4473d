// One statement for each verb. Where a verb must tell "none" from "not yours", every row of its
// answer begins with what it found out, and there is always one row.
#include "storage/postgres/conversations.h"

#include <limits>

#include "storage/words.h"

namespace mainstay::storage::postgres {
namespace {

constexpr const char* kAppend =
    "SELECT mainstay.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
    "$17, $18)";

// The row is locked, so that it is there when the function looks again.
constexpr const char* kAppendIfThere = R"sql(
WITH held AS MATERIALIZED (
  SELECT n FROM mainstay.conversation WHERE id = $1 AND tenant = $2 AND owner = $3 FOR UPDATE)
SELECT CASE WHEN EXISTS (SELECT FROM held) THEN
  mainstay.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
  ELSE 'gone' END)sql";

// Walks from the newest turn backwards, one index entry a step, while they fit.
constexpr const char* kWindow = R"sql(
WITH RECURSIVE c AS (
  SELECT n, tenant = $2 AND owner = $3 AS mine FROM mainstay.conversation WHERE id = $1
), walk (n, first_seq, used) AS (
  SELECT t.n, t.first_seq, t.tokens FROM (
    SELECT n, first_seq, tokens FROM mainstay.turn
    WHERE conversation = (SELECT n FROM c WHERE mine) ORDER BY n DESC LIMIT 1) t
  WHERE t.tokens <= $4
  UNION ALL
  SELECT t.n, t.first_seq, w.used + t.tokens FROM walk w CROSS JOIN LATERAL (
    SELECT n, first_seq, tokens FROM mainstay.turn
    WHERE conversation = (SELECT n FROM c WHERE mine) AND n < w.n ORDER BY n DESC LIMIT 1) t
  WHERE w.used + t.tokens <= $4
)
SELECT coalesce((SELECT mine FROM c), true), m.id, m.role, m.json, m.tokens, m.created
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT id, role, json, tokens, created, seq FROM mainstay.message
  WHERE conversation = (SELECT n FROM c WHERE mine) AND seq >= (SELECT min(first_seq) FROM walk)
  ) m ON true ORDER BY m.seq)sql";

constexpr const char* kPlace =
    "SELECT updated, n FROM mainstay.conversation WHERE id = $1 AND tenant = $2 AND owner = $3";

constexpr const char* kPage = R"sql(
SELECT true, id, title, created, updated, messages, n FROM mainstay.conversation
WHERE tenant = $1 AND owner = $2 AND (updated, n) < ($4, $5)
ORDER BY updated DESC, n DESC LIMIT $3)sql";

constexpr const char* kRename =
    "UPDATE mainstay.conversation SET title = $4 WHERE id = $1 AND tenant = $2 AND owner = $3 "
    "RETURNING n";

constexpr const char* kGet =
    "SELECT true, id, title, created, updated, messages FROM mainstay.conversation "
    "WHERE id = $1 AND tenant = $2 AND owner = $3";

constexpr const char* kMessages = R"sql(
WITH c AS (SELECT n FROM mainstay.conversation WHERE id = $1 AND tenant = $2 AND owner = $3),
place AS (SELECT seq FROM mainstay.message WHERE conversation = (SELECT n FROM c) AND id = $4)
SELECT EXISTS (SELECT FROM c), m.id, m.role, m.json, m.tokens, m.created,
  $4 = '' OR EXISTS (SELECT FROM place),
  CASE WHEN EXISTS (SELECT FROM mainstay.message b
    WHERE b.conversation = m.conversation AND b.seq = m.seq + 1 AND b.turn = m.turn) THEN ''
  ELSE (SELECT citations FROM mainstay.turn t WHERE t.n = m.turn) END
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT conversation, seq, turn, id, role, json, tokens, created FROM mainstay.message
  WHERE conversation = (SELECT n FROM c) AND seq > coalesce((SELECT seq FROM place), 0)
  ORDER BY seq LIMIT $5) m ON true ORDER BY m.seq)sql";

// Turns and messages go with it.
constexpr const char* kErase =
    "DELETE FROM mainstay.conversation WHERE id = $1 AND tenant = $2 AND owner = $3 "
    "RETURNING updated, n";

/// Rows of a search's steps.
constexpr std::uint32_t kSearched = 1000;

Error unknown() {
  return Error::say(Errc::not_found, "unknown_conversation", "There is no such conversation.",
                    "conversation");
}

std::int64_t whole_micros(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

/// Columns 1 to 5 of a row.
StoredMessage message_of(const Rows& rows, int row) {
  return StoredMessage{MessageId(rows.text(row, 1)), rows.text(row, 2), rows.text(row, 3),
                       Tokens{rows.count(row, 4)}, wall_from_micros(rows.number(row, 5))};
}

ConversationInfo info_of(const Rows& rows, int row) {
  return ConversationInfo{ConversationId(rows.text(row, 1)), rows.text(row, 2),
                          wall_from_micros(rows.number(row, 3)),
                          wall_from_micros(rows.number(row, 4)), rows.count(row, 5)};
}

Statement append_of(Owner owner, Turn turn) {
  std::vector<std::string> ids;
  std::vector<std::string> roles;
  std::vector<std::string> jsons;
  std::vector<std::int64_t> tokens;
  std::vector<std::int64_t> created;
  for (auto& message : turn.messages) {
    ids.push_back(message.id.text());
    roles.push_back(std::move(message.role));
    jsons.push_back(std::move(message.json));
    tokens.push_back(static_cast<std::int64_t>(message.tokens.value));
    created.push_back(micros(message.created));
  }
  Statement out(turn.continues ? "append_if_there" : "append",
                turn.continues ? kAppendIfThere : kAppend);
  out.text(turn.conversation.text()).text(owner.tenant.text()).text(owner.user.text());
  out.bytes(std::move(turn.title)).number(micros(turn.finished)).text(turn.request.text());
  out.text(std::move(turn.provider)).text(std::move(turn.model));
  out.count(turn.prompt_tokens.value).count(turn.completion_tokens.value);
  out.number(whole_micros(turn.first_token)).number(whole_micros(turn.total));
  out.bytes(std::move(turn.citations));
  out.texts(ids).texts(roles).byte_texts(jsons).numbers(tokens).numbers(created);
  return out;
}

/// Leaves out the oldest messages up to one that may open a conversation.
std::vector<StoredMessage> from_an_opening(const Rows& rows) {
  std::vector<StoredMessage> out;
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.null(row, 1)) break;
    StoredMessage message = message_of(rows, row);
    if (!out.empty() || opens(message)) out.push_back(std::move(message));
  }
  return out;
}

}  // namespace

std::vector<std::string> conversation_queries() {
  return {kWindow, kPlace, kPage, kGet, kMessages, kErase, kRename};
}

Co<Status> PostgresConversations::append(Owner owner, Turn turn, Deadline by) {
  Statement statement = append_of(std::move(owner), std::move(turn));
  auto stored = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!stored.ok()) co_return stored.error();
  if (stored->text(0, 0) == "unknown") co_return unknown();
  co_return done();
}

Co<Result<std::vector<StoredMessage>>> PostgresConversations::window(Owner owner, ConversationId id,
                                                                     Tokens budget, Deadline by) {
  Statement statement("window", kWindow);
  statement.text(id.text()).text(owner.tenant.text()).text(owner.user.text());
  statement.count(budget.value);
  auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!got.ok()) co_return got.error();
  if (!got->truth(0, 0)) co_return unknown();
  co_return from_an_opening(*got);
}

Co<Result<PageOfConversations>> PostgresConversations::list(Owner owner, ConversationId after,
                                                            std::uint32_t limit, Deadline by) {
  std::string any;
  co_return co_await search(std::move(owner), std::move(any), std::move(after), limit, by);
}

/// Where a page begins: behind `after`, which may have been erased lately.
Co<Result<PostgresConversations::Place>> PostgresConversations::place_of(
    const Owner& owner, const ConversationId& after, Deadline by) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  if (after.empty()) co_return Place(kLast, kLast);
  Statement statement("conversation_place", kPlace);
  statement.text(after.text()).text(owner.tenant.text()).text(owner.user.text());
  auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!got.ok()) co_return got.error();
  if (got->size() > 0) co_return Place(got->number(0, 0), got->number(0, 1));
  const auto gone = gone_.find(owner, after.text());
  if (gone) co_return *gone;
  co_return unknown();
}

/// Titles are bytes, whose letters the server does not know: they are looked at here.
Co<Result<PageOfConversations>> PostgresConversations::search(Owner owner, std::string text,
                                                              ConversationId after,
                                                              std::uint32_t limit, Deadline by) {
  const std::string wanted = folded(text);
  auto place = co_await place_of(owner, after, by);
  if (!place.ok()) co_return place.error();
  const std::uint32_t step = wanted.empty() ? limit + 1 : kSearched;
  PageOfConversations out;
  for (bool more = true; more && !out.more;) {
    Statement statement("list_conversations", kPage);
    statement.text(owner.tenant.text()).text(owner.user.text()).number(step);
    statement.number(place->first).number(place->second);
    auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
    if (!got.ok()) co_return got.error();
    more = got->size() == static_cast<int>(step);
    for (int row = 0; row < got->size() && !out.more; ++row) {
      ConversationInfo info = info_of(*got, row);
      *place = Place(got->number(row, 4), got->number(row, 6));
      if (folded(info.title).find(wanted) == std::string::npos) continue;
      out.more = out.items.size() == limit;
      if (!out.more) out.items.push_back(std::move(info));
    }
  }
  co_return out;
}

Co<Status> PostgresConversations::rename(Owner owner, ConversationId id, std::string title,
                                         Deadline by) {
  Statement statement("rename_conversation", kRename);
  statement.text(id.text()).text(owner.tenant.text()).text(owner.user.text());
  statement.bytes(std::move(title));
  auto renamed = co_await client_.ask(std::move(statement), Repeat::write, by);
  if (!renamed.ok()) co_return renamed.error();
  if (renamed->size() == 0) co_return unknown();
  co_return done();
}

Co<Result<ConversationInfo>> PostgresConversations::get(Owner owner, ConversationId id,
                                                        Deadline by) {
  Statement statement("get_conversation", kGet);
  statement.text(id.text()).text(owner.tenant.text()).text(owner.user.text());
  auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!got.ok()) co_return got.error();
  if (got->size() == 0) co_return unknown();
  co_return info_of(*got, 0);
}

Co<Result<std::vector<StoredMessage>>> PostgresConversations::messages(
    Owner owner, ConversationId id, MessageId after, std::uint32_t limit, Deadline by) {
  Statement statement("messages", kMessages);
  statement.text(id.text()).text(owner.tenant.text()).text(owner.user.text());
  statement.text(after.text()).number(limit);
  auto got = co_await client_.ask(std::move(statement), Repeat::read, by);
  if (!got.ok()) co_return got.error();
  if (!got->truth(0, 0)) co_return unknown();
  if (!got->truth(0, 6)) {
    co_return Error::say(Errc::not_found, "unknown_message", "There is no such message.", "after");
  }
  std::vector<StoredMessage> out;
  for (int row = 0; row < got->size() && !got->null(row, 1); ++row) {
    out.push_back(message_of(*got, row));
    out.back().citations = got->text(row, 7);
  }
  co_return out;
}

Co<Status> PostgresConversations::erase(Owner owner, ConversationId id, Deadline by) {
  Statement statement("erase_conversation", kErase);
  statement.text(id.text()).text(owner.tenant.text()).text(owner.user.text());
  auto gone = co_await client_.ask(std::move(statement), Repeat::once, by);
  if (!gone.ok()) co_return gone.error();
  if (gone->size() == 0) co_return unknown();
  gone_.put(owner, id.text(), Place(gone->number(0, 0), gone->number(0, 1)));
  co_return done();
}

}  // namespace mainstay::storage::postgres
