// One connection for each recording and each text.
#include "models/wyoming/provider.h"

#include <fcntl.h>

#include <algorithm>
#include <mutex>

#include "base/json_fields.h"
#include "base/text.h"
#include "models/provider_error.h"
#include "models/wyoming/info.h"
#include "models/wyoming/link.h"

namespace mainstay::models::wyoming {
namespace {

constexpr std::string_view kWhichever = "default";
/// A sentence that is spoken in one go.
constexpr std::size_t kSpokenAtOnce = 400;
/// Events that say nothing here, before one that does; more is no answer.
constexpr int kPassedOver = 1000;
constexpr std::size_t kTextMax = 4U << 20;

Error told_error(const net::WyomingEvent& event) {
  const std::string words = string_field(event.data, "text", "no reason given");
  return failed_inside(to_utf8(std::string(cut_utf8(words, 500))));
}

std::string event_bytes(const char* type, Json data, std::string payload = {}) {
  net::WyomingEvent event;
  event.type = type;
  event.data = std::move(data);
  event.payload = std::move(payload);
  return net::wyoming_bytes(event);
}

/// The recording goes to the server as it is decoded; then its words come.
class Hearing final : public TranscriptStream {
 public:
  Hearing(std::unique_ptr<Link> link, std::unique_ptr<media::PcmStream> pcm, Duration between,
          Clock& clock, std::string language)
      : link_(std::move(link)),
        pcm_(std::move(pcm)),
        between_(between),
        clock_(clock),
        language_(std::move(language)) {}

  Co<Result<std::optional<TranscriptPiece>>> next(Deadline by) override {
    if (ended_) co_return std::optional<TranscriptPiece>();
    if (pcm_) {
      auto sent = co_await send_all(by);
      if (!sent.ok()) co_return sent.error();
      pcm_.reset();
    }
    for (int passed = 0; passed < kPassedOver; ++passed) {
      auto event = co_await link_->next(by);
      if (!event.ok()) co_return event.error();
      auto piece = read(*event);
      if (!piece.ok()) co_return piece.error();
      if (piece->has_value()) co_return std::move(piece);
    }
    co_return not_understood("events without a transcript");
  }

 private:
  Co<Status> send_all(Deadline by) {
    for (;;) {
      auto piece = co_await pcm_->next(by);
      if (!piece.ok()) co_return piece.error();
      if (!piece->has_value()) break;
      if ((*piece)->bytes.empty()) continue;
      std::string chunk =
          event_bytes("audio-chunk", net::wyoming_audio_data({media::kVoiceRate, 2, 1}),
                      std::move((*piece)->bytes));
      const Deadline until = by.sooner(clock_.now(), between_);
      auto sent = co_await link_->send(std::move(chunk), until);
      if (!sent.ok()) co_return sent;
    }
    seconds_ = pcm_->summary().seconds;
    std::string stop = event_bytes("audio-stop", Json::object());
    co_return co_await link_->send(std::move(stop), by);
  }

  Result<std::optional<TranscriptPiece>> read(const net::WyomingEvent& event) {
    if (event.type == "error") return told_error(event);
    TranscriptPiece piece;
    if (event.type == "transcript-chunk") {
      piece.delta = to_utf8(string_field(event.data, "text"));
      heard_ += piece.delta;
      if (heard_.size() > kTextMax) return not_understood("a transcript without an end");
      if (piece.delta.empty()) return std::optional<TranscriptPiece>();
      return std::optional<TranscriptPiece>(std::move(piece));
    }
    if (event.type != "transcript") return std::optional<TranscriptPiece>();
    const Json& text = field(event.data, "text");
    if (!text.is_string()) return not_understood("a transcript without a text");
    Transcript whole;
    whole.text = std::string(trim(text.get_ref<const std::string&>()));
    whole.language = string_field(event.data, "language", language_);
    whole.seconds = seconds_;
    // What was told in pieces is not told again; a server that tells none gives all of it here.
    if (heard_.empty()) piece.delta = whole.text;
    piece.whole = std::move(whole);
    ended_ = true;
    return std::optional<TranscriptPiece>(std::move(piece));
  }

