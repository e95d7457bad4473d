// /v1/conversations.
#include "api/query.h"
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kSearchMax = 256;  ///< bytes
constexpr std::size_t kTitleMax = 200;   ///< characters

/// UTF-8 of 1 to kTitleMax characters, none of them a control character.
bool is_title(std::string_view text) {
  std::size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
    if ((byte & 0xC0U) != 0x80) ++characters;
  }
  return !trim(text).empty() && characters <= kTitleMax;
}

Json conversation_json(const storage::ConversationInfo& info) {
  return {{"id", info.id.text()},
          {"object", "conversation"},
          {"title", info.title},
          {"created_at", unix_seconds(info.created)},
          {"updated_at", unix_seconds(info.updated)},
          {"message_count", info.messages}};
}

/// The stored message as it was, with its id and time, and an answer with what it rests on.
Json message_json(const storage::StoredMessage& stored) {
  Json out = {{"id", stored.id.text()}, {"created_at", unix_seconds(stored.created)}};
  auto parsed = parse_json(stored.json);
  if (!parsed.ok() || !parsed->is_object()) return out;
  for (const auto& [key, value] : parsed->items()) out[key] = value;
  if (stored.citations.empty()) return out;
  auto citations = parse_json(stored.citations);
  if (citations.ok() && citations->is_array()) out["citations"] = std::move(*citations);
  return out;
}

}  // namespace

Co<Status> list_conversations(const Rooms& rooms, Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, 20, rooms.settings.conversations.list_max);
  if (!limit.ok()) co_return limit.error();
  ConversationId after((*query)["after"]);
  std::string text = (*query)["q"];
  if (text.size() > kSearchMax) {
    co_return Error::say(Errc::invalid, "invalid_value", "'q' is at most 256 bytes long.", "q");
  }
  auto& store = rooms.stores.conversations();
  Result<storage::PageOfConversations> page;
  if (text.empty()) {
    page = co_await store.list(context.caller.owner, std::move(after), *limit, context.by);
  } else {
    page = co_await store.search(context.caller.owner, std::move(text), std::move(after), *limit,
                                 context.by);
  }
  if (!page.ok()) co_return page.error();
  Json out = {{"object", "list"}, {"data", Json::array()}, {"has_more", page->more}};
  for (const auto& item : page->items) out["data"].push_back(conversation_json(item));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_conversation(const Rooms& rooms, Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, rooms.settings.conversations.list_max,
                        rooms.settings.conversations.list_max);
  if (!limit.ok()) co_return limit.error();
  const ConversationId id(context.param);
  auto& store = rooms.stores.conversations();
  auto info = co_await store.get(context.caller.owner, id, context.by);
  if (!info.ok()) co_return info.error();
  MessageId after((*query)["after"]);
  // One more than asked for tells whether there is more.
  auto messages =
      co_await store.messages(context.caller.owner, id, std::move(after), *limit + 1, context.by);
  if (!messages.ok()) co_return messages.error();
  Json out = conversation_json(*info);
  out["has_more"] = messages->size() > *limit;
  if (messages->size() > *limit) messages->pop_back();
  out["messages"] = Json::array();
  for (const auto& message : *messages) out["messages"].push_back(message_json(message));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> rename_conversation(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"title"});
  if (!object.ok()) co_return object.error();
  auto title = text_member(*object, "title", {true, 4 * kTitleMax});
  if (!title.ok()) co_return title.error();
  if (!is_title(*title)) {
    co_return Error::say(Errc::invalid, "invalid_value",
                         "'title' is 1 to 200 characters in one line.", "title");
  }
  const ConversationId id(context.param);
  auto& store = rooms.stores.conversations();
  auto renamed = co_await store.rename(context.caller.owner, id, std::move(*title), context.by);
  if (!renamed.ok()) co_return renamed.error();
  auto info = co_await store.get(context.caller.owner, id, context.by);
  if (!info.ok()) co_return info.error();
  auto sent = co_await reply_json(context, 200, dump(conversation_json(*info)));
  co_return sent;
}

Co<Status> delete_conversation(const Rooms& rooms, Context& context) {
  ConversationId id(context.param);
  auto gone =
      co_await rooms.stores.conversations().erase(context.caller.owner, std::move(id), context.by);
  if (!gone.ok()) co_return gone.error();
  const Json out = {{"id", context.param}, {"object", "conversation.deleted"}, {"deleted", true}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
