// Messages in, events and sound out.
#include "api/voice_session.h"

#include <exception>

#include "api/status.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

using net::CloseCode;
using Type = assistant::VoiceEvent::Type;

constexpr std::size_t kIdMax = 128;
constexpr std::size_t kTokenMax = 8192;
constexpr std::size_t kFrame = 32 * 1024;  ///< of sound in one message
constexpr std::size_t kTurnsMax = 3;       ///< that are still ending while the next one begins
constexpr auto kLook = std::chrono::milliseconds(20);  ///< between two looks at a slow reader
constexpr std::uint32_t kRateMin = 8'000;
constexpr std::uint32_t kRateMax = 48'000;

Error bad_value(const std::string& sentence, const std::string& field) {
  return Error::say(Errc::invalid, "invalid_value", sentence, field);
}

/// {"type":"started","id":"1"} and the members of `more`.
std::string message(std::string_view type, const std::string& id, Json more = Json::object()) {
  more["type"] = type;
  if (!id.empty()) more["id"] = id;
  return dump(more);
}

Result<IntakeRule> intake_of(const Json& said, const VoiceSettings& settings) {
  IntakeRule out;
  auto mode = text_member(said, "mode", {});
  if (!mode.ok()) return mode.error();
  if (!field(said, "mode").is_null() && *mode != "push_to_talk" && *mode != "hands_free") {
    return bad_value("'mode' is push_to_talk or hands_free.", "mode");
  }
  out.hands_free = *mode == "hands_free";
  const Json& rate = field(said, "sample_rate");
  const std::uint64_t asked = rate.is_null() ? 16'000 : count_field(said, "sample_rate");
  const bool whole =
      rate.is_null() || (rate.is_number() && rate.get<double>() == static_cast<double>(asked));
  if (!whole || asked < kRateMin || asked > kRateMax) {
    return bad_value("'sample_rate' is a whole number from 8000 to 48000.", "sample_rate");
  }
  out.rate = static_cast<std::uint32_t>(asked);
  out.quiet_ms = static_cast<std::uint32_t>(settings.quiet.count());
  out.longest_ms = static_cast<std::uint32_t>(settings.question_max.count());
  return out;
}

Error nothing_said() {
  return Error::say(Errc::unprocessable, "nothing_heard",
                    "No words were heard in the recording. Speak closer to the microphone, or send "
                    "the question as 'text'.");
}

}  // namespace

VoiceSession::VoiceSession(const Rooms& rooms, Context& context, net::WebSocket& socket,
                           Badge badge, Executor executor)
    : rooms_(rooms),
      context_(context),
      socket_(socket),
      settings_(rooms.settings.voice),
      executor_(executor),
      guest_(rooms, context, socket, std::move(badge), admission::Scope::chat),
      gate_(rooms),
      ended_(rooms.clock),
      tasks_(rooms.clock, executor, [&rooms](const std::string& task, const std::string& what) {
        rooms.log.error("voice.failed", {{"task", task}, {"what", what}});
      }) {
  order_.wish.keep = false;
  order_.wish.form = models::AudioForm::pcm;
}

/// What cannot be sent was said to nobody: the socket is closed then, and read() tells.
void VoiceSession::answer(const std::string& text) {
  [[maybe_unused]] auto sent = socket_.send(text);
}

void VoiceSession::welcome() {
  answer(message("ready", {}, {{"session", context_.id.text()}}));
}

Co<> VoiceSession::run() {
  const Deadline over = Deadline::in(rooms_.clock, settings_.session_max);
  socket_.raise_rate(settings_.message_rate);
  if (guest_.begin()) welcome();
  for (;;) {
    auto got = co_await guest_.read(over);
    if (!got.ok() && got.error().code != Errc::deadline) co_return;
    if (over.passed(rooms_.clock.now())) socket_.close(CloseCode::normal, "session_over");
    if (got.ok()) co_await handle(std::move(*got));
  }
}

Co<> VoiceSession::handle(net::WebSocketMessage got) {
  if (!got.text) {
    co_await take_sound(std::move(got.payload));
    co_return;
  }
  auto said = parse_json(got.payload);
  Error wrong = Error::say(Errc::invalid, "invalid_type", "A message must be a JSON object.");
  if (!said.ok()) wrong = said.error();
  if (!said.ok() || !said->is_object()) {
    refuse({}, wrong);
    co_return;
  }
  auto id = text_member(*said, "id", {.max = kIdMax});
  auto type = text_member(*said, "type", {.required = true, .max = kIdMax});
  if (!id.ok() || !type.ok()) {
    refuse({}, id.ok() ? type.error() : id.error());
    co_return;
  }
  if (!guest_.known() && *type != "auth") {
    guest_.refuse_stranger(*id);
    co_return;
  }
  co_await act(std::move(*said), std::move(*type), std::move(*id));
}

