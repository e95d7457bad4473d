// The life of a supervised child on a clock that is only a number.
#include "resources/child_life.h"

#include <gtest/gtest.h>

#include <csignal>

namespace mainstay::resources {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = ChildStep;

const ChildExit kFailed{ChildExit::How::code, 1, false, ""};

struct ChildLifeTest : ::testing::Test {
  TimePoint now{seconds(1000)};
  ChildRules rules;
  SeededRandom random{7};
  ChildLife life{rules};

  void run() {
    ASSERT_EQ(life.look(now), Step::start);
    life.started(now);
    life.heard(Sign::ready, now);
    ASSERT_EQ(life.phase(), ChildPhase::running);
  }
  /// Ends it and waits for its next start; how long that took.
  Duration restart() {
    life.exited(kFailed, now, random);
    const Duration pause = life.next_start() - now;
    now = life.next_start() - Duration(1);
    EXPECT_EQ(life.look(now), Step::none);
    now += Duration(1);
    EXPECT_EQ(life.look(now), Step::start);
    life.started(now);
    return pause;
  }
};

TEST_F(ChildLifeTest, a_child_is_started_at_once) {
  EXPECT_EQ(life.phase(), ChildPhase::resting);
  EXPECT_EQ(life.look(now), Step::start);
}

// fault_34
TEST_F(ChildLifeTest, five_restarts_in_the_window_are_granted_and_the_sixth_end_gives_it_up) {
  run();
  for (int i = 0; i < 5; ++i) restart();
  EXPECT_EQ(life.restarts(), 5U);
  life.exited(kFailed, now, random);
  EXPECT_EQ(life.phase(), ChildPhase::given_up);
  now += std::chrono::hours(24);
  EXPECT_EQ(life.look(now), Step::none) << "never a loop";
}

TEST_F(ChildLifeTest, restarts_that_left_the_window_count_no_more) {
  run();
  life.exited(kFailed, now, random);
  const TimePoint first = now;
  for (int i = 0; i < 4; ++i) {
    now = life.next_start();
    life.look(now);
    life.started(now);
    life.exited(kFailed, now, random);
  }
  now = life.next_start();
  life.look(now);
  life.started(now);
  ChildLife early = life;
  early.exited(kFailed, first + rules.window - Duration(1), random);
  EXPECT_EQ(early.phase(), ChildPhase::given_up);
  life.exited(kFailed, first + rules.window, random);
  EXPECT_EQ(life.phase(), ChildPhase::resting);
}

TEST_F(ChildLifeTest, pauses_lie_between_the_least_and_a_bound_that_doubles_up_to_the_most) {
  rules.restarts_max = 12;
  rules.window = std::chrono::hours(1);
  const Duration least = rules.backoff_min;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    life = ChildLife(rules);
    random = SeededRandom(seed);
    run();
    Duration bound = least;
    for (int i = 0; i < 12; ++i) {
      bound = std::min<Duration>(bound * 2, rules.backoff_max);
      const Duration pause = restart();
      EXPECT_GE(pause, least);
      EXPECT_LE(pause, bound);
    }
  }
}

TEST_F(ChildLifeTest, children_that_died_together_do_not_start_together) {
  ChildLife other(rules);
  run();
  other.look(now);
  other.started(now);
  life.exited(kFailed, now, random);
  other.exited(kFailed, now, random);
  EXPECT_NE(life.next_start(), other.next_start());
}

// fault_35
TEST_F(ChildLifeTest, three_missed_signs_of_life_are_a_hang_found_within_eight_seconds) {
  run();
  now += milliseconds(6000);
  EXPECT_EQ(life.look(now), Step::none);
  now += milliseconds(250);
  EXPECT_EQ(life.look(now), Step::kill_hung);
  EXPECT_EQ(life.look(now), Step::none) << "asked for once";
}

TEST_F(ChildLifeTest, a_sign_of_life_in_time_keeps_it) {
  run();
  for (int i = 0; i < 100; ++i) {
    now += seconds(6);
    life.heard(Sign::well, now);
    EXPECT_EQ(life.look(now), Step::none);
  }
}

TEST_F(ChildLifeTest, one_that_lives_while_a_part_of_it_does_not_answer_is_killed_later) {
  run();
  for (int i = 0; i < 30; ++i) {
    now += seconds(1);
    life.heard(Sign::alive, now);
    EXPECT_EQ(life.look(now), Step::none) << i;
  }
  now += milliseconds(1);
  EXPECT_EQ(life.look(now), Step::kill_stuck);
}

