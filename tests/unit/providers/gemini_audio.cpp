// Recordings and speech in Gemini's generateContent.
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/json_fields.h"
#include "models/gemini/audio.h"

namespace mainstay::models::gemini {
namespace {

TEST(GeminiAudio, a_recording_is_sent_inline_with_a_prompt) {
  TranscribeRequest request;
  request.mime = "audio/mpeg";
  request.language = "de";
  request.temperature = 0.5;
  auto body = parse_json(transcribe_body(request, "bytes"));
  ASSERT_TRUE(body.ok());
  const Json& parts = (*body)["contents"][0]["parts"];
  EXPECT_EQ(parts[1]["inlineData"]["mimeType"], "audio/mpeg");
  EXPECT_EQ(from_base64(parts[1]["inlineData"]["data"].get<std::string>()), "bytes");
  EXPECT_EQ((*body)["generationConfig"]["temperature"], 0.5);
  request.translate = true;
  EXPECT_NE(transcribe_body(request, "x").find("into English"), std::string::npos);
}

TEST(GeminiAudio, a_reply_is_its_text_without_thoughts) {
  auto got = read_transcript(
      R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":" hi "}]},
          "finishReason":"STOP"}]})");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->text, "hi");
  EXPECT_EQ(read_transcript(R"({"promptFeedback":{"blockReason":"SAFETY"}})").error().reason,
            "upstream_error");
  EXPECT_EQ(read_transcript("[]").error().reason, "upstream_bad_reply");
}

TEST(GeminiAudio, a_text_is_spoken_in_parts_the_first_one_short) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "This is a sentence of some length, number so and so. ";
  const auto parts = spoken_parts(text);
  ASSERT_GT(parts.size(), 2U);
  EXPECT_LE(parts[0].size(), 200U);
  std::size_t all = 0;
  for (const auto& part : parts) {
    EXPECT_LE(part.size(), 1200U);
    all += part.size() + 1;
  }
  EXPECT_EQ(all, text.size());
  EXPECT_TRUE(spoken_parts(" ").empty());
}

TEST(GeminiAudio, sound_is_pcm_with_its_rate_and_anything_else_is_a_bad_reply) {
  const auto reply = [](const std::string& mime, const std::string& data) {
    return R"({"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":")" + mime +
           R"(","data":")" + data + R"("}}]},"finishReason":"STOP"}]})";
  };
  auto got = read_speech(reply("audio/L16;codec=pcm;rate=16000", to_base64("abcde")));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->pcm, "abcd");
  EXPECT_EQ(got->shape.rate, 16'000U);
  EXPECT_EQ(read_speech(reply("audio/pcm", to_base64("ab")))->shape.rate, 24'000U);
  for (const auto& bad :
       {reply("audio/mpeg", "YWI="), reply("audio/L16;rate=1", "YWI="), reply("audio/L16", "%"),
        reply("audio/L16", ""), std::string(R"({"candidates":[{"content":{"parts":[{}]}}]})")}) {
    EXPECT_EQ(read_speech(bad).error().reason, "upstream_bad_reply") << bad;
  }
}

TEST(GeminiAudio, a_voice_of_openai_means_the_usual_one) {
  SpeechRequest request;
  request.voice = "alloy";
  EXPECT_NE(speech_body(request, "hi").find("\"voiceName\":\"Kore\""), std::string::npos);
  request.voice = "Puck";
  EXPECT_NE(speech_body(request, "hi").find("\"voiceName\":\"Puck\""), std::string::npos);
  EXPECT_EQ(prebuilt_voices().size(), 30U);
}

}  // namespace
}  // namespace mainstay::models::gemini
