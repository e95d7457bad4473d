// POST /v1/images: pictures in, each result out as soon as it is made. While one result is sent the
// next pictures are worked at already, in as many decoders as are free.
#include <charconv>
#include <deque>

#include "api/gate.h"
#include "api/image_form.h"
#include "api/image_replies.h"
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

/// A result up to this size stays in memory until it is sent; a larger one goes to the shelf, so
/// that a slow client does not keep a decoder.
constexpr std::uint64_t kInMemory = 1 << 20;
constexpr std::size_t kBlock = 256 * 1024;

Error no_place() {
  return Error::say(Errc::unavailable, "files_unavailable",
                    "This server has no place for files now. GET /health/ready says why.");
}

Error no_decoder() {
  return Error::say(Errc::unavailable, "decoder_missing", "This server has no decoder for images.");
}

/// What is asked for beside the pictures.
struct Wanted {
  media::ImageWish wish;
  ImagesAs as = ImagesAs::parts;
  bool keep = false;  ///< results become files
};

Result<Json> operation_in_query(const std::string& key, const std::string& value) {
  if (key == "fit" || key == "format") return Json(value);
  if (key == "enlarge" || key == "strip") {
    if (value == "true" || value == "false") return Json(value == "true");
    return Error::say(Errc::invalid, "invalid_type", "'" + key + "' must be true or false.", key);
  }
  std::uint32_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, failed] = std::from_chars(value.data(), end, number);
  if (failed == std::errc() && stop == end) return Json(number);
  return Error::say(Errc::invalid, "invalid_type", "'" + key + "' must be a whole number.", key);
}

/// Operations in the query and whether results are kept.
Result<Json> operations_in(const Query& query, bool& keep) {
  Json out = Json::object();
  for (const auto& [key, value] : query) {
    if (key == "results") {
      if (value != "kept" && value != "inline") {
        return Error::say(Errc::invalid, "invalid_value", "'results' is inline or kept.", key);
      }
      keep = value == "kept";
      continue;
    }
    auto operation = operation_in_query(key, value);
    if (!operation.ok()) return operation.error();
    out[key] = std::move(*operation);
  }
  return out;
}

Result<Wanted> wanted_of(const Context& context, const ImageForm& form) {
  Wanted out;
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) return query.error();
  auto operations = operations_in(*query, out.keep);
  if (!operations.ok()) return operations.error();
  if (!form.operations().empty()) {
    if (!operations->empty()) {
      return Error::say(Errc::invalid, "duplicate_field",
                        "Give the operations in the form or in the query, not in both.",
                        "operations");
    }
    auto parsed = parse_json(form.operations());
    if (!parsed.ok()) return parsed.error();
    operations = std::move(*parsed);
  }
  auto wish = media::image_wish(*operations);
  if (!wish.ok()) return wish.error();
  out.wish = std::move(*wish);
  const auto accept = list_header(context.exchange.head(), "accept");
  if (accept.find("application/x-ndjson") != std::string::npos) out.as = ImagesAs::lines;
  if (out.keep && out.as == ImagesAs::parts) {
    return Error::say(Errc::invalid, "invalid_value",
                      "results=kept answers in lines: send 'Accept: application/x-ndjson'.",
                      "results");
  }
  return out;
}

Deadline soon(const Rooms& rooms, const Context& context) {
  return context.by.sooner(rooms.clock.now(), rooms.settings.storage.operation_timeout);
}

/// One picture that a decoder works at, or why not.
struct Begun {
  std::size_t index = 0;
  std::unique_ptr<media::ImageResult> result;
  std::optional<Error> wrong;
};

/// A result that is whole, in memory or on the shelf; what nobody keeps leaves the shelf with it.
struct Made {
  explicit Made(storage::Shelf& where) : shelf(where) {}
  ~Made() {
    if (on_shelf && !kept) shelf.drop(id.text());
  }
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;

  storage::Shelf& shelf;
  media::ImageFacts facts;
  std::string bytes;  ///< all of it, or what is not yet on the shelf
  storage::FileId id;
  bool on_shelf = false;
  bool kept = false;
};

