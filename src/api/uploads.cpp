// /v1/uploads: files that come in parts, as OpenAI's client sends them, and that a client can go on
// with after a break: what was received is on the disk and is told.
#include "api/file_facts.h"
#include "api/file_form.h"
#include "api/gate.h"
#include "api/idempotency.h"
#include "api/multipart.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/upload_joining.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "storage/shelf.h"

namespace mainstay::api {
namespace {

using storage::UploadId;
using storage::UploadInfo;
using storage::UploadPart;
using storage::UploadState;

constexpr std::size_t kNameMax = 1024;
constexpr std::size_t kTypeMax = 255;
constexpr std::size_t kDigestHex = 64;

const char* status_of(UploadState state) noexcept {
  switch (state) {
    case UploadState::pending:
    case UploadState::completing:  // OpenAI's clients know no word for it
      return "pending";
    case UploadState::completed:
      return "completed";
    case UploadState::cancelled:
      return "cancelled";
  }
  return "pending";
}

Json upload_json(const UploadInfo& upload) {
  return {{"id", upload.id.text()},
          {"object", "upload"},
          {"bytes", upload.bytes},
          {"created_at", unix_seconds(upload.created)},
          {"expires_at", unix_seconds(upload.expires)},
          {"filename", upload.name},
          {"purpose", upload.purpose},
          {"mime_type", upload.media_type},
          {"status", status_of(upload.state)},
          {"bytes_received", upload.parts_bytes},
          {"file", nullptr}};
}

Json part_json(const UploadId& upload, const UploadPart& part) {
  return {{"id", part.id.text()},       {"object", "upload.part"},
          {"upload_id", upload.text()}, {"bytes", part.size},
          {"sha256", part.sha256},      {"created_at", unix_seconds(part.created)}};
}

WallTime end_of(const Rooms& rooms) {
  return rooms.clock.wall() +
         std::chrono::duration_cast<WallTime::duration>(Duration(rooms.settings.uploads.keep));
}

Result<std::uint64_t> bytes_of(const Json& object, std::uint64_t most) {
  const Json& bytes = field(object, "bytes");
  const std::uint64_t wanted = count_field(object, "bytes");
  if (!bytes.is_number_integer() || wanted == 0) {
    return Error::say(Errc::invalid, bytes.is_null() ? "missing_field" : "out_of_range",
                      "'bytes' is the size of the file, 1 or more.", "bytes");
  }
  if (wanted > most) {
    return Error::say(Errc::too_large, "file_too_large",
                      "A file that comes in parts may have at most " + std::to_string(most) +
                          " bytes (uploads.size_max).",
                      "bytes");
  }
  return wanted;
}

/// Seconds that the file is to be kept; 0: as the settings say.
Result<std::uint64_t> file_keep_of(const Json& object) {
  const Json& wish = field(object, "expires_after");
  if (wish.is_null()) return std::uint64_t{0};
  const std::string seconds = std::to_string(count_field(wish, "seconds"));
  auto keep = keep_of(string_field(wish, "anchor"), seconds);
  if (!keep.ok()) return keep.error();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(*keep).count());
}

Result<UploadInfo> upload_of(const Rooms& rooms, const Context& context, const Json& object) {
  UploadInfo out;
  auto name = text_member(object, "filename", {true, kNameMax});
  if (!name.ok()) return name.error();
  auto type = text_member(object, "mime_type", {true, kTypeMax});
  if (!type.ok()) return type.error();
  auto purpose = check_purpose(string_field(object, "purpose"));
  if (!purpose.ok()) return purpose.error();
  auto bytes = bytes_of(object, rooms.settings.uploads.size_max.value);
  if (!bytes.ok()) return bytes.error();
  auto keep = file_keep_of(object);
  if (!keep.ok()) return keep.error();
  out.id = UploadId(make_id("upload_", rooms.clock, rooms.random));
  out.owner = context.caller.owner;
  out.name = shown_file_name(*name);
  out.purpose = string_field(object, "purpose");
  out.media_type = std::move(*type);
  out.bytes = *bytes;
  out.created = rooms.clock.wall();
  out.expires = end_of(rooms);
  out.file_keep = *keep;
  return out;
}

Co<Status> check_room(const Rooms& rooms, Context& context, std::uint64_t bytes) {
  auto writable = check_writable(rooms);
  if (!writable.ok()) co_return writable;
  auto room = co_await rooms.shelf->room(storage_time(rooms, context));
  if (!room.ok()) co_return room.error();
  if (bytes <= *room) co_return done();
  co_return Error::say(Errc::disk_full, "no_room_for_upload",
                       "The disk has " + std::to_string(*room) + " bytes left, fewer than the " +
                           std::to_string(bytes) + " of this file.",
                       "bytes");
}

/// The upload with its file, or with its parts while it takes them.
Co<Result<Json>> whole_json(const Rooms& rooms, Context& context, UploadInfo upload) {
  Json out = upload_json(upload);
  if (upload.state == UploadState::completed) {
    auto file =
        co_await rooms.stores.files().get(upload.owner, upload.file, storage_time(rooms, context));
    if (file.ok()) out["file"] = file_json(*file);
    co_return out;
  }
  auto parts =
      co_await rooms.stores.uploads().parts(upload.owner, upload.id, storage_time(rooms, context));
  if (!parts.ok()) co_return parts.error();
  out["parts"] = Json::array();
  for (const auto& part : *parts) out["parts"].push_back(part_json(upload.id, part));
  co_return out;
}

Co<Status> reply_whole(const Rooms& rooms, Context& context, UploadInfo upload) {
  auto out = co_await whole_json(rooms, context, std::move(upload));
  if (!out.ok()) co_return out.error();
  auto sent = co_await reply_json(context, 200, dump(*out));
  co_return sent;
}

/// What a client asks for when it completes.
struct Completion {
  std::vector<storage::PartId> order;
  std::string md5;
};

Result<Completion> completion_of(const Rooms& rooms, const Json& object) {
  Completion out;
  auto ids = words_member(object, "part_ids", "part_ids");
  if (!ids.ok()) return ids.error();
  if (ids->empty() || ids->size() > rooms.settings.uploads.parts_max) {
    return Error::say(Errc::invalid, ids->empty() ? "missing_field" : "out_of_range",
                      "'part_ids' names the parts in their order, 1 to " +
                          std::to_string(rooms.settings.uploads.parts_max) + ".",
                      "part_ids");
  }
  for (auto& id : *ids) {
    if (!is_safe_name(id)) {
      return Error::say(Errc::invalid, "unknown_part", "The upload has no such part.", "part_ids");
    }
    out.order.emplace_back(std::move(id));
  }
  out.md5 = lower_ascii(string_field(object, "md5"));
  const bool hex = out.md5.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!out.md5.empty() && (out.md5.size() != 32 || !hex)) {
    return Error::say(Errc::invalid, "invalid_value", "'md5' has 32 hexadecimal digits.", "md5");
  }
  return out;
}

}  // namespace

