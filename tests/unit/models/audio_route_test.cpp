// transcribe() and speak() of the router: retries before the first piece, the next candidate, the
// built-in engine at last, the speech cache, packing.
#include "world.h"

#include "models/synthesize.h"
#include "models/transcribe.h"

namespace mainstay::models::test {
namespace {

/// What an engine does with one call.
struct Turn {
  std::optional<Error> error;       ///< instead of anything
  std::vector<std::string> pieces;  ///< deltas or sound
  std::optional<Error> cut;         ///< after the pieces
  Duration delay{};
  std::optional<Transcript> whole;  ///< at the end of a transcription; else of the pieces
};

class FakeHearing final : public TranscriptStream {
 public:
  FakeHearing(Clock& clock, Turn turn) : clock_(clock), turn_(std::move(turn)) {}
  Co<Result<std::optional<TranscriptPiece>>> next(Deadline by) override {
    if (turn_.delay > by.left(clock_.now())) {
      [[maybe_unused]] auto slept = co_await sleep(clock_, by.left(clock_.now()));
      co_return Error::log(Errc::deadline, "scripted stall");
    }
    if (turn_.delay > 0s) {
      [[maybe_unused]] auto slept = co_await sleep(clock_, turn_.delay);
    }
    TranscriptPiece piece;
    if (at_ < turn_.pieces.size()) {
      piece.delta = turn_.pieces[at_++];
      heard_ += piece.delta;
      co_return std::optional<TranscriptPiece>(std::move(piece));
    }
    if (turn_.cut) co_return *turn_.cut;
    if (ended_) co_return std::optional<TranscriptPiece>();
    ended_ = true;
    Transcript whole;
    whole.text = heard_;
    piece.whole = turn_.whole.value_or(whole);
    co_return std::optional<TranscriptPiece>(std::move(piece));
  }

 private:
  Clock& clock_;
  Turn turn_;
  std::size_t at_ = 0;
  bool ended_ = false;
  std::string heard_;
};

class FakeSpeaking final : public SpeechStream {
 public:
  FakeSpeaking(Turn turn, AudioShape shape) : turn_(std::move(turn)), shape_(shape) {}
  Co<Result<std::optional<std::string>>> next(Deadline) override {
    if (at_ < turn_.pieces.size()) co_return std::optional<std::string>(turn_.pieces[at_++]);
    if (turn_.cut) co_return *turn_.cut;
    co_return std::optional<std::string>();
  }
  AudioShape shape() const noexcept override { return shape_; }

 private:
  Turn turn_;
  AudioShape shape_;
  std::size_t at_ = 0;
};

/// An engine of speech alone.
class FakeEngine final : public ChatProvider {
 public:
  FakeEngine(Clock& clock, std::string name) : clock_(clock), name_(std::move(name)) {}
  const std::string& name() const noexcept override { return name_; }
  Co<Result<ChatReply>> complete(const ChatRequest&, Attempt, AttemptTimings&) override {
    co_return refused();
  }
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest&, Attempt,
                                                 AttemptTimings&) override {
    co_return refused();
  }
  Co<Result<std::vector<ModelInfo>>> models(Deadline) override {
    co_return std::vector<ModelInfo>();
  }
  Co<Result<std::unique_ptr<TranscriptStream>>> transcribe(const TranscribeRequest&,
                                                           Attempt attempt,
                                                           AttemptTimings&) override {
    Turn turn = begin(attempt);
    if (turn.error) co_return *turn.error;
    std::unique_ptr<TranscriptStream> made = std::make_unique<FakeHearing>(clock_, std::move(turn));
    co_return made;
  }
  Co<Result<std::unique_ptr<SpeechStream>>> speak(const SpeechRequest& request, Attempt attempt,
                                                  AttemptTimings&) override {
    Turn turn = begin(attempt);
    if (turn.error) co_return *turn.error;
    AudioShape shape;
    shape.form = form.value_or(request.form);
    std::unique_ptr<SpeechStream> made = std::make_unique<FakeSpeaking>(std::move(turn), shape);
    co_return made;
  }

  std::deque<Turn> script;
  Turn always{.pieces = {"one ", "two"}};
  std::optional<AudioForm> form;  ///< that it makes; else what is asked for
  int calls = 0;
  std::vector<std::string> asked_models;