/// Carries one request out.
class Making {
 public:
  Making(const Rooms& rooms, Context& context, ImageForm& form, const Wanted& wanted)
      : rooms_(rooms),
        context_(context),
        form_(form),
        wanted_(wanted),
        replies_(wanted.as, make_id("mainstay-", rooms.clock, rooms.random)) {}
  Co<Status> run();

 private:
  Co<Status> begin_ahead();
  Co<Begun> begin(std::size_t index, media::IfBusy if_busy);
  Co<Status> finish(Begun begun);
  Co<Status> collect(media::ImageResult& result, Made& made);
  Co<Status> to_shelf(Made& made, std::uint64_t at, bool last);
  Co<Status> keep(const SentImage& image, Made& made);
  Co<Status> send_made(const ImageReply& reply, Made& made);
  Co<Status> send(std::string text);

  const Rooms& rooms_;
  Context& context_;
  ImageForm& form_;
  const Wanted& wanted_;
  ImageReplies replies_;
  std::string content_type_;
  std::deque<Begun> begun_;
  std::size_t next_ = 0;
};

Co<Status> Making::send(std::string text) {
  if (text.empty()) co_return done();
  if (context_.exchange.started()) {
    auto sent = co_await context_.exchange.write(text);
    co_return sent;
  }
  content_type_ = replies_.content_type();
  net::Response head;
  head.content_type = content_type_;
  head.headers.add("x-content-type-options", "nosniff");
  add_common_headers(head.headers, context_);
  head.body = std::move(text);
  context_.status = 200;
  auto sent = co_await context_.exchange.begin(std::move(head));
  co_return sent;
}

Co<Begun> Making::begin(std::size_t index, media::IfBusy if_busy) {
  Begun out;
  out.index = index;
  const SentImage& image = form_.images()[index];
  if (image.wrong) {
    out.wrong = image.wrong;
    co_return out;
  }
  auto content = co_await rooms_.shelf->open_content(image.shelf.text(), soon(rooms_, context_));
  if (!content.ok()) {
    out.wrong = content.error();
    co_return out;
  }
  resources::Descriptor file(content->release());
  media::Order order = media::order_of(wanted_.wish);
  auto decoding =
      co_await rooms_.decoders->begin(std::move(file), std::move(order), context_.by, if_busy);
  if (decoding.ok()) {
    out.result = std::make_unique<media::ImageResult>(std::move(*decoding));
  } else {
    out.wrong = decoding.error();
  }
  co_return out;
}

/// At least one is begun; further ones only while decoders are free.
Co<Status> Making::begin_ahead() {
  const std::size_t most = rooms_.decoders->size();
  while (begun_.size() < most && next_ < form_.images().size()) {
    const bool first = begun_.empty();
    const auto if_busy = first ? media::IfBusy::wait : media::IfBusy::refuse;
    auto begun = co_await begin(next_, if_busy);
    if (!first && begun.wrong && begun.wrong->reason == "decoders_busy") break;
    begun_.push_back(std::move(begun));
    ++next_;
  }
  co_return done();
}

Co<Status> Making::to_shelf(Made& made, std::uint64_t at, bool last) {
  auto writable = check_writable(rooms_);
  if (!writable.ok()) co_return writable;
  made.on_shelf = true;
  std::string bytes = std::move(made.bytes);
  made.bytes = std::string();
  const bool synced = last && wanted_.keep;
  auto put = co_await rooms_.shelf->put(made.id.text(), at, std::move(bytes), synced,
                                        soon(rooms_, context_));
  co_return put;
}

Co<Status> Making::collect(media::ImageResult& result, Made& made) {
  auto facts = co_await result.facts(context_.by);
  if (!facts.ok()) co_return facts.error();
  made.facts = std::move(*facts);
  const bool spools = wanted_.keep || made.facts.bytes > kInMemory;
  if (spools) made.id = storage::FileId(make_id("file-", rooms_.clock, rooms_.random));
  std::uint64_t put = 0;
  for (;;) {
    auto piece = co_await result.next(context_.by);
    if (!piece.ok()) co_return piece.error();
    const bool last = !piece->has_value();
    if (!last) made.bytes += **piece;
    if (spools && (last || made.bytes.size() >= kInMemory)) {
      const std::uint64_t at = put;
      put += made.bytes.size();
      auto written = co_await to_shelf(made, at, last);
      if (!written.ok()) co_return written;
    }
    if (last) co_return done();
  }
}

