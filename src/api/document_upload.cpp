// The file's facts and the job's input are stored one after the other; a job that could not be
// handed in takes its file with it.
#include "api/document_upload.h"

#include <algorithm>

#include "api/file_form.h"
#include "api/idempotency.h"
#include "api/query.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "jobs/all_kinds.h"
#include "jobs/desk.h"
#include "jobs/document_upkeep.h"
#include "knowledge/file_type.h"

namespace mainstay::api {
namespace {

Error no_place() {
  return Error::say(Errc::unavailable, "files_unavailable",
                    "This server has no place for files now. GET /health/ready says why.");
}

Deadline soon(const Rooms& rooms, const Context& context) {
  return context.by.sooner(rooms.clock.now(), rooms.settings.storage.operation_timeout);
}

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    const std::string_view word = trim(list.substr(0, end));
    if (!word.empty()) out.emplace_back(word);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

/// What a job is told of a file, and what can be refused before.
struct Wish {
  storage::FileInfo file;
  Json input = Json::object();
  std::string collection;
};

void put_in(Json& input, const char* name, const std::string& value) {
  if (!value.empty()) input[name] = value;
}

Result<Wish> wish_of(const Rooms& rooms, const FileForm& form) {
  Wish out;
  auto collection = collection_named(form.field("collection"));
  if (!collection.ok()) return collection.error();
  out.collection = form.field("collection");
  if (out.collection.empty()) out.collection = rooms.settings.knowledge.default_collection;
  put_in(out.input, "collection", out.collection);
  put_in(out.input, "title", form.field("title"));
  put_in(out.input, "source",
         form.field("source").empty() ? form.file_name() : form.field("source"));
  put_in(out.input, "format", form.field("format"));
  const auto tags = words_of(form.field("tags"));
  if (!tags.empty()) out.input["tags"] = tags;
  return out;
}

/// Whether the file is of a kind that can be read.
Co<Status> look_at(const Rooms& rooms, Context& context, const Wish& wish) {
  auto head = co_await rooms.shelf->read(wish.file.id.text(), 0, knowledge::kTypeHead,
                                         soon(rooms, context));
  if (!head.ok()) co_return head.error();
  if (head->empty()) {
    co_return Error::say(Errc::invalid, "empty_field", "The file is empty.", "file");
  }
  auto type = knowledge::type_of(*head, string_field(wish.input, "source"),
                                 string_field(wish.input, "format"));
  if (!type.ok()) co_return type.error();
  co_return done();
}

Json accepted(const Wish& wish, const storage::JobId& job) {
  return {{"id", jobs::document_of(job).text()},
          {"object", "document"},
          {"state", "ingesting"},
          {"collection", wish.collection},
          {"source", string_field(wish.input, "source")},
          {"bytes", wish.file.size},
          {"job", job.text()}};
}

Co<Status> hand_in(const Rooms& rooms, Context& context, Wish wish) {
  jobs::Order order;
  order.kind = "ingest";
  order.input = wish.input;
  order.input["file"] = wish.file.id.text();
  auto submitted =
      co_await rooms.jobs->submit_own(context.caller, std::move(order), soon(rooms, context));
  if (!submitted.ok()) co_return submitted.error();
  auto sent = co_await reply_json(context, 202, dump(accepted(wish, submitted->id)));
  // The client may have gone: the job is there all the same.
  if (!sent.ok()) context.detail = sent.error().detail;
  co_return done();
}

Co<Status> keep_and_hand_in(const Rooms& rooms, Context& context, FileForm& form, Wish wish) {
  wish.file.id = form.id();
  wish.file.owner = context.caller.owner;
  wish.file.name = form.file_name();
  wish.file.purpose = jobs::kForIngest;
  wish.file.size = form.size();
  wish.file.created = rooms.clock.wall();
  wish.file.expires = wish.file.created + std::chrono::duration_cast<WallTime::duration>(
                                              Duration(rooms.settings.files.keep));
  auto looked = co_await look_at(rooms, context, wish);
  if (!looked.ok()) co_return looked;
  const storage::FileLimits limits{rooms.settings.files.owner_entries_max,
                                   rooms.settings.files.owner_bytes_max.value};
  auto added = co_await rooms.stores.files().add(wish.file, limits, soon(rooms, context));
  if (!added.ok()) co_return added;
  const storage::FileId id = wish.file.id;
  auto handed_in = co_await hand_in(rooms, context, std::move(wish));
  if (handed_in.ok()) {
    form.keep();
    co_return handed_in;
  }
  auto gone = co_await rooms.stores.files().erase(context.caller.owner, id, soon(rooms, context));
  static_cast<void>(gone);  // else it goes when its time is over
  co_return handed_in;
}

}  // namespace

Result<std::optional<CollectionName>> collection_named(const std::string& name) {
  if (name.empty()) return std::optional<CollectionName>();
  if (!is_safe_name(name)) {
    return Error::say(Errc::invalid, "invalid_name",
                      "A collection's name has 1 to 128 characters of A-Z a-z 0-9 . _ : -",
                      "collection");
  }
  return std::optional<CollectionName>(CollectionName(name));
}

Result<std::vector<std::string>> tags_in(const Json& object) {
  std::vector<std::string> out;
  const auto found = object.find("tags");
  if (found == object.end() || found->is_null()) return out;
  const bool words =
      found->is_array() &&
      std::all_of(found->begin(), found->end(), [](const Json& tag) { return tag.is_string(); });
  if (!words) {
    return Error::say(Errc::invalid, "invalid_type", "'tags' must be a list of words.", "tags");
  }
  for (const auto& tag : *found) out.push_back(tag.get<std::string>());
  return out;
}

Co<Status> upload_document(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr || rooms.jobs == nullptr) co_return no_place();
  FileForm form(rooms, {"collection", "title", "source", "format", "tags"});
  auto received = co_await form.receive(context);
  if (!received.ok()) co_return received;
  auto wish = wish_of(rooms, form);
  if (!wish.ok()) co_return wish.error();
  if (context.keyed != nullptr) {
    std::string digest = sha256_hex(form.digest() + dump(wish->input));
    auto replayed = co_await begin_keyed(rooms, context, std::move(digest));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  auto kept = co_await keep_and_hand_in(rooms, context, form, std::move(*wish));
  co_return kept;
}

Co<Status> ingest_file(const Rooms& rooms, Context& context, Json object) {
  if (rooms.shelf == nullptr || rooms.jobs == nullptr) co_return no_place();
  Wish wish;
  storage::FileId id(string_field(object, "file"));
  auto file = co_await rooms.stores.files().get(context.caller.owner, std::move(id), context.by);
  if (!file.ok()) co_return file.error();
  wish.file = std::move(*file);
  auto collection = collection_named(string_field(object, "collection"));
  if (!collection.ok()) co_return collection.error();
  wish.collection = string_field(object, "collection", rooms.settings.knowledge.default_collection);
  put_in(wish.input, "collection", wish.collection);
  put_in(wish.input, "title", string_field(object, "title"));
  put_in(wish.input, "source", string_field(object, "source", wish.file.name));
  put_in(wish.input, "format", string_field(object, "format"));
  auto tags = tags_in(object);
  if (!tags.ok()) co_return tags.error();
  if (!tags->empty()) wish.input["tags"] = *tags;
  auto looked = co_await look_at(rooms, context, wish);
  if (!looked.ok()) co_return looked;
  auto handed_in = co_await hand_in(rooms, context, std::move(wish));
  co_return handed_in;
}

}  // namespace mainstay::api
