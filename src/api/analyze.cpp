// POST /v1/analyze: a text of any length as the body, as the file of a form, in JSON, or a file
// that the caller put here. It is read in pieces; none but the current one is in memory.
#include "api/analyze.h"

#include "api/form_stream.h"
#include "api/idempotency.h"
#include "api/routes.h"
#include "base/text.h"
#include "media/analysis.h"
#include "storage/shelf.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kBlock = 1024 * 1024;    ///< analysed at once
constexpr std::uint64_t kFormMax = 64 * 1024;  ///< of a form beside its file
constexpr std::chrono::milliseconds kBusyRetry{1000};

/// One of analysis.at_once, as long as it lives.
class Turn {
 public:
  Turn(std::atomic<std::uint32_t>& running, std::uint32_t most) : running_(running) {
    taken_ = running_.fetch_add(1) < most;
  }
  ~Turn() { running_.fetch_sub(1); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool taken() const noexcept { return taken_; }

 private:
  std::atomic<std::uint32_t>& running_;
  bool taken_ = false;
};

/// Shared with the pool, which may still be at work when the request has ended.
struct Work {
  media::Analysis analysis{media::AnalysisLimits()};
  std::string block;
  std::string digest;  ///< of the blocks so far, for a request with a key
  bool keyed = false;
};
using Shared = std::shared_ptr<Work>;

Error bad_value(const char* reason, const std::string& sentence, const char* param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

/// Analyses what is in the block.
Co<Status> feed_block(const Rooms& rooms, Context& context, Shared work) {
  auto job = [work]() -> Status {
    if (work->keyed) work->digest = sha256_hex(work->digest + sha256_hex(work->block));
    work->analysis.feed(work->block);
    work->block.clear();
    return done();
  };
  auto fed = co_await offload(rooms.clock, rooms.analyze->pool, std::move(job), context.by);
  co_return fed;
}

/// Whole blocks only, so that the digest does not depend on how the bytes came.
Co<Status> take(const Rooms& rooms, Context& context, Shared work, std::string bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !work->analysis.refused()) {
    const std::size_t n = std::min(kBlock - work->block.size(), bytes.size() - at);
    work->block.append(bytes, at, n);
    at += n;
    if (work->block.size() < kBlock) continue;
    auto fed = co_await feed_block(rooms, context, work);
    if (!fed.ok()) co_return fed;
  }
  co_return done();
}

Co<Status> receive_text(const Rooms& rooms, Context& context, Shared work) {
  while (!work->analysis.refused()) {
    auto piece = co_await context.exchange.read_piece(rooms.settings.analysis.body_max, context.by);
    if (!piece.ok()) co_return piece.error();
    if (piece->empty()) break;
    auto taken = co_await take(rooms, context, work, std::move(*piece));
    if (!taken.ok()) co_return taken;
  }
  co_return done();
}

Status begin_part(const PartHead& head, bool& has_file, bool& in_file) {
  in_file = head.name == "file";
  if (in_file && has_file) return bad_value("duplicate_field", "The form holds two files.", "file");
  has_file = has_file || in_file;
  return done();
}

Co<Status> receive_form(const Rooms& rooms, Context& context, Shared work) {
  const Bytes most(rooms.settings.analysis.body_max.value + kFormMax);
  auto form = FormStream::open(context, most, "file");
  if (!form.ok()) co_return form.error();
  bool has_file = false;
  bool in_file = false;
  while (!work->analysis.refused()) {
    auto event = co_await form->next();
    if (!event.ok()) co_return event.error();
    if (*event == Multipart::Event::end) break;
    if (*event == Multipart::Event::part) {
      auto begun = begin_part(form->head(), has_file, in_file);
      if (!begun.ok()) co_return begun;
    } else if (*event == Multipart::Event::data && in_file) {
      std::string bytes(form->data());
      auto taken = co_await take(rooms, context, work, std::move(bytes));
      if (!taken.ok()) co_return taken;
    }
  }
  if (work->analysis.refused() || has_file) co_return done();
  co_return bad_value("missing_field", "The form holds no 'file'.", "file");
}

Co<Status> read_stored(const Rooms& rooms, Context& context, Shared work, std::string id) {
  if (rooms.shelf == nullptr) {
    co_return Error::say(Errc::unavailable, "files_unavailable",
                         "This server has no place for files now. GET /health/ready says why.");
  }
  storage::FileId wanted(std::move(id));
  auto file = co_await rooms.stores.files().get(context.caller.owner, wanted, context.by);
  if (!file.ok()) co_return file.error();
  if (file->size > rooms.settings.analysis.body_max.value) {
    co_return Error::say(Errc::too_large, "file_too_large",
                         "The file is larger than analysis.body_max.", "file");
  }
  std::uint64_t at = 0;
  while (at < file->size && !work->analysis.refused()) {
    auto block = co_await rooms.shelf->read(wanted.text(), at, kBlock, context.by);
    if (!block.ok()) co_return block.error();
    if (block->empty()) co_return Error::log(Errc::corrupt, "a file is short");
    at += block->size();
    auto taken = co_await take(rooms, context, work, std::move(*block));
    if (!taken.ok()) co_return taken;
  }
  co_return done();
}

/// The member that is there; the other one is empty.
struct Order {
  std::string text;
  std::string file;
};
Result<Order> order_of(const Rooms& rooms, const std::string& body) {
  auto object = object_of(body, {"text", "file"});
  if (!object.ok()) return object.error();
  if (object->contains("text") == object->contains("file")) {
    return bad_value("missing_field", "Give either 'text' or 'file', the id of a file.", "text");
  }
  Order out;
  auto text = text_member(*object, "text", {false, rooms.settings.server.body_max.value});
  if (!text.ok()) return text.error();
  out.text = std::move(*text);
  auto file = text_member(*object, "file", {object->contains("file"), 128});
  if (!file.ok()) return file.error();
  out.file = std::move(*file);
  return out;
}

Co<Status> receive_json(const Rooms& rooms, Context& context, Shared work) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto order = order_of(rooms, *body);
  if (!order.ok()) co_return order.error();
  if (order->file.empty()) {
    auto taken = co_await take(rooms, context, work, std::move(order->text));
    co_return taken;
  }
  auto read = co_await read_stored(rooms, context, work, std::move(order->file));
  co_return read;
}

