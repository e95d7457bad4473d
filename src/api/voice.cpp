// POST /v1/voice: a spoken question in, its answer out: events as they happen, one JSON reply, or
// the sound itself.
#include <exception>

#include "api/idempotency.h"
#include "api/routes.h"
#include "api/status.h"
#include "api/voice_form.h"
#include "api/voice_order.h"
#include "base/base64.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

using assistant::VoiceEvent;
using assistant::VoiceTurn;
using models::AudioForm;
using Type = VoiceEvent::Type;

constexpr std::uint64_t kInlineMax = 16 * 1024 * 1024;  ///< of speech inside one JSON reply
constexpr std::size_t kWavHead = 44;

enum class As { events, json, sound };

As as_of(const Context& context, const VoiceOrder& order) {
  if (order.reply == VoiceOrder::Reply::stream) return As::events;
  if (order.reply == VoiceOrder::Reply::json) return As::json;
  const auto accept = list_header(context.exchange.head(), "accept");
  if (accept.find("text/event-stream") != std::string::npos) return As::events;
  return accepted_sound(accept) ? As::sound : As::json;
}

/// One request: the turn and what of it is replied.
class Replying {
 public:
  Replying(const Rooms& rooms, Context& context, VoiceTurn& turn, const VoiceOrder& order)
      : rooms_(rooms), context_(context), turn_(turn), order_(order) {}
  Co<Status> run(As as);

 private:
  Co<Status> send_events();
  Co<Status> send_json();
  Co<Status> send_sound();
  Co<Status> send(std::string bytes);
  Status collect(VoiceEvent event);
  net::HeaderLines headers() const;
  void fix_wav_head();

  const Rooms& rooms_;
  Context& context_;
  VoiceTurn& turn_;
  const VoiceOrder& order_;
  std::string_view content_type_;  ///< of what is sent in pieces
  Json reply_ = Json::object();
  std::string sound_;
};

net::HeaderLines Replying::headers() const {
  net::HeaderLines out;
  add_common_headers(out, context_);
  out.add("x-content-type-options", "nosniff");
  if (!order_.conversation.empty()) out.add("x-conversation-id", order_.conversation);
  return out;
}

/// The head goes out with the first piece, so that what fails before it has a status of its own.
Co<Status> Replying::send(std::string bytes) {
  if (context_.exchange.started()) {
    auto sent = co_await context_.exchange.write(bytes);
    co_return sent;
  }
  net::Response head;
  head.content_type = content_type_;
  head.headers = headers();
  head.headers.add("cache-control", "no-store");
  head.headers.add("x-accel-buffering", "no");
  head.body = std::move(bytes);
  context_.status = 200;
  context_.streamed = true;
  auto sent = co_await context_.exchange.begin(std::move(head));
  co_return sent;
}

std::string sse(std::string_view name, const std::string& data) {
  std::string out = "event: ";
  out += name;
  out += "\ndata: ";
  out += data;
  out += "\n\n";
  return out;
}

Co<Status> Replying::send_events() {
  for (;;) {
    auto event = co_await turn_.next(context_.by);
    if (!event.ok() && !context_.exchange.started()) co_return event.error();
    if (event.ok() && !event->has_value()) break;
    std::string text;
    if (event.ok()) {
      text = sse(assistant::name((*event)->type),
                 voice_event_json(**event, context_, order_.conversation, false));
    } else {
      rooms_.log.warn("voice.broken", {{"id", context_.id.text()},
                                       {"code", stable_code(event.error())},
                                       {"detail", event.error().detail}});
      if (context_.keyed != nullptr) context_.keyed->broke();
      text = sse("error", voice_error_json(event.error()));
    }
    auto sent = co_await send(std::move(text));
    if (!sent.ok()) co_return sent;
    if (!event.ok()) break;
  }
  auto finished = co_await context_.exchange.finish();
  co_return finished;
}

/// Of a file that is whole now, the head can tell the length.
void Replying::fix_wav_head() {
  if (order_.wish.form != AudioForm::wav || sound_.size() < kWavHead) return;
  const auto put = [this](std::size_t at, std::uint64_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
      sound_[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
    }
  };
  put(4, sound_.size() - 8);
  put(kWavHead - 4, sound_.size() - kWavHead);
}

Status Replying::collect(VoiceEvent event) {
  switch (event.type) {
    case Type::transcript:
      reply_["transcript"] = event.text;
      if (!event.language.empty()) reply_["language"] = event.language;
      break;
    case Type::citations:
      reply_["citations"] = std::move(event.citations);
      break;
    case Type::audio:
      sound_ += event.bytes;
      if (sound_.size() > kInlineMax) {
        return Error::say(Errc::too_large, "speech_too_long",
                          "The spoken answer is too long for one reply. Ask with response=stream, "
                          "or with audio=address.");
      }
      break;
    case Type::speech_failed: {
      auto parsed = parse_json(event.error ? error_json(*event.error) : "{}");
      if (parsed.ok()) reply_["speech_error"] = std::move((*parsed)["error"]);
      break;
    }
    case Type::done:
      reply_["answer"] = event.text;
      if (event.size > 0) reply_["audio"] = voice_audio_json(event);
      break;
    default:
      break;
  }
  return done();
}

