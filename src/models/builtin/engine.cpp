// An adapter: the streams of media/audio.h as those of the faces.
#include "models/builtin/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "models/provider_error.h"

namespace mainstay::models::builtin {
namespace {

constexpr std::string_view kWhichever = "default";
constexpr const char* kHearsSays =
    "Built in, offline, US English alone. Fit for commands, numbers and clear short sentences; "
    "poor "
    "at free speech: configure a better engine for that (docs/voice.md).";
constexpr const char* kSpeaksSays =
    "Built in, offline, many languages. Clear, quick and robotic; configure a better engine for a "
    "natural voice (docs/voice.md).";

/// The recording for another process, with a position of its own.
Result<media::AudioInput> input_of(const Recording& recording) {
  const std::string path = "/proc/self/fd/" + std::to_string(recording.descriptor());
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fd = ::fcntl(recording.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) {
    return Error::say(Errc::unavailable, "audio_busy",
                      "The recording cannot be read now. Try again later.");
  }
  media::AudioInput input;
  input.file = resources::Descriptor(fd);
  return input;
}

class Hearing final : public TranscriptStream {
 public:
  explicit Hearing(std::unique_ptr<media::HearingStream> inner) : inner_(std::move(inner)) {}

  Co<Result<std::optional<TranscriptPiece>>> next(Deadline by) override {
    if (ended_) co_return std::optional<TranscriptPiece>();
    auto heard = co_await inner_->next(by);
    if (!heard.ok()) co_return heard.error();
    TranscriptPiece piece;
    if (!heard->has_value()) {
      ended_ = true;
      whole_.language = "en";
      whole_.seconds = inner_->summary().seconds;
      piece.whole = std::move(whole_);
      co_return std::optional<TranscriptPiece>(std::move(piece));
    }
    Segment segment;
    segment.start = (*heard)->start;
    segment.end = (*heard)->end;
    segment.text = (*heard)->text;
    segment.confidence = (*heard)->confidence;
    piece.delta = (whole_.text.empty() ? "" : " ") + segment.text;
    whole_.text += piece.delta;
    whole_.segments.push_back(segment);
    piece.segment = std::move(segment);
    co_return std::optional<TranscriptPiece>(std::move(piece));
  }

 private:
  std::unique_ptr<media::HearingStream> inner_;
  Transcript whole_;
  bool ended_ = false;
};

class Speaking final : public SpeechStream {
 public:
  Speaking(std::unique_ptr<media::AudioStream> inner, AudioForm form) : inner_(std::move(inner)) {
    shape_.form = form;
    shape_.rate = media::kSpokenRate;
  }
  Co<Result<std::optional<std::string>>> next(Deadline by) override {
    for (;;) {
      auto piece = co_await inner_->next(by);
      const bool empty = piece.ok() && piece->has_value() && (*piece)->empty();
      if (!empty) co_return std::move(piece);
    }
  }
  AudioShape shape() const noexcept override { return shape_; }

 private:
  std::unique_ptr<media::AudioStream> inner_;
  AudioShape shape_;
};

bool is_english(std::string_view language) {
  const std::string lower = lower_ascii(language);
  return lower.empty() || lower == "en" || lower.starts_with("en-") || lower == "english";
}

Status check_heard(const TranscribeRequest& request, const std::string& model) {
  if (model != kWhichever && model != kHears) {
    return Error::say(Errc::invalid, "model_cannot_transcribe",
                      "The built-in engine that hears is builtin/pocketsphinx.", "model");
  }
  if (request.translate) {
    return Error::say(Errc::invalid, "translation_unsupported",
                      "The built-in engine does not translate. Configure one that does, such as a "
                      "Whisper server (docs/voice.md).",
                      "model");
  }
  if (request.words) {
    return cannot(
        "The built-in engine tells no times of words. Ask for segments, or choose another "
        "model.",
        "timestamp_granularities");
  }
  if (request.logprobs) {
    return cannot(
        "The built-in engine does not tell how sure it is. Ask without include, or choose "
        "another model.",
        "include");
  }
  if (is_english(request.language)) return done();
  return Error::say(Errc::invalid, "language_unsupported",
                    "The built-in engine hears English alone. Configure another one for other "
                    "languages, such as a Whisper server (docs/voice.md).",
                    "language");
}

class Engine final : public ChatProvider {
 public:
  explicit Engine(media::Audio& audio) : name_(kName), audio_(audio) {}

