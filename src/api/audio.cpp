// POST /v1/audio/transcriptions and /v1/audio/translations in OpenAI's shape: a recording in, its
// words out, in one piece or as they are heard.
#include <array>
#include <charconv>
#include <cmath>

#include "api/audio_form.h"
#include "api/audio_replies.h"
#include "api/idempotency.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kModelMax = 256;
constexpr auto kToTell = std::chrono::seconds(5);  ///< that it took too long
constexpr const char* kTimes = "timestamp_granularities[]";
constexpr const char* kInclude = "include[]";
/// OpenAI's clients send the members of an object each as a field.
constexpr std::array kChunking = {
    "chunking_strategy", "chunking_strategy[type]", "chunking_strategy[threshold]",
    "chunking_strategy[prefix_padding_ms]", "chunking_strategy[silence_duration_ms]"};

Error bad(const char* reason, std::string sentence, const char* param) {
  return Error::say(Errc::invalid, reason, std::move(sentence), param);
}

/// What is asked for beside the recording.
struct Asked {
  std::string model;
  models::TranscribeRequest request;
  TranscriptWish wish;
  bool stream = false;
};

bool is_language(std::string_view text) {
  if (text.size() < 2 || text.size() > 20) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") ==
         std::string_view::npos;
}

Status check_text(const std::string& text, const char* param) {
  if (to_utf8(text) == text && text.find('\0') == std::string::npos) return done();
  return bad("invalid_value", std::string("'") + param + "' must be UTF-8 text.", param);
}

Status read_temperature(Asked& asked, const std::string& text) {
  if (text.empty()) return done();
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || stop != end || !(value >= 0 && value <= 1)) {
    return bad("out_of_range", "'temperature' must be a number from 0 to 1.", "temperature");
  }
  asked.request.temperature = value;
  asked.wish.temperature = value;
  return done();
}

Status read_flags(Asked& asked, const AudioForm& form) {
  const std::string& stream = form.field("stream");
  if (!stream.empty() && stream != "true" && stream != "false") {
    return bad("invalid_type", "'stream' must be true or false.", "stream");
  }
  asked.stream = stream == "true";
  const bool lists =
      asked.wish.form != TranscriptForm::json && asked.wish.form != TranscriptForm::text;
  if (asked.stream && lists) {
    return bad("invalid_value", "A stream has the response_format json or text.", "stream");
  }
  const auto& times = form.values(kTimes);
  if (times.empty()) return done();
  if (asked.wish.form != TranscriptForm::verbose_json) {
    return bad("invalid_value", "'timestamp_granularities' needs the response_format verbose_json.",
               "timestamp_granularities");
  }
  asked.wish.segments = false;
  for (const auto& each : times) {
    if (each != "word" && each != "segment") {
      return bad("invalid_value", "'timestamp_granularities' holds word and segment.",
                 "timestamp_granularities");
    }
    (each == "word" ? asked.wish.words : asked.wish.segments) = true;
  }
  return done();
}

/// What the endpoint for translations does not know.
Status read_extras(Asked& asked, const AudioForm& form) {
  for (const auto& each : form.values(kInclude)) {
    if (each != "logprobs") {
      return bad("invalid_value", "'include' holds logprobs and nothing else.", "include");
    }
    if (asked.wish.form != TranscriptForm::json) {
      return bad("invalid_value", "'include' needs the response_format json.", "include");
    }
    asked.request.logprobs = true;
  }
  for (const char* name : kChunking) {
    const std::string& value = form.field(name);
    auto fits = check_text(value, "chunking_strategy");
    if (!fits.ok()) return fits;
    if (!value.empty()) asked.request.chunking.push_back({name, value});
  }
  return done();
}

Result<Asked> read_form(const AudioForm& form, bool translate) {
  Asked out;
  out.model = form.field("model");
  if (out.model.size() > kModelMax) {
    return bad("field_too_long", "'model' has at most 256 bytes.", "model");
  }
  for (const char* field : {"model", "prompt"}) {
    auto fits = check_text(form.field(field), field);
    if (!fits.ok()) return fits.error();
  }
  const std::string& format = form.field("response_format");
  const auto known = transcript_form(format.empty() ? "json" : format);
  if (!known) {
    return bad("invalid_value", "'response_format' is json, text, srt, verbose_json or vtt.",
               "response_format");
  }
  out.wish.form = *known;
  out.wish.translate = translate;
  out.request.translate = translate;
  out.request.language = lower_ascii(form.field("language"));
  if (!out.request.language.empty() && !is_language(out.request.language)) {
    return bad("invalid_value", "'language' is a code such as en or de.", "language");
  }
  auto read = read_temperature(out, form.field("temperature"));
  if (read.ok()) read = read_flags(out, form);
  if (read.ok() && !translate) read = read_extras(out, form);
  if (!read.ok()) return read.error();
  out.request.prompt = form.field("prompt");
  out.request.segments = has_times(*known) && (out.wish.segments || out.wish.words);
  out.request.words = out.wish.words;
  out.request.partial = out.stream;
  out.request.audio = form.recording();
  out.request.name = form.name();
  out.request.mime = form.mime();
  return out;
}

