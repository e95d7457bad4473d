// Documents that become another one: another title, other tags, another collection, new content;
// and the small picture of one that is a picture.
#include "api/document_fields.h"
#include "api/document_upload.h"
#include "api/file_facts.h"
#include "api/gate.h"
#include "api/routes.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "jobs/desk.h"

namespace mainstay::api {
namespace {

Result<storage::DocumentChanges> changes_of(const Json& object) {
  storage::DocumentChanges out;
  knowledge::NewFile probe;
  if (object.contains("title")) {
    auto title = text_member(object, "title", {true, 512});
    if (!title.ok()) return title.error();
    out.title = probe.title = std::string(trim(*title));
  }
  if (object.contains("tags")) {
    auto tags = words_member(object, "tags", "tags");
    if (!tags.ok()) return tags.error();
    out.tags = probe.tags = std::move(*tags);
  }
  if (object.contains("collection")) {
    auto name = text_member(object, "collection", {true, 128});
    if (!name.ok()) return name.error();
    auto collection = collection_named(*name);
    if (!collection.ok()) return collection.error();
    out.collection = *collection;
  }
  if (!out.title && !out.tags && !out.collection) {
    return Error::say(Errc::invalid, "missing_field",
                      "Give a 'title', 'tags' or a 'collection' that is to be another.");
  }
  auto fits = knowledge::Ingest::check(probe);
  if (!fits.ok()) return fits.error();
  return out;
}

/// A document of many passages is made anew by a job; nothing of it changes before that is done.
Co<Status> change_by_job(const Rooms& rooms, Context& context, storage::DocumentChanges changes) {
  if (rooms.jobs == nullptr) co_return no_place_for_files();
  DocumentId id(context.param);
  auto info = co_await rooms.stores.documents().get(context.caller.owner.tenant, id, context.by);
  if (!info.ok()) co_return info.error();
  jobs::Order order;
  order.kind = "ingest";
  order.input = {{"document", id.text()}};
  if (changes.title) order.input["title"] = *changes.title;
  if (changes.tags) order.input["tags"] = *changes.tags;
  if (changes.collection) {
    auto held = co_await hold_collection(rooms, context, *changes.collection, order.input);
    if (!held.ok()) co_return held;
  }
  auto submitted = co_await rooms.jobs->submit_own(context.caller, std::move(order),
                                                   storage_time(rooms, context));
  if (!submitted.ok()) co_return submitted.error();
  Json out = document_json(*info);
  out["job"] = submitted->id.text();
  auto sent = co_await reply_json(context, 202, dump(out));
  co_return sent;
}

}  // namespace

Co<Status> update_document(const Rooms& rooms, Context& context) {
  DocumentId id(context.param);
  // Another's document is answered like none, whatever was sent.
  auto known = co_await rooms.stores.documents().get(context.caller.owner.tenant, id, context.by);
  if (!known.ok()) co_return known.error();
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"title", "tags", "collection"});
  if (!object.ok()) co_return object.error();
  auto changes = changes_of(*object);
  if (!changes.ok()) co_return changes.error();
  auto writable = check_writable(rooms);
  if (!writable.ok()) co_return writable;
  auto updated = co_await rooms.stores.documents().update(context.caller.owner.tenant,
                                                          std::move(id), *changes, context.by);
  if (!updated.ok() && updated.error().reason == "document_large") {
    co_return co_await change_by_job(rooms, context, std::move(*changes));
  }
  if (!updated.ok()) co_return updated.error();
  auto sent = co_await reply_json(context, 200, dump(document_json(*updated)));
  co_return sent;
}

Co<Status> document_thumbnail(const Rooms& rooms, Context& context) {
  DocumentId id(context.param);
  auto picture = co_await rooms.stores.documents().thumbnail(context.caller.owner.tenant,
                                                             std::move(id), context.by);
  if (!picture.ok()) co_return picture.error();
  if (picture->empty()) {
    co_return Error::say(Errc::not_found, "no_thumbnail", "The document is no picture.");
  }
  net::Response response;
  response.content_type = "image/jpeg";
  response.headers.add("x-content-type-options", "nosniff");
  response.headers.add("cache-control", "private, max-age=300");
  add_common_headers(response.headers, context);
  response.body = std::move(*picture);
  context.status = response.status;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