TEST_F(ChildLifeTest, a_start_has_its_own_time_whatever_it_says_meanwhile) {
  life.look(now);
  life.started(now);
  now += rules.start_timeout;
  life.heard(Sign::alive, now);
  EXPECT_EQ(life.look(now), Step::none);
  now += Duration(1);
  EXPECT_EQ(life.look(now), Step::kill_slow_start);
}

TEST_F(ChildLifeTest, told_to_stop_it_has_until_the_deadline_and_stays_away) {
  run();
  const TimePoint by = now + seconds(10);
  life.stop(by);
  EXPECT_EQ(life.phase(), ChildPhase::stopping);
  now = by - Duration(1);
  EXPECT_EQ(life.look(now), Step::none) << "its heart need not beat while it stops";
  now = by;
  EXPECT_EQ(life.look(now), Step::kill_slow_stop);
  life.exited(kFailed, now, random);
  EXPECT_EQ(life.phase(), ChildPhase::ended);
  now += std::chrono::hours(1);
  EXPECT_EQ(life.look(now), Step::none);
}

TEST_F(ChildLifeTest, one_that_rests_when_told_to_stop_is_never_started) {
  run();
  life.exited(kFailed, now, random);
  life.stop(now);
  EXPECT_EQ(life.phase(), ChildPhase::ended);
}

TEST_F(ChildLifeTest, one_that_leaves_by_itself_may_take_its_time_and_comes_again) {
  run();
  life.heard(Sign::leaving, now);
  now += rules.stop_timeout - Duration(1);
  EXPECT_EQ(life.look(now), Step::none);
  now += Duration(1);
  EXPECT_EQ(life.look(now), Step::kill_slow_stop);
  life.exited({}, now, random);
  EXPECT_EQ(life.phase(), ChildPhase::resting);
}

TEST_F(ChildLifeTest, a_supervisor_that_slept_blames_nobody) {
  run();
  now += std::chrono::hours(1);
  life.forgive(now);
  EXPECT_EQ(life.look(now), Step::none);
  now += seconds(7);
  EXPECT_EQ(life.look(now), Step::kill_hung);
}

TEST_F(ChildLifeTest, an_end_that_no_restart_can_mend_gives_it_up_at_once) {
  for (const int code : {2, 78}) {
    life = ChildLife(rules);
    run();
    life.exited({ChildExit::How::code, code, false, ""}, now, random);
    EXPECT_EQ(life.phase(), ChildPhase::given_up) << code;
  }
  for (const int code : {0, 1, 69, 75}) {
    EXPECT_TRUE(worth_a_restart({ChildExit::How::code, code, false, ""})) << code;
  }
  EXPECT_TRUE(worth_a_restart({ChildExit::How::signal, 2, false, ""}));
}

TEST_F(ChildLifeTest, one_that_was_given_up_gets_all_its_restarts_back_when_asked_for) {
  run();
  EXPECT_FALSE(life.try_again());
  for (int i = 0; i < 5; ++i) restart();
  life.exited(kFailed, now, random);
  EXPECT_TRUE(life.try_again());
  EXPECT_EQ(life.look(now), Step::start);
  life.started(now);
  for (int i = 0; i < 5; ++i) restart();
  life.exited(kFailed, now, random);
  EXPECT_EQ(life.phase(), ChildPhase::given_up);
}

TEST(ChildExitTest, ends_are_told_in_words) {
  EXPECT_EQ(describe({ChildExit::How::code, 75, false, ""}), "exit code 75");
  EXPECT_EQ(describe({ChildExit::How::signal, SIGABRT, false, ""}), "signal 6 (Aborted)");
  EXPECT_EQ(describe({ChildExit::How::signal, SIGKILL, true, ""}),
            "signal 9 (Killed), out of memory");
  EXPECT_EQ(describe({ChildExit::How::signal, SIGKILL, false, why(Step::kill_hung)}),
            "killed: no sign of life");
  EXPECT_EQ(describe({ChildExit::How::not_started, ENOENT, false, ""}),
            "could not be started: No such file or directory");
}

}  // namespace
}  // namespace mainstay::resources