  std::unique_ptr<Link> link_;
  std::unique_ptr<media::PcmStream> pcm_;
  const Duration between_;
  Clock& clock_;
  const std::string language_;
  double seconds_ = 0;
  std::string heard_;
  bool ended_ = false;
};

/// Sentence after sentence, so that the first sound is there before the last word was thought of.
class Speaking final : public SpeechStream {
 public:
  Speaking(std::unique_ptr<Link> link, Address address, std::vector<std::string> sentences,
           Json voice, Attempt attempt, Clock& clock)
      : link_(std::move(link)),
        address_(std::move(address)),
        sentences_(std::move(sentences)),
        voice_(std::move(voice)),
        attempt_(std::move(attempt)),
        clock_(clock) {}

  /// Asks for the first sentence and waits for the layout of its sound.
  Co<Status> begin(Deadline by) {
    auto asked = co_await ask(by);
    if (!asked.ok()) co_return asked;
    for (int passed = 0; passed < kPassedOver && !started_; ++passed) {
      auto event = co_await link_->next(by);
      if (!event.ok()) co_return event.error();
      auto read = take(*event);
      if (!read.ok()) co_return read;
    }
    if (!started_) co_return not_understood("events without sound");
    co_return done();
  }

  Co<Result<std::optional<std::string>>> next(Deadline by) override {
    for (int passed = 0; passed < kPassedOver; ++passed) {
      if (!piece_.empty()) {
        co_return std::optional<std::string>(std::exchange(piece_, std::string()));
      }
      if (!asked_) {
        if (at_ >= sentences_.size()) co_return std::optional<std::string>();
        auto again = co_await ask(by);
        if (!again.ok()) co_return again.error();
      }
      auto event = co_await link_->next(by);
      const bool closed = !event.ok() && event.error().code == Errc::bad_upstream;
      if (closed && !heard_ && !renewed_) {
        // Some servers speak one text for each connection.
        auto renewed = co_await renew(by);
        if (!renewed.ok()) co_return renewed.error();
        continue;
      }
      if (!event.ok()) co_return event.error();
      auto read = take(*event);
      if (!read.ok()) co_return read.error();
    }
    co_return not_understood("events without sound");
  }
  AudioShape shape() const noexcept override { return shape_; }

 private:
  Co<Status> ask(Deadline by) {
    Json data = {{"text", sentences_[at_]}};
    if (!voice_.is_null()) data["voice"] = voice_;
    asked_ = true;
    heard_ = false;
    std::string bytes = event_bytes("synthesize", std::move(data));
    auto sent = co_await link_->send(std::move(bytes), by);
    const bool closed = !sent.ok() && sent.error().code == Errc::bad_upstream;
    if (closed && at_ > 0 && !renewed_) co_return co_await renew(by);
    co_return sent;
  }

  Co<Status> renew(Deadline by) {
    if (at_ == 0) co_return cut_off("closed before the first sound");
    renewed_ = true;
    const Deadline until = by.sooner(clock_.now(), attempt_.connect);
    auto link = co_await Link::open(address_, clock_, until);
    if (!link.ok()) co_return link.error();
    link_ = std::move(*link);
    Json data = {{"text", sentences_[at_]}};
    if (!voice_.is_null()) data["voice"] = voice_;
    std::string bytes = event_bytes("synthesize", std::move(data));
    co_return co_await link_->send(std::move(bytes), by);
  }

  Status take(net::WyomingEvent& event) {
    if (event.type == "error") return told_error(event);
    if (event.type == "audio-start" || event.type == "audio-chunk") {
      heard_ = true;
      auto layout = net::wyoming_audio(event.data);
      if (!layout.ok() && event.type == "audio-start") return not_understood("no layout of sound");
      if (layout.ok()) {
        auto fits = check_layout(*layout);
        if (!fits.ok()) return fits;
      }
      if (!started_) return not_understood("sound before its layout");
      piece_ += event.payload;
    } else if (event.type == "audio-stop") {
      asked_ = false;
      renewed_ = false;
      ++at_;
    }
    return done();
  }