net::Response head_of(const Rooms& rooms, const Context& context) {
  net::Response response;
  add_common_headers(response.headers, context);
  add_attribution(response.headers, context, rooms.clock.now() - context.exchange.head().received);
  return response;
}

Co<Status> reply_whole(const Rooms& rooms, Context& context,
                       std::unique_ptr<models::TranscriptStream> stream, TranscriptWish wish) {
  auto whole = co_await models::whole_of(std::move(stream), context.by);
  if (!whole.ok()) co_return whole.error();
  net::Response response = head_of(rooms, context);
  response.content_type = content_type_of(wish.form);
  response.body = transcript_text(*whole, wish);
  context.status = 200;
  co_return co_await context.exchange.reply(std::move(response));
}

/// Sends events as the pieces come. What breaks off ends with an error event.
Co<Status> reply_stream(const Rooms& rooms, Context& context,
                        std::unique_ptr<models::TranscriptStream> stream) {
  context.streamed = true;
  context.status = 200;
  net::Response head = head_of(rooms, context);
  head.content_type = "text/event-stream";
  head.headers.add("cache-control", "no-cache");
  head.headers.add("x-accel-buffering", "no");
  auto sent = co_await context.exchange.begin(std::move(head));
  Status outcome;
  for (bool last = false; sent.ok() && !last;) {
    auto piece = co_await stream->next(context.by);
    std::string event;
    if (!piece.ok()) {
      outcome = piece.error();
      rooms.log.warn("stream.broken", {{"id", context.id.text()},
                                       {"code", stable_code(piece.error())},
                                       {"detail", piece.error().detail}});
      if (context.keyed != nullptr) context.keyed->broke();
      event = "data: " + error_json(piece.error()) + "\n\n";
      last = true;
    } else if (!piece->has_value()) {
      break;
    } else {
      if (!(*piece)->delta.empty()) event = delta_event(**piece);
      if ((*piece)->whole) event += done_event(*(*piece)->whole);
      last = (*piece)->whole.has_value();
    }
    if (!event.empty()) sent = co_await context.exchange.write(event);
  }
  if (!sent.ok()) co_return sent;
  [[maybe_unused]] auto ended = co_await context.exchange.finish();
  co_return outcome;
}

/// The recording is here. Hearing it has a time of its own, whatever the request as a whole has.
void give_time(const Rooms& rooms, Context& context) {
  const Deadline hearing = Deadline::in(rooms.clock, rooms.settings.audio.transcription_timeout);
  if (hearing.at() <= context.by.at()) return;
  context.by = hearing;
  context.exchange.allow(hearing.at() + kToTell);
}

Co<Status> hear(const Rooms& rooms, Context& context, bool translate) {
  AudioForm form(rooms);
  auto received = co_await form.receive(context);
  if (!received.ok()) co_return received;
  auto asked = read_form(form, translate);
  if (!asked.ok()) co_return asked.error();
  give_time(rooms, context);
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  asked->request.request = context.id;
  asked->request.tenant = context.caller.owner.tenant;
  if (context.trace.span != 0) {
    asked->request.traceparent = child_of(context.trace, rooms.random).traceparent();
  }
  const TranscriptWish wish = asked->wish;
  const bool stream = asked->stream;
  auto answer =
      co_await rooms.models.transcribe(std::move(asked->request), asked->model, context.by);
  if (!answer.ok()) co_return answer.error();
  context.by_whom = std::move(answer->by);
  if (stream) co_return co_await reply_stream(rooms, context, std::move(answer->transcript));
  co_return co_await reply_whole(rooms, context, std::move(answer->transcript), wish);
}

}  // namespace

Co<Status> transcribe_audio(const Rooms& rooms, Context& context) {
  co_return co_await hear(rooms, context, false);
}

Co<Status> translate_audio(const Rooms& rooms, Context& context) {
  co_return co_await hear(rooms, context, true);
}

}  // namespace mainstay::api
