// /v1/documents and /v1/search.
#include "api/file_kind.h"
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

Json document_json(const storage::DocumentInfo& info) {
  return {{"id", info.id.text()},
          {"object", "document"},
          {"collection", info.collection.text()},
          {"title", info.title},
          {"source", info.source},
          {"media_type", info.media_type},
          {"sha256", info.sha256},
          {"bytes", info.size.value},
          {"chunks", info.chunks},
          {"created_at", unix_seconds(info.created)}};
}

Json passage_json(const storage::Passage& p) {
  return {{"document", p.document.text()},
          {"collection", p.collection.text()},
          {"title", p.title},
          {"source", p.source},
          {"heading", p.heading},
          {"position", {{"start", p.begin}, {"end", p.end}}},
          {"text", p.text},
          {"score", p.score}};
}

Result<std::optional<CollectionName>> collection_named(const std::string& name) {
  if (name.empty()) return std::optional<CollectionName>();
  if (!is_safe_name(name)) {
    return Error::say(Errc::invalid, "invalid_name",
                      "A collection's name has 1 to 128 characters of A-Z a-z 0-9 . _ : -",
                      "collection");
  }
  return std::optional<CollectionName>(CollectionName(name));
}

/// The document that a request's body describes.
Result<knowledge::NewText> new_text(const Rooms& rooms, const Json& object) {
  knowledge::NewText out;
  auto collection = text_member(object, "collection", {});
  if (!collection.ok()) return collection.error();
  auto named = collection_named(*collection);
  if (!named.ok()) return named.error();
  out.collection = named->value_or(CollectionName(rooms.settings.knowledge.default_collection));
  auto title = text_member(object, "title", {});
  if (!title.ok()) return title.error();
  out.title = std::move(*title);
  auto source = text_member(object, "source", {false, 2048});
  if (!source.ok()) return source.error();
  out.source = std::move(*source);
  auto format = text_member(object, "format", {false, 32});
  if (!format.ok()) return format.error();
  if (!format->empty()) out.format = std::move(*format);
  auto text = text_member(object, "text", {true, rooms.settings.knowledge.document_max.value});
  if (!text.ok()) return text.error();
  const auto kind = file_kind(*text);
  if (!kind.empty()) {
    return Error::say(Errc::unsupported, "unsupported_file_type",
                      "'text' holds " + std::string(kind) +
                          ", whatever its format says. Send the text that is in it.",
                      "text");
  }
  out.text = std::move(*text);
  return out;
}

}  // namespace

Co<Status> add_document(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"collection", "title", "source", "format", "text"});
  if (!object.ok()) co_return object.error();
  auto text = new_text(rooms, *object);
  if (!text.ok()) co_return text.error();
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  auto added =
      co_await rooms.library.add(context.caller.owner.tenant, std::move(*text), context.by);
  if (!added.ok()) co_return added.error();
  Json out = document_json(added->document);
  out["existed"] = added->existed;
  out["replaced"] = added->replaced;
  const int status = added->existed ? 200 : 201;
  auto sent = co_await reply_json(context, status, dump(out));
  co_return sent;
}

Co<Status> list_documents(const Rooms& rooms, Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, 20, rooms.settings.conversations.list_max);
  if (!limit.ok()) co_return limit.error();
  auto collection = collection_named((*query)["collection"]);
  if (!collection.ok()) co_return collection.error();
  DocumentId after((*query)["after"]);
  auto page = co_await rooms.stores.documents().list(context.caller.owner.tenant, *collection,
                                                     std::move(after), *limit, context.by);
  if (!page.ok()) co_return page.error();
  Json out = {{"object", "list"}, {"data", Json::array()}, {"has_more", page->more}};
  for (const auto& item : page->items) out["data"].push_back(document_json(item));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_document(const Rooms& rooms, Context& context) {
  DocumentId id(context.param);
  auto info =
      co_await rooms.stores.documents().get(context.caller.owner.tenant, std::move(id), context.by);
  if (!info.ok()) co_return info.error();
  auto sent = co_await reply_json(context, 200, dump(document_json(*info)));
  co_return sent;
}

Co<Status> delete_document(const Rooms& rooms, Context& context) {
  DocumentId id(context.param);
  auto gone = co_await rooms.stores.documents().erase(context.caller.owner.tenant, std::move(id),
                                                      context.by);
  if (!gone.ok()) co_return gone.error();
  const Json out = {{"id", context.param}, {"object", "document.deleted"}, {"deleted", true}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> search_documents(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"query", "collection", "limit"});
  if (!object.ok()) co_return object.error();
  const TextRule rule{true, 8192};
  auto text = text_member(*object, "query", rule);
  if (!text.ok()) co_return text.error();
  auto name = text_member(*object, "collection", TextRule());
  if (!name.ok()) co_return name.error();
  auto collection = collection_named(*name);
  if (!collection.ok()) co_return collection.error();
  storage::PassageQuery wanted;
  wanted.tenant = context.caller.owner.tenant;
  wanted.text = std::move(*text);
  wanted.collection = std::move(*collection);
  if (object->contains("limit")) {
    const Json& limit = (*object)["limit"];
    const auto max = rooms.settings.knowledge.search_max;
    if (!limit.is_number_unsigned() || limit.get<std::uint64_t>() < 1 ||
        limit.get<std::uint64_t>() > max) {
      co_return Error::say(Errc::invalid, "out_of_range",
                           "'limit' must be a whole number from 1 to " + std::to_string(max) + ".",
                           "limit");
    }
    wanted.limit = limit.get<std::uint32_t>();
  }
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  auto found = co_await rooms.library.find(std::move(wanted), context.by);
  if (!found.ok()) co_return found.error();
  Json out = {{"object", "list"}, {"data", Json::array()}};
  for (const auto& passage : *found) out["data"].push_back(passage_json(passage));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
