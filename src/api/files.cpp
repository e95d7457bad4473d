// /v1/files: what clients put here, as OpenAI's client sends and reads it. Contents go to the shelf
// block by block; the file is there once its facts are stored.
#include "api/document_upload.h"
#include "api/file_facts.h"
#include "api/file_form.h"
#include "api/idempotency.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/text.h"
#include "jobs/batches.h"
#include "storage/file_says.h"
#include "storage/shelf.h"

namespace mainstay::api {
namespace {

using storage::FileId;
using storage::FileInfo;

constexpr std::size_t kBlock = 256 * 1024;  ///< read at once
constexpr std::uint32_t kListed = 100;
constexpr std::uint32_t kListedMax = 10'000;  ///< as OpenAI's
constexpr const char* kAnchor = "expires_after[anchor]";
constexpr const char* kKeep = "expires_after[seconds]";

Error bad_form(const char* reason, const std::string& sentence, const char* param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

/// How long the file is kept: as the form says, else as the settings do.
Result<Duration> keep_wanted(const Rooms& rooms, const FileForm& form) {
  const std::string& anchor = form.field(kAnchor);
  const std::string& keep = form.field(kKeep);
  if (anchor.empty() && keep.empty()) return Duration(rooms.settings.files.keep);
  return keep_of(anchor, keep);
}

Result<FileInfo> file_of(const Rooms& rooms, const Context& context, const FileForm& form) {
  auto purpose = check_purpose(form.field("purpose"));
  if (!purpose.ok()) return purpose.error();
  auto keep = keep_wanted(rooms, form);
  if (!keep.ok()) return keep.error();
  FileInfo file = file_of_now(rooms, context, *keep);
  file.id = form.id();
  file.name = form.file_name();
  file.purpose = form.field("purpose");
  file.size = form.size();
  return file;
}

Co<Status> store(const Rooms& rooms, Context& context, FileInfo file) {
  const std::string body = dump(file_json(file));
  auto added = co_await rooms.stores.files().add(std::move(file), file_limits(rooms.settings),
                                                 storage_time(rooms, context));
  if (!added.ok()) co_return added;
  auto sent = co_await reply_json(context, 200, body);
  // The client may have gone: the file is stored all the same.
  if (!sent.ok()) context.detail = sent.error().detail;
  co_return done();
}

}  // namespace

Co<Status> upload_file(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  FileForm form(rooms, {"purpose", kAnchor, kKeep});
  auto received = co_await form.receive(context);
  if (!received.ok()) co_return received;
  auto file = file_of(rooms, context, form);
  if (!file.ok()) co_return file.error();
  if (context.keyed != nullptr) {
    std::string digest = sha256_hex(form.digest() + file->name + '\n' + file->purpose + '\n' +
                                    form.field(kAnchor) + '\n' + form.field(kKeep));
    auto replayed = co_await begin_keyed(rooms, context, std::move(digest));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  auto stored = co_await store(rooms, context, std::move(*file));
  if (stored.ok()) form.keep();
  co_return stored;
}

Co<Status> list_files(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, kListed, kListedMax);
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
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  FileId id(context.param);
  auto file = co_await rooms.stores.files().get(context.caller.owner, std::move(id), context.by);
  if (!file.ok()) co_return file.error();
  auto sent = co_await reply_json(context, 200, dump(file_json(*file)));
  co_return sent;
}

Co<Status> delete_file(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  FileId id(context.param);
  auto read = co_await jobs::is_read(rooms.stores.batches(), context.caller.owner, id, context.by);
  if (!read.ok()) co_return read.error();
  if (*read) co_return storage::file_in_use();
  auto ingested = co_await is_being_ingested(rooms, context, id);
  if (!ingested.ok()) co_return ingested.error();
  if (*ingested) co_return storage::file_in_use();
  auto gone = co_await rooms.stores.files().erase(context.caller.owner, id, context.by);
  if (!gone.ok()) co_return gone;
  rooms.shelf->drop(id.text());
  const Json out = {{"id", context.param}, {"object", "file"}, {"deleted", true}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> file_content(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place_for_files();
  FileId id(context.param);
  auto file = co_await rooms.stores.files().get(context.caller.owner, id, context.by);
  if (!file.ok()) co_return file.error();
  auto block = co_await rooms.shelf->read(id.text(), 0, kBlock, storage_time(rooms, context));
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
    block = co_await rooms.shelf->read(id.text(), at, kBlock, storage_time(rooms, context));
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
