// describe, ping; transcribe; synthesize; a transcript that is to be answered.
#include "api/wyoming_session.h"

#include "admission/admission.h"
#include "api/gate.h"
#include "assistant/sentences.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "base/version.h"
#include "models/recording.h"
#include "resources/governor.h"

namespace mainstay::api {
namespace {

constexpr auto kInfoTime = std::chrono::seconds(5);
constexpr std::size_t kNameMax = 256;
/// Samples of one event of speech: a quarter of a second at 24 kHz.
constexpr std::size_t kChunkMax = 12'000;
constexpr std::uint32_t kSampleWidth = 2;

/// "en" of "en-US", "en_US" and "EN"; empty for anything else.
std::string iso_language(std::string_view given) {
  const std::string_view word = given.substr(0, given.find_first_of("-_"));
  const bool fits = word.size() == 2 || word.size() == 3;
  return fits ? lower_ascii(word) : std::string();
}

/// A text of an event: valid UTF-8 within its bound, and not empty.
Result<std::string> text_of(const Json& data, Bytes most) {
  std::string text = to_utf8(string_field(data, "text"));
  if (trim(text).empty()) {
    return Error::say(Errc::invalid, "missing_field", "'text' is missing or empty.", "text");
  }
  if (text.size() > most.value) {
    return Error::say(Errc::too_large, "message_too_large",
                      "The text is longer than wyoming.text_max.", "text");
  }
  return text;
}

std::string content_of(const std::string& reply) {
  auto parsed = parse_json(reply);
  if (!parsed.ok()) return {};
  const Json& choices = array_field(*parsed, "choices");
  if (choices.empty()) return {};
  return string_field(object_field(choices[0], "message"), "content");
}

/// A whole answer as it is to be spoken: headings, links and marks are taken away.
std::string spoken_text(const std::string& answer) {
  assistant::SentenceSplitter splitter;
  splitter.feed(answer);
  splitter.finish();
  std::string out;
  while (auto sentence = splitter.take()) {
    if (!out.empty()) out += ' ';
    out += *sentence;
  }
  return out.empty() ? answer : out;
}

Error under_pressure() {
  Error error = Error::say(Errc::unavailable, "resource_pressure",
                           "The machine is short of memory or time and takes no more voice turns "
                           "now. Try again in a few seconds.");
  error.retry_after = std::chrono::seconds(5);
  return error;
}

}  // namespace

WyomingSession::WyomingSession(WyomingWire& wire, WyomingRooms rooms,
                               const WyomingSettings& settings, std::string peer)
    : wire_(wire),
      rooms_(std::move(rooms)),
      settings_(settings),
      peer_(std::move(peer)),
      recording_(settings.audio_max.value) {}

Co<> WyomingSession::run() {
  for (;;) {
    auto event = co_await wire_.read();
    if (!event.ok()) {
      if (event.error().code != Errc::invalid) co_return;
      Error told = Error::say(Errc::invalid, "bad_event", "This is no Wyoming event.");
      [[maybe_unused]] auto sent = co_await fail(std::move(told));
      co_return;
    }
    if (!event->has_value()) co_return;
    auto handled = co_await handle(std::move(**event));
    if (!handled.ok()) co_return;
  }
}

/// An error only when the connection cannot go on; what fails for its own reasons is told.
Co<Status> WyomingSession::handle(net::WyomingEvent event) {
  const std::string& type = event.type;
  if (type == "describe") co_return co_await describe();
  if (type == "ping") co_return co_await send("pong", std::move(event.data));
  if (type == "transcribe") {
    wanted_ = true;
    language_ = iso_language(string_field(event.data, "language"));
    co_return done();
  }
  Status taken;
  if (type == "audio-start") taken = recording_.start(event.data);
  if (type == "audio-chunk") taken = recording_.add(event);
  if (!taken.ok()) {
    recording_.take();
    [[maybe_unused]] auto sent = co_await fail(taken.error());
    co_return taken.error();  // the rest of it would come in vain
  }
  if (type == "audio-stop") co_return co_await hear();
  if (type == "synthesize") co_return co_await say(std::move(event.data));
  if (type == "transcript") co_return co_await answer(std::move(event.data));
  co_return done();  // an event that this server has no use for
}

Co<Status> WyomingSession::send(std::string type, Json data) {
  std::string bytes = net::wyoming_head(type, data, 0);
  auto sent = co_await wire_.send(std::move(bytes));
  co_return sent;
}

Co<Status> WyomingSession::fail(Error error) {
  const WyomingInForce now = rooms_();
  now.rooms->log.warn("wyoming.failed", {{"peer", peer_},
                                         {"code", mainstay::name(error.code)},
                                         {"reason", error.reason},
                                         {"detail", error.detail}});
  Json data{
      {"text", error.message.empty() ? "This could not be done now." : error.message},
      {"code", error.reason.empty() ? std::string(mainstay::name(error.code)) : error.reason}};
  auto sent = co_await send("error", std::move(data));
  co_return sent;
}

Co<Status> WyomingSession::describe() {
  const WyomingInForce now = rooms_();
  const Deadline by = Deadline::in(now.rooms->clock, kInfoTime);
  WyomingFacts facts;
  facts.version = version();
  auto models = co_await now.rooms->models.list(by);
  if (models.ok()) facts.models = std::move(*models);
  auto voices = co_await now.rooms->models.voices(by);
  if (voices.ok()) facts.voices = std::move(*voices);
  Json info = wyoming_info(facts);
  auto sent = co_await send("info", std::move(info));
  co_return sent;
}

/// The way every request takes: maintenance, limits, pressure, a permit.
Co<Result<WyomingSession::Work>> WyomingSession::let_in(admission::Estimate estimate,
                                                        std::string model) {
  Work work;
  work.in_force = rooms_();
  const Rooms& rooms = *work.in_force.rooms;
  work.by = Deadline::in(rooms.clock, settings_.answer_timeout);
  work.id = RequestId(make_id("req_", rooms.clock, rooms.random));
  work.caller.owner = {TenantId("default"), UserId(settings_.user)};
  work.caller.scopes = {admission::Scope::chat, admission::Scope::knowledge};
  work.caller.local = true;
  auto open = rooms.admission.open();
  if (!open.ok()) co_return open.error();
  work.rate = rooms.admission.count(work.caller, peer_);
  if (!work.rate.allowed) co_return admission::Admission::refusal(work.rate);
  if (rooms.governor != nullptr && rooms.governor->sheds(resources::ShedPoint::voice_turns)) {
    co_return under_pressure();
  }
  auto reserved = rooms.admission.reserve(work.caller, work.rate, peer_,
                                          rooms.models.limited_as(model), estimate);
  if (!reserved.ok()) co_return reserved.error();
  work.reserved = std::move(*reserved);
  work.permit = rooms.admission.try_enter();
  if (!work.permit) {
    const admission::Wish wish{admission::Priority::voice, work.reserved.tokens()};
    auto permit = co_await rooms.admission.enter(work.caller, wish, work.by);
    if (!permit.ok()) {
      work.reserved.settle(0);
      co_return permit.error();
    }
    work.permit = std::move(*permit);
  }
  co_return std::move(work);
}

Co<Status> WyomingSession::hear() {
  std::string wav = recording_.take();
  if (!wanted_) co_return done();  // sound that nobody asked to be heard
  wanted_ = false;
  auto text = co_await heard(std::move(wav));
  if (!text.ok()) co_return co_await fail(text.error());
  Json data{{"text", std::move(*text)}};
  if (!language_.empty()) data["language"] = language_;
  auto sent = co_await send("transcript", std::move(data));
  co_return sent;
}

Co<Result<std::string>> WyomingSession::heard(std::string wav) {
  if (wav.empty()) co_return std::string();  // nothing was recorded, so nothing was said
  const admission::Estimate nothing;
  auto work = co_await let_in(nothing, settings_.transcription_model);
  if (!work.ok()) co_return work.error();
  const Rooms& rooms = *work->in_force.rooms;
  auto recording = models::Recording::in_memory(wav, rooms.clock);
  wav = {};
  if (!recording.ok()) co_return recording.error();
  models::TranscribeRequest request;
  request.audio = std::move(*recording);
  request.name = "speech.wav";
  request.mime = "audio/wav";
  request.language = language_;
  request.request = work->id;
  std::string model = settings_.transcription_model;
  const Deadline by = work->by;
  auto got = co_await rooms.models.transcribe(std::move(request), std::move(model), by);
  if (!got.ok()) co_return got.error();
  if (!got->transcript) co_return Error::log(Errc::internal, "no transcript came");
  auto whole = co_await models::whole_of(std::move(got->transcript), by);
  if (!whole.ok()) co_return whole.error();
  co_return std::string(trim(whole->text));
}

Co<Status> WyomingSession::say(Json data) {
  auto text = text_of(data, settings_.text_max);
  if (!text.ok()) co_return co_await fail(text.error());
  const Json& voice = object_field(data, "voice");
  std::string name = string_field(voice, "name");
  if (name == "default" || name.size() > kNameMax) name.clear();
  std::string language = iso_language(string_field(voice, "language"));
  auto said = co_await spoken(std::move(*text), std::move(name), std::move(language));
  co_return said;
}

/// Speech goes out as it is made.
Co<Status> WyomingSession::spoken(std::string text, std::string voice, std::string language) {
  const admission::Estimate nothing;
  auto work = co_await let_in(nothing, settings_.speech_model);
  if (!work.ok()) co_return co_await fail(work.error());
  const Rooms& rooms = *work->in_force.rooms;
  models::SpeechRequest request;
  request.text = std::move(text);
  request.voice = std::move(voice);
  request.language = std::move(language);
  request.form = models::AudioForm::pcm;
  request.request = work->id;
  std::string model = settings_.speech_model;
  const Deadline by = work->by;
  auto got = co_await rooms.models.speak(std::move(request), std::move(model), by);
  if (!got.ok()) co_return co_await fail(got.error());
  if (!got->speech) co_return co_await fail(Error::log(Errc::internal, "no speech came"));
  const models::AudioShape shape = got->speech->shape();
  const net::WyomingAudio layout{shape.rate, kSampleWidth, shape.channels};
  Json about = net::wyoming_audio_data(layout);
  Json start = about;
  start["timestamp"] = 0;
  auto sent = co_await send("audio-start", std::move(start));
  if (!sent.ok()) co_return sent;
  for (;;) {
    auto piece = co_await got->speech->next(by);
    if (!piece.ok()) co_return co_await fail(piece.error());
    if (!piece->has_value()) break;
    const std::string& bytes = **piece;
    for (std::size_t at = 0; at < bytes.size(); at += kChunkMax) {
      const std::size_t size = std::min(kChunkMax, bytes.size() - at);
      std::string event = net::wyoming_head("audio-chunk", about, size);
      event.append(bytes, at, size);
      auto out = co_await wire_.send(std::move(event));
      if (!out.ok()) co_return out;  // who listened is gone: no more is made
    }
  }
  Json stop = Json::object();
  auto ended = co_await send("audio-stop", std::move(stop));
  co_return ended;
}

Co<Status> WyomingSession::answer(Json data) {
  auto text = text_of(data, settings_.text_max);
  if (!text.ok()) co_return co_await fail(text.error());
  std::string conversation = wyoming_conversation(data);
  auto reply = co_await written(std::move(*text), std::move(conversation));
  Json out = Json::object();
  if (data.contains("context")) out["context"] = data["context"];
  if (!reply.ok()) {
    const WyomingInForce now = rooms_();
    now.rooms->log.warn("wyoming.not_handled", {{"peer", peer_}, {"detail", reply.error().detail}});
    const std::string& says = reply.error().message;
    out["text"] = says.empty() ? "This could not be answered now." : says;
    co_return co_await send("not-handled", std::move(out));
  }
  out["text"] = spoken_text(*reply);
  auto sent = co_await send("handled", std::move(out));
  co_return sent;
}

Co<Result<std::string>> WyomingSession::written(std::string question, std::string conversation) {
  const WyomingInForce now = rooms_();
  const Settings& all = now.rooms->settings;
  const std::string& model =
      settings_.chat_model.empty() ? all.models.default_model : settings_.chat_model;
  Json message{{"role", "user"}, {"content", std::move(question)}};
  const Json body{{"model", model}, {"messages", Json::array({std::move(message)})}};
  auto parsed = models::parse_chat(dump(body), all.limits, all.models.default_model);
  if (!parsed.ok()) co_return parsed.error();
  const admission::Estimate estimate{parsed->request.body.size(), 0};
  auto work = co_await let_in(estimate, parsed->request.model);
  if (!work.ok()) co_return work.error();
  const Rooms& rooms = *work->in_force.rooms;
  assistant::Question asked;
  asked.owner = work->caller.owner;
  asked.received = rooms.clock.now();
  if (!conversation.empty()) {
    auto writable = check_writable(rooms);
    if (!writable.ok()) co_return writable.error();
    asked.conversation = ConversationId(std::move(conversation));
  }
  asked.chat = std::move(parsed->request);
  asked.chat.tenant = work->caller.owner.tenant;
  asked.chat.user = work->caller.owner.user;
  asked.chat.request = work->id;
  const Deadline by = work->by;
  auto got = co_await rooms.assistant.ask(std::move(asked), by);
  if (!got.ok()) {
    work->reserved.settle(0);
    co_return got.error();
  }
  if (!got->reply) co_return Error::log(Errc::internal, "no whole reply came");
  const models::Usage& used = got->reply->usage;
  if (used.known) work->reserved.settle(used.prompt + used.completion);
  std::string text = content_of(got->reply->body);
  if (trim(text).empty()) co_return Error::log(Errc::bad_upstream, "the answer is empty");
  co_return text;
}

}  // namespace mainstay::api
