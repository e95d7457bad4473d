// POST /v1/voice and its WebSocket over scripted ears, mouth and models, on a fake clock.
// proves Z7, M11
#include "api/voice_order.h"
#include "base/base64.h"
#include "unit/api/voice_world.h"

namespace mainstay::api {
namespace {

using namespace test;
using admission::Scope;

TEST_F(VoiceTest, one_call_hears_answers_and_speaks) {
  auto reply = ask(sound("?format=mp3&conversation_id=talk-1"));
  ASSERT_EQ(reply->status, 200) << reply->body;
  const Json body = json(reply->body);
  EXPECT_EQ(body["object"], "voice.answer");
  EXPECT_EQ(body["transcript"], "what is the capital");
  EXPECT_EQ(body["answer"], "It is Bern. It is old.");
  EXPECT_EQ(body["conversation_id"], "talk-1");
  EXPECT_EQ(reply->header("x-conversation-id"), "talk-1");
  EXPECT_EQ(from_base64(body["audio"]["base64"].get<std::string>()).value_or(""),
            "<It is Bern.:0><It is old.:0>");
  EXPECT_EQ(voices.heard.front().mime, "audio/wav");
  // The model was told that it is heard, and the turn is asked for as any other.
  const Json asked = json(models.asked.front().body);
  EXPECT_EQ(asked["messages"].back()["content"], "what is the capital");
  EXPECT_EQ(asked["messages"].front()["role"], "system");
}

TEST_F(VoiceTest, events_come_in_their_order) {
  auto reply = ask(form({{"response", "stream"}}, "RIFF"));
  ASSERT_EQ(reply->status, 200) << reply->body;
  EXPECT_EQ(reply->content_type, "text/event-stream");
  EXPECT_TRUE(reply->finished);
  const auto told = events(reply);
  EXPECT_TRUE(types(told).starts_with("speech_started transcript_partial transcript token"))
      << types(told);
  EXPECT_TRUE(types(told).ends_with("done")) << types(told);
  EXPECT_EQ(told.back()["answer"], "It is Bern. It is old.");
  EXPECT_EQ(told.back()["provider"], "provider-x");
}

TEST_F(VoiceTest, kept_speech_is_told_by_its_address) {
  store = &kept;
  auto reply = ask(form({{"response", "stream"}, {"text", "hello there"}}));
  std::string coming;
  std::string whole;
  for (const auto& one : events(reply)) {
    EXPECT_FALSE(one.contains("base64"));
    if (one["type"] == "audio_coming") coming = one["audio"]["url"];
    if (one["type"] == "audio_ready") whole = one["audio"]["url"];
  }
  EXPECT_EQ(coming, "/v1/audio/files/audio-1");
  EXPECT_EQ(whole, coming);
  reply = ask(form({{"audio", "inline"}, {"text", "hello there"}}));
  EXPECT_TRUE(json(reply->body)["audio"].contains("base64"));
  EXPECT_FALSE(json(reply->body)["audio"].contains("url"));
}

TEST_F(VoiceTest, the_sound_alone_is_the_reply_where_sound_is_asked_for) {
  auto reply = ask(sound().with("accept", "audio/wav"));
  ASSERT_EQ(reply->status, 200) << reply->body;
  EXPECT_EQ(reply->content_type, "audio/wav");
  EXPECT_EQ(reply->streamed().substr(0, 4), "RIFF");
  EXPECT_TRUE(reply->finished);
  // Half a file must not pass for a whole one.
  voices.said.clear();
  voices.fail_from = 1;
  reply = ask(sound().with("accept", "audio/mpeg"));
  EXPECT_TRUE(reply->aborted);
  voices.said.clear();
  voices.fail_from = 0;
  reply = ask(sound().with("accept", "audio/mpeg"));
  EXPECT_EQ(refused(reply), "503 voice_lost");
  models.chunks = {words_chunk("***"), kFinishChunk};
  reply = ask(sound().with("accept", "audio/mpeg"));
  EXPECT_EQ(refused(reply), "422 nothing_to_say");
}

TEST_F(VoiceTest, a_wav_inside_json_tells_its_length) {
  auto reply = ask(sound("?format=wav"));
  const std::string file =
      from_base64(json(reply->body)["audio"]["base64"].get<std::string>()).value_or("");
  ASSERT_GT(file.size(), 44u);
  const auto size = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value |= static_cast<std::size_t>(static_cast<unsigned char>(file[at + i])) << (8 * i);
    }
    return value;
  };
  EXPECT_EQ(size(4), file.size() - 8);
  EXPECT_EQ(size(40), file.size() - 44);
}