  Status check_layout(const net::WyomingAudio& layout) {
    if (layout.width != 2) return not_understood("samples that are not of 16 bits");
    if (started_ && (layout.rate != shape_.rate || layout.channels != shape_.channels)) {
      return not_understood("the layout of the sound changed");
    }
    started_ = true;
    shape_.rate = layout.rate;
    shape_.channels = layout.channels;
    return done();
  }

  std::unique_ptr<Link> link_;
  const Address address_;
  const std::vector<std::string> sentences_;
  const Json voice_;
  const Attempt attempt_;
  Clock& clock_;
  AudioShape shape_;
  std::size_t at_ = 0;    ///< sentence that is spoken
  bool asked_ = false;    ///< for that sentence
  bool heard_ = false;    ///< something of it
  bool renewed_ = false;  ///< the connection, for that sentence
  bool started_ = false;
  std::string piece_;
};

class Provider final : public ChatProvider {
 public:
  Provider(const ProviderSettings& settings, Address address, Clock& clock, media::Audio* audio)
      : name_(settings.name), address_(std::move(address)), clock_(clock), audio_(audio) {}

  const std::string& name() const noexcept override { return name_; }

  Co<Result<ChatReply>> complete(const ChatRequest&, Attempt, AttemptTimings&) override {
    co_return no_chat();
  }
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest&, Attempt,
                                                 AttemptTimings&) override {
    co_return no_chat();
  }

  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override {
    auto info = co_await describe(by);
    if (!info.ok()) co_return info.error();
    co_return std::move(info->models);
  }

  Co<Result<std::vector<Voice>>> voices(Deadline by) override {
    auto info = co_await describe(by);
    if (!info.ok()) co_return info.error();
    co_return std::move(info->voices);
  }

  Co<Result<std::unique_ptr<TranscriptStream>>> transcribe(const TranscribeRequest& request,
                                                           Attempt attempt,
                                                           AttemptTimings& timings) override {
    if (request.translate) co_return cannot("A Wyoming server does not translate.", "model");
    if (request.words) {
      co_return cannot("A Wyoming server tells no times of words.", "timestamp_granularities");
    }
    if (request.logprobs) {
      co_return cannot("A Wyoming server does not tell how sure it is of what it heard.",
                       "include");
    }
    auto able = co_await able_to(true, attempt);
    if (!able.ok()) co_return able.error();
    auto pcm = co_await decoded(request, attempt.by);
    if (!pcm.ok()) co_return pcm.error();
    auto link = co_await connect(attempt, timings);
    if (!link.ok()) co_return link.error();
    Json wish = Json::object();
    if (!is_program(attempt.model)) wish["name"] = attempt.model;
    if (!request.language.empty()) wish["language"] = request.language;
    std::string head =
        event_bytes("transcribe", std::move(wish)) +
        event_bytes("audio-start", net::wyoming_audio_data({media::kVoiceRate, 2, 1}));
    auto sent = co_await (*link)->send(std::move(head), attempt.by);
    if (!sent.ok()) co_return sent.error();
    std::unique_ptr<TranscriptStream> made = std::make_unique<Hearing>(
        std::move(*link), std::move(*pcm), attempt.between_tokens, clock_, request.language);
    co_return made;
  }

  Co<Result<std::unique_ptr<SpeechStream>>> speak(const SpeechRequest& request, Attempt attempt,
                                                  AttemptTimings& timings) override {
    if (request.speed != 1) {
      co_return cannot("A Wyoming server speaks at its own speed.", "speed");
    }
    auto sentences = spoken_pieces(request.text, kSpokenAtOnce);
    if (sentences.empty()) {
      co_return Error::say(Errc::invalid, "text_required", "There is nothing to say.", "input");
    }
    auto able = co_await able_to(false, attempt);
    if (!able.ok()) co_return able.error();
    auto link = co_await connect(attempt, timings);
    if (!link.ok()) co_return link.error();
    const Deadline first = attempt.by.sooner(clock_.now(), attempt.first_token);
    auto speaking = std::make_unique<Speaking>(std::move(*link), address_, std::move(sentences),
                                               voice_of(request, attempt.model), attempt, clock_);
    auto begun = co_await speaking->begin(first);
    if (!begun.ok()) co_return begun.error();
    std::unique_ptr<SpeechStream> made = std::move(speaking);
    co_return made;
  }

