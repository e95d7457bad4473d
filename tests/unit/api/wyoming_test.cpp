// The Wyoming server without a socket: who may connect, recordings, and whole exchanges.
#include "api/wyoming_session.h"
#include "models/recording.h"
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;
using net::WyomingEvent;

TEST(wyoming_addresses, this_machine_may_and_others_only_where_they_are_named) {
  const auto list = AddressList::parse({"192.168.1.5", "10.1.0.0/16", "fd00::/8"});
  ASSERT_TRUE(list.ok());
  const auto may = [&](const char* text) { return list->allows(asio::ip::make_address(text)); };
  for (const char* allowed : {"127.0.0.1", "::1", "::ffff:127.0.0.1", "192.168.1.5", "10.1.0.0",
                              "10.1.255.255", "fd12:3456::9", "::ffff:192.168.1.5"}) {
    EXPECT_TRUE(may(allowed)) << allowed;
  }
  for (const char* refused : {"192.168.1.4", "192.168.1.6", "10.0.255.255", "10.2.0.0", "fe80::1",
                              "8.8.8.8", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(may(refused)) << refused;
  }
  EXPECT_FALSE(AddressList().allows(asio::ip::make_address("10.0.0.1")));
}

TEST(wyoming_addresses, a_word_that_is_no_address_is_named) {
  for (const char* bad : {"home", "192.168.1", "192.168.1.0/33", "fd00::/129", "1.2.3.4/", ""}) {
    const auto list = AddressList::parse({"127.0.0.1", bad});
    ASSERT_FALSE(list.ok()) << bad;
    EXPECT_NE(list.error().message.find(bad), std::string::npos);
  }
}

WyomingEvent chunk(std::string bytes, std::uint32_t rate = 16'000) {
  return {"audio-chunk", net::wyoming_audio_data({rate, 2, 1}), std::move(bytes)};
}

TEST(wyoming_recording, samples_become_a_wav_file_of_their_layout) {
  WyomingRecording recording(100);
  ASSERT_TRUE(recording.start(net::wyoming_audio_data({22'050, 2, 2})).ok());
  ASSERT_TRUE(recording.add({"audio-chunk", Json::object(), "abcdefg"}).ok());
  const std::string wav = recording.take();
  ASSERT_EQ(wav.size(), 44u + 4u) << "a frame that is not whole is left out";
  EXPECT_EQ(wav.substr(0, 4), "RIFF");
  EXPECT_EQ(wav.substr(8, 8), "WAVEfmt ");
  EXPECT_EQ(wav.substr(22, 2), std::string("\x02\x00", 2)) << "channels";
  EXPECT_EQ(wav.substr(24, 4), std::string("\x22\x56\x00\x00", 4)) << "rate";
  EXPECT_EQ(wav.substr(34, 2), std::string("\x10\x00", 2)) << "bits";
  EXPECT_EQ(wav.substr(44), "abcd");
  EXPECT_EQ(recording.take(), "") << "it was taken";
}

TEST(wyoming_recording, less_than_a_frame_is_no_recording) {
  WyomingRecording recording(100);
  ASSERT_TRUE(recording.start(net::wyoming_audio_data({22'050, 2, 2})).ok());
  ASSERT_TRUE(recording.add({"audio-chunk", Json::object(), "abc"}).ok());
  EXPECT_EQ(recording.take(), "");
}

TEST(wyoming_recording, a_recording_is_bounded_to_the_byte) {
  for (const std::size_t size : {9U, 10U, 11U}) {
    WyomingRecording recording(10);
    ASSERT_TRUE(recording.add(chunk("abcd")).ok());
    const Status added = recording.add(chunk(std::string(size - 4, 'x')));
    EXPECT_EQ(added.ok(), size <= 10) << size;
    if (!added.ok()) EXPECT_EQ(added.error().reason, "audio_too_long");
  }
}

TEST(wyoming_recording, a_layout_that_changes_or_is_none_is_refused) {
  WyomingRecording recording(100);
  EXPECT_FALSE(recording.start(Json{{"rate", 16'000}}).ok());
  ASSERT_TRUE(recording.add(chunk("ab")).ok());
  EXPECT_FALSE(recording.add(chunk("ab", 8'000)).ok());
}

TEST(wyoming_info, each_part_names_its_program_with_languages_and_voices) {
  WyomingFacts facts;
  facts.version = "1.0";
  models::Voice voice;
  voice.id = "amy";
  voice.language = "en-gb";
  facts.voices = {voice};
  Json info = wyoming_info(facts);
  for (const char* part : {"asr", "tts", "handle"}) {
    ASSERT_EQ(info[part].size(), 1u) << part;
    for (const char* key : {"name", "description", "attribution", "installed", "version"}) {
      EXPECT_TRUE(info[part][0].contains(key)) << part << " " << key;
    }
  }
  EXPECT_EQ(info["asr"][0]["models"][0]["languages"], Json::array({"en"}))
      << "the built-in engine knows English alone";
  EXPECT_EQ(info["tts"][0]["voices"][0]["name"], "amy");
  EXPECT_EQ(info["tts"][0]["voices"][0]["languages"], Json::array({"en-gb"}));
  models::ModelInfo whisper;
  whisper.id = "whisper-1";
  whisper.provider = "whisper";
  whisper.task = "transcription";
  facts.models = {whisper};
  facts.voices.clear();
  info = wyoming_info(facts);
  EXPECT_GT(info["asr"][0]["models"][0]["languages"].size(), 20u);
  EXPECT_EQ(info["tts"][0]["voices"].size(), 1u) << "Home Assistant needs one to choose";
}

TEST(wyoming_conversation, only_a_usable_name_counts) {
  EXPECT_EQ(wyoming_conversation(Json{{"context", {{"conversation_id", "01JABC"}}}}), "01JABC");
  EXPECT_EQ(wyoming_conversation(Json{{"conversation_id", "c-1"}}), "c-1");
  EXPECT_EQ(wyoming_conversation(Json{{"context", {{"conversation_id", "../x y"}}}}), "");
  EXPECT_EQ(wyoming_conversation(Json{{"context", 5}}), "");
}

/// Speech in two pieces.
class TwoPieces final : public models::SpeechStream {
 public:
  Co<Result<std::optional<std::string>>> next(Deadline) override {
    if (at_ == 2) co_return std::optional<std::string>();
    co_return std::optional<std::string>(std::string(at_++ == 0 ? 20'000 : 10, 's'));
  }
  models::AudioShape shape() const noexcept override { return {models::AudioForm::pcm, 22'050, 1}; }

 private:
  int at_ = 0;
};

/// Hears "what is the capital", speaks, and answers as the world's own models.
class SpeakingModels final : public models::Models {
 public:
  explicit SpeakingModels(FakeModels& chat) : chat_(chat) {}
  Co<Result<models::Answer>> chat(models::ChatRequest request, Deadline by) override {
    auto answer = co_await chat_.chat(std::move(request), by);
    co_return answer;
  }
  Co<Result<models::Answer>> transcribe(models::TranscribeRequest request, std::string,
                                        Deadline) override {
    std::string bytes(request.audio->bytes(), '\0');
    request.audio->read_now(0, bytes.data(), bytes.size());
    heard.push_back(bytes);
    language = request.language;
    if (error) co_return *error;
    models::Answer answer;
    models::Transcript whole;
    whole.text = " what is the capital ";
    answer.transcript = models::one_piece(std::move(whole));
    co_return answer;
  }
  Co<Result<models::Answer>> speak(models::SpeechRequest request, std::string, Deadline) override {
    spoken.push_back(request);
    if (error) co_return *error;
    models::Answer answer;
    answer.speech = std::make_unique<TwoPieces>();
    co_return answer;
  }
  Co<Result<std::vector<models::Voice>>> voices(Deadline) override {
    co_return std::vector<models::Voice>{};
  }
  Co<Result<std::vector<models::ModelInfo>>> list(Deadline) override {
    co_return std::vector<models::ModelInfo>{};
  }
  std::vector<models::ProviderState> providers() const override { return {}; }
  std::size_t forget(TenantId) override { return 0; }

  std::vector<std::string> heard;
  std::vector<models::SpeechRequest> spoken;
  std::string language;
  std::optional<Error> error;

 private:
  FakeModels& chat_;
};

class FakeWire final : public WyomingWire {
 public:
  Co<Result<std::optional<WyomingEvent>>> read() override {
    if (in.empty() && failure) co_return *failure;
    if (in.empty()) co_return std::optional<WyomingEvent>();
    WyomingEvent event = std::move(in.front());
    in.pop_front();
    co_return std::optional<WyomingEvent>(std::move(event));
  }
  Co<Status> send(std::string bytes) override {
    if (sends_left == 0) co_return Error::log(Errc::unavailable, "gone");
    --sends_left;
    std::string_view left = bytes;
    auto event = parser.next(left);
    EXPECT_TRUE(event.ok() && event->has_value() && left.empty());
    if (event.ok() && event->has_value()) out.push_back(std::move(**event));
    co_return done();
  }
  std::vector<std::string> types() const {
    std::vector<std::string> all;
    for (const auto& event : out) all.push_back(event.type);
    return all;
  }
  std::deque<WyomingEvent> in;
  std::optional<Error> failure;  ///< how reading ends; none: the client closes
  std::vector<WyomingEvent> out;
  net::WyomingParser parser;
  int sends_left = 1'000;
};

struct Wyoming : World {
  using Words = std::vector<std::string>;
  /// A connection on which these events come, to its end.
  void talk(std::deque<WyomingEvent> events) {
    open();
    if (!own) {
      own.emplace(settings, clock, random, speaking, *library, stores->conversations());
      mine.reset(new Rooms{settings, clock, random, *log, metrics, *admission, *own, speaking,
                           *library, *stores, client, not_ready, settings.server.listen});
    }
    wire.in = std::move(events);
    bool ended = false;
    WyomingSession session(
        wire, [this] { return WyomingInForce{nullptr, mine.get()}; }, settings.wyoming, "10.0.0.9");
    asio::co_spawn(io.get_executor(), session.run(), [&](std::exception_ptr thrown) {
      ended = true;
      EXPECT_FALSE(thrown);
    });
    while (!ended) {
      clock.advance(0s);
      if (!ended) std::this_thread::yield();
    }
  }
  static WyomingEvent event(std::string type, Json data = Json::object()) {
    return {std::move(type), std::move(data), ""};
  }
  SpeakingModels speaking{models};
  std::optional<assistant::Assistant> own;
  std::unique_ptr<Rooms> mine;
  FakeWire wire;
};

TEST_F(Wyoming, describe_and_ping_are_answered_and_unknown_events_passed_over) {
  talk({event("describe"), event("wake-word"), event("ping", Json{{"text", "x"}})});
  EXPECT_EQ(wire.types(), (Words{"info", "pong"}));
  EXPECT_EQ(wire.out[1].data["text"], "x");
}

TEST_F(Wyoming, a_recording_is_heard_and_its_words_come_back) {
  talk({event("transcribe", Json{{"language", "en-US"}}),
        event("audio-start", net::wyoming_audio_data({16'000, 2, 1})), chunk("abcd"), chunk("ef"),
        event("audio-stop")});
  EXPECT_EQ(wire.types(), (Words{"transcript"}));
  EXPECT_EQ(wire.out[0].data["text"], "what is the capital");
  EXPECT_EQ(speaking.language, "en");
  ASSERT_EQ(speaking.heard.size(), 1u);
  EXPECT_EQ(speaking.heard[0].substr(44), "abcdef");
}

TEST_F(Wyoming, silence_of_no_length_is_an_empty_transcript) {
  talk({event("transcribe"), event("audio-start", net::wyoming_audio_data({16'000, 2, 1})),
        event("audio-stop")});
  ASSERT_EQ(wire.types(), (Words{"transcript"}));
  EXPECT_EQ(wire.out[0].data["text"], "");
  EXPECT_TRUE(speaking.heard.empty());
}

TEST_F(Wyoming, sound_that_nobody_asked_to_be_heard_is_dropped) {
  talk({chunk("abcd"), event("audio-stop"), event("ping")});
  EXPECT_EQ(wire.types(), (Words{"pong"}));
  EXPECT_TRUE(speaking.heard.empty());
}

TEST_F(Wyoming, speech_comes_as_a_start_bounded_chunks_and_a_stop) {
  talk({event("synthesize",
              Json{{"text", "Hello."}, {"voice", {{"name", "amy"}, {"language", "en_GB"}}}})});
  EXPECT_EQ(wire.types(),
            (Words{"audio-start", "audio-chunk", "audio-chunk", "audio-chunk", "audio-stop"}));
  EXPECT_EQ(wire.out[0].data["rate"], 22'050);
  EXPECT_EQ(wire.out[0].data["width"], 2);
  EXPECT_EQ(wire.out[1].data["channels"], 1);
  EXPECT_EQ(wire.out[1].payload.size() + wire.out[2].payload.size(), 20'000u);
  ASSERT_EQ(speaking.spoken.size(), 1u);
  EXPECT_EQ(speaking.spoken[0].voice, "amy");
  EXPECT_EQ(speaking.spoken[0].language, "en");
}

TEST_F(Wyoming, the_voice_called_default_is_the_engines_own) {
  talk({event("synthesize", Json{{"text", "Hi."}, {"voice", {{"name", "default"}}}})});
  ASSERT_EQ(speaking.spoken.size(), 1u);
  EXPECT_EQ(speaking.spoken[0].voice, "");
}

TEST_F(Wyoming, who_hangs_up_while_it_speaks_ends_it) {
  wire.sends_left = 2;
  talk({event("synthesize", Json{{"text", "Hello."}}), event("ping")});
  EXPECT_EQ(wire.types(), (Words{"audio-start", "audio-chunk"}));
}

TEST_F(Wyoming, a_question_is_answered_as_words_to_be_spoken) {
  models.body = R"({"choices":[{"message":{"content":"# Capital\n\n**Bern** [1]."}}]})";
  talk({event("transcript",
              Json{{"text", "Capital?"}, {"context", {{"conversation_id", "conv-9"}}}})});
  ASSERT_EQ(wire.types(), (Words{"handled"}));
  const std::string said = wire.out[0].data["text"];
  EXPECT_NE(said.find("Bern"), std::string::npos) << said;
  EXPECT_EQ(said.find('*'), std::string::npos) << said;
  EXPECT_EQ(wire.out[0].data["context"]["conversation_id"], "conv-9");
  ASSERT_EQ(models.asked.size(), 1u);
  EXPECT_EQ(models.asked[0].user, UserId("wyoming"));
  const Json body = json(models.asked[0].body);
  EXPECT_EQ(body["messages"].back()["content"], "Capital?");
}

TEST_F(Wyoming, what_cannot_be_answered_is_said_and_the_connection_goes_on) {
  models.error = Error::say(Errc::unavailable, "no_provider", "No model is there.");
  talk({event("transcript", Json{{"text", "Capital?"}}), event("ping")});
  EXPECT_EQ(wire.types(), (Words{"not-handled", "pong"}));
  EXPECT_EQ(wire.out[0].data["text"], "No model is there.");
}

TEST_F(Wyoming, failures_of_hearing_and_speaking_are_errors_with_a_code) {
  speaking.error = Error::say(Errc::unavailable, "recogniser_missing", "There is no recogniser.");
  talk({event("transcribe"), chunk("abcd"), event("audio-stop"),
        event("synthesize", Json{{"text", "Hi."}}), event("synthesize", Json{{"text", "  "}}),
        event("ping")});
  EXPECT_EQ(wire.types(), (Words{"error", "error", "error", "pong"}));
  EXPECT_EQ(wire.out[0].data["code"], "recogniser_missing");
  EXPECT_EQ(wire.out[2].data["code"], "missing_field");
}

TEST_F(Wyoming, a_detail_for_the_log_is_never_told) {
  speaking.error = Error::log(Errc::internal, "/secret/path");
  talk({event("synthesize", Json{{"text", "Hi."}})});
  ASSERT_EQ(wire.types(), (Words{"error"}));
  EXPECT_EQ(dump(wire.out[0].data).find("secret"), std::string::npos);
}

TEST_F(Wyoming, texts_are_bounded_to_the_byte) {
  settings.wyoming.text_max = Bytes{10};
  for (const std::size_t size : {9U, 10U, 11U}) {
    wire.out.clear();
    talk({event("transcript", Json{{"text", std::string(size, 'x')}})});
    ASSERT_EQ(wire.out.size(), 1u);
    EXPECT_EQ(wire.out[0].type, size <= 10 ? "handled" : "error") << size;
  }
}

TEST_F(Wyoming, what_is_no_event_ends_the_connection_with_a_word) {
  wire.failure = Error::log(Errc::invalid, "wyoming: nonsense");
  talk({event("ping")});
  EXPECT_EQ(wire.types(), (Words{"pong", "error"}));
  EXPECT_EQ(wire.out[1].data["code"], "bad_event");
}

TEST_F(Wyoming, limits_and_maintenance_hold_here_too) {
  settings.limits.user.requests_per_minute = 1;
  settings.limits.user.burst = 0;
  const auto ask = [] { return event("transcript", Json{{"text", "Capital?"}}); };
  talk({ask(), ask()});
  EXPECT_EQ(wire.types(), (Words{"handled", "not-handled"}));
}

}  // namespace
}  // namespace mainstay::api
