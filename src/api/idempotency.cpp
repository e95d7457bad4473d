// What a key stands for, what of a reply is kept, and when.
#include "api/idempotency.h"

#include <algorithm>
#include <array>

#include "api/routes.h"
#include "api/running_chats.h"
#include "base/text.h"
#include "storage/job_life.h"

namespace mainstay::api {
namespace {

/// Their keys are kept by the jobs themselves.
constexpr std::string_view kOfJobs = "/v1/jobs";
/// A reply that is kept would keep the new key.
constexpr std::string_view kOfKeys = "/admin/keys";

/// Another answer may come of these when the client tries again.
bool may_change(int status) noexcept {
  return status >= 500 || status == 429 || status == 408 || status == 499;
}

/// Headers that belong to the answer and not to the one exchange: id, limits and timings do not.
bool belongs_to_answer(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"location", "x-conversation-id",
                                                      "cache-control", "x-accel-buffering"};
  return name.starts_with("x-mainstay-") ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// Calls `each(name, value, line)` for every header line.
template <class Each>
void for_each_line(std::string_view lines, Each each) {
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    if (end == std::string_view::npos) return;
    const auto line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos) each(line.substr(0, colon), line.substr(colon + 2));
  }
}

storage::ReplyLimits limits_of(const IdempotencySettings& settings) {
  storage::ReplyLimits out;
  out.keep = settings.keep;
  out.owner_entries_max = settings.owner_entries_max;
  out.owner_bytes_max = settings.owner_bytes_max.value;
  out.entries_max = settings.entries_max;
  out.bytes_max = settings.bytes_max.value;
  return out;
}

std::string digest_of(const net::RequestHead& head, const std::string& body) {
  std::string text(head.method);
  text += '\n';
  text += head.target;
  text += '\n';
  text += sha256_hex(body);
  return sha256_hex(text);
}

/// The same for the same request whenever it comes within the time that replies are kept, and
/// another one afterwards: a key that is used again much later is another request.
std::string id_of(const Rooms& rooms, const storage::ReplyPlace& place, const std::string& digest) {
  const auto age = rooms.clock.wall().time_since_epoch();
  const auto period = age / std::max<Duration>(rooms.settings.idempotency.keep, Duration(1));
  std::string text = digest;
  for (const std::string& part : {place.owner.tenant.text(), place.owner.user.text(), place.route,
                                  place.key, std::to_string(period)}) {
    text += '\n' + sha256_hex(part);
  }
  return sha256_hex(text).substr(0, 32);
}

Error too_large_to_replay() {
  return Error::say(Errc::conflict, "idempotent_reply_too_large",
                    "The request with this Idempotency-Key was carried out, but its reply was "
                    "larger than idempotency.reply_max and was not kept. Read what it made with "
                    "GET, or use a new key to do it again.");
}

Co<Status> send_again(const Rooms& rooms, Context& context, const storage::KeptReply& kept) {
  net::Response response;
  response.status = kept.status;
  response.content_type = kept.content_type;
  response.body = kept.body;
  add_common_headers(response.headers, context);
  for_each_line(kept.headers, [&](std::string_view name, std::string_view value) {
    response.headers.add(name, value);
  });
  response.headers.add("idempotent-replayed", "true");
  context.status = kept.status;
  rooms.metrics
      .counter("mainstay_idempotent_replays_total",
               "Requests answered with the reply kept for their Idempotency-Key.")
      .add();
  auto sent = co_await context.keyed->replay(std::move(response));
  co_return sent;
}

}  // namespace

Result<std::string> idempotency_key(const net::RequestHead& head) {
  std::string key;
  for (const auto& [name, value] : head.headers) {
    if (!equal_ascii_nocase(name, "idempotency-key")) continue;
    auto fine = storage::check_key(key.empty() ? value : "");  // of two neither is meant
    if (!fine.ok()) return fine.error();
    key = std::string(value);
  }
  return key;
}

std::unique_ptr<KeyedExchange> keyed_exchange(net::Exchange& exchange, const Route& route) {
  if (route.method != "POST" || route.path == kOfJobs || route.path == kOfKeys) return nullptr;
  const auto key = exchange.head().header("idempotency-key");
  if (key.data() == nullptr) return nullptr;  // not there; an empty one is refused later
  return std::make_unique<KeyedExchange>(exchange, key);
}

/// The hold ends here and not with the turn: what is left of the request is not to be cancelled.
KeyedExchange::~KeyedExchange() {
  leave_running();
  forget();
  if (held_) inner_.hold()->drop();
}

void KeyedExchange::forget() noexcept {
  if (rooms_ != nullptr) rooms_->stores.replies().forget(place_);
  rooms_ = nullptr;
}

Co<Status> KeyedExchange::read_ahead(Bytes max, Deadline by) {
  auto body = co_await inner_.read_body(max, by);
  if (!body.ok()) co_return body.error();
  body_ = std::move(*body);
  ahead_ = true;
  co_return done();
}

Status KeyedExchange::keep_at(const Rooms& rooms, storage::ReplyPlace place) {
  rooms_ = &rooms;
  place_ = std::move(place);
  held_ = inner_.hold()->keep();
  if (!held_ || rooms.running_chats == nullptr || place_.route != kStoppable) return done();
  early_end_ = std::make_shared<assistant::EarlyEnd>();
  if (!rooms.running_chats->add(place_, inner_.hold(), early_end_)) {
    forget();
    return Error::say(Errc::cancelled, "chat_stopped",
                      "This chat was stopped. Ask again with a new Idempotency-Key.");
  }
  running_ = rooms.running_chats;
  return done();
}

