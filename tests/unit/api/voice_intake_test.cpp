// Where questions begin and end in the sound of a microphone.
#include "api/voice_intake.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace mainstay::api {
namespace {

/// Bytes of so many milliseconds: a voice-like hum, or next to nothing.
std::string hum(std::uint32_t ms, std::uint32_t rate) {
  std::string out;
  for (std::uint32_t i = 0; i < ms * rate / 1000; ++i) {
    const double t = static_cast<double>(i) / rate;
    const double wave = std::sin(2 * M_PI * 140 * t) + 0.5 * std::sin(2 * M_PI * 700 * t);
    const auto sample = static_cast<std::int16_t>(8000 * wave * (1 + 0.5 * std::sin(20 * t)));
    out += static_cast<char>(sample & 0xff);
    out += static_cast<char>(sample >> 8 & 0xff);
  }
  return out;
}
std::string quiet(std::uint32_t ms, std::uint32_t rate) {
  return std::string(std::size_t{ms} * rate / 1000 * 2, '\0');
}

struct Taken {
  int started = 0;
  std::vector<std::string> questions;
};
void take(VoiceIntake& intake, Taken& into) {
  while (auto heard = intake.next()) {
    if (heard->question) {
      into.questions.push_back(std::move(heard->sound));
    } else {
      ++into.started;
    }
  }
}

TEST(VoiceIntake, push_to_talk_gives_what_came_between_the_buttons) {
  VoiceIntake intake({16'000, false, 700, 10'000});
  const std::string sound = hum(1500, 16'000);
  for (std::size_t at = 0; at < sound.size(); at += 333) intake.feed(sound.substr(at, 333));
  EXPECT_FALSE(intake.next().has_value());
  EXPECT_EQ(intake.stop(), sound);
  EXPECT_EQ(intake.held(), 0u);
  EXPECT_EQ(intake.stop(), "");
  intake.feed("abcd");
  EXPECT_EQ(intake.stop(), "abcd");
}

TEST(VoiceIntake, a_question_ends_when_it_is_as_long_as_it_may_be) {
  for (const std::uint32_t rate : {8'000u, 16'000u, 48'000u}) {
    const auto whole = std::size_t{rate} * 2;  // one second
    VoiceIntake below({rate, false, 700, 1000});
    below.feed(std::string(whole - 2, 'x'));
    EXPECT_FALSE(below.next().has_value()) << rate;
    VoiceIntake at({rate, false, 700, 1000});
    at.feed(std::string(whole, 'x'));
    auto heard = at.next();
    ASSERT_TRUE(heard.has_value()) << rate;
    EXPECT_EQ(heard->sound.size(), whole);
    EXPECT_TRUE(at.full());
    VoiceIntake above({rate, false, 700, 1000});
    above.feed(std::string(whole * 100, 'x'));
    heard = above.next();
    ASSERT_TRUE(heard.has_value()) << rate;
    EXPECT_EQ(heard->sound.size(), whole);
    EXPECT_FALSE(above.next().has_value()) << "once";
    EXPECT_LE(above.held(), whole + whole / 10 + 2) << "the rest is not kept";
    EXPECT_EQ(above.stop(), "");
  }
}

TEST(VoiceIntake, hands_free_hears_where_somebody_speaks_at_any_rate) {
  for (const std::uint32_t rate : {8'000u, 16'000u, 24'000u, 44'100u, 48'000u}) {
    VoiceIntake intake({rate, true, 700, 10'000});
    Taken taken;
    const std::string sound = quiet(1500, rate) + hum(1200, rate) + quiet(1500, rate) +
                              hum(900, rate) + quiet(1500, rate);
    for (std::size_t at = 0; at < sound.size(); at += 1777) {
      intake.feed(sound.substr(at, 1777));
      take(intake, taken);
    }
    EXPECT_EQ(taken.started, 2) << rate;
    ASSERT_EQ(taken.questions.size(), 2u) << rate;
    const double first = static_cast<double>(taken.questions[0].size()) / 2 / rate;
    EXPECT_GE(first, 1.2) << "all of it, with a moment around";
    EXPECT_LE(first, 2.2);
    EXPECT_NE(taken.questions[0].find(hum(400, rate)), std::string::npos) << "as it came";
  }
}

TEST(VoiceIntake, silence_keeps_next_to_nothing_for_ever) {
  VoiceIntake intake({16'000, true, 700, 10'000});
  for (int second = 0; second < 600; ++second) {
    intake.feed(quiet(1000, 16'000));
    EXPECT_FALSE(intake.next().has_value());
    ASSERT_LE(intake.held(), 4u * 16'000 * 2);
  }
}

TEST(VoiceIntake, whoever_never_pauses_is_cut_and_heard) {
  VoiceIntake intake({16'000, true, 700, 2'000});
  Taken taken;
  intake.feed(quiet(1000, 16'000));
  for (int i = 0; i < 70; ++i) {
    intake.feed(hum(100, 16'000));
    take(intake, taken);
    ASSERT_LE(intake.held(), 10u * 16'000 * 2);
  }
  EXPECT_GE(taken.questions.size(), 2u);
  for (const auto& one : taken.questions) EXPECT_LE(one.size(), 3u * 16'000 * 2);
}

TEST(VoiceIntake, stopping_in_the_middle_of_a_word_gives_what_there_is) {
  VoiceIntake intake({16'000, true, 700, 10'000});
  intake.feed(quiet(1000, 16'000) + hum(800, 16'000));
  const std::string sound = intake.stop();
  EXPECT_GE(sound.size(), 800u * 32);
  VoiceIntake silent({16'000, true, 700, 10'000});
  silent.feed(quiet(3000, 16'000));
  EXPECT_EQ(silent.stop(), "");
}

TEST(VoiceIntake, the_pieces_make_no_difference) {
  const std::string sound = quiet(900, 22'050) + hum(1000, 22'050) + quiet(1300, 22'050) +
                            hum(700, 22'050) + quiet(1300, 22'050);
  const auto heard = [&](std::uint64_t seed) {
    VoiceIntake intake({22'050, true, 500, 10'000});
    SeededRandom random{seed};
    Taken taken;
    for (std::size_t at = 0; at < sound.size();) {
      const std::size_t n = 1 + random.below(5000);
      intake.feed(sound.substr(at, n));
      at += n;
      take(intake, taken);
    }
    return taken.questions;
  };
  const auto whole = heard(1);
  ASSERT_EQ(whole.size(), 2u);
  for (std::uint64_t seed = 2; seed < 12; ++seed) EXPECT_EQ(heard(seed), whole) << seed;
}

}  // namespace
}  // namespace mainstay::api