TEST_F(VoiceTest, a_failed_voice_leaves_the_text) {
  voices.fail_from = 0;
  const Json body = json(ask(sound())->body);
  EXPECT_EQ(body["answer"], "It is Bern. It is old.");
  EXPECT_EQ(body["speech_error"]["code"], "voice_lost");
  EXPECT_FALSE(body.contains("audio"));
}

TEST_F(VoiceTest, what_fails_before_the_first_event_has_a_status_of_its_own) {
  voices.pieces = {heard_whole("")};
  EXPECT_EQ(refused(ask(sound("?response=stream"))), "422 nothing_heard");
  voices.hearing_error = Error::say(Errc::unprocessable, "audio_format", "No sound.");
  EXPECT_EQ(refused(ask(sound())), "422 audio_format");
  voices.hearing_error.reset();
  voices.pieces = {heard_whole("what")};
  models.error = Error::say(Errc::unavailable, "no_provider", "Nobody.");
  EXPECT_EQ(refused(ask(sound())), "503 no_provider");
  // After the first event it is an event.
  EXPECT_EQ(types(events(ask(sound("?response=stream")))),
            "speech_started transcript error:no_provider");
}

TEST_F(VoiceTest, what_is_wrong_is_named) {
  const struct {
    const char* field;
    const char* value;
    const char* want;
  } kCases[] = {{"speed", "0.24", "400 invalid_value"},
                {"speed", "4.1", "400 invalid_value"},
                {"speed", "fast", "400 invalid_value"},
                {"format", "flac", "415 audio_format_unsupported"},
                {"format", "x", "415 audio_format_unsupported"},
                {"audio", "x", "400 invalid_value"},
                {"response", "x", "400 invalid_value"},
                {"speak", "1", "400 invalid_value"},
                {"colour", "red", "400 unknown_field"},
                {"conversation_id", "a b", "400 invalid_name"},
                {"collection", "a/b", "400 invalid_name"}};
  for (const auto& one : kCases) {
    EXPECT_EQ(refused(ask(form({{"text", "hi"}, {one.field, one.value}}))), one.want)
        << one.field << "=" << one.value;
  }
  EXPECT_EQ(refused(ask(form({}))), "400 missing_field");
  EXPECT_EQ(refused(ask(form({{"text", "hi"}}, "RIFF"))), "400 missing_field");
  EXPECT_EQ(refused(ask(form({{"text", "hi"}, {"text", "ho"}}))), "400 duplicate_field");
  EXPECT_EQ(refused(ask(post("/v1/voice", "{}"))), "415 unsupported_media_type");
  EXPECT_EQ(refused(ask(sound("", ""))), "400 empty_audio");
  for (const char* speed : {"0.25", "1", "4"}) {
    EXPECT_EQ(ask(form({{"text", "hi"}, {"speed", speed}}))->status, 200) << speed;
  }
}