/// True: it was stopped, and the hold dropped with that.
bool KeyedExchange::leave_running() {
  if (running_ == nullptr) return false;
  const bool stopped = std::exchange(running_, nullptr)->remove(place_);
  if (stopped) held_ = false;
  return stopped;
}

void KeyedExchange::heed_early_end() {
  if (running_ == nullptr || !early_end_->stored()) return;
  leave_running();
  forget();
  if (std::exchange(held_, false)) inner_.hold()->drop();
  inner_.hold()->client_gone();
}

Co<Status> KeyedExchange::replay(net::Response response) {
  auto sent = co_await inner_.reply(std::move(response));
  co_return sent;
}

Co<Result<std::string>> KeyedExchange::read_body(Bytes max, Deadline by) {
  if (!ahead_) {
    auto body = co_await inner_.read_body(max, by);
    co_return body;
  }
  if (body_.size() > max.value) {
    co_return Error::say(
        Errc::too_large, "body_too_large",
        "The request body is larger than " + std::to_string(max.value) + " bytes.");
  }
  co_return std::move(body_);
}

Co<Result<std::string>> KeyedExchange::read_piece(Bytes max, Deadline by) {
  if (ahead_) {
    auto body = co_await read_body(max, by);
    co_return body;
  }
  auto piece = co_await inner_.read_piece(max, by);
  co_return piece;
}

void KeyedExchange::note(const net::Response& response) {
  noted_.status = response.status;
  noted_.content_type = std::string(response.content_type);
  for_each_line(response.headers.text(), [this](std::string_view name, std::string_view value) {
    if (belongs_to_answer(name)) noted_.headers.append(name).append(": ").append(value) += "\r\n";
  });
  note_body(response.body);
}

void KeyedExchange::note_body(std::string_view piece) {
  if (noted_.left_out) return;
  if (noted_.body.size() + piece.size() > rooms_->settings.idempotency.reply_max.value) {
    noted_.left_out = true;
    noted_.body = std::string();
    noted_.headers = std::string();
    return;
  }
  noted_.body += piece;
}

/// Keeps what was noted, or frees the key where trying again may help. The client gets its answer
/// either way: that the next one may not is no reason to withhold this one.
Co<> KeyedExchange::settle() {
  if (leave_running()) forget();
  if (rooms_ == nullptr) co_return;
  const Rooms& rooms = *rooms_;
  if (may_change(noted_.status) || broke_) {
    forget();
    co_return;
  }
  const auto& settings = rooms.settings;
  const auto by = Deadline::in(rooms.clock, settings.storage.operation_timeout);
  rooms_ = nullptr;  // finish() ends the turn, however it goes
  auto kept = co_await rooms.stores.replies().finish(place_, std::move(noted_),
                                                     limits_of(settings.idempotency), by);
  if (!kept.ok()) {
    rooms.log.warn("idempotency.not_kept", {{"detail", kept.error().detail}});
  }
}

Co<Status> KeyedExchange::reply(net::Response response) {
  if (rooms_ != nullptr) {
    note(response);
    co_await settle();
  }
  auto sent = co_await inner_.reply(std::move(response));
  co_return sent;
}

Co<Status> KeyedExchange::begin(net::Response head) {
  if (rooms_ != nullptr) note(head);
  sent_ = co_await inner_.begin(std::move(head));
  if (rooms_ != nullptr && held_) co_return done();
  co_return sent_;
}

Co<Status> KeyedExchange::write(const std::string& piece) {
  if (rooms_ != nullptr) note_body(piece);
  if (sent_.ok()) sent_ = co_await inner_.write(piece);
  if (rooms_ != nullptr && held_) co_return done();
  co_return sent_;
}

Co<Status> KeyedExchange::finish() {
  co_await settle();
  if (!sent_.ok()) co_return sent_;
  auto ended = co_await inner_.finish();
  co_return ended;
}

Co<Result<net::WebSocket*>> KeyedExchange::upgrade(net::HeaderLines headers) {
  auto socket = co_await inner_.upgrade(std::move(headers));
  co_return socket;
}

void KeyedExchange::abort() {
  leave_running();
  forget();
  inner_.abort();
}

Co<Result<bool>> begin_keyed(const Rooms& rooms, Context& context, std::string digest) {
  storage::ReplyPlace place{context.caller.owner, std::string(context.route.operation),
                            context.keyed->key()};
  auto kept = co_await rooms.stores.replies().begin(place, digest, context.by);
  if (!kept.ok()) co_return kept.error();
  if (!kept->has_value()) {
    context.keyed_id = id_of(rooms, place, digest);
    auto kept_at = context.keyed->keep_at(rooms, std::move(place));
    if (!kept_at.ok()) co_return kept_at.error();
    co_return false;
  }
  if ((*kept)->left_out) co_return too_large_to_replay();
  auto sent = co_await send_again(rooms, context, **kept);
  if (!sent.ok()) co_return sent.error();
  co_return true;
}

Co<Status> answer_once(const Rooms& rooms, Context& context) {
  KeyedExchange& exchange = *context.keyed;
  auto key = idempotency_key(exchange.head());
  if (!key.ok()) co_return key.error();
  if (!context.route.streams_body) {
    auto read = co_await exchange.read_ahead(rooms.settings.server.body_max, context.by);
    if (!read.ok()) co_return read;
    auto replayed =
        co_await begin_keyed(rooms, context, digest_of(exchange.head(), exchange.body()));
    if (!replayed.ok()) co_return replayed.error();
    if (*replayed) co_return done();
  }
  auto outcome = co_await context.route.endpoint(rooms, context);
  co_return outcome;
}

}  // namespace mainstay::api
