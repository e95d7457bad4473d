// Files through the real process: each format, every fault of row 42, limits at their edges.
// proves M11 Z6
#include <limits>

#include "unit/audio/rig.h"

namespace mainstay::audio::test {
namespace {

struct Files : Rig {};

double rms(const std::string& pcm) {
  double power = 0;
  for (std::size_t i = 0; i + 1 < pcm.size(); i += 2) {
    const auto word = static_cast<std::int16_t>(static_cast<unsigned char>(pcm[i]) |
                                                static_cast<unsigned char>(pcm[i + 1]) << 8);
    power += static_cast<double>(word) * word;
  }
  return std::sqrt(power / std::max<double>(static_cast<double>(pcm.size()) / 2, 1)) / 32768;
}

TEST_F(Files, every_format_becomes_the_same_sound) {
  const auto mono = signal_of(4, 48'000);
  const auto plain = decoded(make_file({"wav", "pcm_s16le", 48'000, 1, 0, {}}, mono));
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->pcm.size(), 4u * media::kVoiceRate * 2);
  const double level = rms(plain->pcm);
  EXPECT_GT(level, 0.1);
  struct Case {
    Recipe recipe;
    const char* codec;
    const char* container;
  };
  const Case cases[] = {
      {{"wav", "pcm_s16le", 48'000, 1, 0, {}}, "pcm_s16le", "wav"},
      {{"wav", "pcm_f32le", 48'000, 1, 0, {}}, "pcm_f32le", "wav"},
      {{"wav", "pcm_u8", 48'000, 1, 0, {}}, "pcm_u8", "wav"},
      {{"flac", "flac", 48'000, 1, 0, {}}, "flac", "flac"},
      {{"mp3", "libmp3lame", 48'000, 1, 96'000, {}}, "mp3", "mp3"},
      {{"adts", "aac", 48'000, 1, 96'000, {}}, "aac", "aac"},
      {{"ipod", "aac", 48'000, 1, 96'000, {}}, "aac", "mov"},
      {{"mp4", "aac", 48'000, 1, 96'000, {{"movflags", "frag_keyframe+empty_moov"}}}, "aac", "mov"},
      {{"ogg", "libopus", 48'000, 1, 64'000, {}}, "opus", "ogg"},
      {{"ogg", "libvorbis", 48'000, 1, 96'000, {}}, "vorbis", "ogg"},
      {{"webm", "libopus", 48'000, 1, 64'000, {}}, "opus", "matroska"},
      {{"matroska", "flac", 48'000, 1, 0, {}}, "flac", "matroska"},
  };
  for (const Case& one : cases) {
    const auto out = decoded(make_file(one.recipe, mono));
    const std::string what = one.recipe.encoder + " in " + one.recipe.muxer;
    ASSERT_TRUE(out.ok()) << what << ": " << out.error().detail;
    EXPECT_EQ(out->facts.codec, one.codec) << what;
    EXPECT_EQ(out->facts.container, one.container) << what;
    EXPECT_EQ(out->facts.rate, 48'000u) << what;
    EXPECT_EQ(out->facts.channels, 1u) << what;
    EXPECT_NEAR(out->summary.seconds, 4, 0.15) << what;
    EXPECT_EQ(out->summary.samples * 2, out->pcm.size()) << what;
    EXPECT_NEAR(rms(out->pcm), level, level * 0.15) << what;
    EXPECT_FALSE(out->summary.cut_off) << what;
    EXPECT_EQ(out->summary.bad, 0u) << what;
  }
  EXPECT_EQ(audio->decoding().started, 1u) << "one process read them all";
}

TEST_F(Files, sixteen_kilohertz_come_through_unchanged) {
  std::vector<std::int16_t> words;
  for (int i = 0; i < 20'000; ++i) words.push_back(static_cast<std::int16_t>(i * 37));
  const std::string pcm = bytes_of(words);
  auto out = decoded(wav_of(pcm, 1, 1, 16'000, 16));
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE(out->pcm == pcm);
  auto bare = run(decode(input_of(pcm, 16'000), {}));
  ASSERT_TRUE(bare.ok());
  EXPECT_TRUE(bare->pcm == pcm);
  EXPECT_EQ(bare->facts.container, "pcm");
}

TEST_F(Files, bad_sound_what_is_no_sound_is_refused_with_a_reason) {
  EXPECT_EQ(outcome(""), "file_empty");
  EXPECT_EQ(outcome("x"), "audio_format");
  EXPECT_EQ(outcome(std::string(100'000, '\0')), "audio_format");
  EXPECT_EQ(outcome("This is a letter, called voice.mp3."), "audio_format");
  EXPECT_EQ(outcome("%PDF-1.4 a document"), "audio_format");
  EXPECT_EQ(outcome("\x89PNG\r\n\x1a\n"), "audio_format");
  EXPECT_EQ(outcome(std::string("RIFF\x24\0\0\0WAVE", 12)), "audio_damaged");
  EXPECT_EQ(outcome("OggS and then nothing of the kind"), "audio_damaged");
  EXPECT_EQ(outcome("fLaC" + std::string(500, 'x')), "audio_damaged");
  EXPECT_EQ(outcome("\x1a\x45\xdf\xa3" + std::string(500, 'x')), "audio_damaged");
  EXPECT_EQ(outcome(std::string("\0\0\0\x10"
                                "ftypM4A ....",
                                16)),
            "audio_damaged");
  EXPECT_EQ(outcome(wav_of("", 1, 1, 16'000, 16)), "audio_no_sound");
  EXPECT_EQ(audio->decoding().failed, 0u) << "and none of it costs a process";
}

TEST_F(Files, bad_sound_a_mislabelled_file_is_what_its_bytes_say) {
  // A WAV that holds MP3, as some recorders write.
  const std::string mp3 =
      make_file({"mp3", "libmp3lame", 44'100, 1, 64'000, {}}, signal_of(2, 44'100));
  auto out = decoded(mp3);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->facts.codec, "mp3");
  EXPECT_EQ(outcome(wav_of(std::string(4000, 'x'), 0x1234, 1, 16'000, 16)), "audio_codec");
}

TEST_F(Files, bad_sound_a_file_that_was_cut_off_gives_what_there_is_and_says_so) {
  const auto mono = signal_of(10, 44'100);
  const Recipe recipes[] = {{"wav", "pcm_s16le", 44'100, 1, 0, {}},
                            {"flac", "flac", 44'100, 1, 0, {}},
                            {"ogg", "libvorbis", 44'100, 1, 64'000, {}},
                            {"webm", "libvorbis", 44'100, 1, 64'000, {}}};
  for (const Recipe& recipe : recipes) {
    const std::string file = make_file(recipe, mono);
    auto out = decoded(file.substr(0, file.size() / 2));
    ASSERT_TRUE(out.ok()) << recipe.muxer << ": " << out.error().detail;
    EXPECT_GT(out->summary.seconds, 3) << recipe.muxer;
    EXPECT_LT(out->summary.seconds, 7) << recipe.muxer;
    if (recipe.muxer == "wav" || recipe.muxer == "flac") {
      EXPECT_TRUE(out->summary.cut_off) << recipe.muxer;
    }
  }
  const std::string m4a = make_file({"ipod", "aac", 44'100, 1, 64'000, {}}, mono);
  EXPECT_EQ(outcome(m4a.substr(0, m4a.size() / 2)), "audio_damaged")
      << "without the index at its end nothing can be found in it";
}

TEST_F(Files, bad_sound_an_encrypted_file_is_told_apart_from_a_damaged_one) {
  const std::string file = make_file({"mp4",
                                      "aac",
                                      44'100,
                                      1,
                                      64'000,
                                      {{"encryption_scheme", "cenc-aes-ctr"},
                                       {"encryption_key", "76a6c65c5ea762046bd749a2e632ccbb"},
                                       {"encryption_kid", "a7e61c373e219033c21091fa607bf3b8"}}},
                                     signal_of(3, 44'100));
  EXPECT_EQ(outcome(file), "audio_encrypted");
}

TEST_F(Files, bad_sound_no_numbers_are_silence_and_counted_clipping_is_counted) {
  std::vector<float> samples(16'000, 0.25F);
  for (std::size_t i = 100; i < 200; ++i) samples[i] = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 300; i < 350; ++i) samples[i] = std::numeric_limits<float>::infinity();
  for (std::size_t i = 400; i < 460; ++i) samples[i] = 3.0F;
  auto out = decoded(wav_of(bytes_of(samples), 3, 1, 16'000, 32));
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->summary.bad, 150u);
  EXPECT_EQ(out->summary.clipped, 60u);
  EXPECT_EQ(out->pcm.size(), 32'000u);
}

TEST_F(Files, security_31_heads_that_lie_are_found_out) {
  const std::string second(32'000, '\x11');
  // A second of sound that claims to be ten hours.
  auto long_claim = decoded(wav_of(second, 1, 1, 16'000, 16, 36'000U * 32'000U));
  ASSERT_TRUE(long_claim.ok()) << long_claim.error().detail;
  EXPECT_NEAR(long_claim->summary.seconds, 1, 0.01);
  EXPECT_TRUE(long_claim->summary.cut_off);
  EXPECT_EQ(outcome(wav_of(second, 1, 0, 16'000, 16)), "audio_channels");
  EXPECT_EQ(outcome(wav_of(second, 1, 1, 3'999, 16)), "audio_rate");
  EXPECT_EQ(outcome(wav_of(second, 1, 1, 4'000, 16)), "fine");
  EXPECT_EQ(outcome(wav_of(second, 1, 1, 192'000, 16)), "fine");
  EXPECT_EQ(outcome(wav_of(second, 1, 1, 192'001, 16)), "audio_rate");
  EXPECT_EQ(outcome(wav_of(second, 1, 1, 0x7fffffff, 16)), "audio_rate");
  EXPECT_EQ(outcome(wav_of(second, 1, 7, 16'000, 16)), "fine");
  EXPECT_EQ(outcome(wav_of(second, 1, 8, 16'000, 16)), "fine");
  EXPECT_EQ(outcome(wav_of(second, 1, 9, 16'000, 16)), "audio_channels");
  EXPECT_NE(outcome(wav_of(second, 1, 60'000, 16'000, 16)), "fine");
}

TEST_F(Files, security_31_ten_hours_are_refused_at_the_limit_and_by_the_sound_itself) {
  settings.seconds_max = 2;
  make(AUDIO);
  const auto seconds_of = [](double seconds) {
    return std::string(static_cast<std::size_t>(seconds * 16'000) * 2, '\x11');
  };
  EXPECT_EQ(outcome(wav_of(seconds_of(1.9), 1, 1, 16'000, 16)), "fine");
  EXPECT_EQ(outcome(wav_of(seconds_of(2.0), 1, 1, 16'000, 16)), "fine");
  EXPECT_EQ(outcome(wav_of(seconds_of(2.1), 1, 1, 16'000, 16)), "audio_too_long");
  // Nothing in an ADTS stream says how long it is.
  const std::string adts = make_file({"adts", "aac", 44'100, 1, 32'000, {}}, signal_of(4, 44'100));
  EXPECT_EQ(outcome(adts), "audio_too_long");
  auto bare = run(decode(input_of(seconds_of(2.1), 16'000), {}));
  ASSERT_FALSE(bare.ok());
  EXPECT_EQ(bare.error().reason, "audio_too_long");
}

TEST_F(Files, bad_sound_silence_is_a_sound_without_voice) {
  media::DecodeWish wish;
  wish.voice = true;
  const auto quiet = silence_of(3, 16'000);
  auto out = decoded(make_file({"flac", "flac", 16'000, 1, 0, {}}, quiet), wish);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->pcm.size(), 3u * 32'000);
  EXPECT_TRUE(out->voice.empty());
  wish.drop_silence = true;
  auto cut = decoded(make_file({"flac", "flac", 16'000, 1, 0, {}}, quiet), wish);
  ASSERT_TRUE(cut.ok());
  EXPECT_TRUE(cut->pcm.empty());
  EXPECT_NEAR(cut->summary.seconds, 3, 0.01) << "it was still three seconds";
}

TEST_F(Files, voice_is_found_and_silence_left_out) {
  auto mono = silence_of(2, 22'050);
  const auto voice = signal_of(2, 22'050);
  mono.insert(mono.end(), voice.begin(), voice.end());
  const auto quiet = silence_of(2, 22'050);
  mono.insert(mono.end(), quiet.begin(), quiet.end());
  const std::string file = make_file({"wav", "pcm_s16le", 22'050, 1, 0, {}}, mono);
  media::DecodeWish wish;
  wish.voice = true;
  auto whole = decoded(file, wish);
  ASSERT_TRUE(whole.ok());
  ASSERT_EQ(whole->voice.size(), 1u);
  EXPECT_NEAR(static_cast<double>(whole->voice[0].start) / 16'000, 1.8, 0.1);
  EXPECT_NEAR(static_cast<double>(whole->voice[0].end) / 16'000, 4.2, 0.1);
  wish.drop_silence = true;
  auto cut = decoded(file, wish);
  ASSERT_TRUE(cut.ok());
  ASSERT_EQ(cut->voice.size(), 1u);
  EXPECT_EQ(cut->voice[0].start, whole->voice[0].start);
  EXPECT_EQ(cut->voice[0].end, whole->voice[0].end);
  EXPECT_EQ(cut->pcm.size() / 2, cut->voice[0].end - cut->voice[0].start);
  EXPECT_TRUE(cut->pcm == whole->pcm.substr(cut->voice[0].start * 2, cut->pcm.size()));
}

Co<Status> feed_all(std::unique_ptr<media::LiveFeed> feed, std::string bytes, std::size_t step,
                    Deadline by) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    auto fed = co_await feed->write(bytes.substr(at, step), by);
    if (!fed.ok()) co_return fed.error();
  }
  feed->end();
  co_return done();
}

TEST_F(Files, an_input_is_decoded_while_it_is_fed) {
  const auto mono = signal_of(5, 48'000);
  const Recipe recipes[] = {{"wav", "pcm_s16le", 48'000, 1, 0, {}},
                            {"webm", "libopus", 48'000, 1, 64'000, {}},
                            {"ogg", "libopus", 48'000, 1, 64'000, {}},
                            {"mp3", "libmp3lame", 48'000, 1, 64'000, {}},
                            {"flac", "flac", 48'000, 1, 0, {}}};
  for (const Recipe& recipe : recipes) {
    const std::string file = make_file(recipe, mono);
    auto live = media::live_input(0, io.get_executor(), clock);
    ASSERT_TRUE(live.ok());
    asio::co_spawn(io.get_executor(), feed_all(std::move(live->feed), file, 1000, soon()),
                   [](std::exception_ptr, const Status& fed) { EXPECT_TRUE(fed.ok()); });
    auto out = run(decode(std::move(live->input), {}));
    ASSERT_TRUE(out.ok()) << recipe.muxer << ": " << out.error().detail;
    EXPECT_NEAR(out->summary.seconds, 5, 0.1) << recipe.muxer;
  }
}

TEST_F(Files, bad_sound_a_feeder_whose_process_refused_is_told) {
  auto live = media::live_input(0, io.get_executor(), clock);
  ASSERT_TRUE(live.ok());
  Status fed = done();
  asio::co_spawn(io.get_executor(),
                 feed_all(std::move(live->feed), std::string(4 << 20, 'x'), 10'000, soon()),
                 [&fed](std::exception_ptr, const Status& status) { fed = status; });
  auto out = run(decode(std::move(live->input), {}));
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().reason, "audio_format");
  for (int i = 0; i < 500 && fed.ok(); ++i) {
    io.restart();
    io.run_one_for(milliseconds(10));
  }
  EXPECT_FALSE(fed.ok());
}

TEST_F(Files, are_made_in_every_format_and_read_back) {
  const auto mono = signal_of(3, 44'100);
  const std::string file = make_file({"wav", "pcm_s16le", 44'100, 2, 0, {}}, mono);
  using media::AudioFormat;
  const std::pair<AudioFormat, const char*> formats[] = {{AudioFormat::wav, "pcm_s16le"},
                                                         {AudioFormat::mp3, "mp3"},
                                                         {AudioFormat::opus, "opus"},
                                                         {AudioFormat::flac, "flac"},
                                                         {AudioFormat::aac, "aac"}};
  for (const auto& [format, codec] : formats) {
    auto made = run(encode(input_of(file), format));
    ASSERT_TRUE(made.ok()) << name(format) << made.error().detail;
    EXPECT_EQ(made->summary.samples, 3 * media::kSpokenRate) << name(format);
    auto back = decoded(made->bytes);
    ASSERT_TRUE(back.ok()) << name(format) << back.error().detail;
    EXPECT_EQ(back->facts.codec, codec);
    EXPECT_NEAR(back->summary.seconds, 3, 0.12) << name(format);
    EXPECT_FALSE(back->summary.cut_off) << name(format);
    EXPECT_GT(rms(back->pcm), 0.08) << name(format);
    auto again = run(encode(input_of(file), format));
    EXPECT_TRUE(again.ok() && again->bytes == made->bytes) << "the same sound, the same bytes";
  }
  auto pcm = run(encode(input_of(file), AudioFormat::pcm));
  ASSERT_TRUE(pcm.ok());
  EXPECT_EQ(pcm->bytes.size(), 3u * media::kSpokenRate * 2);
}

TEST(AudioFormats, names_come_back) {
  using media::AudioFormat;
  for (const char* name : {"wav", "mp3", "opus", "flac", "pcm", "aac"}) {
    const auto format = media::audio_format(name);
    ASSERT_TRUE(format.has_value()) << name;
    EXPECT_STREQ(media::name(*format), name);
  }
  EXPECT_STREQ(media::media_type(AudioFormat::mp3), "audio/mpeg");
  EXPECT_STREQ(media::media_type(AudioFormat::opus), "audio/ogg");
  EXPECT_FALSE(media::audio_format("MP3").has_value());
  EXPECT_FALSE(media::audio_format("").has_value());
}

}  // namespace
}  // namespace mainstay::audio::test
