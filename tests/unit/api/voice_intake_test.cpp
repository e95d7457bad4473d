// Where questions begin and end in the sound of a microphone.
#include "api/voice_intake.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "unit/api/voice_sound.h"

namespace mainstay::api {
namespace {

using test::hum;
using test::quiet;

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
/// All of it, with what was heard on the way.
void feed(VoiceIntake& intake, std::string_view sound, Taken& into) {
  while (!sound.empty()) {
    sound.remove_prefix(intake.feed(sound));
    take(intake, into);
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
      feed(intake, sound.substr(at, 1777), taken);
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

TEST(VoiceIntake, whoever_goes_on_after_the_longest_question_is_heard_again_after_a_pause) {
  VoiceIntake intake({16'000, true, 700, 2'000});
  Taken taken;
  feed(intake, quiet(1000, 16'000), taken);
  for (int i = 0; i < 70; ++i) {
    feed(intake, hum(100, 16'000), taken);
    ASSERT_LE(intake.held(), 10u * 16'000 * 2);
  }
  EXPECT_EQ(taken.started, 1) << "one voice";
  ASSERT_EQ(taken.questions.size(), 1u) << "what came first; the rest is nobody's question";
  EXPECT_EQ(taken.questions[0].size(), 2u * 16'000 * 2);
  EXPECT_EQ(intake.stop(), "");
}

TEST(VoiceIntake, the_next_question_begins_after_the_pause) {
  VoiceIntake intake({16'000, true, 700, 2'000});
  Taken taken;
  feed(intake, quiet(1000, 16'000) + hum(5000, 16'000) + quiet(600, 16'000), taken);
  feed(intake, hum(500, 16'000), taken);
  EXPECT_EQ(taken.started, 1) << "a pause of less than 700 ms";
  feed(intake, quiet(800, 16'000) + hum(900, 16'000) + quiet(800, 16'000), taken);
  EXPECT_EQ(taken.started, 2);
  ASSERT_EQ(taken.questions.size(), 2u);
  EXPECT_GE(taken.questions[1].size(), 900u * 32);
}

TEST(VoiceIntake, whoever_falls_silent_while_nobody_listens_may_ask_at_once) {
  VoiceIntake intake({16'000, true, 700, 2'000});
  Taken taken;
  feed(intake, quiet(1000, 16'000) + hum(3000, 16'000), taken);
  ASSERT_EQ(taken.questions.size(), 1u);
  intake.pass_over(hum(500, 16'000) + quiet(1000, 16'000) + hum(1000, 16'000));
  feed(intake, hum(300, 16'000), taken);
  EXPECT_EQ(taken.started, 2);
}

TEST(VoiceIntake, what_is_passed_over_keeps_bytes_in_their_pairs) {
  const std::string sound = hum(500, 16'000);
  for (const std::size_t first : {0u, 1u, 2u}) {
    for (const std::size_t dropped : {0u, 1u, 2u, 3201u}) {
      VoiceIntake intake({16'000, false, 700, 10'000});
      Taken taken;
      feed(intake, sound.substr(0, first), taken);
      intake.pass_over(sound.substr(first, dropped));
      feed(intake, sound.substr(first + dropped), taken);
      // A sample of which a half was passed over may be kept or not.
      const std::string kept = intake.stop();
      EXPECT_EQ(kept.size() % 2, 0u);
      EXPECT_TRUE(kept.ends_with(sound.substr(first + dropped + 1))) << first << " " << dropped;
    }
  }
  VoiceIntake before({16'000, true, 700, 10'000});
  before.feed("abc");
  VoiceIntake after(before.rule(), before.half());
  EXPECT_EQ(after.half(), 'c');
}

TEST(VoiceIntake, stopping_in_the_middle_of_a_word_gives_what_there_is) {
  VoiceIntake intake({16'000, true, 700, 10'000});
  Taken taken;
  feed(intake, quiet(1000, 16'000) + hum(800, 16'000), taken);
  const std::string sound = intake.stop();
  EXPECT_GE(sound.size(), 800u * 32);
  VoiceIntake silent({16'000, true, 700, 10'000});
  silent.feed(quiet(3000, 16'000));
  EXPECT_EQ(silent.stop(), "");
}

// Also where the longest question is cut, and of what comes behind one.
TEST(VoiceIntake, the_pieces_make_no_difference) {
  for (const std::uint32_t rate : {8'000u, 11'025u, 22'050u, 44'100u}) {
    const std::string sound = quiet(900, rate) + hum(1000, rate) + quiet(1300, rate) +
                              hum(2700, rate) + quiet(550, rate) + hum(700, rate) +
                              quiet(1300, rate);
    const auto heard = [&](std::uint64_t seed) {
      VoiceIntake intake({rate, true, 500, 2'000});
      SeededRandom random{seed};
      std::vector<std::string> out;
      for (std::size_t at = 0; at < sound.size();) {
        std::string_view piece = std::string_view(sound).substr(at, 1 + random.below(50'000));
        at += piece.size();
        while (!piece.empty()) {
          piece.remove_prefix(intake.feed(piece));
          while (auto one = intake.next()) {
            out.push_back(std::to_string(at - piece.size()) + " " + one->sound);
          }
        }
      }
      return out;
    };
    const auto whole = heard(1);
    ASSERT_EQ(whole.size(), 6u) << rate << ": three voices and their questions";
    for (std::uint64_t seed = 2; seed < 12; ++seed) EXPECT_EQ(heard(seed), whole) << seed;
  }
}

}  // namespace
}  // namespace mainstay::api
