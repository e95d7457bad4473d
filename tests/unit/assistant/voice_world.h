// A voice turn over scripted ears, mouth and answerer, on a fake clock.
// Used by the voice turn's tests.
#pragma once

#include "assistant/voice.h"
#include "unit/assistant/world.h"

namespace mainstay::assistant::test {

/// What a recording is heard as, in pieces.
class FakeHearing final : public models::TranscriptStream {
 public:
  FakeHearing(Clock& clock, std::deque<models::TranscriptPiece> pieces, Duration each)
      : clock_(clock), pieces_(std::move(pieces)), each_(each) {}
  Co<Result<std::optional<models::TranscriptPiece>>> next(Deadline) override {
    bool waited = true;
    if (each_ > 0s) waited = co_await sleep(clock_, each_);
    if (!waited) co_return Error::log(Errc::cancelled, "scripted cancel");
    if (pieces_.empty()) co_return std::optional<models::TranscriptPiece>();
    auto piece = std::move(pieces_.front());
    pieces_.pop_front();
    co_return std::optional<models::TranscriptPiece>(std::move(piece));
  }

 private:
  Clock& clock_;
  std::deque<models::TranscriptPiece> pieces_;
  const Duration each_;
};

/// Speech that takes its time: pieces "<text:0>", "<text:1>" …
class FakeSpeech final : public models::SpeechStream {
 public:
  FakeSpeech(Clock& clock, std::string text, int pieces, Duration each, int& open,
             models::AudioShape shape, std::optional<Error> cut)
      : clock_(clock),
        text_(std::move(text)),
        pieces_(pieces),
        each_(each),
        open_(open),
        shape_(shape),
        cut_(std::move(cut)) {
    ++open_;
  }
  ~FakeSpeech() override { --open_; }
  Co<Result<std::optional<std::string>>> next(Deadline) override {
    bool waited = true;
    if (each_ > 0s) waited = co_await sleep(clock_, each_);
    if (!waited) co_return Error::log(Errc::cancelled, "scripted cancel");
    if (made_ == pieces_ && cut_) co_return *cut_;
    if (made_ == pieces_) co_return std::optional<std::string>();
    co_return std::optional<std::string>("<" + text_ + ":" + std::to_string(made_++) + ">");
  }
  models::AudioShape shape() const noexcept override { return shape_; }

 private:
  Clock& clock_;
  const std::string text_;
  const int pieces_;
  const Duration each_;
  int& open_;
  const models::AudioShape shape_;
  const std::optional<Error> cut_;
  int made_ = 0;
};

class FakeVoices final : public models::Models {
 public:
  explicit FakeVoices(Clock& clock) : clock_(clock) {}
  Co<Result<models::Answer>> chat(models::ChatRequest, Deadline) override {
    co_return Error::log(Errc::internal, "the answerer is asked instead");
  }
  Co<Result<models::Answer>> transcribe(models::TranscribeRequest request, std::string model,
                                        Deadline by) override {
    heard.push_back(std::move(request));
    hearing_by = by;
    hearing_model = std::move(model);
    if (busy > 0) {
      --busy;
      co_return Error::say(Errc::unavailable, "provider_busy", "Busy.");
    }
    if (hearing_error) co_return *hearing_error;
    models::Answer answer;
    answer.transcript = std::make_unique<FakeHearing>(clock_, pieces, hearing_time);
    co_return answer;
  }
  Co<Result<models::Answer>> speak(models::SpeechRequest request, std::string, Deadline) override {
    if (busy > 0) {
      --busy;
      co_return Error::say(Errc::unavailable, "provider_busy", "Busy.");
    }
    said.push_back(request);
    said_at.push_back(clock_.now());
    const bool fails = fail_from && said.size() > *fail_from;
    if (fails && !fail_late) co_return *speech_error;
    models::Answer answer;
    std::optional<Error> cut;
    if (fails) cut = speech_error;
    answer.speech =
        std::make_unique<FakeSpeech>(clock_, request.text, pieces_of_speech, speech_time, speaking,
                                     said.size() > 1 ? later_shape : shape, std::move(cut));
    co_return answer;
  }
  Co<Result<std::vector<models::ModelInfo>>> list(Deadline) override {
    co_return std::vector<models::ModelInfo>();
  }
  std::vector<models::ProviderState> providers() const override { return {}; }
  std::size_t forget(TenantId) override { return 0; }

