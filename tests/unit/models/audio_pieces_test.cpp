// The pure parts of speech: how a text is cut, names of forms, WAV heads, transcripts in order, the
// bounds of the speech cache, recordings in memory.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/speech_cache.h"
#include "models/synthesize.h"
#include "models/transcribe.h"

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;
using Pieces = std::vector<std::string>;

TEST(SpokenPieces, a_text_is_cut_at_its_sentences) {
  EXPECT_EQ(spoken_pieces("One. Two! Three? Four", 100),
            (Pieces{"One.", "Two!", "Three?", "Four"}));
  EXPECT_EQ(spoken_pieces("Title\n\nText without a mark", 100),
            (Pieces{"Title", "Text without a mark"}));
  EXPECT_EQ(spoken_pieces("It costs 3.50 e.g. at J. Smith's. Right.", 100),
            (Pieces{"It costs 3.50 e.g. at J. Smith's.", "Right."}));
  EXPECT_EQ(spoken_pieces("So it is so. Dr. Who is in. Go.", 100),
            (Pieces{"So it is so.", "Dr. Who is in.", "Go."}));
  EXPECT_EQ(spoken_pieces("", 100), Pieces{});
  EXPECT_EQ(spoken_pieces(" \n . \n", 100), Pieces{"."});
}

TEST(SpokenPieces, a_long_sentence_is_cut_between_words_and_never_inside_a_character) {
  const Pieces got = spoken_pieces("one two three, four five six seven", 16);
  for (const auto& piece : got) EXPECT_LE(piece.size(), 16U);
  EXPECT_EQ(got.front(), "one two three,");
  std::string all;
  for (const auto& piece : spoken_pieces("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc", 5)) {
    EXPECT_EQ(piece.size() % 2, 0U) << "a character was cut";
    all += piece;
  }
  EXPECT_EQ(all.size(), 12U);
}

TEST(AudioForms, names_and_types_are_told_apart) {
  for (const auto form : {AudioForm::mp3, AudioForm::wav, AudioForm::opus, AudioForm::flac,
                          AudioForm::pcm, AudioForm::aac}) {
    EXPECT_EQ(audio_form(name(form)), form);
    EXPECT_TRUE(mime_of(form).starts_with("audio/"));
  }
  EXPECT_FALSE(audio_form("mp4"));
  EXPECT_FALSE(audio_form(""));
  EXPECT_TRUE(is_openai_voice("alloy"));
  EXPECT_FALSE(is_openai_voice("en-us"));
}