TEST_F(VoiceTest, a_question_is_only_so_large) {
  settings.voice.upload_max = Bytes(1000);
  EXPECT_EQ(ask(sound("", std::string(999, 'x')))->status, 200);
  EXPECT_EQ(ask(sound("", std::string(1000, 'x')))->status, 200);
  EXPECT_EQ(refused(ask(sound("", std::string(1001, 'x')))), "413 recording_too_large");
  EXPECT_EQ(ask(form({}, std::string(1000, 'x')))->status, 200);
  EXPECT_EQ(refused(ask(form({}, std::string(1001, 'x')))), "413 recording_too_large");
}

TEST_F(VoiceTest, a_client_that_goes_ends_the_turn) {
  voices.pieces_of_speech = 1000;
  voices.speech_time = 10ms;
  auto reply = ask(sound("?response=stream&audio=inline"),
                   [](FakeExchange& exchange) { exchange.goes_after = 6; });
  EXPECT_EQ(voices.speaking, 0);
  EXPECT_EQ(admission->permits().in_use(), 0u);
}

TEST_F(VoiceTest, accept_headers_are_read) {
  using models::AudioForm;
  EXPECT_EQ(accepted_sound("audio/mpeg"), AudioForm::mp3);
  EXPECT_EQ(accepted_sound("audio/wav;q=0.9"), AudioForm::wav);
  EXPECT_EQ(accepted_sound("text/html, AUDIO/OGG"), AudioForm::opus);
  EXPECT_EQ(accepted_sound("audio/*"), AudioForm::mp3);
  EXPECT_EQ(accepted_sound("*/*"), std::nullopt);
  EXPECT_EQ(accepted_sound(""), std::nullopt);
}

// ---- the WebSocket

TEST_F(VoiceTest, push_to_talk_over_the_socket) {
  FakeSocket& socket = ready();
  EXPECT_GE(socket.rate, settings.voice.message_rate);
  say(socket, R"({"type":"start","id":"s","sample_rate":24000,"conversation_id":"new"})");
  auto told = socket.take();
  ASSERT_EQ(types(told), "started");
  EXPECT_EQ(told[0]["sample_rate"], 24'000);
  const std::string conversation = told[0]["conversation_id"];
  for (int i = 0; i < 10; ++i) say(socket, std::string(4800, 'x'), false);
  EXPECT_TRUE(socket.take().empty());
  say(socket, R"({"type":"stop","id":"e"})");
  clock.advance(1s);
  told = socket.take();
  EXPECT_TRUE(types(told).starts_with("stopped transcript_partial transcript token"))
      << types(told);
  EXPECT_TRUE(types(told).ends_with("done")) << types(told);
  EXPECT_EQ(told.back()["conversation_id"], conversation);
  EXPECT_EQ(socket.sound, "<It is Bern.:0><It is old.:0>");
  // What was heard is a WAV file of all that came, at its own rate.
  EXPECT_EQ(voices.heard.front().audio->bytes(), 48'000u + 44);
  // Sound behind the end is not kept, and nobody listens.
  say(socket, std::string(4800, 'x'), false);
  say(socket, R"({"type":"stop","id":"f"})");
  EXPECT_EQ(types(socket.take()), "error:not_started");
}

TEST_F(VoiceTest, a_text_is_a_question_too_and_a_new_one_interrupts) {
  voices.speech_time = 1s;
  FakeSocket& socket = ready();
  say(socket, R"({"type":"text","text":"one"})");
  clock.advance(1500ms);
  EXPECT_EQ(socket.sound, "<It is Bern.:0>");
  socket.take();
  say(socket, R"({"type":"text","text":"two"})");
  EXPECT_TRUE(types(socket.take()).starts_with("interrupted"));
  clock.advance(10s);
  EXPECT_EQ(socket.sound, "<It is Bern.:0><It is Bern.:0><It is old.:0>");
  EXPECT_TRUE(types(socket.take()).ends_with("done"));
  EXPECT_EQ(voices.speaking, 0);
}

TEST_F(VoiceTest, an_interrupted_answer_is_in_its_conversation_as_far_as_it_was_spoken) {
  voices.speech_time = 1s;
  FakeSocket& socket = ready();
  say(socket, R"({"type":"start","conversation_id":"talk"})");
  say(socket, R"({"type":"text","text":"one"})");
  clock.advance(1500ms);
  EXPECT_EQ(socket.sound, "<It is Bern.:0>");
  say(socket, R"({"type":"text","text":"two"})");
  clock.advance(10s);
  // The model reads what its listener heard, and nothing of the mark.
  const std::string asked = models.asked.back().body;
  EXPECT_NE(asked.find(R"("content":"It is Bern.")"), std::string::npos) << asked;
  EXPECT_EQ(asked.find("It is old."), std::string::npos);
  EXPECT_EQ(asked.find("interrupted"), std::string::npos);
  const Reply reply = ask(get("/v1/conversations/talk"));
  const Json told = json(reply->body)["messages"];
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0]["content"], "one");
  EXPECT_EQ(told[1]["content"], "It is Bern.");
  EXPECT_EQ(told[1]["interrupted"], true);
  EXPECT_EQ(told[3]["content"], "It is Bern. It is old.");
  EXPECT_FALSE(told[3].contains("interrupted"));
}