Co<Status> Making::keep(const SentImage& image, Made& made) {
  const FileSettings& settings = rooms_.settings.files;
  storage::FileInfo file;
  file.id = made.id;
  file.owner = context_.caller.owner;
  file.name = result_name(image.name, made.facts.format);
  file.purpose = "vision";
  file.size = made.facts.bytes;
  file.created = rooms_.clock.wall();
  file.expires =
      file.created + std::chrono::duration_cast<WallTime::duration>(Duration(settings.keep));
  const storage::FileLimits limits{settings.owner_entries_max, settings.owner_bytes_max.value};
  auto added = co_await rooms_.stores.files().add(std::move(file), limits, soon(rooms_, context_));
  if (added.ok()) made.kept = true;
  co_return added;
}

Co<Status> Making::send_made(const ImageReply& reply, Made& made) {
  auto sent = co_await send(replies_.begin(reply));
  if (!sent.ok() || made.kept) co_return sent;
  std::uint64_t at = 0;
  while (made.on_shelf && at < made.facts.bytes) {
    auto block = co_await rooms_.shelf->read(made.id.text(), at, kBlock, soon(rooms_, context_));
    if (!block.ok() || block->empty()) {
      context_.exchange.abort();  // the client must not take a part for the whole
      co_return block.ok() ? Status(Error::log(Errc::corrupt, "a result is short")) : block.error();
    }
    at += block->size();
    sent = co_await send(replies_.bytes(std::move(*block)));
    if (!sent.ok()) co_return sent;
  }
  std::string rest = made.on_shelf ? std::string() : replies_.bytes(std::move(made.bytes));
  rest += replies_.end();
  sent = co_await send(std::move(rest));
  co_return sent;
}

/// The error is that of sending alone: a picture that fails is told as such.
Co<Status> Making::finish(Begun begun) {
  const SentImage& image = form_.images()[begun.index];
  Made made(*rooms_.shelf);
  Status outcome;
  if (begun.wrong) outcome = *begun.wrong;
  if (begun.result) outcome = co_await collect(*begun.result, made);
  begun.result.reset();
  form_.let_go(begun.index);
  if (outcome.ok() && wanted_.keep) outcome = co_await keep(image, made);
  if (!outcome.ok()) {
    rooms_.log.info(
        "image.failed",
        {{"id", context_.id.text()}, {"index", begun.index}, {"detail", outcome.error().detail}});
    auto sent = co_await send(replies_.failed(begun.index, image.name, outcome.error()));
    co_return sent;
  }
  ImageReply reply{begun.index, image.name, made.facts, wanted_.keep ? made.id.text() : ""};
  auto sent = co_await send_made(reply, made);
  co_return sent;
}

/// Without a decoder for the first picture the whole request is refused, to be sent again.
Co<Status> Making::run() {
  while (next_ < form_.images().size() || !begun_.empty()) {
    auto ahead = co_await begin_ahead();
    if (!ahead.ok()) co_return ahead;
    Begun first = std::move(begun_.front());
    begun_.pop_front();
    const bool untold = !context_.exchange.started();
    if (untold && first.wrong && first.wrong->code == Errc::unavailable) co_return *first.wrong;
    auto sent = co_await finish(std::move(first));
    if (!sent.ok()) co_return sent;
  }
  auto closed = co_await send(replies_.close());
  if (!closed.ok()) co_return closed;
  auto ended = co_await context_.exchange.finish();
  co_return ended;
}

}  // namespace

Co<Status> make_images(const Rooms& rooms, Context& context) {
  if (rooms.shelf == nullptr) co_return no_place();
  if (rooms.decoders == nullptr) co_return no_decoder();
  ImageForm form(rooms);
  auto received = co_await form.receive(context);
  if (!received.ok()) co_return received;
  auto wanted = wanted_of(context, form);
  if (!wanted.ok()) co_return wanted.error();
  Making making(rooms, context, form, *wanted);
  auto made = co_await making.run();
  co_return made;
}

}  // namespace mainstay::api
