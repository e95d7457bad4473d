// /v1/documents: texts, and what is known of documents. Files are in document_upload.cpp.
#include "api/document_fields.h"
#include "api/document_upload.h"
#include "api/idempotency.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/vectors.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "knowledge/file_kind.h"

namespace mainstay::api {
namespace {

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
  auto text = text_member(object, "text", {true, rooms.settings.server.body_max.value});
  if (!text.ok()) return text.error();
  const auto kind = knowledge::file_kind(*text);
  if (!kind.empty()) {
    return Error::say(Errc::unsupported, "unsupported_file_type",
                      "'text' holds " + std::string(kind) +
                          ", whatever its format says. Send the text that is in it.",
                      "text");
  }
  auto tags = words_member(object, "tags", "tags");
  if (!tags.ok()) return tags.error();
  out.tags = std::move(*tags);
  out.text = std::move(*text);
  return out;
}

}  // namespace

Co<Status> add_document(const Rooms& rooms, Context& context) {
  if (is_form(context)) co_return co_await upload_document(rooms, context);
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(
      *body, {"collection", "title", "source", "format", "tags", "text", "file", "file_id"});
  if (!object.ok()) co_return object.error();
  if (context.keyed != nullptr) {
    auto replayed = co_await begin_keyed(rooms, context, sha256_hex(*body));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  if (names_file(*object)) co_return co_await ingest_file(rooms, context, std::move(*object));
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
  auto info = co_await known_document(rooms, context, std::move(id));
  if (!info.ok()) co_return info.error();
  auto sent = co_await reply_json(context, 200, dump(document_json(*info)));
  co_return sent;
}

Co<Status> delete_document(const Rooms& rooms, Context& context) {
  DocumentId id(context.param);
  auto known = co_await known_document(rooms, context, id);
  if (!known.ok()) co_return known.error();
  const bool made = known->state == storage::DocumentState::ready;
  if (!made) {
    auto stopped = co_await stop_ingest(rooms, context, id);
    if (!stopped.ok()) co_return stopped;
  }
  auto gone = co_await rooms.stores.documents().erase(context.caller.owner.tenant, std::move(id),
                                                      context.by);
  // One that is still to be begun is in no store.
  if (!gone.ok() && (made || gone.error().code != Errc::not_found)) co_return gone.error();
  const Json out = {{"id", context.param}, {"object", "document.deleted"}, {"deleted", true}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
