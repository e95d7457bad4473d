// The pure parts: what a file is, samples of any kind as one channel, spans of voice cut out.
#include <gtest/gtest.h>

#include <limits>

#include "audio/cutter.h"
#include "audio/mix.h"
#include "audio/sniff.h"
#include "media/sound_orders.h"
#include "unit/audio/make_file.h"

namespace mainstay::audio::test {
namespace {

using namespace std::string_literals;

TEST(Sniff, tells_formats_by_their_first_bytes) {
  EXPECT_EQ(sniff("RIFF....WAVEfmt "), Kind::wav);
  EXPECT_EQ(sniff("RF64....WAVEds64"), Kind::wav);
  EXPECT_EQ(sniff("RIFF....AVI LIST"), Kind::unknown);
  EXPECT_EQ(sniff("fLaC\0\0\0\x22"s), Kind::flac);
  EXPECT_EQ(sniff("OggS\0\2"s), Kind::ogg);
  EXPECT_EQ(sniff("\x1a\x45\xdf\xa3..."), Kind::matroska);
  EXPECT_EQ(sniff("\0\0\0\x1c"
                  "ftypM4A "s),
            Kind::mp4);
  EXPECT_EQ(sniff(""), Kind::unknown);
  EXPECT_EQ(sniff("RIFF"), Kind::unknown);
  EXPECT_EQ(sniff("Dear Sir or Madam, \xff\xe0 this is a letter"), Kind::unknown);
  EXPECT_EQ(sniff(std::string(70'000, '\xff')), Kind::unknown);
}

TEST(Sniff, an_mp3_needs_a_second_frame_where_there_is_room_for_one) {
  const std::string frame = "\xff\xfb\x90\x64"s + std::string(413, '\0');  // 128 kbit/s, 44.1 kHz
  EXPECT_EQ(sniff(frame), Kind::mp3);
  EXPECT_EQ(sniff(frame + frame), Kind::mp3);
  EXPECT_EQ(sniff(frame + "something else, longer than a head"), Kind::unknown);
  EXPECT_EQ(sniff("junk before it" + frame + frame), Kind::mp3);
  EXPECT_EQ(sniff(std::string(4097, ' ') + frame + frame), Kind::unknown);
  EXPECT_EQ(sniff("ID3\4\0\0\0\0\0\x05tags."s + frame + frame), Kind::mp3);
  EXPECT_EQ(sniff("ID3\4\0\0\0\0\0\x05tags.fLaC"s), Kind::flac);
  EXPECT_EQ(sniff("ID3\4\0\0\0\0\0\x05tags.<html>"s), Kind::unknown);
}

TEST(Sniff, real_files_are_known) {
  const auto mono = signal_of(0.5, 44'100);
  const auto kind = [&mono](const char* muxer, const char* encoder, int rate) {
    return sniff(make_file({muxer, encoder, rate, 1, 0, {}}, mono));
  };
  EXPECT_EQ(kind("wav", "pcm_s16le", 44'100), Kind::wav);
  EXPECT_EQ(kind("flac", "flac", 44'100), Kind::flac);
  EXPECT_EQ(kind("mp3", "libmp3lame", 44'100), Kind::mp3);
  EXPECT_EQ(kind("adts", "aac", 44'100), Kind::aac);
  EXPECT_EQ(kind("ogg", "libopus", 48'000), Kind::ogg);
  EXPECT_EQ(kind("mp4", "aac", 44'100), Kind::mp4);
  EXPECT_EQ(kind("webm", "libopus", 48'000), Kind::matroska);
}

TEST(Sniff, security_31_a_wav_that_claims_more_than_it_holds_is_found_out) {
  const std::string fine = wav_of(std::string(100, 'x'), 1, 1, 16'000, 16);
  EXPECT_FALSE(wav_claims_more(fine, fine.size()));
  EXPECT_TRUE(wav_claims_more(fine, fine.size() - 1));
  EXPECT_FALSE(wav_claims_more(fine, fine.size() + 1));
  EXPECT_TRUE(wav_claims_more(wav_of("xx", 1, 1, 16'000, 16, 0x7ffffffe), 46));
  EXPECT_FALSE(wav_claims_more(wav_of("xx", 1, 1, 16'000, 16, 0xffffffff), 46)) << "it is open";
  EXPECT_FALSE(wav_claims_more(fine.substr(0, 20), 20));
  EXPECT_FALSE(wav_claims_more("", 0));
}

TEST(Mix, channels_are_averaged_whatever_their_kind) {
  const std::vector<std::int16_t> left = {32767, -32768, 100};
  const std::vector<std::int16_t> right = {-32767, -32768, 300};
  const std::int16_t* planes[] = {left.data(), right.data()};
  float out[3] = {};
  mix(planes, 2, 1, 3, out);
  EXPECT_EQ(out[0], 0.0F);
  EXPECT_EQ(out[1], -1.0F);
  EXPECT_EQ(out[2], 200.0F / 32768);
  const std::vector<std::uint8_t> bytes = {0, 128, 255, 128, 128, 128};
  const std::uint8_t* packed[] = {bytes.data(), bytes.data() + 1, bytes.data() + 2};
  mix(packed, 3, 3, 2, out);
  EXPECT_NEAR(out[0], (-1.0F + 0 + 127.0F / 128) / 3, 1e-6);
  EXPECT_EQ(out[1], 0.0F);
}

TEST(Mix, bad_sound_what_is_no_number_becomes_silence_and_is_counted) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float most = std::numeric_limits<float>::infinity();
  std::vector<float> samples = {0.5F, nan, most, -most, 1e30F, 64.0F, -64.0F, 64.1F};
  EXPECT_EQ(clean(samples), 5u);
  EXPECT_EQ(samples, (std::vector<float>{0.5F, 0, 0, 0, 0, 64.0F, -64.0F, 0}));
}

TEST(Mix, sixteen_bits_are_rounded_cut_and_come_back_as_they_were) {
  std::int16_t out[6] = {};
  const std::vector<float> samples = {0.0F, 1.5F, -7.0F, 0.5F / 32768, 1.5F / 32768, 0.99F};
  EXPECT_EQ(to_16_bits(samples, out), 2u);
  EXPECT_EQ(out[1], 32767);
  EXPECT_EQ(out[2], -32768);
  EXPECT_EQ(out[3], 0) << "ties to even";
  EXPECT_EQ(out[4], 2);
  for (int word = -32768; word <= 32767; ++word) {
    const float value = value_of(static_cast<std::int16_t>(word));
    to_16_bits({&value, 1}, out);
    ASSERT_EQ(out[0], word);
  }
}

TEST(SoundOrders, come_back_as_they_were_sent) {
  media::SoundOrder order;
  order.item = 3;
  order.want = media::SoundWant::encode;
  order.pcm_rate = 22'050;
  order.seconds_max = 1;
  order.channels_max = 2;
  order.rate_max = 4;
  order.threads = 5;
  order.spans = true;
  order.drop_silence = true;
  order.rules.quiet_ms = 77;
  order.rules.least_db = -33.5;
  order.format = "opus";
  order.voice = "de";
  order.speed = 1.25;
  const Json object = media::sound_json(order);
  auto back = media::sound_order_of(object);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(media::sound_json(*back), object);
  EXPECT_LT(dump(object).size(), 1024u);
  EXPECT_FALSE(media::sound_order_of(Json{{"want", "a shell"}}).ok());
  EXPECT_FALSE(media::sound_order_of(Json::array()).ok());
  EXPECT_EQ(media::sound_order_of(Json{{"want", "hear"}, {"threads", 1000}})->threads, 64u);
}

std::vector<std::int16_t> words(const std::vector<float>& samples) {
  std::vector<std::int16_t> out(samples.size());
  to_16_bits(samples, out.data());
  return out;
}

/// A second of noise at -60 dB, two of voice, one and a half of noise, one of voice, one of noise.
std::vector<std::int16_t> two_sentences() {
  std::vector<float> out;
  const auto add = [&out](double seconds, bool voice) {
    const auto some = signal_of(seconds, media::kVoiceRate, 3);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const double t = static_cast<double>(i) / media::kVoiceRate;
      const double hum = 0.3 * std::sin(t * 900) + 0.2 * std::sin(t * 2100);
      const float noise = some[i] - std::trunc(some[i] * 200) / 200;  // the lowest bits alone
      out.push_back(static_cast<float>(voice ? hum : 0.0) + noise * 0.2F);
    }
  };
  add(1, false);
  add(2, true);
  add(1.5, false);
  add(1, true);
  add(1, false);
  return words(out);
}

TEST(Cutter, gives_spans_of_voice_and_nothing_else) {
  const auto samples = two_sentences();
  Cutter cutter({});
  cutter.feed(samples);
  cutter.finish();
  std::vector<std::pair<double, double>> spans;
  while (auto piece = cutter.next()) {
    const double from = static_cast<double>(piece->first) / media::kVoiceRate;
    if (piece->begins) spans.emplace_back(from, 0);
    ASSERT_FALSE(spans.empty());
    spans.back().second = from + static_cast<double>(piece->samples.size()) / media::kVoiceRate;
    for (std::size_t i = 0; i < piece->samples.size(); i += 97) {
      ASSERT_EQ(piece->samples[i], samples[piece->first + i]);
    }
  }
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_NEAR(spans[0].first, 0.8, 0.05);
  EXPECT_NEAR(spans[0].second, 3.2, 0.05);
  EXPECT_NEAR(spans[1].first, 4.3, 0.05);
  EXPECT_NEAR(spans[1].second, 5.7, 0.05);
}

TEST(Cutter, gives_the_same_whatever_the_pieces_and_holds_little) {
  const auto samples = two_sentences();
  const auto cut = [&samples](std::size_t step) {
    Cutter cutter({});
    std::vector<std::int16_t> out;
    std::size_t most = 0;
    const auto take = [&] {
      while (auto piece = cutter.next()) {
        out.push_back(piece->begins ? 1 : 0);
        out.insert(out.end(), piece->samples.begin(), piece->samples.end());
      }
      most = std::max(most, cutter.held());
    };
    const std::span<const std::int16_t> all = samples;
    for (std::size_t at = 0; at < all.size(); at += step) {
      cutter.feed(all.subspan(at, std::min(step, all.size() - at)));
      take();
    }
    cutter.finish();
    take();
    EXPECT_LT(most, step + 2 * media::kVoiceRate);
    std::erase_if(out, [](std::int16_t word) { return word == 0 || word == 1; });
    return out;
  };
  const auto whole = cut(samples.size());
  EXPECT_GT(whole.size(), 40'000u);
  for (const std::size_t step : {std::size_t{160}, std::size_t{333}, std::size_t{5'000}}) {
    EXPECT_TRUE(cut(step) == whole) << step;
  }
}

}  // namespace
}  // namespace mainstay::audio::test
