// POST /v1/audio/speech in OpenAI's shape: a text in, its sound out while it is made; and the
// voices there are.
#include <cmath>

#include "api/idempotency.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/base64.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "storage/audio_store.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kVoiceMax = 128;
constexpr std::size_t kInstructionsMax = 4096;
constexpr std::size_t kInlineMost = 16U << 20;  ///< of one reply with its audio inline

/// How the sound goes to the client.
enum class Way : std::uint8_t { audio, sse, file };

struct Asked {
  std::string model;
  models::SpeechRequest request;
  Way way = Way::audio;
};

Error bad(const char* reason, std::string sentence, const char* param) {
  return Error::say(Errc::invalid, reason, std::move(sentence), param);
}

/// Characters of UTF-8.
std::size_t characters(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return n;
}

Status read_text(Asked& out, const Json& object, std::size_t most) {
  auto text = text_member(object, "input", {true, most * 4});
  if (!text.ok()) return text.error();
  if (characters(*text) > most) {
    return bad("text_too_long",
               "'input' may have at most " + std::to_string(most) +
                   " characters (audio.text_max). Send it in parts.",
               "input");
  }
  if (trim(*text).empty()) return bad("text_required", "'input' holds nothing to say.", "input");
  out.request.text = std::move(*text);
  return done();
}

/// A name, or {"id": name} as OpenAI has it for voices of one's own.
Status read_voice(Asked& out, const Json& object) {
  const Json& voice = field(object, "voice");
  if (voice.is_object()) {
    out.request.voice = string_field(voice, "id");
  } else if (voice.is_string()) {
    out.request.voice = voice.get<std::string>();
  } else if (!voice.is_null()) {
    return bad("invalid_type", "'voice' must be the name of a voice.", "voice");
  }
  if (out.request.voice.size() > kVoiceMax || out.request.voice.find('\0') != std::string::npos) {
    return bad("voice_unknown", "There is no voice of this name.", "voice");
  }
  return done();
}

Status read_numbers(Asked& out, const Json& object) {
  const Json& speed = field(object, "speed");
  if (speed.is_null()) return done();
  const double value = speed.is_number() ? speed.get<double>() : -1;
  if (!(value >= 0.25 && value <= 4)) {
    return bad("out_of_range", "'speed' must be a number from 0.25 to 4.", "speed");
  }
  out.request.speed = value;
  return done();
}

Status read_form(Asked& out, const Json& object) {
  auto form = text_member(object, "response_format", {false, 16});
  if (!form.ok()) return form.error();
  const auto known = models::audio_form(form->empty() ? "mp3" : *form);
  if (!known) {
    return bad("invalid_value", "'response_format' is mp3, opus, aac, flac, wav or pcm.",
               "response_format");
  }
  out.request.form = *known;
  auto way = text_member(object, "stream_format", {false, 16});
  if (!way.ok()) return way.error();
  if (way->empty() || *way == "audio") return done();
  if (*way != "sse" && *way != "file") {
    return bad("invalid_value", "'stream_format' is audio, sse or file.", "stream_format");
  }
  out.way = *way == "sse" ? Way::sse : Way::file;
  return done();
}

Result<Asked> read_request(const std::string& body, const Settings& settings) {
  auto object = object_of(body, {"model", "input", "voice", "response_format", "speed",
                                 "instructions", "stream_format", "language"});
  if (!object.ok()) return object.error();
  Asked out;
  auto model = text_member(*object, "model", {false, 256});
  if (!model.ok()) return model.error();
  out.model = std::move(*model);
  auto instructions = text_member(*object, "instructions", {false, kInstructionsMax});
  if (!instructions.ok()) return instructions.error();
  out.request.instructions = std::move(*instructions);
  auto language = text_member(*object, "language", {false, 20});
  if (!language.ok()) return language.error();
  out.request.language = lower_ascii(*language);
  auto read = read_text(out, *object, settings.audio.text_max);
  if (read.ok()) read = read_voice(out, *object);
  if (read.ok()) read = read_numbers(out, *object);
  if (read.ok()) read = read_form(out, *object);
  if (!read.ok()) return read.error();
  return out;
}

