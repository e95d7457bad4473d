// /v1/files: what clients put here, as OpenAI's client sends and reads it. Contents go to the shelf
// block by block; the file is there once its facts are stored.
#include <algorithm>
#include <array>
#include <charconv>

#include "api/gate.h"
#include "api/idempotency.h"
#include "api/multipart.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/text.h"
#include "storage/shelf.h"

namespace mainstay::api {
namespace {

using storage::FileId;
using storage::FileInfo;

constexpr std::size_t kBlock = 256 * 1024;     ///< written and read at once
constexpr std::uint64_t kFormMax = 64 * 1024;  ///< of a form beside its file
constexpr std::size_t kFieldMax = 1024;
constexpr std::uint32_t kListed = 100;
constexpr std::int64_t kKeepMin = 3600;
constexpr std::int64_t kKeepMax = 30 * 24 * 3600;

Error no_files() {
  return Error::say(Errc::unavailable, "files_unavailable",
                    "This server has no place for files now. GET /health/ready says why.");
}

Json file_json(const FileInfo& file) {
  Json out = {{"id", file.id.text()},    {"object", "file"},
              {"bytes", file.size},      {"created_at", unix_seconds(file.created)},
              {"expires_at", nullptr},   {"filename", file.name},
              {"purpose", file.purpose}, {"status", "processed"}};
  if (file.expires != WallTime{}) out["expires_at"] = unix_seconds(file.expires);
  return out;
}

Deadline soon(const Rooms& rooms, const Context& context) {
  return context.by.sooner(rooms.clock.now(), rooms.settings.storage.operation_timeout);
}

/// A content without a file's facts goes when this does.
class Unfinished {
 public:
  Unfinished(storage::Shelf& shelf, const FileId& id) : shelf_(shelf), id_(id) {}
  ~Unfinished() {
    if (!kept_) shelf_.drop(id_.text());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  storage::Shelf& shelf_;
  const FileId& id_;
  bool kept_ = false;
};

/// The form as it comes in.
struct Form {
  FileId id;
  std::string purpose;
  std::string anchor;
  std::string keep;  ///< expires_after[seconds]
  std::string file_name;
  bool has_file = false;
  std::uint64_t size = 0;  ///< on the shelf
  std::string block;       ///< not yet there
  std::string digest;      ///< of the blocks and the fields so far
};

Error bad_form(const char* reason, const std::string& sentence, const char* param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

/// Where the content of a part goes; null: it is passed over.
Result<std::string*> place_of(const PartHead& head, Form& form) {
  std::string* out = nullptr;
  if (head.name == "purpose") out = &form.purpose;
  if (head.name == "expires_after[anchor]") out = &form.anchor;
  if (head.name == "expires_after[seconds]") out = &form.keep;
  if (out != nullptr && !out->empty()) {
    return bad_form("duplicate_field", "The form gives a field twice.", "purpose");
  }
  return out;
}

Co<Status> put_block(const Rooms& rooms, Context& context, Form& form, bool last) {
  auto writable = check_writable(rooms);
  if (!writable.ok()) co_return writable;
  const std::size_t size = form.block.size();
  form.digest = sha256_hex(form.digest + sha256_hex(form.block));
  auto put = co_await rooms.shelf->put(form.id.text(), form.size, std::move(form.block), last,
                                       soon(rooms, context));
  form.block = std::string();
  form.size += size;
  co_return put;
}

/// Full blocks only, so that the digest does not depend on how the bytes came.
Co<Status> take_content(const Rooms& rooms, Context& context, Form& form, std::string bytes) {
  if (form.size + form.block.size() + bytes.size() > rooms.settings.files.size_max.value) {
    co_return Error::say(Errc::too_large, "file_too_large",
                         "A file may have at most " +
                             std::to_string(rooms.settings.files.size_max.value) +
                             " bytes (files.size_max).",
                         "file");
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t n = std::min(kBlock - form.block.size(), bytes.size() - at);
    form.block.append(bytes, at, n);
    at += n;
    if (form.block.size() < kBlock) continue;
    auto put = co_await put_block(rooms, context, form, false);
    if (!put.ok()) co_return put;
  }
  co_return done();
}

Status begin_file(const PartHead& head, Form& form) {
  if (form.has_file) return bad_form("duplicate_field", "The form holds two files.", "file");
  form.has_file = true;
  form.file_name = shown_file_name(head.file_name);
  return done();
}

/// Reads the form to its end.
Co<Status> receive(const Rooms& rooms, Context& context, Form& form) {
  auto boundary = boundary_of(context.exchange.head().header("content-type"));
  if (!boundary.ok()) co_return boundary.error();
  Multipart reader(*boundary);
  const Bytes most(rooms.settings.files.size_max.value + kFormMax);
  std::string* field = nullptr;
  bool in_file = false;
  bool ended = false;
  for (;;) {
    auto event = reader.next();
    if (!event.ok()) co_return event.error();
    if (*event == Multipart::Event::part) {
      in_file = reader.head().name == "file";
      auto place = place_of(reader.head(), form);
      if (!place.ok()) co_return place.error();
      field = *place;
      if (in_file) {
        auto begun = begin_file(reader.head(), form);
        if (!begun.ok()) co_return begun;
      }
    } else if (*event == Multipart::Event::data && in_file) {
      std::string bytes(reader.data());
      auto taken = co_await take_content(rooms, context, form, std::move(bytes));
      if (!taken.ok()) co_return taken;
    } else if (*event == Multipart::Event::data && field != nullptr) {
      field->append(reader.data());
      if (field->size() > kFieldMax) {
        co_return bad_form("field_too_long", "A field of the form is too long.", "purpose");
      }
    } else if (*event == Multipart::Event::more || *event == Multipart::Event::end) {
      ended = *event == Multipart::Event::end;
      auto piece = co_await context.exchange.read_piece(most, context.by);
      if (!piece.ok()) co_return piece.error();
      if (piece->empty()) break;
      reader.feed(*piece);
    }
  }
  if (ended) co_return done();
  co_return bad_form("bad_multipart", "The multipart body ends before its last boundary.", "file");
}

Status check_purpose(const std::string& purpose) {
  constexpr std::array<std::string_view, 6> kPurposes = {"batch",  "assistants", "fine-tune",
                                                         "vision", "user_data",  "evals"};
  if (std::find(kPurposes.begin(), kPurposes.end(), purpose) != kPurposes.end()) return done();
  return bad_form(purpose.empty() ? "missing_field" : "invalid_value",
                  "'purpose' is batch, assistants, fine-tune, vision, user_data or evals.",
                  "purpose");
}

/// How long the file is kept: as the form says, else as the settings do.
Result<Duration> keep_of(const Rooms& rooms, const Form& form) {
  if (form.anchor.empty() && form.keep.empty()) return Duration(rooms.settings.files.keep);
  std::int64_t seconds = 0;
  const char* end = form.keep.data() + form.keep.size();
  const auto [stop, failed] = std::from_chars(form.keep.data(), end, seconds);
  const bool whole = failed == std::errc() && stop == end;
  if (form.anchor != "created_at" || !whole || seconds < kKeepMin || seconds > kKeepMax) {
    return bad_form("out_of_range",
                    "'expires_after' has the anchor created_at and 3600 to 2592000 seconds.",
                    "expires_after");
  }
  return Duration(std::chrono::seconds(seconds));
}

Result<FileInfo> file_of(const Rooms& rooms, const Context& context, const Form& form) {
  if (!form.has_file) {
    return bad_form("missing_field", "The form holds no 'file'.", "file");
  }
  auto purpose = check_purpose(form.purpose);
  if (!purpose.ok()) return purpose.error();
  auto keep = keep_of(rooms, form);
  if (!keep.ok()) return keep.error();
  FileInfo file;
  file.id = form.id;
  file.owner = context.caller.owner;
  file.name = form.file_name;
  file.purpose = form.purpose;
  file.size = form.size;
  file.created = rooms.clock.wall();
  file.expires = file.created + std::chrono::duration_cast<WallTime::duration>(*keep);
  return file;
}

storage::FileLimits limits_of(const FileSettings& settings) {
  return {settings.owner_entries_max, settings.owner_bytes_max.value};
}

Co<Status> store(const Rooms& rooms, Context& context, FileInfo file) {
  const std::string body = dump(file_json(file));
  auto added = co_await rooms.stores.files().add(std::move(file), limits_of(rooms.settings.files),
                                                 soon(rooms, context));
  if (!added.ok()) co_return added;
  auto sent = co_await reply_json(context, 200, body);
  // The client may have gone: the file is stored all the same.
  if (!sent.ok()) context.detail = sent.error().detail;
  co_return done();
}

}  // namespace

Co<Status> upload_file(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_files();
  Form form;
  form.id = FileId(make_id("file-", rooms.clock, rooms.random));
  Unfinished unfinished(*rooms.shelf, form.id);
  auto received = co_await receive(rooms, context, form);
  if (!received.ok()) co_return received;
  auto put = co_await put_block(rooms, context, form, true);
  if (!put.ok()) co_return put;
  auto file = file_of(rooms, context, form);
  if (!file.ok()) co_return file.error();
  if (context.keyed != nullptr) {
    std::string digest = sha256_hex(form.digest + file->name + '\n' + form.purpose + '\n' +
                                    form.anchor + '\n' + form.keep);
    auto replayed = co_await begin_keyed(rooms, context, std::move(digest));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  auto stored = co_await store(rooms, context, std::move(*file));
  if (stored.ok()) unfinished.keep();
  co_return stored;
}

Co<Status> list_files(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_files();
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, kListed, rooms.settings.files.owner_entries_max);
  if (!limit.ok()) co_return limit.error();
  const std::string order = (*query)["order"];
  if (!order.empty() && order != "asc" && order != "desc") {
    co_return bad_form("invalid_value", "'order' is asc or desc.", "order");
  }
  storage::FileFilter filter{context.caller.owner, (*query)["purpose"], order == "asc"};
  FileId after((*query)["after"]);
  auto page =
      co_await rooms.stores.files().list(std::move(filter), std::move(after), *limit, context.by);
  if (!page.ok()) co_return page.error();
  Json out = {{"object", "list"},
              {"data", Json::array()},
              {"has_more", page->more},
              {"first_id", nullptr},
              {"last_id", nullptr}};
  for (const auto& file : page->items) out["data"].push_back(file_json(file));
  if (!page->items.empty()) {
    out["first_id"] = page->items.front().id.text();
    out["last_id"] = page->items.back().id.text();
  }
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_file(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_files();
  FileId id(context.param);
  auto file = co_await rooms.stores.files().get(context.caller.owner, std::move(id), context.by);
  if (!file.ok()) co_return file.error();
  auto sent = co_await reply_json(context, 200, dump(file_json(*file)));
  co_return sent;
}

Co<Status> delete_file(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_files();
  FileId id(context.param);
  auto gone = co_await rooms.stores.files().erase(context.caller.owner, id, context.by);
  if (!gone.ok()) co_return gone;
  rooms.shelf->drop(id.text());
  const Json out = {{"id", context.param}, {"object", "file"}, {"deleted", true}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> file_content(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_files();
  FileId id(context.param);
  auto file = co_await rooms.stores.files().get(context.caller.owner, id, context.by);
  if (!file.ok()) co_return file.error();
  auto block = co_await rooms.shelf->read(id.text(), 0, kBlock, soon(rooms, context));
  if (!block.ok()) co_return block.error();
  std::uint64_t at = block->size();
  net::Response head;
  head.content_type = "application/octet-stream";
  head.headers.add("content-disposition", "attachment");
  head.headers.add("x-content-type-options", "nosniff");
  add_common_headers(head.headers, context);
  head.body = std::move(*block);
  context.status = 200;
  auto sent = co_await context.exchange.begin(std::move(head));
  while (sent.ok() && at < file->size) {
    block = co_await rooms.shelf->read(id.text(), at, kBlock, soon(rooms, context));
    if (!block.ok() || block->empty()) {
      context.exchange.abort();  // the client must not take a part for the whole
      co_return block.ok() ? Status(Error::log(Errc::corrupt, "a file is short")) : block.error();
    }
    at += block->size();
    sent = co_await context.exchange.write(*block);
  }
  if (!sent.ok()) co_return sent;
  auto ended = co_await context.exchange.finish();
  co_return ended;
}

}  // namespace mainstay::api
