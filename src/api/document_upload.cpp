// The file's facts and the job's input are stored one after the other; a job that could not be
// handed in takes its file with it.
#include "api/document_upload.h"

#include <algorithm>
#include <optional>

#include "api/document_fields.h"
#include "api/file_facts.h"
#include "api/file_form.h"
#include "api/idempotency.h"
#include "api/routes.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "jobs/all_kinds.h"
#include "jobs/desk.h"
#include "jobs/document_upkeep.h"
#include "knowledge/file_type.h"

namespace mainstay::api {
namespace {

constexpr std::uint32_t kJobsListed = 100;  ///< at once

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
  DocumentId replaces;  ///< the document that gets new content; empty: it will be a new one
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

/// The place of a document that is there: what the request does not say stays as it is by then.
void take_over(Wish& wish, const storage::DocumentInfo& changed) {
  wish.replaces = changed.id;
  wish.collection = changed.collection.text();
  wish.input.erase("collection");
  wish.input["source"] = changed.source;
  if (changed.source.empty()) wish.input.erase("source");
}

/// Whether the file is of a kind that can be read.
Co<Status> look_at(const Rooms& rooms, Context& context, const Wish& wish) {
  auto head = co_await rooms.shelf->read(wish.file.id.text(), 0, knowledge::kTypeHead,
                                         storage_time(rooms, context));
  if (!head.ok()) co_return head.error();
  if (head->empty()) {
    co_return Error::say(Errc::invalid, "empty_field", "The file is empty.", "file");
  }
  auto type = knowledge::type_of(*head, string_field(wish.input, "source", wish.file.name),
                                 string_field(wish.input, "format"));
  if (!type.ok()) co_return type.error();
  co_return done();
}

Json accepted(const Wish& wish, const storage::JobId& job) {
  const bool anew = wish.replaces.empty();
  return {{"id", anew ? jobs::document_of(job).text() : wish.replaces.text()},
          {"object", "document"},
          {"state", anew ? "ingesting" : "replacing"},
          {"collection", wish.collection},
          {"source", string_field(wish.input, "source")},
          {"bytes", wish.file.size},
          {"job", job.text()}};
}

Co<Status> hand_in(const Rooms& rooms, Context& context, Wish wish) {
  jobs::Order order;
  order.kind = "ingest";
  order.input = wish.input;
  if (wish.replaces.empty()) {
    auto held =
        co_await hold_collection(rooms, context, CollectionName(wish.collection), order.input);
    if (!held.ok()) co_return held;
  }
  if (!wish.file.id.empty()) order.input["file"] = wish.file.id.text();
  put_in(order.input, "document", wish.replaces.text());
  auto submitted = co_await rooms.jobs->submit_own(context.caller, std::move(order),
                                                   storage_time(rooms, context));
  if (!submitted.ok()) co_return submitted.error();
  auto sent = co_await reply_json(context, 202, dump(accepted(wish, submitted->id)));
  // The client may have gone: the job is there all the same.
  if (!sent.ok()) context.detail = sent.error().detail;
  co_return done();
}

Co<Status> keep_and_hand_in(const Rooms& rooms, Context& context, FileForm& form, Wish wish) {
  wish.file = file_of_now(rooms, context, Duration(rooms.settings.files.keep));
  wish.input["file_is_own"] = true;
  wish.file.id = form.id();
  wish.file.name = form.file_name();
  wish.file.purpose = jobs::kForIngest;
  wish.file.size = form.size();
  auto looked = co_await look_at(rooms, context, wish);
  if (!looked.ok()) co_return looked;
  auto added = co_await rooms.stores.files().add(wish.file, file_limits(rooms.settings),
                                                 storage_time(rooms, context));
  if (!added.ok()) co_return added;
  const storage::FileId id = wish.file.id;
  auto handed_in = co_await hand_in(rooms, context, std::move(wish));
  if (handed_in.ok()) {
    form.keep();
    co_return handed_in;
  }
  auto gone =
      co_await rooms.stores.files().erase(context.caller.owner, id, storage_time(rooms, context));
  static_cast<void>(gone);  // else it goes when its time is over
  co_return handed_in;
}

/// A form; `changed`: the document whose content it is.
Co<Status> take_form(const Rooms& rooms, Context& context,
                     std::optional<storage::DocumentInfo> changed) {
  FileForm form(rooms, {"collection", "title", "source", "format", "tags"});
  auto received = co_await form.receive(context);
  if (!received.ok()) co_return received;
  auto wish = wish_of(rooms, form);
  if (!wish.ok()) co_return wish.error();
  if (changed) take_over(*wish, *changed);
  if (context.keyed != nullptr) {
    std::string digest = sha256_hex(form.digest() + dump(wish->input) + context.param);
    auto replayed = co_await begin_keyed(rooms, context, std::move(digest));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  auto kept = co_await keep_and_hand_in(rooms, context, form, std::move(*wish));
  co_return kept;
}

Result<Wish> wish_of(const Rooms& rooms, const Json& object, storage::FileInfo file) {
  Wish wish;
  wish.file = std::move(file);
  auto collection = collection_named(string_field(object, "collection"));
  if (!collection.ok()) return collection.error();
  wish.collection = string_field(object, "collection", rooms.settings.knowledge.default_collection);
  put_in(wish.input, "collection", wish.collection);
  put_in(wish.input, "title", string_field(object, "title"));
  put_in(wish.input, "source", string_field(object, "source", wish.file.name));
  put_in(wish.input, "format", string_field(object, "format"));
  auto tags = words_member(object, "tags", "tags");
  if (!tags.ok()) return tags.error();
  if (!field(object, "tags").is_null()) wish.input["tags"] = *tags;
  return wish;
}

Co<Status> take_file(const Rooms& rooms, Context& context, Json object,
                     std::optional<storage::DocumentInfo> changed) {
  const char* name = object.contains("file_id") ? "file_id" : "file";
  if (object.contains("text") || (object.contains("file") && object.contains("file_id"))) {
    co_return Error::say(Errc::invalid, "invalid_value", "Give 'text' or 'file_id', not both.",
                         name);
  }
  auto id = text_member(object, name, {true, 128});
  if (!id.ok()) co_return id.error();
  storage::FileId wanted(std::move(*id));
  auto file =
      co_await rooms.stores.files().get(context.caller.owner, std::move(wanted), context.by);
  if (!file.ok()) co_return file.error();
  auto wish = wish_of(rooms, object, std::move(*file));
  if (!wish.ok()) co_return wish.error();
  if (changed) take_over(*wish, *changed);
  auto looked = co_await look_at(rooms, context, *wish);
  if (!looked.ok()) co_return looked;
  auto handed_in = co_await hand_in(rooms, context, std::move(*wish));
  co_return handed_in;
}

/// New content that comes as a text: the job carries it.
Co<Status> take_text(const Rooms& rooms, Context& context, Json object,
                     storage::DocumentInfo changed) {
  auto text = text_member(object, "text", {true, rooms.settings.jobs.input_max.value});
  if (!text.ok()) co_return text.error();
  auto wish = wish_of(rooms, object, storage::FileInfo());
  if (!wish.ok()) co_return wish.error();
  take_over(*wish, changed);
  auto type = knowledge::type_of({}, {}, changed.media_type);
  const bool known = type.ok() && knowledge::is_text(*type);
  if (!wish->input.contains("format") && known) wish->input["format"] = changed.media_type;
  wish->file.size = text->size();
  wish->input["text"] = std::move(*text);
  auto handed_in = co_await hand_in(rooms, context, std::move(*wish));
  co_return handed_in;
}

/// Whether the job makes a document of this tenant's that was not there before.
bool is_maker(const storage::Job& job, const TenantId& tenant) {
  if (job.job.kind != "ingest" || job.job.owner.tenant != tenant) return false;
  auto input = parse_json(job.job.input);
  return input.ok() && !input->contains("document");
}

/// The file that an ingest job reads; empty: none.
storage::FileId file_of(const storage::Job& job) {
  auto input = parse_json(job.job.input);
  return storage::FileId(input.ok() ? string_field(*input, "file") : std::string());
}

/// What is known of a document before its job begins it.
storage::DocumentInfo accepted_document(const Rooms& rooms, const storage::Job& job,
                                        DocumentId id) {
  storage::DocumentInfo out;
  out.id = std::move(id);
  out.state = storage::DocumentState::ingesting;
  out.created = job.created;
  auto input = parse_json(job.job.input);
  if (!input.ok()) return out;
  out.collection = CollectionName(
      string_field(*input, "collection", rooms.settings.knowledge.default_collection));
  out.title = string_field(*input, "title");
  out.source = string_field(*input, "source");
  auto tags = words_member(*input, "tags", "tags");
  if (tags.ok()) out.tags = std::move(*tags);
  return out;
}

}  // namespace

Co<Result<storage::DocumentInfo>> known_document(const Rooms& rooms, const Context& context,
                                                 DocumentId id) {
  const TenantId& tenant = context.caller.owner.tenant;
  auto info = co_await rooms.stores.documents().get(tenant, id, context.by);
  const storage::JobId maker = jobs::job_of(id);
  const bool missing = !info.ok() && info.error().code == Errc::not_found;
  if (!missing || maker.empty() || rooms.jobs == nullptr) co_return info;
  auto job = co_await rooms.jobs->store().get(std::nullopt, maker, context.by);
  if (!job.ok() || !is_maker(*job, tenant)) co_return info;
  if (!storage::ended(job->state)) {
    co_return accepted_document(rooms, *job, std::move(id));
  }
  // It may have begun and ended between the two looks, or made nothing of what was there.
  auto result = parse_json(job->result);
  if (result.ok()) id = DocumentId(string_field(*result, "id", id.text()));
  info = co_await rooms.stores.documents().get(tenant, std::move(id), context.by);
  co_return info;
}

Co<Status> stop_ingest(const Rooms& rooms, const Context& context, DocumentId id) {
  const storage::JobId maker = jobs::job_of(id);
  if (maker.empty() || rooms.jobs == nullptr) co_return done();
  auto job = co_await rooms.jobs->store().get(std::nullopt, maker, context.by);
  if (!job.ok() && job.error().code == Errc::not_found) co_return done();
  if (!job.ok()) co_return job.error();
  if (!is_maker(*job, context.caller.owner.tenant)) co_return done();
  // Documents are the tenant's: who may delete one may end another user's job that makes it.
  admission::Caller owner = context.caller;
  owner.owner = job->job.owner;
  auto ended = co_await rooms.jobs->cancel_only(std::move(owner), maker, context.by);
  if (!ended.ok() && ended.error().reason != "job_ended") co_return ended.error();
  auto input = parse_json(job->job.input);
  if (!ended.ok() || !input.ok() || !flag_field(*input, "file_is_own")) co_return done();
  storage::FileId file(string_field(*input, "file"));
  auto gone = co_await rooms.stores.files().erase(job->job.owner, file, context.by);
  // The attempt that was stopped may have taken the row away, and not yet the file.
  const bool away = gone.ok() || gone.error().code == Errc::not_found;
  if (away && rooms.shelf != nullptr) rooms.shelf->drop(file.text());
  co_return done();
}

Co<Result<bool>> is_being_ingested(const Rooms& rooms, const Context& context,
                                   storage::FileId file) {
  if (rooms.jobs == nullptr) co_return false;
  using storage::JobState;
  storage::JobStore& store = rooms.jobs->store();
  for (const auto state : {JobState::scheduled, JobState::queued, JobState::running}) {
    storage::JobFilter filter;
    filter.owner = context.caller.owner;
    filter.state = state;
    filter.kind = "ingest";
    storage::JobId after;
    for (bool more = true; more;) {
      auto page = co_await store.list(filter, after, kJobsListed, context.by);
      if (!page.ok()) co_return page.error();
      for (const auto& one : page->items) {
        auto view = co_await rooms.jobs->get(context.caller, one.job.id, context.by);
        if (view.ok() && file_of(view->job) == file) co_return true;
        after = one.job.id;
      }
      more = page->more && !page->items.empty();
    }
  }
  co_return false;
}

Co<Status> hold_collection(const Rooms& rooms, const Context& context, CollectionName name,
                           Json& input) {
  input["collection"] = name.text();
  auto number = co_await rooms.stores.documents().hold_collection(
      context.caller.owner.tenant, std::move(name), storage_time(rooms, context));
  if (!number.ok()) co_return number.error();
  input["collection_number"] = *number;
  co_return done();
}

bool is_form(const Context& context) {
  return lower_ascii(context.exchange.head().header("content-type")).starts_with("multipart/");
}

bool names_file(const Json& object) {
  return object.contains("file") || object.contains("file_id");
}

Co<Status> upload_document(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr || rooms.jobs == nullptr) co_return no_place_for_files();
  co_return co_await take_form(rooms, context, std::nullopt);
}

Co<Status> ingest_file(const Rooms& rooms, Context& context, Json object) {
  if (rooms.shelf == nullptr || rooms.jobs == nullptr) co_return no_place_for_files();
  co_return co_await take_file(rooms, context, std::move(object), std::nullopt);
}

Co<Status> replace_document(const Rooms& rooms, Context& context) {
  DocumentId id(context.param);
  auto changed = co_await known_document(rooms, context, std::move(id));
  if (!changed.ok()) co_return changed.error();
  if (changed->state != storage::DocumentState::ready) {
    co_return Error::say(Errc::conflict, "document_ingesting",
                         "The document is being ingested. Wait for its job to end.");
  }
  if (rooms.shelf == nullptr || rooms.jobs == nullptr) co_return no_place_for_files();
  if (is_form(context)) co_return co_await take_form(rooms, context, std::move(*changed));
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"title", "format", "tags", "text", "file", "file_id"});
  if (!object.ok()) co_return object.error();
  if (context.keyed != nullptr) {
    auto replayed = co_await begin_keyed(rooms, context, sha256_hex(*body + context.param));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  if (names_file(*object)) {
    co_return co_await take_file(rooms, context, std::move(*object), std::move(*changed));
  }
  co_return co_await take_text(rooms, context, std::move(*object), std::move(*changed));
}

}  // namespace mainstay::api