  std::deque<models::TranscriptPiece> pieces;
  Duration hearing_time{};
  Deadline hearing_by = Deadline::never();  ///< of the last recording
  std::optional<Error> hearing_error;
  std::string hearing_model;
  int busy = 0;  ///< so many calls find no place
  std::vector<models::TranscribeRequest> heard;
  Duration speech_time{};  ///< for each piece
  int pieces_of_speech = 1;
  std::optional<std::size_t> fail_from;  ///< so many sentences are spoken well
  bool fail_late = false;                ///< after their pieces
  std::optional<Error> speech_error =
      Error::say(Errc::unavailable, "voice_lost", "The voice is gone.");
  models::AudioShape shape;
  models::AudioShape later_shape;
  std::vector<models::SpeechRequest> said;
  std::vector<TimePoint> said_at;
  int speaking = 0;  ///< streams that are open

 private:
  Clock& clock_;
};

/// Writes the scripted tokens, each after a while.
class SlowStream final : public models::ChatStream {
 public:
  SlowStream(Clock& clock, std::deque<std::string> chunks, Duration each, std::optional<Error> cut,
             int& open)
      : clock_(clock), chunks_(std::move(chunks)), each_(each), cut_(std::move(cut)), open_(open) {
    ++open_;
  }
  ~SlowStream() override { --open_; }
  Co<Result<std::optional<models::ChatChunk>>> next(Deadline) override {
    bool waited = true;
    if (each_ > 0s) waited = co_await sleep(clock_, each_);
    if (!waited) co_return Error::log(Errc::cancelled, "scripted cancel");
    if (chunks_.empty() && cut_) co_return *cut_;
    if (chunks_.empty()) co_return std::optional<models::ChatChunk>();
    models::ChatChunk chunk;
    chunk.json = std::move(chunks_.front());
    chunks_.pop_front();
    co_return std::optional<models::ChatChunk>(std::move(chunk));
  }

 private:
  Clock& clock_;
  std::deque<std::string> chunks_;
  const Duration each_;
  const std::optional<Error> cut_;
  int& open_;
};

class FakeAnswerer final : public Answerer {
 public:
  explicit FakeAnswerer(Clock& clock) : clock_(clock) {}
  Co<Result<std::unique_ptr<models::ChatStream>>> answer(std::string question, Deadline) override {
    asked.push_back(std::move(question));
    if (error) co_return *error;
    std::unique_ptr<models::ChatStream> stream =
        std::make_unique<SlowStream>(clock_, chunks, token_time, cut, writing);
    co_return stream;
  }
  Co<Status> keep(AnswerTold told) override {
    kept.push_back((told.interrupted ? "interrupted: " : "whole: ") + told.text);
    if (keep_error) co_return *keep_error;
    co_return done();
  }
  std::deque<std::string> chunks;
  Duration token_time{};
  std::optional<Error> cut;
  std::optional<Error> error;
  std::optional<Error> keep_error;
  std::vector<std::string> asked;
  std::vector<std::string> kept;
  int writing = 0;

 private:
  Clock& clock_;
};

/// Kept speech in a map.
class FakeStore final : public storage::AudioStore {
 public:
  storage::AudioPlace place() const noexcept override { return storage::AudioPlace::memory; }
  Co<Result<storage::AudioId>> begin(storage::NewAudio audio, Deadline) override {
    if (begin_error) co_return *begin_error;
    begun.push_back(std::move(audio));
    storage::AudioId id("audio-" + std::to_string(begun.size()));
    kept[id.text()] = "";
    co_return id;
  }
  Co<Status> append(storage::AudioId id, std::string bytes, Deadline) override {
    if (append_error && kept[id.text()].size() + bytes.size() > append_max) co_return *append_error;
    kept[id.text()] += bytes;
    co_return done();
  }
  Co<Status> finish(storage::AudioId id, Deadline) override {
    finished.push_back(id.text());
    co_return done();
  }
  void drop(const storage::AudioId& id) noexcept override { kept.erase(id.text()); }
  Co<Result<storage::AudioFacts>> get(storage::Owner, storage::AudioId, Deadline) override {
    co_return Error::log(Errc::not_found, "not asked here");
  }
  Co<Result<std::string>> read(storage::Owner, storage::AudioId, std::uint64_t, std::size_t,
                               Deadline) override {
    co_return std::string();
  }
  Co<> look() override { co_return; }
  std::size_t memory_bytes() const noexcept override { return 0; }
  std::uint64_t disk_bytes() const noexcept override { return 0; }