TEST_F(VoiceTest, a_long_recording_has_the_time_of_hearing_and_not_that_of_a_request) {
  settings.server.request_timeout = 10s;
  settings.audio.transcription_timeout = 60s;
  voices.hearing_time = 20s;
  const TimePoint began = clock.now();
  const auto transcribe = [this] {
    Sent sent = form({{"model", "auto"}}, "RIFF of an hour");
    sent.target = "/v1/audio/transcriptions";
    return ask(std::move(sent));
  };
  const Reply heard = transcribe();
  EXPECT_EQ(heard->status, 200) << heard->body;
  EXPECT_EQ(voices.hearing_by.at(), began + 60s);
  ASSERT_TRUE(heard->allowed.has_value());
  EXPECT_GT(*heard->allowed, began + 60s) << "there is time to say that it took too long";
  // Where a request as a whole has more, it keeps that.
  settings.server.request_timeout = 300s;
  const TimePoint again = clock.now();
  EXPECT_FALSE(transcribe()->allowed.has_value());
  EXPECT_EQ(voices.hearing_by.at(), again + 300s);
}

TEST_F(VoiceTest, cancel_ends_writing_and_speaking_at_once) {
  voices.speech_time = 10s;
  FakeSocket& socket = ready();
  say(socket, R"({"type":"text","text":"one"})");
  clock.advance(1s);
  EXPECT_EQ(voices.speaking, 1);
  socket.take();
  say(socket, R"({"type":"cancel","id":"c"})");
  EXPECT_EQ(types(socket.take()), "interrupted cancelled");
  EXPECT_EQ(voices.speaking, 0);
  EXPECT_EQ(admission->permits().in_use(), 0u);
  clock.advance(60s);
  EXPECT_TRUE(socket.take().empty());
  EXPECT_EQ(socket.sound, "");
  say(socket, R"({"type":"cancel"})");
  EXPECT_EQ(types(socket.take()), "cancelled") << "there was nothing to interrupt";
}

TEST_F(VoiceTest, a_slow_reader_is_waited_for_and_not_cut_off) {
  FakeSocket& socket = ready();
  socket.waiting = settings.server.websocket.outbound_max.value;
  say(socket, R"({"type":"text","text":"one"})");
  clock.advance(5s);
  EXPECT_EQ(socket.sound, "");
  EXPECT_EQ(socket.closed, "");
  socket.waiting = 0;
  clock.advance(1s);
  EXPECT_EQ(socket.sound, "<It is Bern.:0><It is old.:0>");
  EXPECT_TRUE(types(socket.take()).ends_with("done"));
}