  const std::string& name() const noexcept override { return name_; }

  Co<Result<ChatReply>> complete(const ChatRequest&, Attempt, AttemptTimings&) override {
    co_return no_chat();
  }
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest&, Attempt,
                                                 AttemptTimings&) override {
    co_return no_chat();
  }

  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override {
    auto means = co_await audio_.means(by);
    std::vector<ModelInfo> out(2);
    for (auto& info : out) {
      info.provider = name_;
      info.tools = false;
    }
    out[0].id = kHears;
    out[0].task = "transcription";
    out[0].description = kHearsSays;
    out[0].state = means && means->hears ? "ready" : "unavailable";
    out[1].id = kSpeaks;
    out[1].task = "speech";
    out[1].description = kSpeaksSays;
    out[1].state = means && means->speaks ? "ready" : "unavailable";
    co_return out;
  }

  Co<Result<std::unique_ptr<TranscriptStream>>> transcribe(const TranscribeRequest& request,
                                                           Attempt attempt,
                                                           AttemptTimings&) override {
    auto fits = check_heard(request, attempt.model);
    if (!fits.ok()) co_return fits.error();
    auto input = input_of(*request.audio);
    if (!input.ok()) co_return input.error();
    auto hearing = co_await audio_.hear(std::move(*input), attempt.by);
    if (!hearing.ok()) co_return hearing.error();
    std::unique_ptr<TranscriptStream> made = std::make_unique<Hearing>(std::move(*hearing));
    co_return made;
  }

  Co<Result<std::unique_ptr<SpeechStream>>> speak(const SpeechRequest& request, Attempt attempt,
                                                  AttemptTimings&) override {
    if (attempt.model != kWhichever && attempt.model != kSpeaks) {
      co_return Error::say(Errc::invalid, "model_cannot_speak",
                           "The built-in engine that speaks is builtin/espeak-ng.", "model");
    }
    media::SpeakWish wish;
    wish.text = request.text;
    wish.speed = request.speed;
    const auto format = media::audio_format(models::name(request.form));
    wish.format = format.value_or(media::AudioFormat::pcm);
    auto voice = co_await voice_of(request, attempt.by);
    if (!voice.ok()) co_return voice.error();
    wish.voice = std::move(*voice);
    auto speaking = co_await audio_.speak(std::move(wish), attempt.by);
    if (!speaking.ok()) co_return speaking.error();
    std::unique_ptr<SpeechStream> made =
        std::make_unique<Speaking>(std::move(*speaking), format ? request.form : AudioForm::pcm);
    co_return made;
  }

  Co<Result<std::vector<Voice>>> voices(Deadline by) override {
    auto means = co_await audio_.means(by);
    std::vector<Voice> out;
    if (!means) co_return out;
    for (const auto& each : means->voices) {
      Voice voice;
      voice.id = each.id;
      voice.name = each.name;
      voice.language = each.language;
      voice.model = std::string(kSpeaks);
      out.push_back(std::move(voice));
    }
    co_return out;
  }

 private:
  static Error no_chat() {
    return cannot("The built-in engine of speech answers no questions.", "model");
  }

  /// The voice's id. OpenAI's names, which its clients always send, mean the usual voice.
  Co<Result<std::string>> voice_of(const SpeechRequest& request, Deadline by) {
    std::string wish = request.voice;
    if (is_openai_voice(wish)) wish.clear();
    const bool named = !wish.empty();
    if (!named) wish = request.language;
    if (wish.empty()) co_return std::string();
    auto means = co_await audio_.means(by);
    std::optional<std::string> found;
    if (means) found = media::voice_for(*means, wish);
    if (found) co_return std::move(*found);
    if (!means || !means->speaks) co_return std::string();  // speak() says what is missing
    if (named) {
      co_return Error::say(Errc::invalid, "voice_unknown",
                           "The engine has no such voice. GET /v1/audio/voices lists them.",
                           "voice");
    }
    co_return Error::say(Errc::invalid, "language_unsupported",
                         "The built-in engine has no voice for this language. GET "
                         "/v1/audio/voices lists them.",
                         "language");
  }

  const std::string name_;
  media::Audio& audio_;
};

}  // namespace

std::unique_ptr<ChatProvider> make(media::Audio& audio) {
  return std::make_unique<Engine>(audio);
}

}  // namespace mainstay::models::builtin