  std::map<std::string, std::string> kept;
  std::vector<storage::NewAudio> begun;
  std::vector<std::string> finished;
  std::optional<Error> begin_error;
  std::optional<Error> append_error;
  std::size_t append_max = 0;
};

inline models::TranscriptPiece heard_delta(std::string text) {
  models::TranscriptPiece piece;
  piece.delta = std::move(text);
  return piece;
}
inline models::TranscriptPiece heard_whole(std::string text) {
  models::TranscriptPiece piece;
  piece.whole.emplace();
  piece.whole->text = std::move(text);
  piece.whole->language = "en";
  piece.whole->seconds = 1.5;
  return piece;
}

struct VoiceWorld : SimTest {
  using Type = VoiceEvent::Type;
  VoiceWorld() {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
    voices.pieces = {heard_whole("what is the capital")};
    answerer.chunks = {words_chunk("It is Bern. "), words_chunk("It is old. "),
                       words_chunk("It lies on a river."), kFinishChunk};
    settings.sentence_max = Bytes(400);
    wish.form = models::AudioForm::mp3;
    wish.owner = {TenantId("tenant-a"), UserId("user-a")};
  }
  ~VoiceWorld() override {
    close();
    log->stop(1s);
  }
  /// A new turn; the one before it is closed.
  VoiceTurn& make(bool with_store = false) {
    close();
    turn = std::make_unique<VoiceTurn>(
        VoiceParts{settings, clock, *log, voices, answerer, with_store ? &store : nullptr}, wish,
        io.get_executor());
    return *turn;
  }
  VoiceTurn& hear(bool with_store = false) {
    make(with_store);
    turn->hear(*models::Recording::in_memory("RIFF", clock), "audio/wav", Deadline::in(clock, 60s));
    return *turn;
  }
  VoiceTurn& ask(bool with_store = false) {
    make(with_store);
    turn->ask("what is the capital", Deadline::in(clock, 60s));
    return *turn;
  }
  void close() {
    if (!turn) return;
    bool ended = false;
    asio::co_spawn(io.get_executor(), turn->close(), [&](std::exception_ptr) { ended = true; });
    clock.advance(0s);
    EXPECT_TRUE(ended) << "closing waits for something";
    turn.reset();
  }
  /// The next event, waiting at most an hour of virtual time.
  std::optional<VoiceEvent> next() {
    Outcome<Result<std::optional<VoiceEvent>>> out;
    start(io, turn->next(Deadline::in(clock, 1h)), out);
    for (int i = 0; i < 100'000 && !out.done; ++i) clock.advance(1ms);
    EXPECT_TRUE(out.done) << "no event comes";
    if (!out.done) return std::nullopt;
    if (!out.value->ok()) {
      ended_with = out.value->error().reason.empty()
                       ? std::string(mainstay::name(out.value->error().code))
                       : out.value->error().reason;
      return std::nullopt;
    }
    if (!(**out.value).has_value()) ended_with = "end";
    return std::move(**out.value);
  }
  /// All events to the end, by name, with their text.
  std::vector<std::string> all() {
    std::vector<std::string> out;
    while (auto event = next()) {
      std::string line(name(event->type));
      if (!event->text.empty()) line += " " + event->text;
      if (!event->bytes.empty()) line += " " + event->bytes;
      if (!event->id.empty()) line += " @" + event->id.text();
      if (event->error) line += " " + event->error->reason;
      out.push_back(line);
    }
    return out;
  }

  VoiceSettings settings;
  std::unique_ptr<Log> log;
  FakeVoices voices{clock};
  FakeAnswerer answerer{clock};
  FakeStore store;
  VoiceWish wish;
  std::unique_ptr<VoiceTurn> turn;
  std::string ended_with;
};

}  // namespace mainstay::assistant::test
