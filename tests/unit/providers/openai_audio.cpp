// The audio endpoints of servers that speak OpenAI's API: forms, transcripts, events, speech.
#include <gtest/gtest.h>

#include "models/openai/audio.h"

namespace mainstay::models::openai {
namespace {

TranscribeRequest request_of() {
  TranscribeRequest out;
  out.name = "a \"b\"\r\n.wav";
  out.mime = "audio/wav\r\nx: y";
  out.language = "de";
  out.prompt = "Ada";
  out.temperature = 0.25;
  return out;
}

TEST(OpenAiAudio, a_form_holds_what_was_asked_for_and_no_line_of_the_clients_making) {
  TranscribeRequest request = request_of();
  request.segments = true;
  const AudioFormBody form = transcription_form(request, "whisper", "B");
  EXPECT_NE(form.head.find("name=\"model\"\r\n\r\nwhisper\r\n"), std::string::npos);
  EXPECT_NE(form.head.find("name=\"response_format\"\r\n\r\nverbose_json\r\n"), std::string::npos);
  EXPECT_NE(form.head.find("name=\"language\"\r\n\r\nde\r\n"), std::string::npos);
  EXPECT_NE(form.head.find("name=\"temperature\"\r\n\r\n0.25\r\n"), std::string::npos);
  EXPECT_NE(form.head.find("timestamp_granularities[]\"\r\n\r\nsegment\r\n"), std::string::npos);
  EXPECT_NE(form.head.find("filename=\"a %22b%22.wav\"\r\ncontent-type: audio/wavx: y\r\n\r\n"),
            std::string::npos);
  EXPECT_TRUE(form.head.ends_with("\r\n\r\n"));
  EXPECT_EQ(form.tail, "\r\n--B--\r\n");
}

TEST(OpenAiAudio, a_translation_is_told_no_language_and_a_stream_is_asked_for_only_without_times) {
  TranscribeRequest request = request_of();
  request.translate = true;
  request.partial = true;
  EXPECT_EQ(transcription_form(request, "m", "B").head.find("language"), std::string::npos);
  EXPECT_EQ(transcription_form(request, "m", "B").head.find("stream"), std::string::npos);
  request.translate = false;
  EXPECT_NE(transcription_form(request, "m", "B").head.find("\"stream\"\r\n\r\ntrue"),
            std::string::npos);
}

TEST(OpenAiAudio, a_transcript_is_read_with_or_without_its_details) {
  auto bare = read_transcript(R"({"text":" hello "})");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->text, "hello");
  auto full = read_transcript(R"({"text":"hi","language":"english","duration":3.5,"segments":[
      {"start":0,"end":1.5,"text":" hi ","avg_logprob":-0.5},{"start":"x","text":7},{"text":""}],
      "words":[{"word":"hi","start":0.1,"end":0.4},5]})");
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->language, "english");
  EXPECT_EQ(full->seconds, 3.5);
  ASSERT_EQ(full->segments.size(), 1U);
  EXPECT_EQ(full->segments[0].text, "hi");
  EXPECT_NEAR(*full->segments[0].confidence, 0.6065, 0.001);
  EXPECT_EQ(full->words.size(), 1U);
}

TEST(OpenAiAudio, what_a_server_says_beside_the_words_is_kept) {
  auto got = read_transcript(R"({"text":"hi","usage":{"type":"tokens","input_tokens":3},
      "logprobs":[{"token":"hi","logprob":-1}],
      "segments":[{"start":0,"end":1,"text":"hi","seek":12,"tokens":[5,"x",7],"temperature":0.4,
        "avg_logprob":-0.25,"compression_ratio":1.5,"no_speech_prob":0.01},
        {"start":1,"end":2,"text":"you","tokens":{},"seek":"x"}]})");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->usage, R"({"type":"tokens","input_tokens":3})");
  EXPECT_EQ(got->logprobs, R"([{"token":"hi","logprob":-1}])");
  ASSERT_EQ(got->segments.size(), 2U);
  const SegmentFacts& facts = got->segments[0].facts;
  EXPECT_EQ(facts.seek, 12U);
  EXPECT_EQ(facts.tokens, (std::vector<std::int64_t>{5, 7}));
  EXPECT_EQ(facts.temperature, 0.4);
  EXPECT_EQ(facts.avg_logprob, -0.25);
  EXPECT_EQ(facts.compression_ratio, 1.5);
  EXPECT_EQ(facts.no_speech_prob, 0.01);
  const SegmentFacts& none = got->segments[1].facts;
  EXPECT_FALSE(none.seek || none.temperature || none.avg_logprob || none.no_speech_prob);
  EXPECT_TRUE(none.tokens.empty());
  auto wrong = read_transcript(R"({"text":"hi","usage":[1],"logprobs":{"a":1}})");
  ASSERT_TRUE(wrong.ok());
  EXPECT_EQ(wrong->usage + wrong->logprobs, "");
}

