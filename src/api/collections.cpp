// /v1/collections: what a tenant's documents are kept in.
#include "api/document_fields.h"
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

Json collection_json(const storage::CollectionInfo& info) {
  Json out = {{"id", info.name.text()}, {"object", "collection"},   {"documents", info.documents},
              {"chunks", info.chunks},  {"bytes", info.size.value}, {"newest_at", nullptr}};
  if (info.newest) out["newest_at"] = unix_seconds(*info.newest);
  return out;
}

/// Null where no embedding model is configured.
Json meaning_json(const std::optional<knowledge::MeaningOf>& of) {
  if (!of) return nullptr;
  Json out = {{"state", knowledge::name(of->state)}, {"model", of->model}, {"serves", nullptr},
              {"documents", of->documents},          {"done", of->done},   {"share", of->share}};
  if (!of->serves.empty()) out["serves"] = of->serves;
  return out;
}

/// The name in the path.
Result<CollectionName> named(const std::string& name) {
  auto collection = collection_named(name);
  if (!collection.ok()) return collection.error();
  return collection->value_or(CollectionName());
}

/// The body's member `id`: a name that must be given.
Co<Result<CollectionName>> name_in_body(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"id"});
  if (!object.ok()) co_return object.error();
  auto text = text_member(*object, "id", TextRule{true, 128});
  if (!text.ok()) co_return text.error();
  auto name = named(*text);
  if (!name.ok()) {
    Error error = name.error();
    error.field = "id";
    co_return error;
  }
  co_return name;
}

Co<Status> reply_with(const Rooms& rooms, Context& context, CollectionName name, int status) {
  auto all = co_await rooms.stores.documents().collections(context.caller.owner.tenant, context.by);
  if (!all.ok()) co_return all.error();
  for (const auto& info : *all) {
    if (info.name != name) continue;
    auto sent = co_await reply_json(context, status, dump(collection_json(info)));
    co_return sent;
  }
  co_return Error::say(Errc::not_found, "unknown_collection", "There is no such collection.",
                       "collection");
}

}  // namespace

Co<Status> list_collections(const Rooms& rooms, Context& context) {
  auto all = co_await rooms.stores.documents().collections(context.caller.owner.tenant, context.by);
  if (!all.ok()) co_return all.error();
  Json out = {{"object", "list"}, {"data", Json::array()}};
  for (const auto& info : *all) out["data"].push_back(collection_json(info));
  auto meaning = co_await rooms.library.meaning_of(context.caller.owner.tenant, context.by);
  if (!meaning.ok()) co_return meaning.error();
  out["meaning"] = meaning_json(*meaning);
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> create_collection(const Rooms& rooms, Context& context) {
  auto name = co_await name_in_body(rooms, context);
  if (!name.ok()) co_return name.error();
  auto made = co_await rooms.stores.documents().create_collection(context.caller.owner.tenant,
                                                                  *name, context.by);
  if (!made.ok()) co_return made;
  co_return co_await reply_with(rooms, context, *name, 201);
}

Co<Status> get_collection(const Rooms& rooms, Context& context) {
  auto name = named(context.param);
  if (!name.ok()) co_return name.error();
  co_return co_await reply_with(rooms, context, *name, 200);
}

Co<Status> rename_collection(const Rooms& rooms, Context& context) {
  auto from = named(context.param);
  if (!from.ok()) co_return from.error();
  auto to = co_await name_in_body(rooms, context);
  if (!to.ok()) co_return to.error();
  auto renamed = co_await rooms.stores.documents().rename_collection(context.caller.owner.tenant,
                                                                     *from, *to, context.by);
  if (!renamed.ok()) co_return renamed;
  co_return co_await reply_with(rooms, context, *to, 200);
}

Co<Status> delete_collection(const Rooms& rooms, Context& context) {
  auto name = named(context.param);
  if (!name.ok()) co_return name.error();
  auto gone = co_await rooms.stores.documents().erase_collection(context.caller.owner.tenant, *name,
                                                                 context.by);
  if (!gone.ok()) co_return gone.error();
  const Json out = {{"id", context.param},
                    {"object", "collection.deleted"},
                    {"deleted", true},
                    {"documents", *gone}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
