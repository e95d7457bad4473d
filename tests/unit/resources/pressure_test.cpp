// The scale, the ladder and the shed points: pure functions.
#include "resources/pressure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "resources/shed.h"

namespace mainstay::resources {
namespace {

using std::chrono::seconds;

TEST(Pressure, thresholds_lie_at_the_same_pressure_for_rising_and_falling_figures) {
  const Scale memory{0, 85, 95, 100};
  EXPECT_LT(pressure_of(84.99, memory), kSoft);
  EXPECT_DOUBLE_EQ(pressure_of(85, memory), kSoft);
  EXPECT_LT(pressure_of(94.99, memory), kHard);
  EXPECT_DOUBLE_EQ(pressure_of(95, memory), kHard);
  EXPECT_DOUBLE_EQ(pressure_of(100, memory), 1);
  EXPECT_DOUBLE_EQ(pressure_of(500, memory), 1);
  EXPECT_DOUBLE_EQ(pressure_of(-3, memory), 0);
  const Scale free{1000, 512, 128, 0};
  EXPECT_DOUBLE_EQ(pressure_of(1000, free), 0);
  EXPECT_LT(pressure_of(513, free), kSoft);
  EXPECT_DOUBLE_EQ(pressure_of(512, free), kSoft);
  EXPECT_LT(pressure_of(129, free), kHard);
  EXPECT_DOUBLE_EQ(pressure_of(128, free), kHard);
  EXPECT_DOUBLE_EQ(pressure_of(0, free), 1);
}

TEST(Pressure, a_figure_that_is_no_number_is_calm_and_equal_thresholds_are_no_division) {
  EXPECT_EQ(pressure_of(std::numeric_limits<double>::quiet_NaN(), {0, 1, 2, 3}), 0);
  EXPECT_TRUE(std::isfinite(pressure_of(0, {0, 0, 0, 0})));
  EXPECT_TRUE(std::isfinite(pressure_of(1, {1, 1, 1, 1})));
}

struct Walk {
  LadderRules rules;
  Ladder ladder;
  TimePoint now{seconds(1000)};
  std::vector<TimePoint> changes;
  Level at(double pressure, int for_seconds = 1) {
    for (int i = 0; i < for_seconds; ++i) {
      now += seconds(1);
      const Level before = ladder.level;
      ladder = step(ladder, pressure, now, rules);
      if (ladder.level != before) changes.push_back(now);
    }
    return ladder.level;
  }
};

TEST(Ladder, a_rise_is_at_once_and_a_fall_needs_calm_for_the_hold_time) {
  Walk walk{{seconds(10)}};
  EXPECT_EQ(walk.at(0.85), Level::soft);
  EXPECT_EQ(walk.at(0.81, 60), Level::soft) << "below the entry, but not below the exit";
  EXPECT_EQ(walk.at(0.79, 10), Level::soft);
  EXPECT_EQ(walk.at(0.81), Level::soft) << "the calm starts anew";
  EXPECT_EQ(walk.at(0.79, 10), Level::soft);
  EXPECT_EQ(walk.at(0.79), Level::normal);
}

TEST(Ladder, it_jumps_up_and_steps_down) {
  Walk walk{{seconds(10)}};
  EXPECT_EQ(walk.at(0.96), Level::hard);
  EXPECT_EQ(walk.at(0, 11), Level::soft);
  EXPECT_EQ(walk.at(0, 11), Level::soft) << "a second fall within the minute waits";
  EXPECT_EQ(walk.at(0, 60), Level::normal);
  Walk cpu{{seconds(10), Rise::at_once, 0.05, Level::soft}};
  EXPECT_EQ(cpu.at(1), Level::soft);
}

TEST(Ladder, one_that_falls_freely_waits_for_its_hold_time_alone) {
  LadderRules rules{seconds(2)};
  rules.falls_freely = true;
  Walk walk{rules};
  EXPECT_EQ(walk.at(0.96), Level::hard);
  EXPECT_EQ(walk.at(0, 2), Level::hard);
  EXPECT_EQ(walk.at(0), Level::soft);
  EXPECT_EQ(walk.at(0, 3), Level::normal);
}

TEST(Ladder, a_patient_resource_changes_twice_a_minute_at_most_whatever_comes) {
  std::uint32_t dice = 12345;
  for (const int hold : {0, 1, 10, 60}) {
    Walk walk{{seconds(hold), Rise::twice_a_minute}};
    for (int i = 0; i < 20'000; ++i) {
      dice = dice * 1664525U + 1013904223U;
      walk.at(static_cast<double>(dice >> 16U) / 65536.0);
    }
    for (std::size_t i = 2; i < walk.changes.size(); ++i) {
      ASSERT_GE(walk.changes[i] - walk.changes[i - 2], seconds(60)) << hold;
    }
    EXPECT_GT(walk.changes.size(), 1u);
  }
}

TEST(Ladder, an_urgent_rise_never_waits) {
  Walk walk{{seconds(0)}};
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(walk.at(0.99), Level::hard);
    walk.at(0, 5);
  }
}

Levels only(Resource resource, Level level) {
  Levels levels{};
  levels[static_cast<std::size_t>(resource)] = level;
  return levels;
}

TEST(Shed, nothing_goes_while_all_is_normal) {
  const auto shedding = shedding_of(Levels{});
  EXPECT_EQ(shedding.points, 0u);
  EXPECT_EQ(shedding.permit_factor, 1);
}

TEST(Shed, whatever_the_levels_health_admin_cancel_delete_results_and_audio_stay) {
  int combinations = 1;
  for (std::size_t i = 0; i < kResources; ++i) combinations *= 3;
  for (int n = 0; n < combinations; ++n) {
    Levels levels{};
    for (int i = 0, rest = n; i < int(kResources); ++i, rest /= 3) {
      levels[static_cast<std::size_t>(i)] = static_cast<Level>(rest % 3);
    }
    const auto shedding = shedding_of(levels);
    for (auto i = static_cast<std::size_t>(kNeverShed); i < kShedPoints; ++i) {
      ASSERT_FALSE(shedding.sheds(static_cast<ShedPoint>(i))) << n;
    }
    // The order: nobody goes before those in front of it.
    for (std::size_t i = 1; i < kShedOrder; ++i) {
      if (shedding.sheds(static_cast<ShedPoint>(i))) {
        ASSERT_TRUE(shedding.sheds(static_cast<ShedPoint>(i - 1))) << n << ' ' << i;
      }
    }
  }
}

TEST(Shed, every_level_sheds_at_least_what_the_milder_one_does) {
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto soft = shedding_of(only(static_cast<Resource>(i), Level::soft));
    const auto hard = shedding_of(only(static_cast<Resource>(i), Level::hard));
    EXPECT_EQ(soft.points & ~hard.points, 0u) << i;
    EXPECT_LE(hard.permit_factor, soft.permit_factor);
    if (static_cast<Resource>(i) != Resource::gpu) EXPECT_NE(soft.points, 0u) << i;
  }
}