TEST_F(VoiceTest, messages_that_are_wrong_are_told_and_the_socket_stays) {
  FakeSocket& socket = ready();
  const struct {
    const char* text;
    const char* want;
  } kCases[] = {{"no json", "error:invalid_json"},
                {"[]", "error:invalid_type"},
                {R"({"id":"a"})", "error:missing_field"},
                {R"({"type":"dance"})", "error:unknown_message_type"},
                {R"({"type":"start","mode":"x"})", "error:invalid_value"},
                {R"({"type":"start","sample_rate":7999})", "error:invalid_value"},
                {R"({"type":"start","sample_rate":48001})", "error:invalid_value"},
                {R"({"type":"start","sample_rate":-1})", "error:invalid_value"},
                {R"({"type":"start","speed":9})", "error:invalid_value"},
                {R"({"type":"start","voice":[]})", "error:invalid_type"},
                {R"({"type":"start","colour":"x"})", "error:unknown_field"},
                {R"({"type":"stop"})", "error:not_started"},
                {R"({"type":"text"})", "error:missing_field"},
                {R"({"type":"text","text":"  "})", "error:empty_field"},
                {R"({"type":"start","sample_rate":8000,"speed":1.5})", "started"},
                {R"({"type":"stop"})", "stopped error:nothing_heard"},
                {R"({"type":"auth","token":"x"})", "error:already_known"},
                {R"({"type":"ping"})", "pong"}};
  for (const auto& one : kCases) {
    say(socket, one.text);
    EXPECT_EQ(types(socket.take()), one.want) << one.text;
  }
  EXPECT_EQ(socket.closed, "");
  FakeSocket& early = ready();
  say(early, "sound", false);
  EXPECT_EQ(early.closed, "1008 not_started");
}

TEST_F(VoiceTest, the_question_that_is_too_long_is_answered_as_far_as_it_goes) {
  settings.voice.question_max = 1s;
  FakeSocket& socket = ready();
  say(socket, R"({"type":"start","sample_rate":8000})");
  say(socket, std::string(20'000, 'x'), false);
  clock.advance(1s);
  EXPECT_TRUE(types(socket.take()).ends_with("done"));
  EXPECT_EQ(voices.heard.front().audio->bytes(), 16'000u + 44);
  say(socket, R"({"type":"stop"})");
  EXPECT_EQ(types(socket.take()), "stopped");
}

TEST_F(VoiceTest, a_session_is_over_some_time) {
  settings.voice.session_max = 60s;
  FakeSocket& socket = ready();
  clock.advance(59s);
  EXPECT_EQ(socket.closed, "");
  clock.advance(2s);
  EXPECT_EQ(socket.closed, "1000 session_over");
}

TEST_F(VoiceTest, whoever_says_nothing_of_himself_gets_nothing) {
  settings.auth.required = true;
  FakeSocket& socket = connect().socket;
  say(socket, R"({"type":"text","text":"hi"})");
  EXPECT_EQ(types(socket.take()), "error:missing_key");
  EXPECT_EQ(socket.closed, "1008 missing_key");
  FakeSocket& silent = connect().socket;
  clock.advance(settings.server.websocket.auth_timeout + 1s);
  EXPECT_EQ(silent.closed, "1008 auth_timeout");
  FakeSocket& loud = connect().socket;
  say(loud, "sound", false);
  EXPECT_EQ(loud.closed, "1008 missing_key");
  EXPECT_TRUE(models.asked.empty());
}

TEST_F(VoiceTest, leaving_in_the_middle_leaves_nothing_behind) {
  voices.speech_time = 10s;
  FakeSocket& socket = ready();
  say(socket, R"({"type":"text","text":"one"})");
  clock.advance(1s);
  EXPECT_EQ(voices.speaking, 1);
  socket.close(net::CloseCode::normal, "client");
  clock.advance(1ms);
  EXPECT_EQ(voices.speaking, 0);
  EXPECT_TRUE(clients.back()->ended);
  EXPECT_EQ(admission->permits().in_use(), 0u);
}

}  // namespace
}  // namespace mainstay::api