Co<Status> create_upload(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"filename", "bytes", "mime_type", "purpose", "expires_after"});
  if (!object.ok()) co_return object.error();
  auto upload = upload_of(rooms, context, *object);
  if (!upload.ok()) co_return upload.error();
  auto room = co_await check_room(rooms, context, upload->bytes);
  if (!room.ok()) co_return room;
  const std::string reply = dump(upload_json(*upload));
  const storage::UploadLimits limits{rooms.settings.uploads.owner_open_max,
                                     file_limits(rooms.settings)};
  auto added =
      co_await rooms.stores.uploads().add(std::move(*upload), limits, storage_time(rooms, context));
  if (!added.ok()) co_return added;
  auto sent = co_await reply_json(context, 200, reply);
  co_return sent;
}

Co<Status> list_uploads(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  auto open = co_await rooms.stores.uploads().open(
      context.caller.owner, rooms.settings.uploads.owner_open_max, storage_time(rooms, context));
  if (!open.ok()) co_return open.error();
  Json out = {{"object", "list"}, {"data", Json::array()}};
  for (const auto& upload : *open) out["data"].push_back(upload_json(upload));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_upload(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  UploadId id(context.param);
  auto upload = co_await rooms.stores.uploads().get(context.caller.owner, std::move(id),
                                                    storage_time(rooms, context));
  if (!upload.ok()) co_return upload.error();
  auto sent = co_await reply_whole(rooms, context, std::move(*upload));
  co_return sent;
}

Co<Status> add_upload_part(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  const UploadId id(context.param);
  // Before its bytes are taken: most that goes wrong can be told now.
  auto upload =
      co_await rooms.stores.uploads().get(context.caller.owner, id, storage_time(rooms, context));
  if (!upload.ok()) co_return upload.error();
  if (upload->state != UploadState::pending) co_return storage::upload_not_pending();
  const FileRule rule{"data", "part_", rooms.settings.uploads.part_max.value, "uploads.part_max"};
  FileForm form(rooms, {"sha256"}, rule);
  auto received = co_await form.receive(context);
  if (!received.ok()) co_return received;
  const std::string& said = form.field("sha256");
  if (!said.empty() && (said.size() != kDigestHex || lower_ascii(said) != form.digest())) {
    co_return Error::say(Errc::invalid, "digest_mismatch",
                         "The part has another SHA-256 than 'sha256' says. Send it again.",
                         "sha256");
  }
  if (form.size() == 0) {
    co_return Error::say(Errc::invalid, "empty_field", "The part is empty.", "data");
  }
  if (context.keyed != nullptr) {
    auto replayed = co_await begin_keyed(rooms, context, form.digest());
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  UploadPart part{storage::PartId(form.id().text()), form.size(), form.digest(),
                  rooms.clock.wall()};
  auto added = co_await rooms.stores.uploads().add_part(
      context.caller.owner, id, std::move(part), rooms.settings.uploads.parts_max, end_of(rooms),
      storage_time(rooms, context));
  if (!added.ok()) co_return added.error();
  if (added->id.text() == form.id().text()) form.keep();
  auto sent = co_await reply_json(context, 200, dump(part_json(id, *added)));
  // The client may have gone: the part is stored all the same.
  if (!sent.ok()) context.detail = sent.error().detail;
  co_return done();
}

Co<Status> complete_upload(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  UploadId id(context.param);
  auto upload = co_await rooms.stores.uploads().get(context.caller.owner, std::move(id),
                                                    storage_time(rooms, context));
  if (!upload.ok()) co_return upload.error();
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto object = object_of(*body, {"part_ids", "md5"});
  if (!object.ok()) co_return object.error();
  auto wish = completion_of(rooms, *object);
  if (!wish.ok()) co_return wish.error();
  auto joined =
      co_await join_upload(rooms, context, std::move(*upload), std::move(wish->order), wish->md5);
  if (!joined.ok()) co_return joined.error();
  auto sent = co_await reply_whole(rooms, context, std::move(*joined));
  co_return sent;
}

Co<Status> cancel_upload(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  const UploadId id(context.param);
  auto parts = co_await rooms.stores.uploads().cancel(context.caller.owner, id,
                                                      storage_time(rooms, context));
  if (!parts.ok()) co_return parts.error();
  for (const auto& part : *parts) rooms.shelf->drop(part.id.text());
  auto upload =
      co_await rooms.stores.uploads().get(context.caller.owner, id, storage_time(rooms, context));
  if (!upload.ok()) co_return upload.error();
  auto sent = co_await reply_json(context, 200, dump(upload_json(*upload)));
  co_return sent;
}

}  // namespace mainstay::api