Co<> VoiceSession::act(Json said, std::string type, std::string id) {
  if (type == "auth") {
    auth(said, id);
  } else if (type == "start") {
    auto begun = start(said);
    if (!begun.ok()) {
      refuse(id, begun.error());
      co_return;
    }
    Json more = {{"sample_rate", intake_->rule().rate}};
    if (!order_.conversation.empty()) more["conversation_id"] = order_.conversation;
    answer(message("started", id, std::move(more)));
  } else if (type == "stop") {
    co_await stop_listening(std::move(id));
  } else if (type == "cancel") {
    interrupt();
    forget_sound();
    answer(message("cancelled", id));
  } else if (type == "text") {
    co_await ask_in_writing(std::move(said), std::move(id));
  } else if (type == "ping") {
    answer(pong_message(id));
  } else {
    refuse(id, Error::say(Errc::invalid, "unknown_message_type",
                          "'type' is auth, start, stop, cancel, text or ping.", "type"));
  }
}

void VoiceSession::auth(const Json& said, const std::string& id) {
  auto token = text_member(said, "token", {.required = true, .max = kTokenMax});
  if (!token.ok()) {
    refuse(id, token.error());
  } else if (guest_.auth(id, std::move(*token), bound_)) {
    welcome();
  }
}

/// Listening goes on from here.
void VoiceSession::forget_sound() {
  if (!intake_) return;
  const IntakeRule rule = intake_->rule();
  const auto half = intake_->half();
  intake_.emplace(rule, half);
}

/// What is asked for holds until the next start. Whoever begins to speak interrupts.
Status VoiceSession::start(const Json& said) {
  auto order = voice_order_of(said, {"type", "id", "mode", "sample_rate", "barge_in"});
  if (!order.ok()) return order.error();
  auto rule = intake_of(said, settings_);
  if (!rule.ok()) return rule.error();
  const Json& barge_in = field(said, "barge_in");
  if (!barge_in.is_null() && !barge_in.is_boolean()) {
    return Error::say(Errc::invalid, "invalid_type", "'barge_in' must be true or false.",
                      "barge_in");
  }
  if (order->conversation.empty()) order->conversation = order_.conversation;
  if (!order->place_said) order->wish.keep = false;
  if (!order->form_said) order->wish.form = models::AudioForm::pcm;
  auto bound = bind_order(rooms_, context_, *order);
  if (!bound.ok()) return bound;
  order->wish.partial = true;
  order_ = std::move(*order);
  barge_in_ = barge_in.is_null() || barge_in.get<bool>();
  bound_ = true;
  started_ = true;
  if (!rule->hands_free) interrupt();
  intake_.emplace(*rule);
  return done();
}

Co<> VoiceSession::take_sound(std::string bytes) {
  if (!guest_.known()) {
    guest_.refuse_stranger({});
    co_return;
  }
  if (!started_) {
    refuse({}, Error::say(Errc::invalid, "not_started",
                          "Say {\"type\":\"start\"} before the first sound."));
    socket_.close(CloseCode::policy, "not_started");
    co_return;
  }
  std::string_view rest = bytes;
  while (intake_ && !rest.empty()) {  // else it was under way when the client stopped
    if (!barge_in_ && turn_) {
      intake_->pass_over(rest);  // what the answer itself may sound like
      co_return;
    }
    rest.remove_prefix(intake_->feed(rest));
    auto heard = intake_->next();
    if (heard) co_await take_heard(std::move(*heard));
  }
}

Co<> VoiceSession::take_heard(VoiceIntake::Heard heard) {
  if (heard.question) {
    const std::uint32_t rate = intake_->rule().rate;
    co_await ask_with_sound(std::move(heard.sound), rate, std::string());
    co_return;
  }
  interrupt();
  answer(message("speech_started", {}));
}

Co<> VoiceSession::stop_listening(std::string id) {
  if (!intake_) {
    refuse(id, Error::say(Errc::conflict, "not_started",
                          "Nobody listens: say {\"type\":\"start\"} first."));
    co_return;
  }
  // It was as long as a question may be, and is being answered; or nobody speaks.
  bool over = intake_->full();
  const IntakeRule rule = intake_->rule();
  std::string sound = intake_->stop();
  over = over || (rule.hands_free && sound.empty());
  intake_.reset();
  answer(message("stopped", id));
  if (over) co_return;
  co_await ask_with_sound(std::move(sound), rule.rate, std::move(id));
}