 private:
  Turn begin(const Attempt& attempt) {
    ++calls;
    asked_models.push_back(attempt.model);
    if (script.empty()) return always;
    Turn turn = std::move(script.front());
    script.pop_front();
    return turn;
  }
  Clock& clock_;
  std::string name_;
};

/// Puts the form's name before the sound.
class FakePacker final : public SpeechPacker {
 public:
  bool can(AudioForm form) const noexcept override { return form != AudioForm::aac; }
  Co<Result<std::unique_ptr<SpeechStream>>> pack(std::unique_ptr<SpeechStream> sound,
                                                 AudioForm form, Deadline by) override {
    Turn turn;
    turn.pieces.emplace_back(std::string(models::name(form)) + ":");
    for (;;) {
      auto piece = co_await sound->next(by);
      if (!piece.ok()) co_return piece.error();
      if (!piece->has_value()) break;
      turn.pieces.push_back(**piece);
    }
    AudioShape shape;
    shape.form = form;
    std::unique_ptr<SpeechStream> made = std::make_unique<FakeSpeaking>(std::move(turn), shape);
    co_return made;
  }
};

/// What became of one request.
struct Outcome {
  std::optional<Result<Answer>> answer;
  std::vector<std::string> pieces;
  std::optional<Transcript> whole;
  std::optional<Error> broken;
  std::string sound() const {
    std::string out;
    for (const auto& piece : pieces) out += piece;
    return out;
  }
  const Attribution& by() const { return (**answer).by; }
};

Co<> hear_one(Models& models, TranscribeRequest request, std::string model, Deadline by,
              Outcome& out) {
  auto answer = co_await models.transcribe(std::move(request), std::move(model), by);
  out.answer.emplace(std::move(answer));
  if (!out.answer->ok()) co_return;
  TranscriptStream& stream = *(**out.answer).transcript;
  for (;;) {
    auto piece = co_await stream.next(by);
    if (!piece.ok()) out.broken = piece.error();
    if (!piece.ok() || !piece->has_value()) co_return;
    if (!(*piece)->delta.empty()) out.pieces.push_back((*piece)->delta);
    if ((*piece)->whole) out.whole = *(*piece)->whole;
  }
}

Co<> say_one(Models& models, SpeechRequest request, std::string model, Deadline by, Outcome& out) {
  auto answer = co_await models.speak(std::move(request), std::move(model), by);
  out.answer.emplace(std::move(answer));
  if (!out.answer->ok()) co_return;
  SpeechStream& stream = *(**out.answer).speech;
  for (;;) {
    auto piece = co_await stream.next(by);
    if (!piece.ok()) out.broken = piece.error();
    if (!piece.ok() || !piece->has_value()) co_return;
    out.pieces.push_back(**piece);
  }
}

class AudioRoute : public World {
 protected:
  AudioRoute() { settings.models.retry_base = 10ms; }