Co<Status> Replying::send_json() {
  for (;;) {
    auto event = co_await turn_.next(context_.by);
    if (!event.ok()) co_return event.error();
    if (!event->has_value()) break;
    auto taken = collect(std::move(**event));
    if (!taken.ok()) co_return taken;
  }
  if (!sound_.empty()) {
    fix_wav_head();
    reply_["audio"]["base64"] = to_base64(sound_);
  }
  reply_["object"] = "voice.answer";
  reply_["model"] = context_.by_whom.model;
  reply_["provider"] = context_.by_whom.provider;
  if (context_.by_whom.degraded) reply_["degraded"] = true;
  if (!order_.conversation.empty()) reply_["conversation_id"] = order_.conversation;
  net::Response response;
  response.headers = headers();
  response.body = dump(reply_);
  context_.status = 200;
  auto sent = co_await context_.exchange.reply(std::move(response));
  co_return sent;
}

/// The text is not told here: whoever wants it asks for events.
Co<Status> Replying::send_sound() {
  for (;;) {
    auto event = co_await turn_.next(context_.by);
    if (event.ok() && !event->has_value()) break;
    Status failed;
    if (!event.ok()) failed = event.error();
    if (event.ok() && (*event)->type == Type::speech_failed) failed = *(*event)->error;
    if (!failed.ok()) {
      // The client must not take a part for the whole.
      if (context_.exchange.started()) context_.exchange.abort();
      co_return failed;
    }
    if ((*event)->type != Type::audio) continue;
    auto sent = co_await send(std::move((*event)->bytes));
    if (!sent.ok()) co_return sent;
  }
  if (!context_.exchange.started()) {
    co_return Error::say(Errc::unprocessable, "nothing_to_say",
                         "The answer holds nothing that can be spoken. Ask for JSON to read it.");
  }
  auto finished = co_await context_.exchange.finish();
  co_return finished;
}

Co<Status> Replying::run(As as) {
  content_type_ = as == As::sound ? models::mime_of(order_.wish.form) : "text/event-stream";
  if (as == As::events) co_return co_await send_events();
  if (as == As::sound) co_return co_await send_sound();
  co_return co_await send_json();
}

/// For a request that carries a key; true: it was answered before.
Co<Result<bool>> replayed(const Rooms& rooms, Context& context, std::string digest) {
  if (context.keyed == nullptr) co_return false;
  auto kept = co_await begin_keyed(rooms, context, std::move(digest));
  co_return kept;
}

std::string digest_of(const VoiceQuestion& question) {
  std::string all = sha256_hex(question.sound) + sha256_hex(question.text);
  for (const auto& [key, value] : question.fields) all += key + '\n' + value + '\n';
  return sha256_hex(all);
}

Status begin(VoiceTurn& turn, const Rooms& rooms, VoiceQuestion question, Deadline by) {
  if (question.sound.empty()) {
    turn.ask(std::move(question.text), by);
    return done();
  }
  auto recording = models::Recording::in_memory(question.sound, rooms.clock);
  if (!recording.ok()) return recording.error();
  turn.hear(std::move(*recording), std::move(question.mime), by);
  return done();
}

}  // namespace

Co<Status> voice_turn(const Rooms& rooms, Context& context) {
  auto question = co_await receive_question(rooms, context);
  if (!question.ok()) co_return question.error();
  auto known = co_await replayed(rooms, context, digest_of(*question));
  if (!known.ok()) co_return known.error();
  if (*known) co_return done();
  auto order = voice_order_of(question->fields);
  if (!order.ok()) co_return order.error();
  auto bound = bind_order(rooms, context, *order);
  if (!bound.ok()) co_return bound;
  const As as = as_of(context, *order);
  if (as == As::sound) {
    const auto wanted = accepted_sound(list_header(context.exchange.head(), "accept"));
    if (!order->form_said && wanted) order->wish.form = *wanted;
    order->wish.keep = false;
  }
  order->wish.partial = as == As::events;
  context.by = context.by.sooner(rooms.clock.now(), rooms.settings.voice.turn_timeout);
  VoiceAsker asker(rooms, context, *order, context.exchange.head().received);
  auto executor = co_await asio::this_coro::executor;
  VoiceTurn turn(voice_parts(rooms, asker), order->wish, executor);
  Status outcome = begin(turn, rooms, std::move(*question), context.by);
  std::exception_ptr thrown;
  try {
    Replying replying(rooms, context, turn, *order);
    if (outcome.ok()) outcome = co_await replying.run(as);
  } catch (...) {
    thrown = std::current_exception();
  }
  // The turn's coroutines use what is here: they must have ended, also when this one was cancelled.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await turn.close();
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  if (thrown) std::rethrow_exception(thrown);
  co_return outcome;
}

}  // namespace mainstay::api