Co<> VoiceSession::ask_in_writing(Json said, std::string id) {
  auto text = text_member(said, "text",
                          {.required = true, .max = rooms_.settings.limits.message_max.value});
  if (!text.ok()) {
    refuse(id, text.error());
    co_return;
  }
  if (!bound_) {
    auto fine = bind_order(rooms_, context_, order_);
    if (!fine.ok()) refuse(id, fine.error());
    if (!fine.ok()) co_return;
  }
  auto turn = co_await begin_turn(std::move(id));
  if (turn) turn->turn.ask(std::move(*text), turn->by);
}

Co<> VoiceSession::ask_with_sound(std::string sound, std::uint32_t rate, std::string id) {
  if (sound.empty()) {
    refuse(id, nothing_said());
    co_return;
  }
  models::AudioShape shape;
  shape.rate = rate;
  std::string file = models::wav_head(shape, static_cast<std::uint32_t>(sound.size()));
  file += sound;
  auto recording = models::Recording::in_memory(file, rooms_.clock);
  if (!recording.ok()) {
    refuse(id, recording.error());
    co_return;
  }
  auto turn = co_await begin_turn(std::move(id));
  if (turn) turn->turn.hear(std::move(*recording), "audio/wav", turn->by);
}

/// Null: it was refused, and the client told.
Co<std::shared_ptr<VoiceSession::Turn>> VoiceSession::begin_turn(std::string id) {
  bound_ = true;
  interrupt();
  auto admitted = gate_.admit_more(context_);
  if (!admitted.ok()) {
    refuse(id, admitted.error());
    co_return std::shared_ptr<Turn>();
  }
  // What was said before is in the conversation before the next question; one that is slow to end
  // is not waited for.
  const Deadline kept = Deadline::in(rooms_.clock, rooms_.settings.storage.operation_timeout);
  for (;;) {
    const auto seen = ended_.version();
    const bool late = kept.passed(rooms_.clock.now());
    if (tasks_.size() < (late ? kTurnsMax : 1)) break;
    const Deadline until = late ? Deadline::never() : kept;
    [[maybe_unused]] auto woken = co_await ended_.wait(seen, until);
  }
  const TimePoint now = rooms_.clock.now();
  auto turn = std::make_shared<Turn>(rooms_, context_, order_, executor_, now);
  turn->by = Deadline::in(rooms_.clock, settings_.turn_timeout);
  turn_ = turn;
  tasks_.spawn("voice.tell", tell_turn(turn));
  co_return turn;
}

/// The answer that is written or spoken ends now; its pieces that are under way are the last.
void VoiceSession::interrupt() {
  if (!turn_) return;
  auto turn = std::move(turn_);
  turn_.reset();
  turn->turn.stop();
  answer(message("interrupted", {}));
}

Co<> VoiceSession::tell_turn(std::shared_ptr<Turn> turn) {
  std::exception_ptr thrown;
  try {
    co_await tell_events(turn);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await turn->turn.close();
  if (turn_ == turn) turn_.reset();
  ended_.notify();
  if (thrown) std::rethrow_exception(thrown);
}

Co<> VoiceSession::tell_events(std::shared_ptr<Turn> turn) {
  for (;;) {
    auto event = co_await turn->turn.next(turn->by);
    if (turn_ != turn) co_return;  // interrupted: the client was told
    if (!event.ok()) {
      rooms_.log.info("voice.broken", {{"id", context_.id.text()},
                                       {"code", stable_code(event.error())},
                                       {"detail", event.error().detail}});
      refuse({}, event.error());
      co_return;
    }
    if (!event->has_value()) co_return;
    if ((*event)->type == Type::speech_started) continue;  // told when it was heard
    if ((*event)->type == Type::audio) {
      auto told = co_await tell_sound(turn, std::move(**event));
      if (!told.ok()) co_return;
    } else {
      answer(voice_event_json(**event, context_, turn->conversation, true));
    }
  }
}

/// Sound is made faster than it is heard: it waits for a client that takes its time.
Co<Status> VoiceSession::tell_sound(std::shared_ptr<Turn> turn, assistant::VoiceEvent event) {
  if (!turn->sounding) answer(voice_event_json(event, context_, turn->conversation, true));
  turn->sounding = true;
  const std::size_t most = rooms_.settings.server.websocket.outbound_max.value / 2;
  for (std::size_t at = 0; at < event.bytes.size();) {
    if (turn_ != turn || turn->by.passed(rooms_.clock.now())) {
      co_return Error::log(Errc::cancelled, "nobody listens any more");
    }
    const std::size_t n = std::min(event.bytes.size() - at, kFrame);
    if (socket_.unsent() > 0 && socket_.unsent() + n > most) {
      [[maybe_unused]] auto slept = co_await sleep(rooms_.clock, kLook);
      continue;
    }
    auto sent = socket_.send_bytes(std::string_view(event.bytes).substr(at, n));
    if (!sent.ok()) co_return sent;
    at += n;
  }
  co_return done();
}

}  // namespace mainstay::api
