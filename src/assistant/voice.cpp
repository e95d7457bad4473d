// Hearing, writing, and the line of events between them and whoever pulls.
#include "assistant/voice.h"

#include "assistant/transcript.h"

namespace mainstay::assistant {
namespace {

constexpr std::size_t kEventCost = 64;           ///< of an event beside its text and bytes
constexpr std::size_t kAnswerMax = 1024 * 1024;  ///< of one answer; nobody listens so long
constexpr auto kBusyPause = std::chrono::milliseconds(200);

std::size_t cost_of(const VoiceEvent& event) {
  return kEventCost + event.text.size() + event.bytes.size();
}

VoiceEvent text_event(VoiceEvent::Type type, std::string text) {
  VoiceEvent out;
  out.type = type;
  out.text = std::move(text);
  return out;
}

Error nothing_heard() {
  return Error::say(Errc::unprocessable, "nothing_heard",
                    "No words were heard in the recording. Speak closer to the microphone, or send "
                    "the question as 'text'.");
}

Error too_late() {
  return Error::say(Errc::deadline, "voice_timeout",
                    "The spoken answer was not ready in time (voice.turn_timeout).");
}

Error answer_too_large() {
  return Error::say(Errc::bad_upstream, "answer_too_large",
                    "The model's answer is longer than an answer that is spoken may be.");
}

}  // namespace

std::string_view name(VoiceEvent::Type type) noexcept {
  using Type = VoiceEvent::Type;
  switch (type) {
    case Type::speech_started:
      return "speech_started";
    case Type::transcript_partial:
      return "transcript_partial";
    case Type::transcript:
      return "transcript";
    case Type::token:
      return "token";
    case Type::citations:
      return "citations";
    case Type::audio_coming:
      return "audio_coming";
    case Type::audio:
      return "audio";
    case Type::audio_ready:
      return "audio_ready";
    case Type::speech_failed:
      return "speech_failed";
    case Type::done:
      return "done";
  }
  return "";
}

VoiceTurn::VoiceTurn(VoiceParts parts, VoiceWish wish, Executor executor)
    : parts_(parts),
      wish_(std::move(wish)),
      changed_(parts.clock),
      splitter_(SentenceRule{static_cast<std::size_t>(parts.settings.sentence_max.value)}),
      tasks_(parts.clock, executor, [this](const std::string& task, const std::string& what) {
        parts_.log.error("voice.failed", {{"task", task}, {"what", what}});
        end(Error::log(Errc::internal, "unexpected: " + what));
      }) {}

VoiceTurn::~VoiceTurn() {
  if (parts_.store != nullptr && !audio_.empty() && !kept_) parts_.store->drop(audio_);
}

void VoiceTurn::hear(std::shared_ptr<const models::Recording> recording, std::string mime,
                     Deadline by) {
  models::TranscribeRequest request;
  request.audio = std::move(recording);
  request.name = "question";
  request.mime = std::move(mime);
  request.language = wish_.language;
  request.partial = wish_.partial;
  request.tenant = wish_.owner.tenant;
  request.request = wish_.request;
  request.traceparent = wish_.traceparent;
  turn_task_ = tasks_.spawn("voice.turn", hear_and_answer(std::move(request), by));
}

void VoiceTurn::ask(std::string question, Deadline by) {
  turn_task_ = tasks_.spawn("voice.turn", answer(std::move(question), by));
}

void VoiceTurn::stop() {
  if (!ended_) {
    const bool spoken = wish_.speak && !mute_ && !spoken_.empty();
    const bool to_its_end = complete_ && sentences_.empty();
    told_.interrupted = true;
    told_.text = spoken && !to_its_end ? spoken_ : answer_;
  }
  end(Error::log(Errc::cancelled, "the turn was stopped"));
  tasks_.cancel(turn_task_);
  tasks_.cancel(speech_task_);
}

Co<> VoiceTurn::close() {
  end(Error::log(Errc::cancelled, "the turn was ended"));
  co_await tasks_.close();
  if (!complete_ && !told_.interrupted) co_return;
  auto kept = co_await keep();
  if (kept.ok()) co_return;
  parts_.log.error("voice.not_kept",
                   {{"id", wish_.request.text()}, {"detail", kept.error().detail}});
}

Co<Status> VoiceTurn::keep() {
  if (!to_keep_ || (answer_.empty() && !complete_)) co_return done();
  to_keep_ = false;
  AnswerTold told = std::move(told_);
  if (!told.interrupted) told.text = answer_;
  co_return co_await parts_.answerer.keep(std::move(told));
}

Co<Result<std::optional<VoiceEvent>>> VoiceTurn::next(Deadline by) {
  for (;;) {
    const auto seen = changed_.version();
    if (!events_.empty()) {
      VoiceEvent event = std::move(events_.front());
      events_.pop_front();
      events_bytes_ -= cost_of(event);
      changed_.notify();
      co_return std::optional<VoiceEvent>(std::move(event));
    }
    if (ended_ && outcome_.ok()) co_return std::optional<VoiceEvent>();
    if (ended_) co_return outcome_.error();
    if (by.passed(parts_.clock.now())) co_return too_late();
    [[maybe_unused]] auto woken = co_await changed_.wait(seen, by);
  }
}

/// The first word on how it ended counts.
void VoiceTurn::end(Status outcome) {
  if (ended_) return;
  ended_ = true;
  outcome_ = std::move(outcome);
  changed_.notify();
}

/// One event always has room, however large it is.
bool VoiceTurn::room_for(const VoiceEvent& event) const noexcept {
  return events_.empty() || events_bytes_ + cost_of(event) <= parts_.settings.events_max.value;
}

Co<Status> VoiceTurn::tell(VoiceEvent event, Deadline by) {
  for (;;) {
    const auto seen = changed_.version();
    if (ended_) co_return Error::log(Errc::cancelled, "the turn has ended");
    if (room_for(event)) break;
    if (by.passed(parts_.clock.now())) co_return too_late();
    [[maybe_unused]] auto woken = co_await changed_.wait(seen, by);
  }
  events_bytes_ += cost_of(event);
  events_.push_back(std::move(event));
  changed_.notify();
  co_return done();
}

Co<> VoiceTurn::hear_and_answer(models::TranscribeRequest request, Deadline by) {
  auto question = co_await listen(std::move(request), by);
  if (!question.ok()) {
    end(question.error());
    co_return;
  }
  co_await answer(std::move(*question), by);
}

/// An engine that has its hands full is waited for as long as the turn may last: a person who has
/// spoken would rather wait than speak again.
Co<bool> VoiceTurn::may_try_again(std::string reason, Deadline by) {
  const bool busy = reason == "provider_busy" || reason == "audio_busy" || reason == "host_busy";
  if (!busy || ended_ || by.left(parts_.clock.now()) <= kBusyPause) co_return false;
  co_return co_await sleep(parts_.clock, kBusyPause);
}

Co<Result<models::Answer>> VoiceTurn::transcribe(models::TranscribeRequest request, Deadline by) {
  for (;;) {
    models::TranscribeRequest again = request;
    auto heard = co_await parts_.models.transcribe(std::move(again), wish_.hearing_model, by);
    if (heard.ok()) co_return heard;
    const Error error = heard.error();
    auto patient = co_await may_try_again(error.reason, by);
    if (!patient) co_return error;
  }
}

Co<Result<models::Answer>> VoiceTurn::synthesize(models::SpeechRequest request, Deadline by) {
  for (;;) {
    models::SpeechRequest again = request;
    auto made = co_await parts_.models.speak(std::move(again), wish_.speech_model, by);
    if (made.ok()) co_return made;
    const Error error = made.error();
    auto patient = co_await may_try_again(error.reason, by);
    if (!patient) co_return error;
  }
}

Co<Result<std::string>> VoiceTurn::listen(models::TranscribeRequest request, Deadline by) {
  auto heard = co_await transcribe(std::move(request), by);
  if (!heard.ok()) co_return heard.error();
  if (!heard->transcript) co_return Error::log(Errc::internal, "a transcription without a stream");
  std::string so_far;
  bool begun = false;
  for (;;) {
    auto piece = co_await heard->transcript->next(by);
    if (!piece.ok()) co_return piece.error();
    if (!piece->has_value()) {
      co_return Error::say(Errc::bad_upstream, "upstream_truncated",
                           "The transcription broke off before its end.");
    }
    models::TranscriptPiece& got = **piece;
    const bool whole = got.whole.has_value();
    if (whole && got.whole->text.empty()) co_return nothing_heard();
    if (!begun && (whole || !got.delta.empty() || got.segment)) {
      begun = true;
      VoiceEvent started;
      started.type = VoiceEvent::Type::speech_started;
      if (got.segment) started.seconds = got.segment->start;
      if (whole && !got.whole->segments.empty()) {
        started.seconds = got.whole->segments.front().start;
      }
      auto told = co_await tell(std::move(started), by);
      if (!told.ok()) co_return told.error();
    }
    so_far += got.delta;
    std::string said = whole ? got.whole->text : std::string();
    auto told = co_await tell_heard(std::move(got), so_far, by);
    if (!told.ok()) co_return told.error();
    if (whole) co_return said;
  }
}

Co<Status> VoiceTurn::tell_heard(models::TranscriptPiece piece, std::string heard, Deadline by) {
  if (piece.whole) {
    VoiceEvent event = text_event(VoiceEvent::Type::transcript, std::move(piece.whole->text));
    event.language = std::move(piece.whole->language);
    event.seconds = piece.whole->seconds;
    co_return co_await tell(std::move(event), by);
  }
  if (piece.delta.empty() || !wish_.partial) co_return done();
  VoiceEvent event = text_event(VoiceEvent::Type::transcript_partial, std::move(heard));
  co_return co_await tell(std::move(event), by);
}

Co<> VoiceTurn::answer(std::string question, Deadline by) {
  auto outcome = co_await write(std::move(question), by);
  written_ = true;
  changed_.notify();
  while (outcome.ok() && speaking_ && !ended_) {
    const auto seen = changed_.version();
    if (by.passed(parts_.clock.now())) outcome = too_late();
    if (!outcome.ok()) break;
    [[maybe_unused]] auto woken = co_await changed_.wait(seen, by);
  }
  if (outcome.ok() && !ended_) outcome = co_await keep();
  if (outcome.ok()) {
    VoiceEvent last = about_audio(VoiceEvent::Type::done);
    last.text = answer_;  // kept by close(), if nobody takes this any more
    outcome = co_await tell(std::move(last), by);
  }
  end(std::move(outcome));
}

/// The answer, token by token; its permit goes with the stream, before the last word is spoken.
Co<Status> VoiceTurn::write(std::string question, Deadline by) {
  auto stream = co_await parts_.answerer.answer(std::move(question), by);
  if (!stream.ok()) co_return stream.error();
  to_keep_ = true;
  Transcript written;
  std::size_t told_bytes = 0;
  for (;;) {
    auto chunk = co_await (*stream)->next(by);
    if (!chunk.ok()) co_return chunk.error();
    if (!chunk->has_value()) break;
    auto added = written.add((*chunk)->json);
    if (!added.ok()) co_return added;
    if (written.size() > kAnswerMax) co_return answer_too_large();
    if (written.text().size() == told_bytes) continue;
    std::string token = written.text().substr(told_bytes);
    told_bytes = written.text().size();
    answer_ += token;
    splitter_.feed(token);
    VoiceEvent event = text_event(VoiceEvent::Type::token, std::move(token));
    auto told = co_await tell(std::move(event), by);
    if (!told.ok()) co_return told;
    auto handed = co_await hand_over(by);
    if (!handed.ok()) co_return handed;
  }
  stream->reset();
  complete_ = true;
  if (written.citations().is_array() && !written.citations().empty()) {
    VoiceEvent event;
    event.type = VoiceEvent::Type::citations;
    event.citations = written.citations();
    auto told = co_await tell(std::move(event), by);
    if (!told.ok()) co_return told;
  }
  splitter_.finish();
  co_return co_await hand_over(by);
}

/// Sentences that are whole go to be spoken; while too many wait, writing waits.
Co<Status> VoiceTurn::hand_over(Deadline by) {
  while (auto sentence = splitter_.take()) {
    handed_over_ += sentence->size();
    if (!wish_.speak || mute_ || handed_over_ > parts_.settings.spoken_max.value) continue;
    for (;;) {
      const auto seen = changed_.version();
      if (ended_) co_return Error::log(Errc::cancelled, "the turn has ended");
      if (mute_ || sentences_.size() < parts_.settings.sentences_max) break;
      if (by.passed(parts_.clock.now())) co_return too_late();
      [[maybe_unused]] auto woken = co_await changed_.wait(seen, by);
    }
    if (mute_) continue;
    sentences_.push_back(std::move(*sentence));
    changed_.notify();
    if (speaking_) continue;
    speaking_ = true;
    speech_task_ = tasks_.spawn("voice.speech", speak(by));
  }
  co_return done();
}

}  // namespace mainstay::assistant