net::Response head_of(const Rooms& rooms, const Context& context) {
  net::Response response;
  add_common_headers(response.headers, context);
  add_attribution(response.headers, context, rooms.clock.now() - context.exchange.head().received);
  response.headers.add("cache-control", "no-store");
  response.headers.add("x-content-type-options", "nosniff");
  return response;
}

std::string sound_event(const std::string& bytes) {
  return R"(data: {"type":"speech.audio.delta","audio":")" + to_base64(bytes) + "\"}\n\n";
}

/// Sends pieces as they are made: as they are, or as events.
Co<Status> reply_stream(const Rooms& rooms, Context& context,
                        std::unique_ptr<models::SpeechStream> stream, bool events) {
  context.streamed = true;
  context.status = 200;
  net::Response head = head_of(rooms, context);
  head.content_type = events ? "text/event-stream" : models::mime_of(stream->shape().form);
  if (events) head.headers.add("x-accel-buffering", "no");
  bool begun = false;
  for (;;) {
    auto piece = co_await stream->next(context.by);
    if (!piece.ok()) {
      rooms.log.warn("stream.broken", {{"id", context.id.text()},
                                       {"code", stable_code(piece.error())},
                                       {"detail", piece.error().detail}});
      if (!begun) co_return piece.error();
      if (context.keyed != nullptr) context.keyed->broke();
      const std::string told = "data: " + error_json(piece.error()) + "\n\n";
      if (events) {
        [[maybe_unused]] auto sent = co_await context.exchange.write(told);
        [[maybe_unused]] auto ended = co_await context.exchange.finish();
      } else {
        context.exchange.abort();  // the client must not take a part for the whole
      }
      co_return piece.error();
    }
    if (!piece->has_value()) break;
    std::string bytes = events ? sound_event(**piece) : std::move(**piece);
    Status sent;
    if (begun) {
      sent = co_await context.exchange.write(bytes);
    } else {
      head.body = std::move(bytes);
      sent = co_await context.exchange.begin(std::move(head));
      begun = true;
    }
    if (!sent.ok()) co_return sent;
  }
  if (events) {
    const std::string end = "data: {\"type\":\"speech.audio.done\"}\n\n";
    auto sent = co_await context.exchange.write(end);
    if (!sent.ok()) co_return sent;
  }
  co_return co_await context.exchange.finish();
}

/// A piece of audio that is dropped unless it is finished.
class Coming {
 public:
  Coming(storage::AudioStore& store, storage::AudioId id) : store_(store), id_(std::move(id)) {}
  ~Coming() {
    if (!whole_) store_.drop(id_);
  }
  Coming(const Coming&) = delete;
  Coming& operator=(const Coming&) = delete;
  const storage::AudioId& id() const noexcept { return id_; }
  void finished() noexcept { whole_ = true; }

 private:
  storage::AudioStore& store_;
  const storage::AudioId id_;
  bool whole_ = false;
};

Deadline soon(const Rooms& rooms, const Context& context) {
  return context.by.sooner(rooms.clock.now(), rooms.settings.storage.operation_timeout);
}

Co<Status> keep_all(const Rooms& rooms, const Context& context, models::SpeechStream& stream,
                    Coming& coming) {
  for (;;) {
    auto piece = co_await stream.next(context.by);
    if (!piece.ok()) co_return piece.error();
    if (!piece->has_value()) break;
    auto put = co_await rooms.audio->append(coming.id(), std::move(**piece), soon(rooms, context));
    if (!put.ok()) co_return put;
  }
  auto ended = co_await rooms.audio->finish(coming.id(), soon(rooms, context));
  if (ended.ok()) coming.finished();
  co_return ended;
}

