// Recordings and speech by the router's way out: the same candidates, permits, breakers and retries
// as chat, and the built-in engine at last.
#include <fmt/format.h>

#include "base/text.h"
#include "models/audio_streams.h"
#include "models/quotes.h"
#include "models/router.h"
#include "models/verdict.h"

namespace mainstay::models {
namespace {

constexpr std::string_view kAuto = "auto";
/// What a server is asked for that has its own idea of a model.
constexpr const char* kWhichever = "default";

Error cannot_do(const std::string& model, bool hear) {
  const char* reason = hear ? "model_cannot_transcribe" : "model_cannot_speak";
  const char* does = hear ? "hears no recordings" : "does not speak";
  const char* kind = hear ? "transcription" : "speech";
  return Error::say(Errc::invalid, reason,
                    fmt::format("'{}' {}. Name a model for {} as provider/model, or auto; GET "
                                "/v1/models lists what there is.",
                                cut_utf8(model, 100), does, kind),
                    "model");
}

Error no_engine() {
  return Error::say(Errc::unavailable, "no_provider",
                    "No engine for speech is there. Configure one; docs/voice.md says how.");
}

Error left() {
  return Error::log(Errc::cancelled, "the request was cancelled");
}

Error no_sound() {
  Error error = Error::log(Errc::bad_upstream, "the speech ended without a sound");
  error.reason = "upstream_bad_reply";
  return error;
}

/// A failure of our own packing, which says nothing about the engine that spoke.
bool own_fault(const Error& error) {
  return error.reason == "audio_format_unsupported" || error.reason == "audio_missing" ||
         error.reason == "audio_busy";
}

/// A request's texts, for without_quotes().
std::string quotable(const std::string& text) {
  return dump(Json{{"input", text}});
}

/// The first piece worth telling; without `partial` the last one.
Co<Result<TranscriptPiece>> first_piece(TranscriptStream& stream, bool partial, Deadline by) {
  for (;;) {
    auto got = co_await stream.next(by);
    if (!got.ok()) co_return std::move(got.error());
    if (!got->has_value()) {
      Error cut = Error::log(Errc::bad_upstream, "a transcription without its end");
      cut.reason = "upstream_truncated";
      co_return cut;
    }
    TranscriptPiece& piece = **got;
    const bool tells = partial && (!piece.delta.empty() || piece.segment);
    if (piece.whole || tells) co_return std::move(piece);
  }
}

}  // namespace

Co<Result<Answer>> Models::transcribe(TranscribeRequest, std::string model, Deadline) {
  co_return cannot_do(model, true);
}

Co<Result<Answer>> Models::speak(SpeechRequest, std::string model, Deadline) {
  co_return cannot_do(model, false);
}

Co<Result<std::vector<Voice>>> Models::voices(Deadline) {
  co_return std::vector<Voice>();
}

void Router::add_speech(SpeechParts parts) {
  NamedProvider own;
  own.provider = std::move(parts.engine);
  own.settings.concurrent_max = settings_->audio.at_once;
  speech_ =
      std::make_shared<Upstream>(std::move(own), Upstream::Kind::built_in, *settings_, tools_);
  packer_ = std::move(parts.packer);
  table_.add_speech(speech_);
}

/// Who may do it, in which order. A request that names no model takes the settings' one, with the
/// built-in engine behind it.
Result<Plan> Router::audio_plan(std::string& model, bool hear) const {
  const bool unnamed = model.empty() || model == kAuto;
  if (unnamed) model = hear ? settings_->models.transcription : settings_->models.speech;
  Plan plan;
  if (model == kAuto) {
    for (const auto& upstream : upstreams_) {
      if (!upstream->chats()) plan.candidates.push_back({upstream, kWhichever});
    }
    if (speech_) plan.candidates.push_back({speech_, kWhichever});
    if (plan.candidates.empty()) return no_engine();
    return plan;
  }
  auto found = table_.plan(model);
  if (!found.ok()) return found.error();
  std::erase_if(found->candidates, [this](const Candidate& each) {
    return each.model.empty() || each.upstream == upstreams_.back();
  });
  if (found->candidates.empty()) return cannot_do(model, hear);
  found->fallback = (found->fallback || unnamed) && speech_ != nullptr;
  return std::move(*found);
}

/// Tries the plan, then the built-in engine.
Co<Result<Answer>> Router::answer_audio(Ask& ask) {
  auto got = co_await try_candidates(ask);
  if (got.ok()) co_return std::move(got);
  const bool unable = got.error().code == Errc::unsupported;
  if (!verdict(got.error()).next) co_return std::move(got);
  const bool tried = ask.plan.candidates.back().upstream == speech_;
  if (ask.plan.fallback && !tried) {
    const Candidate stand_in{speech_, kWhichever};
    auto stood = co_await attempt(ask, stand_in);
    if (stood.ok()) {
      degraded_.add();
      tools_.log.warn("models.degraded",
                      {{"request", ask.request.request.text()}, {"failures", ask.failures}});
      stood->by.degraded = true;
      co_return std::move(stood);
    }
  }
  if (unable) co_return std::move(got);
  co_return told(ask);
}

Co<Result<Answer>> Router::transcribe(TranscribeRequest request, std::string model, Deadline by) {
  auto plan = audio_plan(model, true);
  if (!plan.ok()) co_return plan.error();
  Ask ask{.by = by, .started = tools_.clock.now()};
  ask.request.model = std::move(model);
  ask.request.request = request.request;
  ask.plan = std::move(*plan);
  ask.hear = &request;
  co_return co_await answer_audio(ask);
}

Co<Result<Answer>> Router::hear_at(Ask& ask, const Candidate& candidate, Upstream::Call call,
                                   Attempt attempt) {
  // What hears may need as long for its first word as for all of them.
  const Duration patience = settings_->audio.transcription_timeout;
  attempt.first_token = patience;
  attempt.between_tokens = patience;
  attempt.by = ask.by.sooner(call.started(), patience);
  const TranscribeRequest& request = *ask.hear;
  AttemptTimings timings;
  auto started = co_await candidate.upstream->provider->transcribe(request, attempt, timings);
  Result<TranscriptPiece> first;
  if (started.ok()) first = co_await first_piece(**started, request.partial, attempt.by);
  if (!started.ok()) first = started.error();
  if (first.ok() && first->whole) {
    auto checked = check_transcript(request.segments, *first->whole);
    if (!checked.ok()) first = checked.error();
  }
  if (!first.ok()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    Error& error = first.error();
    if (error.code == Errc::deadline && error.reason.empty()) error.reason = "upstream_timeout";
    error.detail = without_quotes(error.detail, quotable(request.prompt));
    call.failed(error);
    co_return std::move(error);
  }
  const TimePoint now = tools_.clock.now();
  Answer answer = finished(ask, candidate, timings, now);
  if (first->whole) {
    call.succeeded(now);
    answer.transcript = one_piece(std::move(*first->whole));
    co_return answer;
  }
  WatchedTranscript::Parts parts{.inner = std::move(*started),
                                 .first = std::move(*first),
                                 .call = std::move(call),
                                 .patience = {attempt.between_tokens, attempt.by},
                                 .segments = request.segments};
  answer.transcript = std::make_unique<WatchedTranscript>(std::move(parts), tools_.clock);
  co_return answer;
}

Co<Result<Answer>> Router::speak(SpeechRequest request, std::string model, Deadline by) {
  auto plan = audio_plan(model, false);
  if (!plan.ok()) co_return plan.error();
  Ask ask{.by = by, .started = tools_.clock.now()};
  ask.request.model = std::move(model);
  ask.request.request = request.request;
  ask.plan = std::move(*plan);
  ask.say = &request;
  ask.keep = speech_cache_.enabled() && !request.no_store;
  if (ask.keep) {
    ask.key = speech_key(request, ask.request.model);
    ask.at.cache = CacheState::miss;
    auto kept = speech_cache_.find(*ask.key, ask.started);
    if (kept) {
      Answer answer;
      answer.by = ask.at;
      answer.by.provider = kept->provider;
      answer.by.model = kept->model;
      answer.by.cache = CacheState::hit;
      answer.by.age = std::chrono::duration_cast<std::chrono::seconds>(ask.started - kept->stored);
      answer.by.first_token_time = tools_.clock.now() - ask.started;
      answer.speech = std::make_unique<KeptSpeechStream>(std::move(kept));
      co_return answer;
    }
  }
  co_return co_await answer_audio(ask);
}

/// Speech in the form asked for, from a candidate.
Co<Result<std::unique_ptr<SpeechStream>>> Router::spoken(const SpeechRequest& request,
                                                         const Candidate& candidate,
                                                         Attempt attempt, AttemptTimings& timings) {
  auto started = co_await candidate.upstream->provider->speak(request, attempt, timings);
  if (!started.ok() || (*started)->shape().form == request.form) co_return std::move(started);
  if (!packer_ || !packer_->can(request.form)) {
    const std::string form(name(request.form));
    co_return Error::say(Errc::invalid, "audio_format_unsupported",
                         "Speech of this engine cannot be made as '" + form +
                             "'. Ask for mp3, wav, opus, flac, aac or pcm.",
                         "response_format");
  }
  co_return co_await packer_->pack(std::move(*started), request.form, attempt.by);
}

KeepSpeech Router::keep_speech(const Ask& ask, const Answer& answer) {
  KeepSpeech keep;
  // Another engine's voice is not what the name means: the next call may get the right one.
  if (!ask.keep || !ask.key || answer.by.fallbacks > 0) return keep;
  keep.cache = &speech_cache_;
  keep.key = *ask.key;
  keep.speech.provider = answer.by.provider;
  keep.speech.model = answer.by.model;
  keep.speech.tenant = ask.say->tenant;
  return keep;
}

Co<Result<Answer>> Router::say_at(Ask& ask, const Candidate& candidate, Upstream::Call call,
                                  Attempt attempt) {
  attempt.by = ask.by.sooner(call.started(), settings_->audio.speech_timeout);
  const SpeechRequest& request = *ask.say;
  AttemptTimings timings;
  auto started = co_await spoken(request, candidate, attempt, timings);
  Result<std::optional<std::string>> first;
  const Deadline soon = attempt.by.sooner(call.started(), attempt.first_token);
  if (started.ok()) first = co_await (*started)->next(soon);
  if (!started.ok()) first = started.error();
  if (first.ok() && !first->has_value()) first = no_sound();
  if (!first.ok()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    Error& error = first.error();
    name_wait(error, false, attempt.by, tools_.clock.now());
    error.detail = without_quotes(error.detail, quotable(request.text));
    if (!own_fault(error)) call.failed(error);
    co_return std::move(error);
  }
  Answer answer = finished(ask, candidate, timings, tools_.clock.now());
  WatchedSpeech::Parts parts{.inner = std::move(*started),
                             .first = std::move(**first),
                             .call = std::move(call),
                             .patience = {attempt.between_tokens, attempt.by},
                             .keep = keep_speech(ask, answer)};
  answer.speech = std::make_unique<WatchedSpeech>(std::move(parts), tools_.clock);
  co_return answer;
}

Co<Result<std::vector<Voice>>> Router::voices(Deadline by) {
  std::vector<Voice> out;
  std::vector<std::shared_ptr<Upstream>> engines;
  if (speech_) engines.push_back(speech_);
  for (const auto& upstream : upstreams_) {
    if (upstream->kind == Upstream::Kind::configured) engines.push_back(upstream);
  }
  for (const auto& engine : engines) {
    const Deadline until = probe_deadline(by);
    auto found = co_await engine->provider->voices(until);
    if (!found.ok()) continue;  // one that is down has none to offer now
    for (auto& voice : *found) {
      voice.provider = engine->name();
      out.push_back(std::move(voice));
    }
  }
  co_return out;
}

}  // namespace mainstay::models