TEST(OpenAiAudio, what_is_asked_for_beside_the_words_goes_on_but_never_to_translations) {
  TranscribeRequest request = request_of();
  request.logprobs = true;
  request.chunking = {{"chunking_strategy[type]", "server_vad"},
                      {"chunking_strategy[threshold]", "0.5"}};
  const std::string head = transcription_form(request, "m", "B").head;
  EXPECT_NE(head.find("name=\"include[]\"\r\n\r\nlogprobs\r\n"), std::string::npos);
  EXPECT_NE(head.find("name=\"chunking_strategy[type]\"\r\n\r\nserver_vad\r\n"), std::string::npos);
  EXPECT_NE(head.find("name=\"chunking_strategy[threshold]\"\r\n\r\n0.5\r\n"), std::string::npos);
  request.translate = true;
  const std::string translation = transcription_form(request, "m", "B").head;
  EXPECT_EQ(translation.find("include"), std::string::npos);
  EXPECT_EQ(translation.find("chunking"), std::string::npos);
}

TEST(OpenAiAudio, what_is_no_transcript_is_a_bad_reply) {
  for (const char* body : {"", "[]", "7", "{}", R"({"text":7})", R"({"text":)", "<html>"}) {
    auto got = read_transcript(body);
    ASSERT_FALSE(got.ok()) << body;
    EXPECT_EQ(got.error().reason, "upstream_bad_reply") << body;
  }
  EXPECT_EQ(read_transcript(R"({"error":{"message":"too loud"}})").error().reason,
            "upstream_error");
}

TEST(OpenAiAudio, events_give_pieces_and_the_end) {
  auto delta = read_transcript_event(R"({"type":"transcript.text.delta","delta":"one "})");
  ASSERT_TRUE(delta.ok() && *delta);
  EXPECT_EQ((*delta)->delta, "one ");
  EXPECT_EQ((*delta)->logprobs, "");
  auto sure = read_transcript_event(
      R"({"type":"transcript.text.delta","delta":"x","logprobs":[{"token":"x"}]})");
  ASSERT_TRUE(sure.ok() && *sure);
  EXPECT_EQ((*sure)->logprobs, R"([{"token":"x"}])");
  auto done = read_transcript_event(R"({"type":"transcript.text.done","text":"one two",
      "usage":{"type":"tokens"},"logprobs":[{"token":"y"}]})");
  ASSERT_TRUE(done.ok() && *done);
  EXPECT_EQ((*done)->whole->usage, R"({"type":"tokens"})");
  EXPECT_EQ((*done)->whole->logprobs, R"([{"token":"y"}])");
  EXPECT_EQ((*done)->whole->text, "one two");
  auto other = read_transcript_event(R"({"type":"transcript.text.segment","text":"x"})");
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE(*other);
  EXPECT_FALSE(read_transcript_event(R"({"type":"transcript.text.done"})").ok());
  EXPECT_FALSE(read_transcript_event(R"({"error":"x"})").ok());
}

TEST(OpenAiAudio, a_content_type_says_which_form_came) {
  EXPECT_EQ(form_of("audio/mpeg", AudioForm::wav), AudioForm::mp3);
  EXPECT_EQ(form_of("Audio/WAV; rate=8", AudioForm::mp3), AudioForm::wav);
  EXPECT_EQ(form_of("", AudioForm::opus), AudioForm::opus);
  EXPECT_EQ(form_of("application/octet-stream", AudioForm::pcm), AudioForm::pcm);
  EXPECT_EQ(form_of("audio/x-strange", AudioForm::flac), AudioForm::flac);
  EXPECT_FALSE(form_of("text/html", AudioForm::mp3));
  EXPECT_FALSE(form_of("application/json", AudioForm::mp3));
}

TEST(OpenAiAudio, speech_is_asked_for_with_a_voice_and_nothing_that_was_not_said) {
  SpeechRequest request;
  request.text = "say \"it\"";
  EXPECT_EQ(speech_body(request, "tts"),
            R"({"model":"tts","input":"say \"it\"","voice":"alloy","response_format":"mp3"})");
  request.voice = "nova";
  request.speed = 1.5;
  request.form = AudioForm::opus;
  request.instructions = "softly";
  EXPECT_EQ(speech_body(request, "tts"),
            R"({"model":"tts","input":"say \"it\"","voice":"nova","response_format":"opus",)"
            R"("speed":1.5,"instructions":"softly"})");
}

TEST(OpenAiAudio, voices_are_names_or_objects) {
  auto got = read_voices(R"({"voices":["a",{"id":"b","name":"Bee"},{"voice_id":"c"},{},7]})");
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].id, "a");
  EXPECT_EQ(got[1].name, "Bee");
  EXPECT_EQ(got[2].id, "c");
  EXPECT_TRUE(read_voices("nonsense").empty());
}

}  // namespace
}  // namespace mainstay::models::openai