Co<Status> reply_kept(const Rooms& rooms, Context& context,
                      std::unique_ptr<models::SpeechStream> stream) {
  const models::AudioForm form = stream->shape().form;
  storage::NewAudio audio{context.caller.owner, std::string(models::mime_of(form)),
                          std::string(models::name(form))};
  auto id = co_await rooms.audio->begin(std::move(audio), soon(rooms, context));
  if (!id.ok()) co_return id.error();
  Coming coming(*rooms.audio, *id);
  auto kept = co_await keep_all(rooms, context, *stream, coming);
  if (!kept.ok()) co_return kept;
  auto facts = co_await rooms.audio->get(context.caller.owner, *id, soon(rooms, context));
  if (!facts.ok()) co_return facts.error();
  const Json out = {{"id", id->text()},
                    {"object", "audio"},
                    {"url", "/v1/audio/files/" + id->text()},
                    {"content_type", facts->mime},
                    {"bytes", facts->size},
                    {"created_at", unix_seconds(facts->created)},
                    {"expires_at", unix_seconds(facts->expires)}};
  net::Response response = head_of(rooms, context);
  response.body = dump(out);
  context.status = 200;
  co_return co_await context.exchange.reply(std::move(response));
}

/// Nothing is kept here: the sound is in the reply itself.
Co<Status> reply_inline(const Rooms& rooms, Context& context,
                        std::unique_ptr<models::SpeechStream> stream) {
  std::string bytes;
  for (;;) {
    auto piece = co_await stream->next(context.by);
    if (!piece.ok()) co_return piece.error();
    if (!piece->has_value()) break;
    bytes += **piece;
    if (bytes.size() > kInlineMost) {
      co_return Error::say(Errc::too_large, "audio_too_large",
                           "The speech is too long to be sent inline. Ask for stream_format audio.",
                           "stream_format");
    }
  }
  const Json out = {{"object", "audio"},
                    {"content_type", models::mime_of(stream->shape().form)},
                    {"bytes", bytes.size()},
                    {"audio", to_base64(bytes)}};
  net::Response response = head_of(rooms, context);
  response.body = dump(out);
  context.status = 200;
  co_return co_await context.exchange.reply(std::move(response));
}

}  // namespace

Co<Status> create_speech(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto asked = read_request(*body, rooms.settings);
  if (!asked.ok()) co_return asked.error();
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  const auto wish = lower_ascii(list_header(context.exchange.head(), "cache-control"));
  asked->request.no_store = wish.find("no-store") != std::string::npos;
  asked->request.request = context.id;
  asked->request.tenant = context.caller.owner.tenant;
  if (context.trace.span != 0) {
    asked->request.traceparent = child_of(context.trace, rooms.random).traceparent();
  }
  const Way way = asked->way;
  auto answer = co_await rooms.models.speak(std::move(asked->request), asked->model, context.by);
  if (!answer.ok()) co_return answer.error();
  context.by_whom = std::move(answer->by);
  const bool kept = rooms.audio != nullptr && rooms.audio->place() != storage::AudioPlace::none;
  if (way == Way::file && kept) {
    co_return co_await reply_kept(rooms, context, std::move(answer->speech));
  }
  if (way == Way::file) co_return co_await reply_inline(rooms, context, std::move(answer->speech));
  co_return co_await reply_stream(rooms, context, std::move(answer->speech), way == Way::sse);
}

Co<Status> list_voices(const Rooms& rooms, Context& context) {
  auto voices = co_await rooms.models.voices(context.by);
  if (!voices.ok()) co_return voices.error();
  Json out = {{"object", "list"}, {"data", Json::array()}, {"voices", Json::array()}};
  for (const auto& voice : *voices) {
    Json entry = {{"id", voice.id},
                  {"object", "voice"},
                  {"name", voice.name},
                  {"language", voice.language},
                  {"provider", voice.provider}};
    if (!voice.gender.empty()) entry["gender"] = voice.gender;
    if (!voice.model.empty()) entry["model"] = voice.provider + "/" + voice.model;
    out["data"].push_back(std::move(entry));
    out["voices"].push_back({{"id", voice.id}, {"name", voice.name}});
  }
  co_return co_await reply_json(context, 200, dump(out));
}

}  // namespace mainstay::api