/// Whether a text's charset is one that we read.
Status check_charset(std::string_view type) {
  const std::string lower = lower_ascii(type);
  const auto at = lower.find("charset=");
  if (at == std::string::npos) return done();
  std::string_view charset = std::string_view(lower).substr(at + 8);
  charset = trim(charset.substr(0, charset.find(';')));
  if (charset.size() >= 2 && charset.front() == '"')
    charset = charset.substr(1, charset.size() - 2);
  if (charset == "utf-8" || charset == "utf8" || charset == "us-ascii") return done();
  return Error::say(Errc::unsupported, "unsupported_media_type",
                    "Only texts in UTF-8 are analysed. Convert it first, for instance with iconv.");
}

Co<Status> receive(const Rooms& rooms, Context& context, Shared work) {
  const auto type = context.exchange.head().header("content-type");
  const auto media = lower_ascii(trim(type.substr(0, type.find(';'))));
  Status received;
  if (media == "application/json") {
    received = co_await receive_json(rooms, context, work);
  } else if (media == "multipart/form-data") {
    received = co_await receive_form(rooms, context, work);
  } else if (media.starts_with("text/")) {
    received = check_charset(type);
    if (!received.ok()) co_return received;
    received = co_await receive_text(rooms, context, work);
  } else {
    co_return Error::say(Errc::unsupported, "unsupported_media_type",
                         "Send the text as text/plain, as the 'file' of multipart/form-data, or "
                         "as JSON.");
  }
  if (!received.ok() || work->block.empty()) co_return received;
  auto fed = co_await feed_block(rooms, context, work);
  co_return fed;
}

/// The report as JSON text.
Co<Result<std::string>> finish(const Rooms& rooms, Context& context, Shared work) {
  auto job = [work]() -> Result<std::string> {
    auto report = work->analysis.finish();
    if (!report.ok()) return report.error();
    return dump(media::to_json(*report));
  };
  auto text = co_await offload(rooms.clock, rooms.analyze->pool, std::move(job), context.by);
  co_return text;
}

}  // namespace

Co<Status> analyze_text(const Rooms& rooms, Context& context) {
  if (rooms.analyze == nullptr) co_return Error::log(Errc::unavailable, "no analysis here");
  Turn turn(rooms.analyze->running, rooms.settings.analysis.at_once);
  if (!turn.taken()) {
    Error busy = Error::say(Errc::unavailable, "analysis_busy",
                            "As many texts are analysed now as analysis.at_once allows. Try again "
                            "in a moment.");
    busy.retry_after = kBusyRetry;
    co_return busy;
  }
  auto work = std::make_shared<Work>();
  work->keyed = context.keyed != nullptr;
  auto received = co_await receive(rooms, context, work);
  if (!received.ok()) co_return received;
  auto report = co_await finish(rooms, context, work);
  if (!report.ok()) co_return report.error();
  if (context.keyed != nullptr) {
    auto replayed = co_await begin_keyed(rooms, context, work->digest);
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  auto sent = co_await reply_json(context, 200, std::move(*report));
  co_return sent;
}

}  // namespace mainstay::api
