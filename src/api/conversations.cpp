// /v1/conversations.
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

Json conversation_json(const storage::ConversationInfo& info) {
  return {{"id", info.id.text()},
          {"object", "conversation"},
          {"title", info.title},
          {"created_at", unix_seconds(info.created)},
          {"updated_at", unix_seconds(info.updated)},
          {"message_count", info.messages}};
}

/// The stored message as it was, with its id and time.
Json message_json(const storage::StoredMessage& stored) {
  Json out = {{"id", stored.id.text()}, {"created_at", unix_seconds(stored.created)}};
  auto parsed = parse_json(stored.json);
  if (!parsed.ok() || !parsed->is_object()) return out;
  for (const auto& [key, value] : parsed->items()) out[key] = value;
  return out;
}

}  // namespace

Co<Status> list_conversations(const Rooms& rooms, Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, 20, rooms.settings.conversations.list_max);
  if (!limit.ok()) co_return limit.error();
  ConversationId after((*query)["after"]);
  auto page = co_await rooms.stores.conversations().list(context.caller.owner, std::move(after),
                                                         *limit, context.by);
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