 private:
  static Error no_chat() {
    return cannot("A Wyoming server hears and speaks; it answers no questions.", "model");
  }

  Co<Result<std::unique_ptr<Link>>> connect(const Attempt& attempt, AttemptTimings& timings) {
    const TimePoint began = clock_.now();
    const Deadline by = attempt.by.sooner(began, attempt.connect);
    auto link = co_await Link::open(address_, clock_, by);
    timings.connect = clock_.now() - began;
    co_return link;
  }

  Co<Result<ServerInfo>> describe(Deadline by) {
    auto link = co_await Link::open(address_, clock_, by);
    if (!link.ok()) co_return link.error();
    std::string ask = event_bytes("describe", Json::object());
    auto sent = co_await (*link)->send(std::move(ask), by);
    if (!sent.ok()) co_return sent.error();
    for (int passed = 0; passed < kPassedOver; ++passed) {
      auto event = co_await (*link)->next(by);
      if (!event.ok()) co_return event.error();
      if (event->type == "error") co_return told_error(*event);
      if (event->type != "info") continue;
      ServerInfo info = read_info(event->data, name_);
      remember(info);
      co_return info;
    }
    co_return not_understood("events without info");
  }

  void remember(const ServerInfo& info) {
    std::lock_guard lock(mutex_);
    known_ = true;
    hears_ = info.hears;
    speaks_ = info.speaks;
    programs_ = info.programs;
  }

  /// A server has one half of speech, mostly: which one is asked for once.
  Co<Status> able_to(bool hear, const Attempt& attempt) {
    if (!known()) {
      const Deadline by = attempt.by.sooner(clock_.now(), attempt.connect * 2);
      auto info = co_await describe(by);
      if (!info.ok()) co_return info.error();
    }
    co_return check_able(hear);
  }
  bool known() const {
    std::lock_guard lock(mutex_);
    return known_;
  }
  Status check_able(bool hear) const {
    std::lock_guard lock(mutex_);
    if (hear ? hears_ : speaks_) return done();
    return hear ? cannot("This Wyoming server does not hear.", "model")
                : cannot("This Wyoming server does not speak.", "model");
  }

  /// Whether the name means whatever the server has.
  bool is_program(const std::string& model) const {
    if (model == kWhichever) return true;
    std::lock_guard lock(mutex_);
    return std::find(programs_.begin(), programs_.end(), model) != programs_.end();
  }

  Json voice_of(const SpeechRequest& request, const std::string& model) const {
    std::string voice = is_openai_voice(request.voice) ? "" : request.voice;
    if (voice.empty() && !is_program(model)) voice = model;
    if (!voice.empty()) return Json{{"name", voice}};
    if (!request.language.empty()) return Json{{"language", request.language}};
    return {};
  }

  /// The recording as samples, decoded where that is safe.
  Co<Result<std::unique_ptr<media::PcmStream>>> decoded(const TranscribeRequest& request,
                                                        Deadline by) {
    if (audio_ == nullptr) {
      co_return Error::say(Errc::unavailable, "audio_missing",
                           "This server has no decoder for recordings.");
    }
    const std::string path = "/proc/self/fd/" + std::to_string(request.audio->descriptor());
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fd = ::fcntl(request.audio->descriptor(), F_DUPFD_CLOEXEC, 0);
    media::AudioInput input;
    input.file = resources::Descriptor(fd);
    media::DecodeWish wish;
    co_return co_await audio_->decode(std::move(input), wish, by);
  }

  const std::string name_;
  const Address address_;
  Clock& clock_;
  media::Audio* const audio_;
  mutable std::mutex mutex_;
  bool known_ = false;
  bool hears_ = false;
  bool speaks_ = false;
  std::vector<std::string> programs_;
};

}  // namespace

Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings, Clock& clock,
                                           media::Audio* audio) {
  auto address = Address::parse(settings.base_url);
  if (!address.ok()) return address.error();
  std::unique_ptr<ChatProvider> made =
      std::make_unique<Provider>(settings, std::move(*address), clock, audio);
  return made;
}

}  // namespace mainstay::models::wyoming
