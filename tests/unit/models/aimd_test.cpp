// Finding out how many calls a provider can bear.
#include "models/aimd.h"

#include <gtest/gtest.h>

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};
constexpr Duration kWindow = 1s;
constexpr std::uint32_t kMost = 64;

Aimd after(const Aimd& state, Load load, std::uint32_t at_work, TimePoint now,
           TimePoint started = kStart) {
  return step(state, {load, at_work, started}, kMost, kWindow, now);
}

TEST(aimd, grows_by_one_a_window_when_the_limit_is_reached) {
  Aimd state{.limit = 10, .raised = kStart - 1s};
  state = after(state, Load::fine, 9, kStart);
  EXPECT_EQ(state.limit, 10u) << "one short of the limit";
  state = after(state, Load::fine, 10, kStart);
  EXPECT_EQ(state.limit, 11u);
  state = after(state, Load::fine, 11, kStart + 1s - 1ns);
  EXPECT_EQ(state.limit, 11u) << "within the same window";
  state = after(state, Load::fine, 11, kStart + 1s);
  EXPECT_EQ(state.limit, 12u);
}

TEST(aimd, never_grows_above_the_most) {
  Aimd state{.limit = 63};
  state = after(state, Load::fine, 63, kStart);
  EXPECT_EQ(state.limit, 64u);
  state = after(state, Load::fine, 64, kStart + 1h);
  EXPECT_EQ(state.limit, 64u);
  state = step(state, {Load::unknown, 1, kStart}, 5, kWindow, kStart);
  EXPECT_EQ(state.limit, 5u) << "a setting lowered it";
}

TEST(aimd, too_much_takes_a_tenth_and_at_least_one_and_never_the_last) {
  Aimd state{.limit = 64};
  TimePoint now = kStart;
  std::vector<std::uint32_t> seen;
  for (int i = 0; i < 30; ++i) {
    now += 1s;
    state = after(state, Load::too_much, state.limit, now, now);
    seen.push_back(state.limit);
  }
  EXPECT_EQ(seen[0], 57u);
  EXPECT_EQ(seen[1], 51u);
  EXPECT_EQ(seen.back(), 1u);
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_TRUE(seen[i] < seen[i - 1] || seen[i] == 1);
}

TEST(aimd, calls_sent_under_the_old_limit_take_it_down_once) {
  Aimd state{.limit = 50};
  state = after(state, Load::too_much, 50, kStart + 2s, kStart);
  EXPECT_EQ(state.limit, 45u);
  for (int i = 0; i < 40; ++i) state = after(state, Load::too_much, 40, kStart + 3s, kStart + 1s);
  EXPECT_EQ(state.limit, 45u);
  state = after(state, Load::too_much, 40, kStart + 4s, kStart + 2s);
  EXPECT_EQ(state.limit, 40u) << "this one was sent under the new limit";
}

// Requests one after the other to a model whose minute was used up left one call at once to all.
TEST(aimd, a_call_that_was_alone_does_not_say_how_many_are_too_many) {
  Aimd state{.limit = 64};
  for (int i = 1; i < 30; ++i) {
    const TimePoint now = kStart + std::chrono::seconds(i);
    state = after(state, Load::too_much, 1, now, now);
  }
  EXPECT_EQ(state.limit, 64u);
}

TEST(aimd, what_was_learned_fades_while_the_limit_is_not_reached) {
  Aimd state{.limit = 2, .lowered = kStart};
  state = after(state, Load::fine, 1, kStart + 10s - 1ns);
  EXPECT_EQ(state.limit, 2u);
  state = after(state, Load::fine, 1, kStart + 10s);
  EXPECT_EQ(state.limit, 3u);
  state = after(state, Load::fine, 1, kStart + 19s);
  EXPECT_EQ(state.limit, 3u);
  state = after(state, Load::fine, 1, kStart + 70s);
  EXPECT_EQ(state.limit, 9u) << "six times ten windows without a call";
  state = after(state, Load::fine, 1, kStart + 1000h);
  EXPECT_EQ(state.limit, kMost);
}

TEST(aimd, what_says_nothing_of_load_changes_nothing) {
  const Aimd state{.limit = 7};
  EXPECT_EQ(after(state, Load::unknown, 7, kStart).limit, 7u);
}

TEST(aimd, settles_near_what_a_provider_bears) {
  // The provider answers 20 at once and refuses more; calls last a second.
  Aimd state{.limit = 64};
  std::uint32_t least = 64;
  std::uint32_t most = 0;
  for (int second = 0; second < 300; ++second) {
    const TimePoint now = kStart + std::chrono::seconds(second + 1);
    const auto at_work = state.limit;
    const Load load = at_work > 20 ? Load::too_much : Load::fine;
    state = after(state, load, at_work, now, now - 1s);
    if (second < 100) continue;
    least = std::min(least, state.limit);
    most = std::max(most, state.limit);
  }
  EXPECT_GE(least, 18u);
  EXPECT_LE(most, 21u);
}

}  // namespace
}  // namespace mainstay::models