  FakeEngine& engine(const std::string& name, const std::string& kind = "openai") {
    auto made = std::make_unique<FakeEngine>(clock, name);
    FakeEngine& out = *made;
    NamedProvider named;
    named.provider = std::move(made);
    named.settings.name = name;
    named.settings.kind = kind;
    named.settings.models = {"m-" + name};
    named.settings.concurrent_max = concurrent_max;
    providers.push_back(std::move(named));
    return out;
  }
  /// With the built-in engine of speech, unless `without`.
  void begin(bool without = false) {
    build();
    if (without) return;
    auto own = std::make_unique<FakeEngine>(clock, "builtin");
    own_engine = own.get();
    own_engine->always = Turn{.pieces = {"built ", "in"}};
    router->add_speech({std::move(own), std::make_unique<FakePacker>()});
  }
  Outcome hear(const std::string& model, bool partial = false, bool segments = false) {
    TranscribeRequest request;
    request.audio = std::move(*Recording::in_memory("RIFF", clock));
    request.partial = partial;
    request.segments = segments;
    Outcome out;
    const Deadline by = Deadline::in(clock, 3600s);
    asio::co_spawn(io, hear_one(*router, std::move(request), model, by, out),
                   [](std::exception_ptr) {});
    clock.run(3600s);
    if (out.answer && out.answer->ok()) (**out.answer).transcript.reset();
    return out;
  }
  Outcome say(const std::string& model, SpeechRequest request = {}) {
    if (request.text.empty()) request.text = "hello";
    if (request.tenant.empty()) request.tenant = TenantId("tenant-a");
    Outcome out;
    const Deadline by = Deadline::in(clock, 3600s);
    asio::co_spawn(io, say_one(*router, std::move(request), model, by, out),
                   [](std::exception_ptr) {});
    clock.run(3600s);
    if (out.answer && out.answer->ok()) (**out.answer).speech.reset();
    return out;
  }
  FakeEngine* own_engine = nullptr;
};

TEST_F(AudioRoute, a_failure_before_the_first_piece_is_tried_again) {
  FakeEngine& whisper = engine("whisper");
  begin();
  whisper.script = {Turn{.error = broken()}, Turn{.pieces = {}, .cut = broken()}};
  const Outcome got = hear("whisper/m", true);
  ASSERT_TRUE(got.answer->ok()) << got.answer->error().detail;
  EXPECT_EQ(whisper.calls, 3);
  EXPECT_EQ(got.pieces, (std::vector<std::string>{"one ", "two"}));
  EXPECT_EQ(got.whole->text, "one two");
  EXPECT_EQ(got.by().provider, "whisper");
}

TEST_F(AudioRoute, without_pieces_asked_for_a_failure_at_the_end_is_tried_again_too) {
  FakeEngine& whisper = engine("whisper");
  begin();
  whisper.script = {Turn{.pieces = {"one "}, .cut = broken()}};
  const Outcome got = hear("whisper/m");
  ASSERT_TRUE(got.answer->ok());
  EXPECT_EQ(whisper.calls, 2);
  EXPECT_EQ(got.whole->text, "one two");
}

TEST_F(AudioRoute, a_stream_that_breaks_after_its_first_piece_ends_with_the_error) {
  FakeEngine& whisper = engine("whisper");
  begin();
  whisper.script = {Turn{.pieces = {"one "}, .cut = broken()}};
  const Outcome got = hear("whisper/m", true);
  ASSERT_TRUE(got.answer->ok());
  EXPECT_EQ(whisper.calls, 1);
  ASSERT_TRUE(got.broken);
  EXPECT_EQ(got.broken->reason, "upstream_error");
  EXPECT_FALSE(got.whole);
}

TEST_F(AudioRoute, the_built_in_engine_hears_when_nothing_is_configured) {
  FakeEngine& chat = engine("chat");
  begin();
  const Outcome got = hear("");
  ASSERT_TRUE(got.answer->ok());
  EXPECT_EQ(got.by().provider, "builtin");
  EXPECT_EQ(got.whole->text, "built in");
  EXPECT_EQ(chat.calls, 0);
  EXPECT_FALSE(got.by().degraded);
}

TEST_F(AudioRoute, auto_prefers_a_wyoming_server_that_is_configured) {
  FakeEngine& house = engine("house", "wyoming");
  begin();
  EXPECT_EQ(hear("auto").by().provider, "house");
  house.always = Turn{.error = refused()};
  const Outcome got = hear("auto");
  ASSERT_TRUE(got.answer->ok());
  EXPECT_EQ(got.by().provider, "builtin");
  EXPECT_EQ(got.by().fallbacks, 1U);
}

TEST_F(AudioRoute, a_wyoming_server_is_never_asked_a_question) {
  FakeEngine& house = engine("house", "wyoming");
  begin();
  Asked& asked_one = ask("who is there?");
  ASSERT_TRUE(asked_one.ok());
  EXPECT_EQ(asked_one.by().provider, std::string(kBuiltIn));
  EXPECT_EQ(house.calls, 0);
}

TEST_F(AudioRoute, the_built_in_engine_stands_in_for_a_default_that_fails_and_says_so) {
  FakeEngine& whisper = engine("whisper");
  settings.models.transcription = "whisper/m";
  settings.models.attempts_max = 1;
  begin();
  whisper.always = Turn{.error = broken()};
  const Outcome got = hear("auto");
  ASSERT_TRUE(got.answer->ok());
  EXPECT_EQ(got.by().provider, "builtin");
  EXPECT_TRUE(got.by().degraded);
  // Who names an engine wants that one.
  const Outcome named = hear("whisper/m");
  ASSERT_FALSE(named.answer->ok());
  EXPECT_EQ(named.answer->error().reason, "upstream_error");
}

TEST_F(AudioRoute, what_the_caller_did_wrong_is_not_tried_elsewhere) {
  FakeEngine& whisper = engine("whisper");
  settings.models.transcription = "whisper/m";
  begin();
  whisper.always = Turn{.error = Error::say(Errc::invalid, "upstream_rejected", "no audio")};
  const Outcome got = hear("auto");
  ASSERT_FALSE(got.answer->ok());
  EXPECT_EQ(got.answer->error().reason, "upstream_rejected");
  EXPECT_EQ(own_engine->calls, 0);
}

TEST_F(AudioRoute, models_of_questions_and_unknown_ones_are_refused) {
  engine("whisper");
  begin(true);
  EXPECT_EQ(hear(std::string(kBuiltIn)).answer->error().reason, "model_cannot_transcribe");
  EXPECT_EQ(say(std::string(kBuiltIn)).answer->error().reason, "model_cannot_speak");
  EXPECT_EQ(hear("nobody").answer->error().reason, "unknown_model");
  EXPECT_EQ(hear("auto").answer->error().reason, "no_provider");
}

TEST_F(AudioRoute, an_engine_that_says_nothing_is_given_up_at_the_timeout) {
  FakeEngine& whisper = engine("whisper");
  settings.audio.transcription_timeout = 5s;
  settings.models.attempts_max = 1;
  begin();
  whisper.always = Turn{.pieces = {"x"}, .delay = 24h};
  const Outcome got = hear("whisper/m");
  ASSERT_FALSE(got.answer->ok());
  EXPECT_EQ(got.answer->error().code, Errc::deadline);
}

TEST_F(AudioRoute, a_transcript_that_cannot_be_is_a_bad_reply) {
  FakeEngine& whisper = engine("whisper");
  settings.models.attempts_max = 1;
  begin();
  Transcript lies;
  lies.text = "x";
  lies.segments.push_back({-1, 2, "x", std::nullopt});
  whisper.always = Turn{.whole = lies};
  const Outcome got = hear("whisper/m");
  ASSERT_FALSE(got.answer->ok());
  EXPECT_EQ(got.answer->error().reason, "upstream_bad_reply");
}

TEST_F(AudioRoute, segments_that_were_asked_for_are_there) {
  FakeEngine& whisper = engine("whisper");
  begin();
  Transcript bare;
  bare.text = "all of it";
  bare.seconds = 7;
  whisper.always = Turn{.whole = bare};
  const Outcome got = hear("whisper/m", false, true);
  ASSERT_TRUE(got.whole);
  ASSERT_EQ(got.whole->segments.size(), 1U);
  EXPECT_EQ(got.whole->segments[0].end, 7);
}

TEST_F(AudioRoute, speech_in_another_form_is_packed_and_what_cannot_be_is_refused) {
  FakeEngine& voice = engine("voice");
  voice.form = AudioForm::pcm;
  begin();
  SpeechRequest mp3;
  EXPECT_EQ(say("voice/m", mp3).sound(), "mp3:one two");
  SpeechRequest pcm;
  pcm.form = AudioForm::pcm;
  EXPECT_EQ(say("voice/m", pcm).sound(), "one two");
  SpeechRequest aac;
  aac.form = AudioForm::aac;
  const Outcome refused_one = say("voice/m", aac);
  ASSERT_FALSE(refused_one.answer->ok());
  EXPECT_EQ(refused_one.answer->error().reason, "audio_format_unsupported");
  voice.form = AudioForm::aac;
  EXPECT_EQ(say("voice/m", aac).sound(), "one two");
}

TEST_F(AudioRoute, the_same_speech_is_made_once_for_a_tenant) {
  FakeEngine& voice = engine("voice");
  begin();
  EXPECT_EQ(say("voice/m").by().cache, CacheState::miss);
  const Outcome again = say("voice/m");
  EXPECT_EQ(again.by().cache, CacheState::hit);
  EXPECT_EQ(again.sound(), "one two");
  EXPECT_EQ(again.by().provider, "voice");
  EXPECT_EQ(voice.calls, 1);
  SpeechRequest other;
  other.tenant = TenantId("tenant-b");
  EXPECT_EQ(say("voice/m", other).by().cache, CacheState::miss);
  SpeechRequest slow;
  slow.speed = 0.5;
  EXPECT_EQ(say("voice/m", slow).by().cache, CacheState::miss);
  SpeechRequest unkept;
  unkept.no_store = true;
  EXPECT_EQ(say("voice/m", unkept).by().cache, CacheState::off);
  EXPECT_EQ(voice.calls, 4);
  EXPECT_EQ(router->forget(TenantId("tenant-a")), 0U);
  EXPECT_EQ(say("voice/m").by().cache, CacheState::miss);
  EXPECT_GT(router->shrink_cache(1), 0U);
  EXPECT_EQ(router->cache_bytes(), 0U);
}

TEST_F(AudioRoute, speech_that_broke_off_or_came_from_another_engine_is_not_kept) {
  FakeEngine& voice = engine("voice");
  settings.models.speech = "voice/m";
  settings.models.attempts_max = 1;
  begin();
  voice.script = {Turn{.pieces = {"one "}, .cut = broken()}, Turn{.error = broken()}};
  EXPECT_TRUE(say("auto").broken);
  EXPECT_EQ(say("auto").sound(), "built in");
  const Outcome third = say("auto");
  EXPECT_EQ(third.sound(), "one two");
  EXPECT_EQ(third.by().cache, CacheState::miss);
}

TEST_F(AudioRoute, speech_without_a_sound_is_a_bad_reply) {
  FakeEngine& voice = engine("voice");
  settings.models.attempts_max = 1;
  begin();
  voice.always = Turn{};
  const Outcome got = say("voice/m");
  ASSERT_FALSE(got.answer->ok());
  EXPECT_EQ(got.answer->error().reason, "upstream_bad_reply");
}

}  // namespace
}  // namespace mainstay::models::test