TEST(Shed, other_programs_want_of_a_core_takes_no_permit_our_own_late_loops_do) {
  const auto soft = shedding_of(only(Resource::cpu, Level::soft));
  EXPECT_TRUE(soft.sheds(ShedPoint::batch_jobs));
  EXPECT_FALSE(soft.sheds(ShedPoint::uploads));
  EXPECT_EQ(soft.permit_factor, 1);
  const auto hard = shedding_of(only(Resource::cpu, Level::hard));
  EXPECT_TRUE(hard.sheds(ShedPoint::uploads));
  EXPECT_FALSE(hard.sheds(ShedPoint::anonymous_chat));
  EXPECT_EQ(hard.permit_factor, 0.5);
}

TEST(Shed, memory_at_its_end_refuses_chats_and_keeps_voice) {
  auto levels = only(Resource::memory, Level::hard);
  levels[static_cast<std::size_t>(Resource::stall)] = Level::hard;
  EXPECT_TRUE(shedding_of(levels).sheds(ShedPoint::authenticated_chat));
  EXPECT_FALSE(shedding_of(levels).sheds(ShedPoint::voice_turns));
  levels[static_cast<std::size_t>(Resource::descriptors)] = Level::hard;
  EXPECT_TRUE(shedding_of(levels).sheds(ShedPoint::voice_turns));
}

}  // namespace
}  // namespace mainstay::resources
