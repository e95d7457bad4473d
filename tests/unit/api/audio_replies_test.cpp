// Transcripts as JSON, SubRip, WebVTT and events.
#include <gtest/gtest.h>

#include "api/audio_replies.h"
#include "base/json_fields.h"

namespace mainstay::api {
namespace {

models::Transcript spoken() {
  models::Transcript out;
  out.text = "hello there \"you\"";
  out.language = "en";
  out.seconds = 3.2504;
  out.segments = {{0, 1.5, " hello\nthere ", 0.5}, {1.5, 3.2504, "\"you\" --> x", std::nullopt}};
  out.words = {{0.1, 0.6, "hello"}};
  return out;
}

std::string as(TranscriptForm form, bool words = false) {
  TranscriptWish wish;
  wish.form = form;
  wish.words = words;
  return transcript_text(spoken(), wish);
}

TEST(TranscriptReplies, times_are_written_as_cues_want_them) {
  EXPECT_EQ(cue_time(0, ','), "00:00:00,000");
  EXPECT_EQ(cue_time(3661.0015, '.'), "01:01:01.002");
  EXPECT_EQ(cue_time(59.9996, ','), "00:01:00,000");
  EXPECT_EQ(cue_time(-1, ','), "00:00:00,000");
  EXPECT_EQ(cue_time(360'000, ','), "100:00:00,000");
}

TEST(TranscriptReplies, json_and_text_hold_the_text) {
  auto json = parse_json(as(TranscriptForm::json));
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(string_field(*json, "text"), spoken().text);
  EXPECT_EQ(as(TranscriptForm::text), spoken().text + "\n");
}

TEST(TranscriptReplies, cues_cannot_be_broken_by_their_text) {
  EXPECT_EQ(as(TranscriptForm::srt),
            "1\n00:00:00,000 --> 00:00:01,500\nhello there\n\n"
            "2\n00:00:01,500 --> 00:00:03,250\n\"you\" -> x\n\n");
  EXPECT_TRUE(as(TranscriptForm::vtt).starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n"));
}

TEST(TranscriptReplies, verbose_json_has_every_member_that_strict_clients_want) {
  auto json = parse_json(as(TranscriptForm::verbose_json, true));
  ASSERT_TRUE(json.ok());
  const Json& segments = array_field(*json, "segments");
  ASSERT_EQ(segments.size(), 2U);
  for (const char* key : {"id", "seek", "start", "end", "text", "tokens", "temperature",
                          "avg_logprob", "compression_ratio", "no_speech_prob"}) {
    EXPECT_TRUE(segments[0].contains(key)) << key;
  }
  EXPECT_LT(segments[0]["avg_logprob"].get<double>(), 0);
  EXPECT_EQ(array_field(*json, "words").size(), 1U);
  EXPECT_EQ(field(*json, "duration").get<double>(), 3.25);
  TranscriptWish only_words;
  only_words.form = TranscriptForm::verbose_json;
  only_words.words = true;
  only_words.segments = false;
  auto without = parse_json(transcript_text(spoken(), only_words));
  EXPECT_FALSE(without->contains("segments"));
}

TEST(TranscriptReplies, what_an_engine_tells_is_told_and_not_made_zero) {
  models::Transcript whole = spoken();
  whole.segments[0].facts = {.seek = 12,
                             .tokens = {5, 7},
                             .temperature = 0.4,
                             .avg_logprob = -0.25,
                             .compression_ratio = 1.5,
                             .no_speech_prob = 0.01};
  whole.usage = R"({"type":"tokens","input_tokens":3})";
  TranscriptWish wish;
  wish.form = TranscriptForm::verbose_json;
  wish.temperature = 0.9;
  auto json = parse_json(transcript_text(whole, wish));
  ASSERT_TRUE(json.ok());
  const Json& first = array_field(*json, "segments")[0];
  EXPECT_EQ(first["seek"], 12);
  EXPECT_EQ(first["tokens"], Json::array({5, 7}));
  EXPECT_EQ(first["temperature"], 0.4);
  EXPECT_EQ(first["avg_logprob"], -0.25);
  EXPECT_EQ(first["compression_ratio"], 1.5);
  EXPECT_EQ(first["no_speech_prob"], 0.01);
  const Json& other = array_field(*json, "segments")[1];
  EXPECT_EQ(other["temperature"], 0.9);
  EXPECT_EQ(other["compression_ratio"], 0);
  EXPECT_EQ((*json)["usage"]["input_tokens"], 3);
}

TEST(TranscriptReplies, usage_and_logprobs_go_into_json_and_events) {
  models::Transcript whole;
  whole.text = "x";
  TranscriptWish wish;
  EXPECT_EQ(transcript_text(whole, wish), R"({"text":"x"})");
  whole.seconds = 1.5;
  EXPECT_EQ(transcript_text(whole, wish),
            R"({"text":"x","usage":{"type":"duration","seconds":2}})");
  whole.usage = R"({"type":"tokens"})";
  whole.logprobs = R"([{"token":"x"}])";
  EXPECT_EQ(transcript_text(whole, wish),
            R"({"text":"x","logprobs":[{"token":"x"}],"usage":{"type":"tokens"}})");
  EXPECT_EQ(done_event(whole),
            "data: {\"type\":\"transcript.text.done\",\"text\":\"x\","
            "\"logprobs\":[{\"token\":\"x\"}],\"usage\":{\"type\":\"tokens\"}}\n\n");
  models::TranscriptPiece piece;
  piece.delta = "x";
  piece.logprobs = "[1]";
  EXPECT_EQ(delta_event(piece),
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\"x\",\"logprobs\":[1]}\n\n");
}

TEST(TranscriptReplies, events_are_one_line_each) {
  models::TranscriptPiece piece;
  piece.delta = "a\nb\"c";
  const std::string delta = delta_event(piece);
  EXPECT_EQ(delta, "data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\\nb\\\"c\"}\n\n");
  const std::string done = done_event(spoken());
  EXPECT_TRUE(done.starts_with("data: {\"type\":\"transcript.text.done\",\"text\":\"hello there"));
  EXPECT_EQ(done.find('\n'), done.size() - 2);
}

TEST(TranscriptReplies, forms_are_known_by_name_and_by_whether_they_show_times) {
  EXPECT_EQ(transcript_form("vtt"), TranscriptForm::vtt);
  EXPECT_FALSE(transcript_form("diarized_json"));
  EXPECT_FALSE(transcript_form(""));
  EXPECT_TRUE(has_times(TranscriptForm::srt));
  EXPECT_FALSE(has_times(TranscriptForm::text));
}

}  // namespace
}  // namespace mainstay::api
