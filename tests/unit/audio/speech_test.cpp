// Speech made and heard by the built-in engines, through the real process.
// proves Z13
#include "unit/audio/rig.h"

namespace mainstay::audio::test {
namespace {

using media::AudioFormat;

/// The voice of eSpeak NG that the recogniser understands best.
constexpr const char* kVoice = "en-us+f2";

struct Speech : Rig {
  bool speaks() {
    const auto means = run(audio->means(soon()));
    return means->speaks;
  }
  bool hears() {
    const auto means = run(audio->means(soon()));
    return means->hears;
  }
};

TEST_F(Speech, what_the_machine_has_is_asked_once) {
  const auto means = run(audio->means(soon()));
  EXPECT_TRUE(means->decodes) << means->why;
  EXPECT_FALSE(means->ffmpeg.empty());
  EXPECT_EQ(run(audio->means(soon())), means);
  ASSERT_TRUE(means->speaks);
  EXPECT_GT(means->voices.size(), 50u);
  ASSERT_NE(media::find_voice(*means, "de"), nullptr);
  EXPECT_EQ(media::find_voice(*means, "EN-US")->id, "en-us");
  EXPECT_EQ(media::find_voice(*means, "fr")->language.substr(0, 2), "fr");
  EXPECT_EQ(media::find_voice(*means, "xx"), nullptr);
  EXPECT_EQ(media::find_voice(*means, ""), nullptr);
  EXPECT_EQ(media::find_voice(*means, "e"), nullptr);
}

TEST_F(Speech, hearing_takes_as_long_as_whoever_asked_waits) {
  ASSERT_TRUE(hears());
  auto said = spoken("One two three four five six seven eight nine ten. Go forward ten meters.");
  ASSERT_TRUE(said.ok());
  settings.deadline = milliseconds(100);  // of any other work; the model alone takes longer
  make(AUDIO);
  auto text = heard(said->bytes);
  ASSERT_TRUE(text.ok()) << text.error().reason;
  EXPECT_FALSE(text->text.empty());
}

TEST_F(Speech, a_variant_of_a_voice_is_one_that_there_is) {
  const auto means = run(audio->means(soon()));
  ASSERT_TRUE(means->speaks);
  EXPECT_GT(means->variants.size(), 20u);
  EXPECT_EQ(media::voice_for(*means, "en-us"), "en-us");
  EXPECT_EQ(media::voice_for(*means, "en-us+f2"), "en-us+f2");
  EXPECT_EQ(media::voice_for(*means, "EN-US+Whisper"), "en-us+whisper");
  EXPECT_EQ(media::voice_for(*means, "de+m3"), "de+m3");
  for (const char* none :
       {"en-us+", "en-us+nobody", "en-us+f2+m3", "+f2", "xx+f2", "en-us+../../etc/passwd", "+"}) {
    EXPECT_EQ(media::voice_for(*means, none), std::nullopt) << none;
  }
  auto usual = spoken("The library opens at nine.", AudioFormat::pcm, "en-us");
  auto other = spoken("The library opens at nine.", AudioFormat::pcm, "en-us+f2");
  ASSERT_TRUE(usual.ok() && other.ok());
  EXPECT_NE(usual->bytes, other->bytes);
}

TEST_F(Speech, comes_piece_by_piece_and_can_be_decoded) {
  for (const auto format : {AudioFormat::wav, AudioFormat::mp3, AudioFormat::opus,
                            AudioFormat::flac, AudioFormat::aac}) {
    auto made = spoken("The library opens at nine. It closes at six in the evening.", format);
    ASSERT_TRUE(made.ok()) << name(format) << ": " << made.error().detail;
    EXPECT_GT(made->pieces, 2u) << name(format);
    EXPECT_GT(made->summary.seconds, 2.0);
    EXPECT_LT(made->summary.seconds, 8.0);
    media::DecodeWish wish;
    wish.voice = true;
    auto back = decoded(made->bytes, wish);
    ASSERT_TRUE(back.ok()) << name(format) << ": " << back.error().detail;
    EXPECT_NEAR(back->summary.seconds, made->summary.seconds, 0.15) << name(format);
    EXPECT_FALSE(back->voice.empty()) << name(format);
  }
  auto pcm = spoken("Yes.", AudioFormat::pcm);
  ASSERT_TRUE(pcm.ok());
  EXPECT_EQ(pcm->bytes.size(), pcm->summary.samples * 2);
}

TEST_F(Speech, is_faster_or_slower_as_asked) {
  const auto length = [this](double speed) {
    media::SpeakWish wish;
    wish.text = "One two three four five six seven eight.";
    wish.speed = speed;
    auto made = run(say(wish));
    return made.ok() ? made->summary.seconds : 0;
  };
  const double usual = length(1);
  EXPECT_GT(length(0.5), usual * 1.5);
  EXPECT_LT(length(2), usual * 0.75);
  EXPECT_GT(length(0.25), 0);
  EXPECT_GT(length(4), 0);
  EXPECT_EQ(length(0.24), 0);
  EXPECT_EQ(length(4.01), 0);
}

TEST_F(Speech, wrong_wishes_are_refused) {
  const auto reason = [this](media::SpeakWish wish) {
    auto made = run(say(std::move(wish)));
    return made.ok() ? "fine" : made.error().reason;
  };
  EXPECT_EQ(reason({.text = ""}), "text_required");
  EXPECT_EQ(reason({.text = " \n\t "}), "text_required");
  EXPECT_EQ(reason({.text = "hello", .voice = "nobody-at-all"}), "voice_unknown");
  EXPECT_EQ(reason({.text = "hello", .voice = "../../../../etc/passwd"}), "voice_unknown");
  EXPECT_EQ(reason({.text = "hello", .voice = std::string(65, 'v')}), "voice_unknown");
  for (const char* voice : {"de", "en-gb", "en-gb-x-rp+f3", "fr-fr", "cmn", "en"}) {
    EXPECT_EQ(reason({.text = "hello", .voice = voice}), "fine") << voice;
  }
  settings.text_max = Bytes{10};
  make(AUDIO);
  EXPECT_EQ(reason({.text = "nine char"}), "fine");
  EXPECT_EQ(reason({.text = "ten chars."}), "fine");
  EXPECT_EQ(reason({.text = "eleven char"}), "text_too_long");
}

TEST_F(Speech, text_of_any_kind_is_spoken_without_harm) {
  for (const std::string& text :
       {std::string("a\0b", 3), std::string("\x01\x02\x1b[31m red"), std::string("[[h@'l@U]] <b>x"),
        std::string("\xff\xfe broken"), std::string("\xe2\x82\xac 5 \xf0\x9f\x98\x80"),
        std::string(5000, 'a'), std::string("<speak><audio src=\"/etc/passwd\"/></speak> and")}) {
    auto made = spoken(text, AudioFormat::pcm);
    EXPECT_TRUE(made.ok()) << made.error().detail;
  }
  EXPECT_EQ(audio->speaking().failed, 0u);
}

TEST_F(Speech, spoken_commands_are_heard) {
  if (!hears()) GTEST_SKIP() << "no model of PocketSphinx here";
  auto made = spoken("One two three four five.", AudioFormat::wav, kVoice);
  ASSERT_TRUE(made.ok());
  auto out = heard(made->bytes);
  ASSERT_TRUE(out.ok()) << out.error().detail;
  EXPECT_EQ(out->text, "one two three four five");
  ASSERT_EQ(out->segments.size(), 1u);
  EXPECT_LT(out->segments[0].start, 0.5);
  EXPECT_GT(out->segments[0].end, 0.8);
  EXPECT_LE(out->segments[0].end, out->summary.seconds);
}

TEST_F(Speech, sentences_apart_become_segments_with_their_times) {
  if (!hears()) GTEST_SKIP() << "no model of PocketSphinx here";
  auto first = spoken("One two three four five.", AudioFormat::pcm, kVoice);
  auto second = spoken("Stop the music.", AudioFormat::pcm, kVoice);
  ASSERT_TRUE(first.ok() && second.ok());
  const std::string pause(media::kSpokenRate * 2 * 2, '\0');
  auto out = run(listen(input_of(first->bytes + pause + second->bytes, media::kSpokenRate)));
  ASSERT_TRUE(out.ok()) << out.error().detail;
  ASSERT_EQ(out->segments.size(), 2u) << out->text;
  EXPECT_GT(out->segments[1].start, out->segments[0].end + 1.5);
  EXPECT_NEAR(out->segments[1].start, first->summary.seconds + 2, 0.6);
}

TEST_F(Speech, silence_and_noise_give_no_word) {
  if (!hears()) GTEST_SKIP() << "no model of PocketSphinx here";
  auto silence = heard(make_file({"wav", "pcm_s16le", 16'000, 1, 0, {}}, silence_of(3, 16'000)));
  ASSERT_TRUE(silence.ok());
  EXPECT_TRUE(silence->segments.empty());
  EXPECT_NEAR(silence->summary.seconds, 3, 0.01);
  EXPECT_EQ(heard("no sound at all").error().reason, "audio_format");
}

TEST_F(Speech, without_a_model_the_recogniser_says_so_and_the_rest_works) {
  settings.model = "/nonexistent/model";
  make(AUDIO);
  auto out = heard(wav_of(std::string(32'000, '\x11'), 1, 1, 16'000, 16));
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().reason, "recogniser_missing");
  EXPECT_EQ(out.error().code, Errc::unavailable);
  const auto means = run(audio->means(soon()));
  EXPECT_FALSE(means->hears);
  EXPECT_TRUE(means->speaks);
  EXPECT_NE(means->why.find("sound.model"), std::string::npos);
  EXPECT_TRUE(spoken("Yes.").ok());
}

TEST_F(Speech, without_the_program_every_verb_says_so) {
  for (const char* program : {"", "/nonexistent/mainstay-audio"}) {
    make(program);
    EXPECT_EQ(outcome(wav_of("xx", 1, 1, 16'000, 16)), "audio_missing");
    EXPECT_EQ(spoken("Yes.").error().reason, "audio_missing");
    EXPECT_EQ(heard("x").error().reason, "audio_missing");
    const auto means = run(audio->means(soon()));
    EXPECT_FALSE(means->decodes || means->speaks || means->hears);
    EXPECT_FALSE(means->why.empty());
  }
}

}  // namespace
}  // namespace mainstay::audio::test
