// The speaking half of a turn: sentences in their order to one piece of audio.
#include "assistant/voice.h"

namespace mainstay::assistant {
namespace {

/// What the engine is asked for: a WAV file of many sentences has one head, which is ours.
models::AudioForm asked_form(models::AudioForm wanted) {
  return wanted == models::AudioForm::wav ? models::AudioForm::pcm : wanted;
}

Error other_shape() {
  return Error::say(Errc::bad_upstream, "speech_changed",
                    "The voice changed its sample rate in the middle of the answer. Ask again, or "
                    "choose another format.");
}

Error no_opus() {
  return Error::say(Errc::bad_upstream, "speech_changed",
                    "The voice did not make Ogg Opus of one kind. Ask again, or choose another "
                    "format.");
}

}  // namespace

VoiceEvent VoiceTurn::about_audio(VoiceEvent::Type type) const {
  VoiceEvent out;
  out.type = type;
  out.audio = shape_.value_or(models::AudioShape{});
  out.audio.form = wish_.form;
  out.id = audio_;
  out.size = audio_bytes_;
  if (sample_bytes_ > 0 && shape_ && shape_->rate > 0) {
    const auto a_second = 2.0 * shape_->rate * shape_->channels;
    out.seconds = static_cast<double>(sample_bytes_) / a_second;
  }
  return out;
}

/// However speech ends, the text goes on and the turn hears of it.
Co<> VoiceTurn::speak(Deadline by) {
  auto outcome = co_await speak_all(by);
  mute_ = true;
  sentences_.clear();
  co_await finish_audio(std::move(outcome), by);
  speaking_ = false;
  changed_.notify();
}

Co<Status> VoiceTurn::speak_all(Deadline by) {
  auto announced = co_await announce(by);
  if (!announced.ok()) co_return announced;
  for (;;) {
    const auto seen = changed_.version();
    if (ended_) co_return Error::log(Errc::cancelled, "the turn has ended");
    if (!sentences_.empty()) {
      std::string sentence = std::move(sentences_.front());
      sentences_.pop_front();
      changed_.notify();
      auto spoken = co_await speak_one(std::move(sentence), by);
      if (!spoken.ok()) co_return spoken;
      continue;
    }
    if (written_) co_return done();
    if (by.passed(parts_.clock.now())) co_return Error::log(Errc::deadline, "no more sentences");
    [[maybe_unused]] auto woken = co_await changed_.wait(seen, by);
  }
}

/// "Audio is coming": before the first of it is made, with the place where it can be fetched.
Co<Status> VoiceTurn::announce(Deadline by) {
  if (parts_.store != nullptr && wish_.keep) {
    storage::NewAudio audio;
    audio.owner = wish_.owner;
    audio.mime = models::mime_of(wish_.form);
    audio.ending = models::name(wish_.form);
    auto begun = co_await parts_.store->begin(std::move(audio), by);
    if (begun.ok()) audio_ = std::move(*begun);
    // Without a place it goes inline; a user's own limit is told.
    if (!begun.ok() && begun.error().code == Errc::over_limit) co_return begun.error();
  }
  VoiceEvent event = about_audio(VoiceEvent::Type::audio_coming);
  co_return co_await tell(std::move(event), by);
}

Co<Status> VoiceTurn::speak_one(std::string sentence, Deadline by) {
  models::SpeechRequest request;
  request.text = sentence;
  request.voice = wish_.voice;
  request.language = wish_.language;
  request.speed = wish_.speed;
  request.form = asked_form(wish_.form);
  request.tenant = wish_.owner.tenant;
  request.request = wish_.request;
  request.traceparent = wish_.traceparent;
  auto made = co_await synthesize(std::move(request), by);
  if (!made.ok()) co_return made.error();
  opus_.next_file();
  if (!made->speech) co_return Error::log(Errc::internal, "speech without a stream");
  const models::AudioShape shape = made->speech->shape();
  for (;;) {
    auto piece = co_await made->speech->next(by);
    if (!piece.ok()) co_return piece.error();
    if (!piece->has_value()) co_return done();
    auto added = co_await add_audio(std::move(**piece), shape, by);
    if (!added.ok()) co_return added;
    if (!sentence.empty() && !spoken_.empty()) spoken_ += ' ';
    spoken_ += std::exchange(sentence, std::string());
  }
}

Co<Status> VoiceTurn::add_audio(std::string bytes, models::AudioShape shape, Deadline by) {
  const bool samples = asked_form(wish_.form) == models::AudioForm::pcm;
  if (samples) {
    if (shape_ && (shape_->rate != shape.rate || shape_->channels != shape.channels)) {
      co_return other_shape();
    }
    sample_bytes_ += bytes.size();
  }
  if (!shape_ && wish_.form == models::AudioForm::wav) bytes.insert(0, wav_head(shape, 0));
  if (wish_.form == models::AudioForm::opus) {
    auto joined = opus_.feed(bytes);
    if (!joined) co_return no_opus();
    bytes = std::move(*joined);
  }
  shape_ = shape;
  co_return co_await put_audio(std::move(bytes), by);
}

Co<Status> VoiceTurn::put_audio(std::string bytes, Deadline by) {
  if (bytes.empty()) co_return done();
  audio_bytes_ += bytes.size();
  if (!audio_.empty()) {
    co_return co_await parts_.store->append(audio_, std::move(bytes), by);
  }
  VoiceEvent event = about_audio(VoiceEvent::Type::audio);
  event.bytes = std::move(bytes);
  co_return co_await tell(std::move(event), by);
}

/// What was spoken can be fetched, all of it or what there is.
Co<> VoiceTurn::finish_audio(Status outcome, Deadline by) {
  if (ended_) co_return;
  if (wish_.form == models::AudioForm::opus) {
    auto put = co_await put_audio(opus_.finish(), by);
    if (outcome.ok()) outcome = std::move(put);
  }
  if (!outcome.ok()) {
    parts_.log.warn("voice.speech_failed",
                    {{"id", wish_.request.text()}, {"detail", outcome.error().detail}});
    VoiceEvent failed = about_audio(VoiceEvent::Type::speech_failed);
    failed.error = outcome.error();
    auto told = co_await tell(std::move(failed), by);
    if (!told.ok()) co_return;
  }
  if (audio_.empty() || audio_bytes_ == 0) co_return;
  auto finished = co_await parts_.store->finish(audio_, by);
  if (!finished.ok()) co_return;
  kept_ = true;
  VoiceEvent ready = about_audio(VoiceEvent::Type::audio_ready);
  [[maybe_unused]] auto told = co_await tell(std::move(ready), by);
}

}  // namespace mainstay::assistant
