// Where somebody speaks, in sounds made here: levels, pauses, noise that begins, clicks.
#include "media/voice_activity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace mainstay::media {
namespace {

/// Sounds one behind the other.
class Sound {
 public:
  Sound& noise(double seconds, double db) { return add(seconds, db, false); }
  Sound& voice(double seconds, double db) { return add(seconds, db, true); }
  Sound& zeros(double seconds) {
    samples.resize(samples.size() + static_cast<std::size_t>(seconds * kVoiceRate));
    return *this;
  }
  Sound& offset(int by) {
    for (auto& sample : samples) sample = static_cast<std::int16_t>(sample + by);
    return *this;
  }
  std::vector<std::int16_t> samples;

 private:
  Sound& add(double seconds, double db, bool tone) {
    const double level = 32767 * std::pow(10, db / 20) * 1.414;
    const auto count = static_cast<std::size_t>(seconds * kVoiceRate);
    for (std::size_t i = 0; i < count; ++i) {
      state_ = state_ * 1664525U + 1013904223U;
      const double random = (static_cast<double>(state_ >> 8) / (1 << 24) - 0.5) * 2.45;
      const double t = static_cast<double>(i) / kVoiceRate;
      const double wave = tone ? std::sin(t * 1100) : random;
      samples.push_back(static_cast<std::int16_t>(level * wave * (tone ? 1.0 : 0.58)));
    }
    return *this;
  }
  std::uint32_t state_ = 1;
};

struct Spans {
  std::vector<VoiceSpan> ended;
  std::size_t started = 0;
};

Spans take(VoiceActivity& voice) {
  Spans out;
  while (auto event = voice.next()) {
    if (event->what == VoiceEvent::What::started) {
      ++out.started;
    } else {
      out.ended.push_back(event->span);
    }
  }
  return out;
}

Spans spans_of(const Sound& sound, VoiceRules rules = {}) {
  VoiceActivity voice(rules);
  voice.feed(sound.samples);
  voice.finish();
  return take(voice);
}

double seconds(std::uint64_t samples) {
  return static_cast<double>(samples) / kVoiceRate;
}

TEST(VoiceActivity, finds_speech_between_pauses_with_what_surrounds_it) {
  Sound sound;
  sound.noise(1, -60).voice(2, -20).noise(1, -60).voice(0.5, -25).noise(1, -60);
  const Spans spans = spans_of(sound);
  ASSERT_EQ(spans.ended.size(), 2u);
  EXPECT_EQ(spans.started, 2u);
  EXPECT_NEAR(seconds(spans.ended[0].start), 0.8, 0.03);
  EXPECT_NEAR(seconds(spans.ended[0].end), 3.2, 0.03);
  EXPECT_NEAR(seconds(spans.ended[1].start), 3.8, 0.03);
  EXPECT_NEAR(seconds(spans.ended[1].end), 4.7, 0.03);
}

TEST(VoiceActivity, silence_noise_and_nothing_hold_no_speech) {
  EXPECT_EQ(spans_of(Sound()).started, 0u);
  EXPECT_EQ(spans_of(Sound().zeros(3)).started, 0u);
  EXPECT_EQ(spans_of(Sound().noise(3, -60)).started, 0u);
  EXPECT_EQ(spans_of(Sound().noise(3, -40)).started, 0u);
  EXPECT_EQ(spans_of(Sound().noise(3, -60).offset(3000)).started, 0u) << "a constant is no sound";
}

TEST(VoiceActivity, speech_from_the_first_sample_is_found) {
  const Spans spans = spans_of(Sound().voice(0.2, -60).voice(2, -20).noise(1, -70));
  ASSERT_EQ(spans.ended.size(), 1u);
  EXPECT_LT(seconds(spans.ended[0].start), 0.3);
}

TEST(VoiceActivity, a_click_is_no_speech) {
  Sound sound;
  for (int i = 0; i < 10; ++i) sound.noise(0.5, -60).voice(0.02, -10);
  EXPECT_EQ(spans_of(sound).started, 0u);
}

TEST(VoiceActivity, begins_at_exactly_the_onset_it_was_told) {
  VoiceRules rules;
  rules.onset_ms = 100;
  EXPECT_EQ(spans_of(Sound().noise(1, -60).voice(0.09, -20).noise(1, -60), rules).started, 0u);
  EXPECT_EQ(spans_of(Sound().noise(1, -60).voice(0.10, -20).noise(1, -60), rules).started, 1u);
  EXPECT_EQ(spans_of(Sound().noise(1, -60).voice(0.11, -20).noise(1, -60), rules).started, 1u);
}

TEST(VoiceActivity, a_pause_ends_a_span_at_exactly_the_quiet_it_was_told) {
  VoiceRules rules;
  rules.quiet_ms = 500;
  const auto spans = [&rules](double pause) {
    Sound sound;
    sound.noise(1, -60).voice(1, -20).noise(pause, -60).voice(1, -20).noise(1, -60);
    return spans_of(sound, rules).ended.size();
  };
  EXPECT_EQ(spans(0.49), 1u);
  EXPECT_EQ(spans(0.50), 2u);
  EXPECT_EQ(spans(0.51), 2u);
}

TEST(VoiceActivity, a_fan_that_is_turned_on_becomes_the_floor) {
  Sound sound;
  sound.noise(2, -70).noise(40, -40);
  VoiceRules rules;
  rules.span_ms = 0;
  VoiceActivity voice(rules);
  voice.feed(sound.samples);
  EXPECT_FALSE(voice.speaking());
  EXPECT_NEAR(voice.floor_db(), -40, 10);
  voice.feed(Sound().voice(1, -15).samples);
  EXPECT_TRUE(voice.speaking()) << "and speech is still heard above it";
}

TEST(VoiceActivity, a_long_span_is_cut_without_a_gap) {
  VoiceRules rules;
  rules.span_ms = 2000;
  const Spans spans = spans_of(Sound().noise(1, -60).voice(7, -20).noise(1, -60), rules);
  ASSERT_GE(spans.ended.size(), 3u);
  EXPECT_EQ(spans.started, spans.ended.size());
  for (std::size_t i = 1; i < spans.ended.size(); ++i) {
    EXPECT_EQ(spans.ended[i].start, spans.ended[i - 1].end);
  }
  EXPECT_LE(spans.ended[0].end - spans.ended[0].start, 2u * kVoiceRate + 320);
}

TEST(VoiceActivity, gives_the_same_events_whatever_the_pieces) {
  Sound sound;
  sound.noise(1, -60).voice(1, -20).noise(1, -60).voice(0.5, -25).noise(0.3, -60);
  const auto events = [&sound](std::size_t step) {
    VoiceActivity voice;
    std::string out;
    const auto note = [&] {
      while (auto event = voice.next()) {
        out += std::to_string(static_cast<int>(event->what)) + ":" +
               std::to_string(event->span.start) + "-" + std::to_string(event->span.end) + " ";
      }
    };
    const std::size_t all = sound.samples.size();
    for (std::size_t at = 0; at < all; at += step) {
      const std::size_t some = std::min(step, all - at);
      voice.feed({sound.samples.data() + at, some});
      note();
    }
    voice.finish();
    note();
    return out;
  };
  const std::string whole = events(sound.samples.size());
  EXPECT_EQ(std::count(whole.begin(), whole.end(), ':'), 4);
  for (const std::size_t step : {1U, 7U, 160U, 161U, 4096U}) {
    EXPECT_EQ(events(step), whole) << step;
  }
}

TEST(VoiceActivity, says_at_once_who_speaks_and_for_how_long_it_is_quiet) {
  VoiceActivity voice;
  voice.feed(Sound().noise(1, -60).samples);
  EXPECT_FALSE(voice.speaking());
  voice.feed(Sound().voice(0.2, -20).samples);
  EXPECT_TRUE(voice.speaking());
  EXPECT_EQ(voice.quiet_for(), 0u);
  voice.feed(Sound().noise(0.3, -60).samples);
  EXPECT_TRUE(voice.speaking()) << "a breath is no end";
  EXPECT_NEAR(seconds(voice.quiet_for()), 0.3, 0.02);
  voice.feed(Sound().noise(0.3, -60).samples);
  EXPECT_FALSE(voice.speaking());
  EXPECT_EQ(take(voice).ended.size(), 1u);
}

}  // namespace
}  // namespace mainstay::media