TEST(WavHead, it_says_rate_channels_and_length) {
  const std::string head = wav_head({AudioForm::wav, 22'050, 1}, 1000);
  ASSERT_EQ(head.size(), 44U);
  EXPECT_EQ(head.substr(0, 4), "RIFF");
  EXPECT_EQ(static_cast<unsigned char>(head[24]) | (static_cast<unsigned char>(head[25]) << 8),
            22'050);
  EXPECT_EQ(static_cast<unsigned char>(head[40]) | (static_cast<unsigned char>(head[41]) << 8),
            1000);
  EXPECT_EQ(wav_head({AudioForm::wav, 24'000, 1}, 0).substr(40), "\xff\xff\xff\xff");
}

TEST(CheckTranscript, what_cannot_be_is_refused_and_the_rest_put_in_order) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Segment& wrong :
       {Segment{-1, 2, "x", {}}, Segment{0, nan, "x", {}}, Segment{nan, 2, "x", {}},
        Segment{0, std::numeric_limits<double>::infinity(), "x", {}}}) {
    Transcript got;
    got.text = "x";
    got.segments = {wrong};
    EXPECT_FALSE(check_transcript(false, got).ok());
  }
  Transcript got;
  got.text = "a\xff";
  got.segments = {{3, 1, "b\xff", 7.0}};
  ASSERT_TRUE(check_transcript(true, got).ok());
  EXPECT_EQ(got.segments[0].end, 3);
  EXPECT_EQ(got.seconds, 3);
  EXPECT_FALSE(got.segments[0].confidence);
  EXPECT_EQ(got.text.find('\xff'), std::string::npos);
  Transcript silent;
  ASSERT_TRUE(check_transcript(true, silent).ok());
  EXPECT_TRUE(silent.segments.empty());
}

class Cache : public ::testing::Test {
 protected:
  static std::shared_ptr<const KeptSpeech> speech(std::size_t size, const char* tenant = "a") {
    KeptSpeech out;
    out.bytes = std::string(size, 's');
    out.tenant = TenantId(tenant);
    return std::make_shared<const KeptSpeech>(std::move(out));
  }
  static CacheKey key(const std::string& text) {
    SpeechRequest request;
    request.text = text;
    return speech_key(request, "m");
  }
  Cache() {
    settings.cache_max = Bytes(10'000);
    settings.cache_entry_max = Bytes(4000);
    settings.cache_ttl = 60s;
  }
  AudioSettings settings;
  Metrics metrics;
};

TEST_F(Cache, an_entry_at_its_limit_is_kept_and_one_byte_more_is_not) {
  SpeechCache cache(settings, metrics);
  for (const auto& [size, kept] : {std::pair{3999U, true}, {4000U, true}, {4001U, false}}) {
    cache.put(key(std::to_string(size)), speech(size));
    EXPECT_EQ(cache.find(key(std::to_string(size)), TimePoint{}) != nullptr, kept) << size;
  }
}

TEST_F(Cache, it_never_holds_more_than_its_bytes_and_what_was_not_used_leaves_first) {
  SpeechCache cache(settings, metrics);
  for (const char* text : {"1", "2", "3"}) cache.put(key(text), speech(2600));
  EXPECT_NE(cache.find(key("1"), TimePoint{}), nullptr);  // used again
  cache.put(key("4"), speech(2600));
  EXPECT_LE(cache.bytes(), 10'000U);
  EXPECT_NE(cache.find(key("1"), TimePoint{}), nullptr);
  EXPECT_EQ(cache.find(key("2"), TimePoint{}), nullptr);
}

TEST_F(Cache, what_is_old_is_gone_and_bytes_are_given_back) {
  SpeechCache cache(settings, metrics);
  cache.put(key("1"), speech(1000, "a"));
  cache.put(key("2"), speech(1000, "b"));
  EXPECT_NE(cache.find(key("1"), TimePoint{} + 60s - 1ns), nullptr);
  EXPECT_EQ(cache.find(key("1"), TimePoint{} + 60s), nullptr);
  cache.put(key("1"), speech(1000, "a"));
  EXPECT_EQ(cache.forget(TenantId("a")), 1U);
  EXPECT_EQ(cache.shrink(1), 1000 + SpeechCache::kEntryOverhead);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST_F(Cache, everything_that_changes_the_sound_is_part_of_the_key) {
  SpeechRequest base;
  base.text = "t";
  const auto differs = [&](auto change) {
    SpeechRequest other = base;
    change(other);
    return !(speech_key(other, "m") == speech_key(base, "m"));
  };
  EXPECT_TRUE(differs([](auto& r) { r.text = "T"; }));
  EXPECT_TRUE(differs([](auto& r) { r.voice = "v"; }));
  EXPECT_TRUE(differs([](auto& r) { r.language = "de"; }));
  EXPECT_TRUE(differs([](auto& r) { r.instructions = "i"; }));
  EXPECT_TRUE(differs([](auto& r) { r.speed = 1.01; }));
  EXPECT_TRUE(differs([](auto& r) { r.form = AudioForm::wav; }));
  EXPECT_TRUE(differs([](auto& r) { r.tenant = TenantId("x"); }));
  EXPECT_FALSE(speech_key(base, "m") == speech_key(base, "n"));
  EXPECT_FALSE(differs([](auto& r) { r.traceparent = "x"; }));
}

TEST(RecordingInMemory, it_is_read_in_blocks_of_any_size) {
  RealClock clock;
  auto made = Recording::in_memory("0123456789", clock);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made)->bytes(), 10U);
  char block[4];
  EXPECT_EQ((*made)->read_now(8, block, 4), 2);
  EXPECT_EQ(std::string(block, 2), "89");
  EXPECT_EQ((*made)->read_now(10, block, 4), 0);
}

}  // namespace
}  // namespace mainstay::models
